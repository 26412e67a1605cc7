"""`cnnzoo invert`"""

import argparse

from cnnzoo.cli import arguments, checks
from cnnzoo.cli.latents import check_unused, latent_model
from cnnzoo.cli.pictures import check_sheet, read, save_sheet
from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "find latent vectors whose images are nearest to given ones, shown below them"
EXAMPLES = (
    "cnnzoo invert dcgan.mnist three.png eight.png",
    "cnnzoo invert cgan.mnist three.png --label 3",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser)
    parser.add_argument("--steps", type=arguments.integer(1), default=300, help="steps of the search (default: 300)")
    arguments.latent_seed(parser)
    parser.add_argument("--label", type=arguments.integer(0), help="the class of the images, for a conditional model")
    arguments.sheet(parser)
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    import numpy as np

    from cnnzoo.imaging.arrays import to_uint8

    checks.pictures(*args.image)
    with progress(f"searching in {args.name}"):
        model = latent_model(args.name)
        from cnnzoo.latent import images_of, invert  # with Keras

        if hasattr(model, "encode"):  # whose search starts at the codes of the images
            check_unused(args, "seed")
        check_sheet(args.out, 2 * len(args.image), len(args.image), model)
        images = read(args.image, model, args.invert)
        found = invert(model, images, args.steps, seed=args.seed or 0, label=args.label)
        made = to_uint8(images_of(model, found.z, args.label))
    save_sheet(args.out, np.concatenate([images, made]), len(images), args.pixels, quiet=args.json)
    errors = [(str(path), float(error)) for path, error in zip(args.image, found.error, strict=True)]
    if args.json:
        rows = zip(errors, found.z.tolist(), strict=True)
        return print_json([{"image": path, "mse": error, "z": z} for (path, error), z in rows])
    print_table("", ("image", "mean squared error"), [(path, f"{error:.4g}") for path, error in errors])
