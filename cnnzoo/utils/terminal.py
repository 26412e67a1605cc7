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

GAP = 3  # characters between two columns of a table
LEAST = 8  # characters of a truncated column, at least


def print_anything() -> None:
    r"""Makes stdout and stderr escape characters outside their encoding, as in some file names: \\u65e5."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(content: Any) -> None:
    """Prints JSON, with escapes where stdout is not Unicode."""
    in_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json_text(content, ensure_ascii=not in_unicode))


def width() -> int:
    """Columns of the terminal; 80 without one."""
    return shutil.get_terminal_size().columns


def print_text(text: str, label: str = "", indent: int = 0) -> None:
    """Prints text wrapped at the width of the terminal, at most 100, with a hanging indent.

    Args:
        text: The text.
        label: Printed before the first line; a label shorter than `indent` is padded to it.
        indent: Characters before the other lines.
    """
    start, rest = f"{label:{indent}}", " " * indent
    if len(start) > indent:
        text, start = start + text, ""
    print(textwrap.fill(text, min(width(), 100), initial_indent=start, subsequent_indent=rest, break_on_hyphens=False))


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], cut: int | None = None) -> None:
    """Prints a table; the first column is not wrapped, and empty columns are left out.

    Args:
        title: A line above it, or "".
        header: The names of its columns; empty for a table without a header.
        rows: Its cells.
        cut: The column to truncate so that each row is one line; None wraps all columns but the first.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    cells = [[Text(cell) for cell in row] for row in rows]  # as text, so that brackets are not markup
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
    """Truncates the texts of a column so that all rows fit into a terminal of `columns` characters."""
    others = [i for i in range(len(cells[0]) if cells else 0) if i != cut and any(row[i].plain for row in cells)]
    names = {i: header[i] if header else "" for i in others}
    taken = sum(GAP + max(len(names[i]), *(row[i].cell_len for row in cells)) for i in others)
    for row in cells:
        row[cut].truncate(max(LEAST, columns - taken), overflow="ellipsis")


@contextmanager
def bars() -> Iterator["Progress"]:
    """Progress bars on stderr, if it is a terminal; printed lines appear above them."""
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
    # The note takes the rest of the line, so that count and times stay visible.
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
        redirect_stdout=sys.stdout.isatty(),  # lines to a file or pipe are unchanged
    ) as progress:
        yield progress


@contextmanager
def progress(label: str) -> Iterator[Callable[..., None]]:
    """One progress bar; yields a function of (done, total) and an optional note; it is indeterminate until called."""
    with bars() as shown:
        bar = shown.add_task(label, total=None, note="")

        def update(done: int, total: int, note: str = "") -> None:
            shown.update(bar, completed=done, total=total, note=note)

        yield update
