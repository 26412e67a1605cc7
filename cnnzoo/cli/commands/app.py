"""`cnnzoo app`"""

import argparse
from typing import Any

from cnnzoo import web_app
from cnnzoo.cli import arguments

HELP = "open a page in the browser to enlarge, repair, paint, generate and more"
EXAMPLES = (
    "cnnzoo app                                 # on http://127.0.0.1:7860",
    "cnnzoo app --open --port 0",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.address(parser, web_app.HOST, web_app.PORT)
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    most: dict[str, Any] = {"type": arguments.positive, "metavar": "N"}
    parser.add_argument(
        "--megabytes", **most, default=web_app.MEGABYTES, help="the largest file (default: %(default)g)"
    )
    parser.add_argument(
        "--megapixels", **most, default=web_app.MEGAPIXELS, help="the largest picture (default: %(default)g)"
    )


def run(args: argparse.Namespace) -> None:
    limits = {"megabytes": args.megabytes, "megapixels": args.megapixels}
    web_app.app(host=args.host, port=args.port, open_browser=args.open, **limits)
