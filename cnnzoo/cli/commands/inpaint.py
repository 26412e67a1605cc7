"""`cnnzoo inpaint`"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.photographs import mask_of, plan_files, process_files, restorer_of, visible_pixels

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


def run(args: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.imaging.transparency import from_nearest

    plan = plan_files(args, args.mask)
    checks.pictures(args.mask)
    restorer = restorer_of(args.model or INPAINTER, INPAINTER)
    mask = mask_of(args.mask)

    def whole(photo: "Photo") -> "Photo":
        if photo.pixels.shape[:2] != mask.shape:
            sizes = ["{1}x{0}".format(*shape) for shape in (mask.shape, photo.pixels.shape)]
            raise ValueError(
                f"--mask must be of {sizes[1]} pixels, as the picture. Received: {args.mask} of {sizes[0]}"
            )
        made, alpha = restorer(replace(photo, pixels=visible_pixels(photo, mask)), mask), photo.alpha
        if alpha is not None and not alpha[mask].any():  # erased pixels become visible once filled
            alpha = from_nearest(alpha, ~mask)
        return replace(made, pixels=np.where(mask[..., None], made.pixels, photo.pixels), alpha=alpha)

    process_files(args, plan, whole)
