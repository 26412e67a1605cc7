"""`cnnzoo info`"""

import argparse
import json
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments
from cnnzoo.cli.scores import interval
from cnnzoo.utils.terminal import print_json, print_table, print_text

if TYPE_CHECKING:
    from cnnzoo.metrics.scores import Score

HELP = "describe an architecture or a checkpoint"
EXAMPLES = (
    "cnnzoo info lenet.mnist",
    "cnnzoo info lenet.mnist --json             # with all scores, protocols and hashes",
    "cnnzoo info dcgan --json",
)
LONGEST = 20  # rows of a table, to fit a screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", help="an architecture, such as lenet; or a checkpoint, such as lenet.mnist or hf://USER/NAME"
    )
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo import hub, registry
    from cnnzoo.checkpoints import table

    if hub.is_checkpoint(args.name) or registry.split_name(args.name)[1]:
        about = hub.card(args.name)
        return print_json(about) if args.json else _print_checkpoint(about)
    about = table.architecture_card(args.name)
    return print_json(about) if args.json else _print_architecture(about)


def _print_architecture(about: dict[str, Any]) -> None:
    from cnnzoo.utils import source

    print_text(f"{about['name']}: {about['summary']}")
    prose, meanings = source.described(source.lineage(about["name"]))
    if prose and prose != about["summary"]:
        print()
        print_text(prose)
    print()
    rows = [(key, json.dumps(value), meanings.get(key, "")) for key, value in about["config"].items()]
    print_table("", ("field", "default", "meaning"), rows, cut=2)
    print()
    for key in ("checkpoints", "recipes"):
        print_text(", ".join(about[key]) or "none", f"{key}: ", 2)


def _print_checkpoint(card: dict[str, Any]) -> None:
    from cnnzoo.checkpoints import table

    print_text(f"{card['name']}: {card['description']}")
    print()
    config = ", ".join(f"{key}={json.dumps(value)}" for key, value in card["config"].items())
    rows = {
        "task": card["task"],
        "source": card["paper"],
        "trained on": f"{card['data']['name']}, split {card['data']['split']!r} ({card['data']['licence']})",
        "made by": card["recipe"]["command"],
        "configuration": config,
        "parameters": f"{card['parameters']:,}",
        "files": table.size(card["bytes"], "B"),
        "licence": card["licence"],
    }
    for key, value in rows.items():
        print_text(value, key, 15)
    print()
    rows_of_scores = _with_baselines(table.scores(card))
    print_table("", ("score", "value", "95 % interval", "images", "beside"), rows_of_scores[:LONGEST], cut=4)
    more = f"{len(rows_of_scores) - LONGEST} more scores, and h" if len(rows_of_scores) > LONGEST else "H"
    print(f"{more}ow they were measured: cnnzoo info {card['name']} --json")


def _with_baselines(scores: "dict[str, Score]") -> list[tuple[str, ...]]:
    """A row for each score, with its baselines in the last cell: bicubic_psnr_set5 in the row of psnr_set5."""
    of: dict[str, list[str]] = {}
    for name, score in scores.items():
        own = next((other for other in scores if name.endswith(f"_{other}")), None)
        if own is not None:
            of.setdefault(own, []).append(f"{name.removesuffix(f'_{own}').replace('_', ' ')} {score}")
    shown = [score for name, score in scores.items() if not any(name.endswith(f"_{other}") for other in of)]
    return [(s.name, str(s), interval(s), str(s.n), ", ".join(of.get(s.name, ()))) for s in shown]
