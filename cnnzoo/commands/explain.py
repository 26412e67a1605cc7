"""Showing what a network sees."""

import argparse

from cnnzoo.commands.models import able, find
from cnnzoo.commands.pictures import save
from cnnzoo.terminal import progress

SIDE = 128  # of the middle of a picture, for a model that takes any size


def explain(asked: argparse.Namespace) -> None:
    from cnnzoo.checkpoints.table import class_names
    from cnnzoo.explain import method
    from cnnzoo.explain.report import sheet

    for name in asked.method or ():
        method(name)  # so that a wrong name is told of first
    with progress(f"looking into {asked.name}"):
        model = able(asked.name, "image_shape")
        classes = getattr(model, "classes", 0)
        named = getattr(model, "class_names", ())
        names = (named or class_names(find(asked.name)[1], classes)) if classes else None
        made = sheet(model, _read(asked.image, model, asked.invert), asked.method, asked.label, names)
    save(asked.out, made)
    print(asked.out)


def _read(path, model, invert):
    """The picture as the model takes it: fitted, or the middle of it for one that takes any size."""
    from cnnzoo.imaging.arrays import fit_to, read_image

    image = read_image(path)
    image = 255 - image if invert else image
    sides = [side or min(have, SIDE) for side, have in zip(model.image_shape[:2], image.shape[:2], strict=True)]
    if None in model.image_shape[:2]:
        top, left = ((have - side) // 2 for have, side in zip(image.shape[:2], sides, strict=True))
        image = image[top : top + sides[0], left : left + sides[1]]
    return fit_to(image[None], (*sides, model.image_shape[2]))[0]
