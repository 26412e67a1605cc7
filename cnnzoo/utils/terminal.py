"""Tables and JSON on stdout, progress on stderr."""

import io
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnnzoo.utils.atomic_files import json_text

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.text import Text

GAP = 3  # between two columns of a table
LEAST = 8  # of a column that is cut


def print_anything() -> None:
    """Lets stdout and stderr show characters that their encoding has not, as in some file names, by number: \\u65e5."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(content: Any) -> None:
    in_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json_text(content, ensure_ascii=not in_unicode))


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


def print_text(text: str, label: str = "", indent: int = 0) -> None:
    """Words, wrapped at the width of the terminal, at most 100; all lines but the first begin `indent` to the right.

    So does the first, after a label that is shorter than that.
    """
    start, rest = f"{label:{indent}}", " " * indent
    if len(start) > indent:
        text, start = start + text, ""
    print(textwrap.fill(text, min(width(), 100), initial_indent=start, subsequent_indent=rest, break_on_hyphens=False))


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], cut: int | None = None) -> None:
    """A table whose first column is never broken; columns without content are left out.

    Args:
        title: A line above it, or "".
        header: The names of its columns; none for a table without them.
        rows: Its cells.
        cut: The column that loses its end where a row would take more than one line; None breaks all but the first.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    cells = [[Text(cell) for cell in row] for row in rows]  # as text: brackets are no markup
    if cut is not None:
        _shorten(cells, header, cut, console.width)
    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=bool(header),
        show_edge=cut is None,
    )
    shown = [i for i in range(len(header or cells[0])) if i == 0 or any(row[i].plain for row in cells)]
    for i in shown:
        table.add_column(header[i] if header else "", no_wrap=cut is not None or i == 0, overflow="fold")
    for row in cells:
        table.add_row(*(row[i] for i in shown))
    console.print(table)


def _shorten(cells: list[list["Text"]], header: Sequence[str], cut: int, columns: int) -> None:
    """Takes so much off the texts of a column that all rows fit into as many columns of a terminal."""
    others = [i for i in range(len(cells[0]) if cells else 0) if i != cut and any(row[i].plain for row in cells)]
    names = {i: header[i] if header else "" for i in others}
    taken = sum(GAP + max(len(names[i]), *(row[i].cell_len for row in cells)) for i in others)
    for row in cells:
        row[cut].truncate(max(LEAST, columns - taken), overflow="ellipsis")


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
    from rich.table import Column

    console = Console(stderr=True, highlight=False)
    # The note has what is left of the line, since the count and the times are to be seen.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(min(40, max(5, console.width // 8))),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False, table_column=rest),
    )
    with Progress(
        *columns,
        expand=True,
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
