"""`cnnzoo verify`"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnnzoo import hub
from cnnzoo.cli import arguments, checks
from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "verify exports and checkpoints against their goldens"
EXAMPLES = (
    "cnnzoo verify exports/espcn    # in a process without cnnzoo",
    "cnnzoo verify espcn.x3         # its hashes, and its output by Keras and by ONNX Runtime",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="+",
        help="the folder of an exported model, or of one version of it; or a checkpoint, by its name or folder",
    )
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo.checkpoints import CARD

    folders = [hub.checkpoint_path(name) if hub.is_checkpoint(name) else Path(name) for name in args.folder]
    for folder in folders:
        checks.exists(folder)
    found: dict[str, dict[str, float]] = {}
    with progress("verifying"):
        for folder in folders:
            if (folder / CARD).is_file():
                found[str(folder)] = _differences(folder)
        if exports := [folder for folder in folders if str(folder) not in found]:
            from cnnzoo.export.loader import verify  # with TensorFlow

            found |= verify(*exports)
    if args.json:
        return print_json(found)
    for name, differences in found.items():
        print_table(name, ("what", "off by at most"), [(k, f"{v:.2g}") for k, v in differences.items()])


def _differences(folder: Path) -> dict[str, float]:
    """The differences of a checkpoint from its golden, by runtime; those that are not installed are named on stderr.

    Raises:
        CheckpointError: A file is missing, truncated or altered.
        ValueError: A difference is too large.
    """
    from cnnzoo.checkpoints import TOLERANCE, check_golden, load, open_checkpoint, verify
    from cnnzoo.checkpoints.card import NETWORK
    from cnnzoo.runtime import open_model

    checkpoint = open_checkpoint(folder)
    verify(checkpoint)
    ways: dict[str, tuple[str, Callable[[Path], Any]]] = {"keras": ("Keras", load)}
    if NETWORK in checkpoint.card["files"]:
        ways["onnxruntime"] = ("ONNX Runtime", open_model)
    found = {}
    for package, (name, opened) in ways.items():
        if find_spec(package) is None:
            print(f"{folder}: not compared by {name}, which is not installed", file=sys.stderr)
            continue
        found[name] = check_golden(checkpoint, opened(folder))
        if not found[name] <= TOLERANCE:
            raise ValueError(f"{folder}: {name} is off by {found[name]:.2g}, tolerated are {TOLERANCE:g}")
    return found
