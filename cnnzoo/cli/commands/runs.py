"""`cnnzoo runs`"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments
from cnnzoo.utils import terminal

if TYPE_CHECKING:
    from cnnzoo.training.status import RunStatus

HELP = "list training runs, or compare their curves"
EXAMPLES = (
    "cnnzoo runs                                # those in ./runs",
    "cnnzoo runs experiments --sort score",
    "cnnzoo runs A B --plot curves.png          # loss by epoch",
    "cnnzoo runs A B --plot curves.png --score frechet",
    "cnnzoo runs --json",
)
HEADER = ("run", "model", "epochs", "state", "loss", "score", "hours")
NARROW = 10  # characters of a shortened column, at least
SORTS: dict[str, Callable[["RunStatus"], Any]] = {
    "run": lambda run: run.path.name,
    "model": lambda run: run.name,
    "data": lambda run: run.data,
    "epochs": lambda run: run.epochs,
    "state": lambda run: run.state,
    "loss": lambda run: run.loss,
    "score": lambda run: run.score,
    "hours": lambda run: run.core_hours,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="*", type=Path, default=[Path("runs")], help="run folders, or folders of them (default: runs)"
    )
    parser.add_argument(
        "--sort",
        type=arguments.one_of(*SORTS),
        metavar="KEY",
        help=f"in ascending order of {', '.join(SORTS)} (core-hours of training); unknown ones last",
    )
    parser.add_argument(
        "--score", metavar="NAME", help="the score in curve.json that is shown (default: the main one of the task)"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the loss by epoch, or --score by core-hours, into a .png file"
    )
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo.training.status import statuses

    if args.plot is not None and args.plot.suffix.lower() != ".png":
        raise ValueError(f"--plot must be a .png file. Received: {args.plot}")
    found = [each for folder in args.folder for each in statuses(folder, args.score)]
    if args.sort:
        key = SORTS[args.sort]
        known = sorted((each for each in found if key(each) not in (None, "")), key=key)
        found = known + [each for each in found if key(each) in (None, "")]
    if args.plot is not None:
        _plot(found, args.plot, args.score)
    if args.json:
        return terminal.print_json([{**vars(each), "path": str(each.path)} for each in found])
    if args.plot is not None:
        return print(args.plot)
    if not found:
        raise ValueError(f"{args.folder[0]} must have runs. Received: an empty folder")
    several = len(args.folder) > 1
    scored = {each.score_name for each in found if each.score is not None}
    (shown,) = scored if len(scored) == 1 else ("",)
    rows = [_row(str(each.path) if several else each.path.name, each, with_name=not shown) for each in found]
    header = [shown if title == "score" and shown else title for title in HEADER]
    terminal.print_table("", header, _fitting(header, rows), cut=1)


def _row(name: str, run: "RunStatus", with_name: bool) -> tuple[str, ...]:
    about = f"{run.architecture}, {Path(run.data).name}" if run.name else ""
    return (
        name,
        ": ".join(filter(None, (about, run.problem))),
        "" if run.epochs is None else f"{run.epochs}/{run.planned}",
        run.state,
        "" if run.loss is None else f"{run.loss:.3g}",
        "" if run.score is None else f"{run.score_name} {run.score:.4g}" if with_name else f"{run.score:.4g}",
        "" if run.core_hours is None else f"{run.core_hours:.3g}",
    )


def _fitting(header: list[str], rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows whose names leave room for the other columns; the beginning of a long name is cut."""
    columns = list(zip(*rows, strict=True))[2:]
    widths = [max(len(title), *map(len, cells)) for title, cells in zip(header[2:], columns, strict=True) if any(cells)]
    taken = sum(terminal.GAP + width for width in widths)
    room = max(NARROW, terminal.width() - taken - terminal.GAP - NARROW)
    return [(name if len(name) <= room else f"…{name[1 - room :]}", *rest) for name, *rest in rows]


def _plot(found: list["RunStatus"], file: Path, score: str | None) -> None:
    """Draws the runs that have the curve, and warns of those that have not."""
    from cnnzoo.training.curves import chart, points
    from cnnzoo.utils.atomic_files import write_bytes

    names = [each.path.name for each in found]
    names = names if len(set(names)) == len(names) else [str(each.path) for each in found]
    curves, problems = {}, []
    for name, each in zip(names, found, strict=True):
        try:
            curves[name] = points(each.path, score)
        except ValueError as error:
            problems.append(str(error))
    if not curves:
        raise ValueError(problems[0] if problems else "--plot must be given runs. Received: none")
    for problem in problems:
        warnings.warn(f"left out: {problem}", stacklevel=2)
    write_bytes(file, chart(curves, score))
