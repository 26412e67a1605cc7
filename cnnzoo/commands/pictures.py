"""Making, changing and naming images."""

import argparse
from collections.abc import Sequence
from inspect import signature
from math import ceil, sqrt
from pathlib import Path

from cnnzoo.commands.models import able, find
from cnnzoo.terminal import print_json, print_table, progress


def generate(asked: argparse.Namespace) -> None:
    with progress(f"generating with {asked.name}"):
        model = able(asked.name, "generate")
        takes = {"label": model.needs_labels, "truncation": "truncation" in signature(model.generate).parameters}
        for option, taken in takes.items():
            if getattr(asked, option) is not None and not taken:
                raise ValueError(f"got --{option} for {asked.name!r}, which takes none")
        columns = ceil(sqrt(max(1, asked.n)))
        check_sheet(asked.out, asked.n, columns, model)
        options = {"labels": asked.label, "truncation": asked.truncation}
        images = model.generate(asked.n, asked.seed, **{k: v for k, v in options.items() if v is not None})
    save_sheet(asked.out, images, columns)


def reconstruct(asked: argparse.Namespace) -> None:
    from cnnzoo.imaging.arrays import save_png
    from cnnzoo.imaging.files import format_for

    stems = [path.stem for path in asked.image]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise ValueError(
            f"got several images named {', '.join(twice)}; allowed: each name once, as the results take it"
        )
    targets = [asked.out / f"{stem}.png" for stem in stems]
    for target in targets:
        format_for(target)
    for path, target in zip(asked.image, targets, strict=True):
        if target.exists() and path.exists() and target.samefile(path):
            raise ValueError(f"got the folder of {path} as --out, where the result would replace it")
    with progress(f"reconstructing with {asked.name}"):
        model = able(asked.name, "reconstruct")
        made = model.reconstruct(read(asked.image, model, asked.invert))
    for target, image in zip(targets, made, strict=True):
        save_png(target, image)
        print(target)


def classify(asked: argparse.Namespace) -> None:
    from cnnzoo.checkpoints.table import class_names

    if asked.top < 1:
        raise ValueError(f"got --top {asked.top}; allowed: >= 1")
    with progress(f"classifying with {asked.name}"):
        model = able(asked.name, "classify")
        chances = model.classify(read(asked.image, model, asked.invert))
    names = getattr(model, "class_names", ()) or class_names(find(asked.name)[1], chances.shape[1])
    answers = []
    for path, row in zip(asked.image, chances, strict=True):
        best = row.argsort()[::-1][: asked.top]
        answers.append(
            {"image": str(path), "classes": [{"name": names[i], "probability": float(row[i])} for i in best]}
        )
    if asked.json:
        return print_json(answers)
    rows = [(a["image"], *(f"{c['name']} {100 * c['probability']:.1f} %" for c in a["classes"])) for a in answers]
    print_table("", ("image", *(f"{i + 1}." for i in range(len(rows[0]) - 1))), rows)


def check_sheet(path: Path, n: int, columns: int, model) -> None:
    """Refuses a contact sheet of n images of a model that the format of its file cannot hold, before they are made."""
    from cnnzoo.imaging.arrays import sheet_sides
    from cnnzoo.imaging.files import format_for

    if n > 0 and None not in model.image_shape:
        format_for(path, sheet_sides(n, *model.image_shape[:2], columns))


def save_sheet(path: Path, images, columns: int, quiet: bool = False) -> None:
    """Writes a contact sheet, in the format that the name says, and says where."""
    from cnnzoo.imaging.arrays import contact_sheet

    save(path, contact_sheet(images, columns))
    if not quiet:
        print(path)


def save(path: Path, picture) -> None:
    """Writes a picture (height, width, 1 or 3), uint8 or in [0, 1], in the format that the name says."""
    from cnnzoo.imaging.arrays import to_uint8
    from cnnzoo.imaging.files import Photo, save_photo

    picture = to_uint8(picture)
    save_photo(path, picture, Photo(picture))


def read(paths: Sequence[Path], model, invert: bool = False):
    """Image files as one uint8 batch of the shape that the model takes; inverted, dark for light, if asked."""
    import numpy as np

    from cnnzoo.imaging.arrays import fit_to, read_image

    images = np.concatenate([fit_to(read_image(path)[None], model.image_shape) for path in paths])
    return 255 - images if invert else images
