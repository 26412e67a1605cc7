"""`cnnzoo serve`"""

import argparse
from pathlib import Path
from typing import Any

from cnnzoo import serving
from cnnzoo.cli import arguments, checks

HELP = "serve exports over the REST API of TensorFlow Serving, for development only"
EXAMPLES = (
    "cnnzoo serve exports/                      # on http://127.0.0.1:8501",
    "cnnzoo serve exports/ --port 9000 --megabytes 64 --megapixels 16",
    "curl localhost:8501/v1/models/espcn        # its versions; /metadata has the signatures",
    "curl localhost:8501/monitoring/prometheus/metrics",
    "python -m cnnzoo.serving.client photo.jpg out.png  # a client of this server and TensorFlow Serving",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="the folder of all exports")
    arguments.address(parser, serving.HOST, serving.PORT)
    most: dict[str, Any] = {"type": arguments.positive, "metavar": "N"}
    parser.add_argument(
        "--megabytes", **most, default=serving.MEGABYTES, help="the largest request (default: %(default)g)"
    )
    parser.add_argument(
        "--megapixels",
        **most,
        default=serving.MEGAPIXELS,
        help="millions of pixels in a request, or in a response in numbers; up to 0.7 GB each (default: %(default)g)",
    )


def run(args: argparse.Namespace) -> None:
    checks.exists(args.folder)
    from cnnzoo.serving import serve

    limits = {"megabytes": args.megabytes, "megapixels": args.megapixels}
    serve(args.folder, host=args.host, port=args.port, **limits)
