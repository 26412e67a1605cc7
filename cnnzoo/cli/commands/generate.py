"""`cnnzoo generate`"""

import argparse
from math import ceil, sqrt

from cnnzoo.checkpoints import shipped
from cnnzoo.cli import arguments, models
from cnnzoo.cli.pictures import check_sheet, save_sheet
from cnnzoo.utils.terminal import progress

HELP = "generate images"
EXAMPLES = (
    "cnnzoo generate dcgan.mnist -n 64 --seed 0 --out sheet.png",
    "cnnzoo generate RUN -n 16",
    "cnnzoo generate cgan.mnist -n 16 --label 3",
    "cnnzoo generate dcgan.mnist --truncation 1.5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    parser.add_argument("-n", type=arguments.integer(1), default=64, help="number of images (default: 64)")
    arguments.seed(parser)
    arguments.label(parser)
    parser.add_argument(
        "--truncation",
        type=arguments.positive,
        help="truncate the noise at this value; below 2 images are more typical and less varied",
    )
    arguments.sheet(parser)


def run(args: argparse.Namespace) -> None:
    if args.label is not None or args.truncation is not None:
        _check(args)
    with progress(f"generating with {args.name}"):
        model = models.load_with_method(args.name, "generate")
        columns = ceil(sqrt(args.n))
        check_sheet(args.out, args.n, columns, model)
        options = {"labels": args.label, "truncation": args.truncation}
        images = model.generate(args.n, args.seed, **{k: v for k, v in options.items() if v is not None})
    save_sheet(args.out, images, columns, args.pixels)


def _check(args: argparse.Namespace) -> None:
    """Checks --label and --truncation.

    Raises:
        ValueError: The model has no such option.
    """
    models.check(args.name, "generate")
    if args.label is not None and not models.config(args.name).get("classes"):
        conditional = ", ".join(_conditional())
        raise ValueError(
            f"--label must not be given with {args.name!r}, which takes none; conditional models take one: "
            f"{conditional}. Received: {args.label}"
        )
    if args.truncation is not None and not models.accepts(args.name, "generate", "truncation"):
        raise ValueError(
            f"--truncation must not be given with {args.name!r}, which takes none. Received: {args.truncation}"
        )


def _conditional() -> list[str]:
    """The shipped conditional checkpoints."""
    return [c["name"] for c in shipped.cards() if c["task"] != "classify" and c["config"].get("classes")]
