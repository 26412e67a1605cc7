"""`cnnzoo upscale`"""

import argparse
import sys
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments, models
from cnnzoo.cli.photographs import plan_files, process_files
from cnnzoo.cli.pipes import with_pipes

if TYPE_CHECKING:
    from pathlib import Path

    from cnnzoo.imaging.files import Photo

HELP = "upscale photographs (super-resolution)"
EXAMPLES = (
    "cnnzoo upscale in.jpg out.png --scale 3",
    "cnnzoo upscale photos/ larger/ --scale 2 --ensemble",
    "cnnzoo upscale in.jpg out.png --scale 2.5",
    "cnnzoo upscale scan.png out.png --scale 2 --real     # noisy, or a JPEG before",
    "cnnzoo upscale in.jpg out.png --scale 4 --model espcn_gan.x4 --sharpness 0.5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument(
        "--scale",
        type=arguments.positive,
        required=True,
        help="the scale factor, also a fraction: 2.5 is upscaling by 3 and a last resize",
    )
    parser.add_argument(
        "--real",
        action=argparse.BooleanOptionalAction,
        help="for slight blur, noise and JPEG compression, or for clean pictures (default: --real for JPEG files)",
    )
    arguments.other_model(parser, "espcn.x<scale>_real or espcn.x<scale>")
    parser.add_argument(
        "--sharpness", type=arguments.number(0, 1), help="of espcn_gan, 0 (faithful) to 1 (sharp) (default: 1)"
    )
    arguments.ensemble(parser)


@with_pipes
def run(args: argparse.Namespace) -> None:
    from cnnzoo.imaging.decoding import is_jpeg
    from cnnzoo.runtime import edits

    names = _names(args)
    for each in names:
        models.check(each, "upscale")
        if (scale := models.config(each)["scale"]) != _factor(args):
            raise ValueError(
                f"--scale must be {scale} for {each!r}, or a fraction above {scale - 1}. Received: {args.scale:g}"
            )
        if args.sharpness is not None and not models.accepts(each, "upscale", "sharpness"):
            raise ValueError(
                f"--sharpness must not be given with {each!r}, which has no such dial. Received: {args.sharpness}"
            )
    options: dict[str, Any] = {"ensemble": args.ensemble}
    if args.sharpness is not None:
        options["sharpness"] = args.sharpness
    plan = plan_files(args)

    @cache
    def loaded(name: str) -> Any:
        # A graph has the weights of full sharpness.
        model = models.load_by_keras(name) if "sharpness" in options else models.load_with_method(name, "upscale")
        if len(names) > 1:
            clean, real = names
            files = {clean: f"files other than JPEG; --real for {real}", real: f"JPEG files; --no-real for {clean}"}
            print(f"model: {name}, for {files[name]}", file=sys.stderr)
        return model

    def name(photo: "Photo", path: "Path") -> str:
        return names[-1] if is_jpeg(path) else names[0]

    def larger(photo: "Photo", path: "Path", tell: Any) -> "Photo":
        return edits.enlarged(loaded(name(photo, path)), photo, args.scale, **options)

    process_files(args, plan, larger, name, scale=args.scale, stepwise=True)


def _names(args: argparse.Namespace) -> list[str]:
    """The model to use; or two to choose from by the file, for clean photographs and for JPEG files.

    Raises:
        ValueError: There is none for the scale, or --real is given with --model.
    """
    from cnnzoo import hub

    if args.model is not None:
        if args.real is not None:
            flag = "--real" if args.real else "--no-real"
            raise ValueError(f"{flag} must not be given with --model. Received: --model {args.model}")
        return [args.model]
    names = [f"espcn.x{_factor(args)}", f"espcn.x{_factor(args)}_real"]
    known = hub.list_checkpoints("espcn")
    if names[0] not in known:
        tags = [name.removeprefix("espcn.x") for name in known]
        most = max((int(tag) for tag in tags if tag.isdigit()), default=0)
        allowed = f"above 1 and at most {most}" if most else "that of a checkpoint, and there is none yet"
        raise ValueError(f"--scale must be {allowed}. Received: {args.scale:g}")
    return names if args.real is None else [names[args.real]]


def _factor(args: argparse.Namespace) -> int:
    """The factor of the network: the scale, rounded up; 0 if the scale is not above 1."""
    return ceil(args.scale) if args.scale > 1 else 0
