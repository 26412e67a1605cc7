"""Sheets of small images, one for each seed: classified, generated, reconstructed, filled."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from cnnzoo import hub
from cnnzoo.checkpoints import shipped, table
from cnnzoo.checkpoints.labels import class_names
from cnnzoo.data import load
from cnnzoo.data.catalog import CATALOG
from cnnzoo.gallery.photographs import photograph
from cnnzoo.imaging import masks
from cnnzoo.imaging.arrays import fit_to, to_uint8
from cnnzoo.imaging.grid import Row

COLUMNS = 6
SEEDS = (0, 1, 2, 3)
HOLE = 128  # the gray of a missing pixel
PHOTOGRAPHS = ("cat", "rocket", "flower", "astronaut", "coffee", "china")

Shape = tuple[int, int, int]
Sheet = tuple[Row, ...]
Work = tuple[str, float, list[Sheet]]  # what was done, seconds per image, a sheet for each seed


class Images(NamedTuple):
    """Images of the kind of a data set: a noun, a description, uint8 images, and class names where they are known."""

    noun: str
    kind: str
    images: np.ndarray
    truth: list[str] | None = None


def sheets(model: Any, card: Mapping[str, Any]) -> Work:
    """The work of a model of small images, on images of the kind that it was trained for."""
    works = {"classify": _classified, "reconstruct": _reconstructed, "generate": _generated, "inpaint": _filled}
    return works[card["task"]](model, card)


def _classified(model: Any, card: Mapping[str, Any]) -> Work:
    """Images and their classes, with the right one where it is another."""
    data = card["data"]["name"]
    names = class_names(model, data)
    found = of_classes(data, model.image_shape, 2 * COLUMNS * len(SEEDS))
    chances, seconds = timed(model.classify, found.images)
    answers = [names[i] for i in chances.argmax(1)]
    truth = found.truth or answers
    did = f"classified {len(answers)} {found.noun}"
    if found.truth:
        did += f", {sum(a == b for a, b in zip(answers, truth, strict=True))} correctly"
    captions = [a if a == b else f"{a}, not {b}" for a, b in zip(answers, truth, strict=True)]
    made: list[Sheet] = []
    for start in range(0, 2 * COLUMNS * len(SEEDS), 2 * COLUMNS):
        part = slice(start, start + 2 * COLUMNS)
        made.append((Row(found.kind, found.images[part], captions[part]),))
    return did, seconds, made


def _generated(model: Any, card: Mapping[str, Any]) -> Work:
    """Samples of each seed."""
    images, seconds = timed(lambda seed: model.generate(4 * COLUMNS, seed=seed), SEEDS[0])
    drawn = [images, *(model.generate(4 * COLUMNS, seed=seed) for seed in SEEDS[1:])]
    made: list[Sheet] = [(Row(f"seed {seed}", to_uint8(x)),) for seed, x in zip(SEEDS, drawn, strict=True)]
    return f"generated {len(SEEDS) * len(images)} images", seconds, made


def _reconstructed(model: Any, card: Mapping[str, Any]) -> Work:
    """Images, their reconstructions, and samples where there are any."""
    found = alike(card["data"]["name"], model.image_shape, COLUMNS * len(SEEDS))
    images = found.images
    result: list[Sheet] = []
    made, seconds = timed(model.reconstruct, images)
    drawn = to_uint8(model.generate(COLUMNS * len(SEEDS), seed=0)) if hasattr(model, "generate") else None
    for start in range(0, COLUMNS * len(SEEDS), COLUMNS):
        part = slice(start % len(images), start % len(images) + COLUMNS)
        rows = [Row(found.kind, images[part]), Row("reconstructed", to_uint8(made[part]))]
        if drawn is not None:
            rows.append(Row("generated", drawn[start : start + COLUMNS]))
        result.append(tuple(rows))
    return f"reconstructed {len(made)} {found.noun}", seconds, result


def _filled(model: Any, card: Mapping[str, Any]) -> Work:
    """Images with holes, filled."""
    data = card["data"]["name"]
    side = 28 if CATALOG[data].channels == 1 else 32
    found = alike(data, (side, side, model.image_shape[2]), COLUMNS)
    missing = masks.draw("strokes", found.images.shape[:3], seed=0)
    damaged = np.where(missing > 0, np.uint8(HOLE), found.images)
    pairs = list(zip(damaged, missing > 0, strict=True))
    made, seconds = timed(lambda pairs: np.stack([model.restore(*pair) for pair in pairs]), pairs)
    return f"filled {len(made)} {found.noun}", seconds, [(Row("with holes", damaged), Row("filled", made))]


# -- images of the kind of a data set ----------------------------------------------------------------------------------


def is_of_small_images(card: Mapping[str, Any]) -> bool:
    """Whether a checkpoint was trained on images of one size, rather than on photographs."""
    return card["data"]["name"] in CATALOG and CATALOG[card["data"]["name"]].source in ("tfds", "derived", "folder")


def of_classes(data: str, shape: Shape, count: int) -> Images:
    """Images of the classes of a data set: scanned digits, or samples of its best generator."""
    return _digits(shape, count) if _has_digits(data) else _samples(data, count)


def alike(data: str, shape: Shape, count: int) -> Images:
    """Images like those of a data set, whatever their classes: scanned digits, photographs or samples."""
    if CATALOG[data].stand_in == "photos":
        return Images(
            "photographs",
            "photographs",
            np.concatenate([fit_to(photograph(name)[None], shape) for name in PHOTOGRAPHS]),
        )
    return of_classes(data, shape, count)


def _has_digits(data: str) -> bool:
    """Whether a data set has digits in white ink, as the scans of scikit-learn."""
    return CATALOG[data].channels == 1 and CATALOG[data].classes == CATALOG["digits"].classes


def _digits(shape: Shape, count: int) -> Images:
    """Test scans of scikit-learn."""
    digits = load("digits", "test", shape=shape)
    assert digits.labels is not None
    return Images(
        "scans", "scans of 8x8 pixels", digits.images[:count], [digits.classes[i] for i in digits.labels[:count]]
    )


def _samples(data: str, count: int) -> Images:
    """Samples of the generator of a data set with the least Fréchet distance; with labels if it takes them."""
    distances = {
        card["name"]: table.scores(card)["frechet"].value
        for card in shipped.cards()
        if card["task"] == "generate" and card["data"]["name"] == data
    }
    name = min(distances, key=lambda name: distances[name])
    sampler = built(name)
    labels = np.arange(count) % sampler.classes if sampler.classes else None
    images = to_uint8(sampler.generate(count, seed=1, labels=labels))
    truth = None if labels is None else [class_names(sampler, data)[i] for i in labels]
    return Images("samples", f"samples of {name}", images, truth)


@lru_cache(maxsize=4)
def built(name: str) -> Any:
    """A shipped model; generators are used several times."""
    return hub.build(name)


def timed(verb: Callable[[Any], Any], x: Any) -> tuple[Any, float]:
    """The result of a verb, and its seconds per image of a second call."""
    verb(x)
    begun = perf_counter()
    result = verb(x)
    return result, (perf_counter() - begun) / len(result)
