"""`cnnzoo demo`"""

import argparse
from pathlib import Path

from cnnzoo.cli import checks
from cnnzoo.utils.terminal import print_table, progress

HELP = "run every shipped checkpoint on sample images and write a gallery, a page for the browser"
EXAMPLES = (
    "cnnzoo demo",
    "cnnzoo demo --out show",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("cnnzoo-demo"), help="output folder (default: ./cnnzoo-demo)")


def run(args: argparse.Namespace) -> None:
    checks.folder(args.out, "--out")
    with progress("demo") as update:
        from cnnzoo.gallery.page import make  # with Keras

        exhibits = make(args.out, update)
    rows = [(e.name, e.did, f"{1e3 * e.seconds:.1f}") for e in exhibits]
    print_table("", ("model", "what it did", "ms"), rows, cut=1)
    print(f"gallery: {args.out / 'index.html'}")
