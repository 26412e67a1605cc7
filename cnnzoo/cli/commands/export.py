"""Writing models for other programs."""

import argparse
from pathlib import Path

from cnnzoo.cli import arguments, checks, models
from cnnzoo.utils.terminal import progress

HELP = "write a model as TensorFlow Serving, LiteRT and ONNX runtimes load it"
EXAMPLES = (
    "cnnzoo export espcn.x3 exports/            # exports/espcn/1, and the next time exports/espcn/2",
    "cnnzoo export espcn.x2 exports/ --name espcn_x2 --litert --onnx",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    parser.add_argument("folder", type=Path, help="where all exports lie")
    parser.add_argument("--name", dest="called", help="what a client calls it by (default: its architecture)")
    parser.add_argument("--litert", action="store_true", help="for phones as well: float32, float16 and int8")
    parser.add_argument("--onnx", action="store_true", help="for ONNX as well")
    parser.add_argument("--data", help="what calibrates int8: a data set or a folder (default: what it was trained on)")


def run(args: argparse.Namespace) -> None:
    from cnnzoo.export import export

    models.check(args.name)
    checks.data(args.data)
    checks.folder(args.folder, "the folder of exports")
    options = {"name": args.called, "litert": args.litert, "onnx": args.onnx, "data": args.data}
    with progress(f"exporting {args.name}"):
        version = export(args.name, args.folder, **options)
    print(version)
