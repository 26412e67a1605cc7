"""Taking the noise out of photographs."""

import argparse
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from cnnzoo.cli import arguments
from cnnzoo.cli.photographs import each, planned, restorer_of, shown

if TYPE_CHECKING:
    from cnnzoo.imaging.files import Photo

HELP = "take the noise out of photographs"
EXAMPLES = (
    "cnnzoo denoise in.png out.png",
    "cnnzoo denoise scans/ clean/ --model denoiser.gray_s25 --ensemble",
)
DENOISERS = {1: "denoiser.gray_blind", 3: "denoiser.color_blind"}  # by the channels of the picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    arguments.other_model(parser, "denoiser.gray_blind or denoiser.color_blind, as the picture is")
    arguments.ensemble(parser)


def run(args: argparse.Namespace) -> None:
    plan = planned(args)
    restorer = cache(lambda name: restorer_of(name, DENOISERS[3]))
    if args.model:
        restorer(args.model)  # so that a wrong name is told of once, not for each file of a folder

    def clean(photo: "Photo") -> "Photo":
        clear = replace(photo, pixels=shown(photo))
        return restorer(args.model or DENOISERS[photo.pixels.shape[2]])(clear, ensemble=args.ensemble)

    each(args, plan, clean)
