"""`cnnzoo explain`"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.pictures import save
from cnnzoo.utils.terminal import progress

if TYPE_CHECKING:
    import numpy as np

HELP = "show attribution maps of a classifier or discriminator; for an autoencoder, see traverse"
EXAMPLES = (
    "cnnzoo explain lenet.mnist three.png -o report.png",
    "cnnzoo explain cnn.mnist three.png --label 8 --method grad_cam --method occlusion",
    "cnnzoo explain cgan.mnist three.png --label 3",
)
# The names of `cnnzoo.explain.METHODS`, without the import of a network library.
METHODS = ("saliency", "smooth_grad", "integrated_gradients", "occlusion", "grad_cam", "grad_cam_plus_plus")
SIDE = 128  # pixels of the central crop, for a model of images of any size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser, None, "an image file")
    parser.add_argument(
        "--label", type=arguments.integer(0), help="the class to explain (default: the most likely one)"
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
    from cnnzoo.checkpoints.labels import class_names

    checks.pictures(args.image)
    if args.label is not None:
        _check_label(args)
    with progress(f"looking into {args.name}"):
        model = models.load_with_method(args.name)
        names = class_names(model, models.resolve(args.name)[1]) if getattr(model, "classes", 0) else None
        from cnnzoo.explain.report import sheet  # with Keras

        if args.label is None and model.task == "generate" and model.needs_labels:
            raise ValueError(
                f"--label must be an integer in [0, {model.classes}) with {args.name!r}, which judges an image as one "
                "of a class. Received: none"
            )
        made = sheet(model, _read(args.image, model, args.invert), args.method, args.label, names)
    save(args.out, made)
    print(args.out)


def _check_label(args: argparse.Namespace) -> None:
    """Checks --label.

    Raises:
        ValueError: The model has no classes, or fewer.
    """
    models.check(args.name)
    classes = models.config(args.name).get("classes")
    if not classes:
        raise ValueError(f"--label must not be given with {args.name!r}, which has no classes. Received: {args.label}")
    if args.label >= classes:
        raise ValueError(f"--label must be an integer in [0, {classes}). Received: {args.label}")


def _read(path: Path, model: Any, invert: bool) -> "np.ndarray":
    """The image in the image shape of the model; a central crop for a model of images of any size."""
    from cnnzoo.imaging.arrays import fit_to
    from cnnzoo.imaging.files import read_image

    image = read_image(path)
    image = 255 - image if invert else image
    sides = [side or min(have, SIDE) for side, have in zip(model.image_shape[:2], image.shape[:2], strict=True)]
    if None in model.image_shape[:2]:
        top, left = ((have - side) // 2 for have, side in zip(image.shape[:2], sides, strict=True))
        image = image[top : top + sides[0], left : left + sides[1]]
    return fit_to(image[None], (*sides, model.image_shape[2]))[0]
