"""`cnnzoo denoise`"""

import argparse
from functools import cache
from typing import TYPE_CHECKING, Any

from cnnzoo.cli import arguments
from cnnzoo.cli.photographs import plan_files, process_files, restorer_of
from cnnzoo.cli.pipes import with_pipes

if TYPE_CHECKING:
    from pathlib import Path

    from cnnzoo.imaging.files import Photo

HELP = "denoise photographs"
EXAMPLES = (
    "cnnzoo denoise in.png out.png",
    "cnnzoo denoise scans/ clean/ --model denoiser.gray_s25 --ensemble",
)
DENOISERS = {1: "denoiser.gray_blind", 3: "denoiser.color_blind"}  # by the number of channels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    arguments.other_model(parser, "denoiser.gray_blind or denoiser.color_blind, by the channels of the image")
    arguments.ensemble(parser)


@with_pipes
def run(args: argparse.Namespace) -> None:
    plan = plan_files(args)
    restorer = cache(lambda name: restorer_of(name, DENOISERS[3]))
    if args.model:
        restorer(args.model)  # so that a wrong name is one error, not one per file

    def name(photo: "Photo", path: "Path") -> str:
        return args.model or DENOISERS[photo.pixels.shape[2]]

    def clean(photo: "Photo", path: "Path", tell: Any) -> "Photo":
        return restorer(name(photo, path))(photo, ensemble=args.ensemble)

    process_files(args, plan, clean, name, stepwise=True)
