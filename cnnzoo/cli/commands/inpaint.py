"""`cnnzoo inpaint`"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.photographs import check_mask, mask_of, plan_files, process_files, restorer_of
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
        check_mask(args.mask, mask, photo)
        return restorer(photo, mask)

    process_files(args, plan, whole, lambda photo, path: name)
