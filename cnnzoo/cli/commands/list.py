"""`cnnzoo list`"""

import argparse
import csv
import sys
from collections.abc import Callable
from typing import Any

from cnnzoo.cli import arguments
from cnnzoo.utils.terminal import print_json, print_table

HELP = "list architectures and checkpoints"
EXAMPLES = (
    "cnnzoo list",
    "cnnzoo list '*gan*'",
    "cnnzoo list --task upscale --sort score    # checkpoints alone, the best first",
    "cnnzoo list --data mnist",
    "cnnzoo list --csv > checkpoints.csv",
    "cnnzoo list --json                         # with all scores",
)
SORTS = ("name", "task", "data", "score", "parameters")
KEPT = ("name", "description", "task", "data", "scores", "parameters", "bytes", "licence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from cnnzoo.checkpoints import TASKS

    parser.add_argument("pattern", nargs="?", default="*", help="a shell pattern of names (default: all)")
    parser.add_argument(
        "--task", type=arguments.one_of(*TASKS), metavar="TASK", help=f"checkpoints of one task: {', '.join(TASKS)}"
    )
    parser.add_argument("--data", help="checkpoints trained on this data set, alone or with others")
    parser.add_argument(
        "--sort",
        type=arguments.one_of(*SORTS),
        metavar="KEY",
        help=f"checkpoints in the order of {', '.join(SORTS[:-1])} (the best of each task first) or {SORTS[-1]}",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print the checkpoints as CSV, with the score in full")
    arguments.json_flag(form)


def run(args: argparse.Namespace) -> None:
    from cnnzoo import hub, registry
    from cnnzoo.checkpoints import table
    from cnnzoo.utils import source

    found = _found(args)
    names = [] if args.task or args.data or args.sort or args.csv else registry.list_models(args.pattern)
    if not (names or found):
        known = [*registry.list_models(), *hub.list_checkpoints()]
        if not hub.list_checkpoints(args.pattern):
            raise registry.UnknownName("architecture or checkpoint", args.pattern, known)
        raise ValueError("No checkpoint is of that pattern, task and data; cnnzoo list names all")
    architectures = [{"name": name, "summary": source.summary(name)} for name in names]
    if args.json:
        checkpoints = [{k: card[k] for k in KEPT} for card in found]
        return print_json({"architectures": architectures, "checkpoints": checkpoints})
    if args.csv:
        return _print_csv(found)
    if architectures:
        print_table("Architectures", (), [tuple(a.values()) for a in architectures], cut=1)
    if architectures and found:
        print()
    if found:
        rows = [(c["name"], c["task"], _score(c), table.size(c["parameters"], "")) for c in found]
        print_table("Checkpoints", ("name", "task", "on its test split", "parameters"), rows, cut=2)


def _found(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The cards of the selection, in its order."""
    from cnnzoo import registry
    from cnnzoo.checkpoints import shipped

    found = shipped.cards(args.pattern)
    if args.data:
        sets = {name: set(name.split("+")) for name in sorted({card["data"]["name"] for card in found})}
        known = {part for name, parts in sets.items() for part in (name, *parts)}
        if args.data not in known and known:
            raise ValueError(f"No checkpoint was trained on {args.data!r}. {registry.suggestion(args.data, known)}")
        found = [c for c in found if args.data == c["data"]["name"] or args.data in sets[c["data"]["name"]]]
    found = [card for card in found if args.task in (None, card["task"])]
    keys: dict[str, Callable[[dict[str, Any]], Any]] = {
        "task": lambda card: card["task"],
        "data": lambda card: card["data"]["name"],
        "parameters": lambda card: card["parameters"],
        "score": _rank,
    }
    return sorted(found, key=keys[args.sort]) if args.sort in keys else found


def _rank(card: dict[str, Any]) -> tuple[str, str, float]:
    """A sort key: by task and score name, the best first."""
    from cnnzoo.checkpoints import table

    score = table.key_score(card)
    if score is None:
        return card["task"], "", 0.0
    return card["task"], score.name, -score.value if score.better == "higher" else score.value


def _score(card: dict[str, Any]) -> str:
    from cnnzoo.checkpoints import table

    score = table.key_score(card)
    return "not scored" if score is None else table.in_words(score)


def _print_csv(found: list[dict[str, Any]]) -> None:
    from cnnzoo.checkpoints import table

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("name", "task", "data", "score", "value", "unit", "better", "parameters", "bytes", "licence"))
    for card in found:
        score = table.key_score(card)
        measured = (score.name, score.value, score.unit, score.better) if score else ("", "", "", "")
        about = (card["parameters"], card["bytes"], card["licence"])
        writer.writerow((card["name"], card["task"], card["data"]["name"], *measured, *about))
