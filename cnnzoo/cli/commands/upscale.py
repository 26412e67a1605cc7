"""`cnnzoo upscale`"""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, models
from cnnzoo.cli.photographs import plan_files, process_files, visible_pixels

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo

HELP = "upscale photographs (super-resolution)"
EXAMPLES = (
    "cnnzoo upscale in.jpg out.png --scale 3",
    "cnnzoo upscale photos/ larger/ --scale 2 --ensemble",
    "cnnzoo upscale in.jpg out.png --scale 4 --model espcn_gan.x4 --sharpness 0.5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument("--scale", type=arguments.integer(1), required=True, help="the scale factor")
    arguments.other_model(parser, "espcn.x<scale>")
    parser.add_argument(
        "--sharpness", type=arguments.number(0, 1), help="of espcn_gan, 0 (faithful) to 1 (sharp) (default: 1)"
    )
    arguments.ensemble(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo import hub

    name = args.model or f"espcn.x{args.scale}"
    if args.model is None and name not in (known := hub.list_checkpoints("espcn")):
        scales = ", ".join(each.removeprefix("espcn.x") for each in known) or "none yet"
        raise ValueError(f"--scale must be one of {scales}. Received: {args.scale}")
    models.check(name, "upscale")
    if (scale := models.config(name)["scale"]) != args.scale:
        raise ValueError(f"--scale must be {scale} for {name!r}. Received: {args.scale}")
    options = {"ensemble": args.ensemble}
    if args.sharpness is not None:
        if not models.accepts(name, "upscale", "sharpness"):
            raise ValueError(
                f"--sharpness must not be given with {name!r}, which has no such dial. Received: {args.sharpness}"
            )
        options["sharpness"] = args.sharpness
    plan = plan_files(args)
    # A graph has the weights of full sharpness.
    model = models.load_by_keras(name) if "sharpness" in options else models.load_with_method(name, "upscale")

    def larger(photo: "Photo") -> "Photo":
        alpha = None if photo.alpha is None else _upscaled(photo.alpha, model.scale)
        return replace(photo, pixels=model.upscale(visible_pixels(photo), **options), alpha=alpha)

    process_files(args, plan, larger, scale=model.scale)


def _upscaled(alpha: "np.ndarray", scale: int) -> "np.ndarray":
    """A channel (height, width) of 8 or 16 bits, upscaled by bicubic interpolation."""
    import numpy as np
    from PIL import Image

    size = (scale * alpha.shape[1], scale * alpha.shape[0])
    return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))
