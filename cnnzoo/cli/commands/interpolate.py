"""`cnnzoo interpolate`"""

import argparse
from itertools import pairwise

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.latents import check_unused, codes, latent_model, noise
from cnnzoo.cli.pictures import check_sheet, save_sheet
from cnnzoo.utils.terminal import progress

HELP = "interpolate between images in latent space"
EXAMPLES = (
    "cnnzoo interpolate dcgan.mnist --seed 3",
    "cnnzoo interpolate autoencoder.mnist three.png eight.png",
    "cnnzoo interpolate cgan.mnist --label 7 --steps 12",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser, "*", "two or more images, for an autoencoder (default: random ones)")
    parser.add_argument(
        "--steps", type=arguments.integer(2), default=9, help="images per pair, with both ends (default: 9)"
    )
    parser.add_argument("--ways", type=arguments.integer(1), help="number of random pairs (default: 8)")
    parser.add_argument("--straight", action="store_true", help="interpolate linearly instead of spherically")
    arguments.latent_seed(parser)
    arguments.label(parser)
    arguments.sheet(parser)


def run(args: argparse.Namespace) -> None:
    import numpy as np

    if len(args.image) == 1:
        raise ValueError("Images must be none, or two or more. Received: one")
    checks.pictures(*args.image)
    with progress(f"going through {args.name}"):
        model = latent_model(args.name)
        from cnnzoo.latent import interpolate  # with Keras

        if args.image:
            check_unused(args, "ways")
            pairs = np.stack(list(pairwise(codes(args, model))))
        else:
            ways = args.ways or 8
            pairs = noise(args, model, 2 * ways).reshape(ways, 2, -1)
        check_sheet(args.out, len(pairs) * args.steps, args.steps, model)
        made = [interpolate(model, a, b, args.steps, not args.straight, args.label) for a, b in pairs]
    save_sheet(args.out, np.concatenate(made), args.steps, args.pixels)
