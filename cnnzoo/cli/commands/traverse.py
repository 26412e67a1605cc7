"""`cnnzoo traverse`"""

import argparse

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.latents import codes, latent_model, noise
from cnnzoo.cli.pictures import check_sheet, save_sheet
from cnnzoo.utils.terminal import progress

HELP = "traverse latent dimensions, one row each, from -3 to 3"
EXAMPLES = (
    "cnnzoo traverse vae.mnist --dimensions 12",
    "cnnzoo traverse vae.mnist three.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser, "?", "the image to start from, for an autoencoder (default: a random one)")
    parser.add_argument(
        "--dimensions",
        type=arguments.integer(1),
        help="number of latent dimensions (default: the first 8)",
    )
    parser.add_argument("--steps", type=arguments.integer(1), default=9, help="values per dimension (default: 9)")
    arguments.latent_seed(parser)
    arguments.label(parser)
    arguments.sheet(parser)


def run(args: argparse.Namespace) -> None:
    import numpy as np

    if args.image:
        checks.pictures(args.image)
    with progress(f"going through {args.name}"):
        model = latent_model(args.name)
        from cnnzoo.latent import traverse  # with Keras

        rows = args.dimensions or min(8, model.latent_dim)
        if rows > model.latent_dim:
            raise ValueError(f"--dimensions must be at most {model.latent_dim} with {args.name}. Received: {rows}")
        z = (codes(args, model) if args.image else noise(args, model, 1))[0]
        check_sheet(args.out, rows * args.steps, args.steps, model)
        values = np.linspace(-3, 3, args.steps).tolist()
        made = [traverse(model, z, i, values, args.label) for i in range(rows)]
    save_sheet(args.out, np.concatenate(made), args.steps, args.pixels)
