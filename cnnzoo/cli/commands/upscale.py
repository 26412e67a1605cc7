"""Making photographs larger."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments, models
from cnnzoo.cli.photographs import each, planned, shown

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo

HELP = "make photographs larger"
EXAMPLES = (
    "cnnzoo upscale in.jpg out.png --scale 3",
    "cnnzoo upscale photos/ larger/ --scale 2 --ensemble",
    "cnnzoo upscale in.jpg out.png --scale 4 --model espcn_gan.x4 --sharpness 0.5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument("--scale", type=arguments.integer(1), required=True, help="how many times as high and as wide")
    arguments.other_model(parser, "espcn.x<scale>")
    parser.add_argument(
        "--sharpness", type=arguments.number(0, 1), help="of espcn_gan, from 0, faithful, to 1, sharp (default: 1)"
    )
    arguments.ensemble(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo import hub

    name = args.model or f"espcn.x{args.scale}"
    if args.model is None and name not in (known := hub.list_checkpoints("espcn")):
        raise ValueError(f"got --scale {args.scale}; allowed: that of {' or '.join(known) or 'none yet'}")
    models.check(name, "upscale")
    if (scale := models.config(name)["scale"]) != args.scale:
        raise ValueError(f"got --scale {args.scale} for {name!r}; allowed: {scale}")
    options = {"ensemble": args.ensemble}
    if args.sharpness is not None:
        if not models.takes(name, "upscale", "sharpness"):
            raise ValueError(f"got --sharpness for {name!r}, which has no such dial; allowed: none")
        options["sharpness"] = args.sharpness
    plan = planned(args)
    model = models.able(name, "upscale")

    def larger(photo: "Photo") -> "Photo":
        alpha = None if photo.alpha is None else _enlarged(photo.alpha, model.scale)
        return replace(photo, pixels=model.upscale(shown(photo), **options), alpha=alpha)

    each(args, plan, larger, scale=model.scale)


def _enlarged(alpha: "np.ndarray", scale: int) -> "np.ndarray":
    """A channel (height, width) of 8 or 16 bits, `scale` times as large (bicubic)."""
    import numpy as np
    from PIL import Image

    size = (scale * alpha.shape[1], scale * alpha.shape[0])
    return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))
