"""`cnnzoo reconstruct`"""

import argparse
from pathlib import Path

from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.pictures import enlarged, read
from cnnzoo.utils.terminal import progress

HELP = "reconstruct images with an autoencoder"
EXAMPLES = ("cnnzoo reconstruct autoencoder.mnist three.png eight.png --out again",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.model(parser)
    arguments.images(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reconstructed"),
        help="the folder of NAME.png (default: ./reconstructed)",
    )
    arguments.pixels(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo.imaging.files import format_for, save_png

    stems = [path.stem for path in args.image]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise ValueError(
            f"Images must have different names, as the results take them. Received: several named {', '.join(twice)}"
        )
    targets = [args.out / f"{stem}.png" for stem in stems]
    for target in targets:
        format_for(target)
    for path, target in zip(args.image, targets, strict=True):
        if target.exists() and path.exists() and target.samefile(path):
            raise ValueError(
                f"--out must not be the folder of {path}, which the result would replace. Received: {args.out}"
            )
    checks.pictures(*args.image)
    with progress(f"reconstructing with {args.name}"):
        model = models.load_with_method(args.name, "reconstruct")
        made = model.reconstruct(read(args.image, model, args.invert))
    for target, image in zip(targets, made, strict=True):
        save_png(target, image if args.pixels else enlarged(image))
        print(target)
