"""`cnnzoo enhance`"""

import argparse
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, models
from cnnzoo.cli.photographs import plan_files, process_files
from cnnzoo.cli.pipes import with_pipes

if TYPE_CHECKING:
    from cnnzoo.imaging.files import Photo

HELP = "correct exposure, contrast and color of photographs"
EXAMPLES = (
    "cnnzoo enhance photo.jpg out.png",
    "cnnzoo enhance photos/ better/ --strength 0.7",
)
ENHANCER = "enhancer.photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument("--strength", type=arguments.number(0, 2), default=1.0, help="0 (unchanged) to 2 (default: 1)")
    arguments.other_model(parser, "enhancer.photos")


@with_pipes
def run(args: argparse.Namespace) -> None:
    plan = plan_files(args)
    name = args.model or ENHANCER
    model = models.load_with_method(name, "enhance")

    def enhanced(photo: "Photo") -> "Photo":
        from cnnzoo.runtime import edits

        return edits.enhanced(model, photo, args.strength)

    process_files(args, plan, enhanced, lambda photo, path: name)
