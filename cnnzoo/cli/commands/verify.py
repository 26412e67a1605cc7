"""`cnnzoo verify`"""

import argparse
from pathlib import Path

from cnnzoo.cli import arguments, checks
from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "verify exports against their models, in a process without cnnzoo"
EXAMPLES = ("cnnzoo verify exports/espcn",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="+", type=Path, help="the folder of an exported model, or of one version of it")
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    for folder in args.folder:
        checks.exists(folder)
    from cnnzoo.export.loader import verify  # with TensorFlow

    with progress("verifying"):
        found = verify(*args.folder)
    if args.json:
        return print_json(found)
    for folder, differences in found.items():
        print_table(folder, ("what", "off by at most"), [(k, f"{v:.2g}") for k, v in differences.items()])
