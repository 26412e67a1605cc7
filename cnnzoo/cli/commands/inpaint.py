"""`cnnzoo inpaint`"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.photographs import mask_of, plan_files, process_files, restorer_of
from cnnzoo.cli.pipes import with_pipes

if TYPE_CHECKING:
    from cnnzoo.imaging.files import Photo

HELP = "fill missing pixels of photographs"
EXAMPLES = ("cnnzoo inpaint in.png out.png --mask mask.png",)
INPAINTER = "inpainter.photos64"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument(
        "--mask",
        type=Path,
        required=True,
        help="an image of the same size: bright is filled, black is kept",
    )
    arguments.other_model(parser, "inpainter.photos64")


@with_pipes
def run(args: argparse.Namespace) -> None:
    plan = plan_files(args, args.mask)
    checks.pictures(args.mask)
    name = args.model or INPAINTER
    restorer = restorer_of(name, INPAINTER)
    mask = mask_of(args.mask)

    def whole(photo: "Photo") -> "Photo":
        if photo.pixels.shape[:2] != mask.shape:
            sizes = ["{1}x{0}".format(*shape) for shape in (mask.shape, photo.pixels.shape)]
            raise ValueError(
                f"--mask must be of {sizes[1]} pixels, as the picture. Received: {args.mask} of {sizes[0]}"
            )
        return restorer(photo, mask)

    process_files(args, plan, whole, lambda photo, path: name)
