"""`cnnzoo export`"""

import argparse
from pathlib import Path

from cnnzoo.cli import arguments, checks, models
from cnnzoo.utils.terminal import progress

HELP = "export a model for TensorFlow Serving, LiteRT and ONNX runtimes"
EXAMPLES = (
    "cnnzoo export espcn.x3 exports/            # exports/espcn/1, and the next time exports/espcn/2",
    "cnnzoo export espcn.x2 exports/ --name espcn_x2 --litert --onnx",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    parser.add_argument("folder", type=Path, help="the folder of all exports")
    parser.add_argument("--name", dest="called", help="the name for clients (default: its architecture)")
    parser.add_argument("--litert", action="store_true", help="write LiteRT files as well: float32, float16 and int8")
    parser.add_argument("--onnx", action="store_true", help="write an ONNX file as well")
    parser.add_argument("--data", help="calibration data of int8: a data set or a folder (default: the training data)")


def run(args: argparse.Namespace) -> None:
    from cnnzoo.export import export

    models.check(args.name)
    checks.data(args.data)
    checks.folder(args.folder, "folder")
    options = {"name": args.called, "litert": args.litert, "onnx": args.onnx, "data": args.data}
    with progress(f"exporting {args.name}"):
        version = export(args.name, args.folder, **options)
    print(version)
