"""Showing what a network sees."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.pictures import save
from cnnzoo.utils.terminal import progress

if TYPE_CHECKING:
    import numpy as np

HELP = "show what a classifier or a discriminator sees in an image; for an autoencoder there is traverse"
EXAMPLES = (
    "cnnzoo explain lenet.mnist three.png -o report.png",
    "cnnzoo explain cnn.mnist three.png --label 8 --method grad_cam --method occlusion",
    "cnnzoo explain cgan.mnist three.png --label 3",
)
# The names of `cnnzoo.explain.METHODS`, which only a network library lets be imported.
METHODS = ("saliency", "smooth_grad", "integrated_gradients", "occlusion", "grad_cam", "grad_cam_plus_plus")
SIDE = 128  # of the middle of a picture, for a model that takes any size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser, None, "an image file")
    parser.add_argument(
        "--label", type=arguments.integer(0), help="the class asked about (default: the most likely one)"
    )
    parser.add_argument(
        "--method",
        type=arguments.one_of(*METHODS),
        action="append",
        metavar="NAME",
        help="one of the maps (default: all)",
    )
    arguments.picture(parser, "-o", "--out", default="report.png", help="the report")


def run(args: argparse.Namespace) -> None:
    from cnnzoo.checkpoints.table import class_names

    checks.pictures(args.image)
    with progress(f"looking into {args.name}"):
        model = models.able(args.name)
        classes = getattr(model, "classes", 0)
        named = getattr(model, "class_names", ())
        names = (named or class_names(models.find(args.name)[1], classes)) if classes else None
        from cnnzoo.explain.report import sheet  # with Keras

        made = sheet(model, _read(args.image, model, args.invert), args.method, args.label, names)
    save(args.out, made)
    print(args.out)


def _read(path: Path, model: Any, invert: bool) -> "np.ndarray":
    """The picture as the model takes it: fitted, or the middle of it for one that takes any size."""
    from cnnzoo.imaging.arrays import fit_to
    from cnnzoo.imaging.files import read_image

    image = read_image(path)
    image = 255 - image if invert else image
    sides = [side or min(have, SIDE) for side, have in zip(model.image_shape[:2], image.shape[:2], strict=True)]
    if None in model.image_shape[:2]:
        top, left = ((have - side) // 2 for have, side in zip(image.shape[:2], sides, strict=True))
        image = image[top : top + sides[0], left : left + sides[1]]
    return fit_to(image[None], (*sides, model.image_shape[2]))[0]
