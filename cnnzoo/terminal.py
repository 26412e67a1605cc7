"""What the command shows: tables and JSON on stdout, progress on stderr."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnnzoo.utils.atomic_files import json_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from cnnzoo.metrics.scores import Score


def print_anything() -> None:
    """Lets stdout and stderr show characters that their encoding has not, as in some file names, by number: \\u65e5."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(content: Any) -> None:
    in_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json_text(content, ensure_ascii=not in_unicode))


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; the first column is never broken."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(header):
        table.add_column(name, no_wrap=i == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as text: brackets are no markup
    Console(highlight=False).print(table)


def print_scores(scores: Iterable["Score"], title: str = "") -> None:
    """A row for each score, with its interval and protocol."""
    rows = []
    for score in scores:
        interval = f"{score.interval[0]:.5g} to {score.interval[1]:.5g}" if score.interval else ""
        protocol = ", ".join(f"{key}: {value}" for key, value in score.protocol.items())
        rows.append((score.name, str(score), interval, str(score.n), protocol))
    print_table(title, ("score", "value", "95 % interval", "images", "protocol"), rows)


@contextmanager
def bars() -> Iterator["Progress"]:
    """Progress bars on stderr, where that is a terminal; lines that are printed meanwhile stand above them."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # a file or a pipe gets its lines as they are
    ) as progress:
        yield progress


@contextmanager
def progress(label: str) -> Iterator[Callable[..., None]]:
    """One bar, without an end until the function it gives is called with (done, total) and perhaps a note."""
    with bars() as shown:
        bar = shown.add_task(label, total=None, note="")

        def update(done: int, total: int, note: str = "") -> None:
            shown.update(bar, completed=done, total=total, note=note)

        yield update
