"""Bringing exposure and colour of photographs in order."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, models
from cnnzoo.cli.photographs import each, in_channels, planned, shown

if TYPE_CHECKING:
    from cnnzoo.imaging.files import Photo

HELP = "bring exposure, contrast and colour of photographs in order"
EXAMPLES = (
    "cnnzoo enhance photo.jpg out.png",
    "cnnzoo enhance photos/ better/ --strength 0.7",
)
ENHANCER = "enhancer.photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument(
        "--strength", type=arguments.number(0, 2), default=1.0, help="from 0, nothing, to 2 (default: 1)"
    )
    arguments.other_model(parser, "enhancer.photos")


def run(args: argparse.Namespace) -> None:
    plan = planned(args)
    model = models.able(args.model or ENHANCER, "enhance")

    def enhanced(photo: "Photo") -> "Photo":
        clear = replace(photo, pixels=shown(photo))
        return in_channels(3, clear, lambda pixels: model.enhance(pixels, args.strength))

    each(args, plan, enhanced)
