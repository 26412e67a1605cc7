"""`cnnzoo classify`"""

import argparse

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.pictures import read
from cnnzoo.utils.terminal import print_json, print_table, progress

HELP = "classify images"
EXAMPLES = (
    "cnnzoo classify lenet.mnist three.png eight.png",
    "cnnzoo classify cnn.fashion_mnist shoe.jpg --top 1 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser)
    parser.add_argument(
        "--top", type=arguments.integer(1), default=3, help="classes to show for each image (default: 3)"
    )
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo.checkpoints.labels import class_names

    checks.pictures(*args.image)
    with progress(f"classifying with {args.name}"):
        model = models.load_with_method(args.name, "classify")
        chances = model.classify(read(args.image, model, args.invert))
    names = class_names(model, models.resolve(args.name)[1])
    best = [[(names[i], float(row[i])) for i in row.argsort()[::-1][: args.top]] for row in chances]
    if args.json:
        classes = [[{"name": name, "probability": chance} for name, chance in row] for row in best]
        return print_json([{"image": str(path), "classes": row} for path, row in zip(args.image, classes, strict=True)])
    rows = [
        (str(path), *(f"{name} {100 * chance:.1f} %" for name, chance in row))
        for path, row in zip(args.image, best, strict=True)
    ]
    print_table("", ("image", *(f"{i + 1}." for i in range(len(rows[0]) - 1))), rows)
