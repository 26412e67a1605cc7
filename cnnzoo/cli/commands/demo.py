"""`cnnzoo demo`"""

import argparse
from pathlib import Path

from cnnzoo.cli import checks
from cnnzoo.utils.terminal import print_table, progress

HELP = "run every shipped checkpoint on real images and write a gallery"
EXAMPLES = (
    "cnnzoo demo",
    "cnnzoo demo --out show",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("cnnzoo-demo"), help="output folder (default: ./cnnzoo-demo)")


def run(args: argparse.Namespace) -> None:
    checks.folder(args.out, "--out")
    from cnnzoo.cli.gallery import make  # with Keras

    with progress("demo") as update:
        exhibits = make(args.out, update)
    rows = [(e.name, e.did, f"{e.milliseconds:.2f}") for e in exhibits]
    print_table("", ("model", "what it did", "ms an image"), rows, cut=1)
    print(f"gallery: {args.out / 'index.html'} and {args.out / 'gallery.png'}")
