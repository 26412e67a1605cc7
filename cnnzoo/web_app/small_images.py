"""Generated, explained and compressed images, of the sizes of MNIST and CIFAR-10."""

import io
import uuid
from functools import cache
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnzoo import hub
from cnnzoo.checkpoints import shipped
from cnnzoo.data.catalog import class_names
from cnnzoo.explain.report import sheet
from cnnzoo.imaging.arrays import contact_sheet, enlarged, fit_to, to_channels, to_uint8
from cnnzoo.imaging.files import png_bytes, read_image
from cnnzoo.latent.space import interpolate
from cnnzoo.utils.atomic_files import write_bytes
from cnnzoo.web_app.photographs import Desk, Edited, by_keras, by_name

SIDE = 640  # of a small image on the page, in pixels, about
MOST = 64  # images at once
FRAMES, MILLISECONDS = 32, 60  # of a walk, there and back
CODEC = "vqvae.cifar10"


@cache
def generators() -> tuple[str, ...]:
    """The shipped checkpoints that generate images."""
    return tuple(card["name"] for card in shipped.cards() if any(s["name"] == "frechet" for s in card["scores"]))


@cache
def classifiers() -> tuple[str, ...]:
    """The shipped classifiers."""
    return tuple(card["name"] for card in shipped.cards() if card["task"] == "classify")


def classes_of(name: str) -> list[str]:
    """The class names of a model that takes or gives labels; empty if it has none."""
    card = hub.card(name)
    classes = card["config"].get("classes")
    return class_names(card["data"]["name"], classes) if classes else []


def takes_truncation(name: str) -> bool:
    """Whether the noise of a generator can be truncated."""
    return hub.card(name)["task"] == "generate"


def generate(folder: Path, name: str, n: int, seed: int, label: str, truncation: float) -> tuple[np.ndarray, Path]:
    """A sheet of n images of a generator, enlarged, and its file.

    Args:
        folder: For the file.
        name: The checkpoint.
        n: Number of images, 1 to `MOST`.
        seed: Of the noise, >= 0.
        label: Name of a class; "" for all in turn, or for a model without classes.
        truncation: Of the noise, > 0, for a model that takes it.
    """
    n, seed = _whole("The number of images", n, 1, MOST), _whole("The seed", seed, 0, 2**31 - 1)
    images = by_keras(name).generate(n, seed, **_options(name, label, truncation))
    sheet = _enlarged(contact_sheet(images, ceil(sqrt(n))))
    return sheet, _written(folder, f"{name}-{seed}.png", png_bytes(sheet))


def walk(folder: Path, name: str, first: int, second: int, label: str, truncation: float) -> Path:
    """An animation from the image of one seed to that of another and back; arguments as in `generate`."""
    model = by_keras(name)
    seeds = [_whole("A seed", seed, 0, 2**31 - 1) for seed in (first, second)]
    options = {"truncation": truncation} if takes_truncation(name) else {}
    a, b = (model.draw(1, seed, **options)[0] for seed in seeds)
    labels = _options(name, label, truncation).get("labels", 0 if classes_of(name) else None)
    there = to_uint8(interpolate(model, a, b, steps=FRAMES, label=labels))
    frames = [Image.fromarray(_enlarged(frame)) for frame in (*there, *there[-2:0:-1])]
    made = io.BytesIO()
    frames[0].save(made, "WEBP", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0, lossless=True)
    return _written(folder, f"{name}-{first}-to-{second}.webp", made.getvalue())


def _options(name: str, label: str, truncation: float) -> dict[str, Any]:
    """The optional arguments of `generate` of a model."""
    options: dict[str, Any] = {}
    known = classes_of(name)
    if known and label:
        if label not in known:
            raise ValueError(f"The label must be one of {', '.join(known)}. Received: {label}")
        options["labels"] = known.index(label)
    if takes_truncation(name):
        options["truncation"] = float(truncation)
    return options


def _whole(what: str, value: float, least: int, most: int) -> int:
    if value is None or value != int(value) or not least <= value <= most:
        raise ValueError(f"{what} must be a whole number from {least} to {most}. Received: {value}")
    return int(value)


def explain(desk: Desk, name: str, path: str | None, invert: bool) -> tuple[dict[str, float], np.ndarray]:
    """The probabilities of the classes of a picture by a classifier, and maps of what it looks at.

    Args:
        desk: Of the app.
        name: The checkpoint.
        path: The file; it is cropped and resized to the images of the model.
        invert: Whether light and dark are swapped.
    """
    (_, image), model, names = read(desk, path, name, invert), by_keras(name), classes_of(name)
    chances = model.classify(image[None])[0]
    return dict(zip(names, map(float, chances), strict=True)), sheet(model, image, names=names)


def compress(desk: Desk, path: str | None) -> Edited:
    """A picture of 32x32 pixels, and the one from its compressed bytes, which are the file."""
    (source, image), model = read(desk, path, CODEC, False), by_keras(CODEC)
    packed = model.compress(image[None])
    again = to_uint8(model.decompress(packed))[0]
    file = _written(desk.folder, f"{source.stem}.vq", packed)
    note = f"{len(packed)} bytes by {CODEC}; {image.size} in memory, {len(png_bytes(image))} as a PNG of 32x32 pixels."
    return Edited(_enlarged(image), _enlarged(again), file, note)


def read(desk: Desk, path: str | None, name: str, invert: bool) -> tuple[Path, np.ndarray]:
    """The file of a visitor, and its picture in the image shape of a model, uint8 (height, width, channels).

    Raises:
        ValueError: There is none, it cannot be read, or it is too large; the message has its name alone.
    """
    if path is None:
        raise ValueError("Choose a picture first.")
    with by_name(path):
        image = read_image(path, largest=desk.largest)
    image = fit_to(image[None], tuple(hub.card(name)["config"]["image_shape"]))[0]
    return Path(path), 255 - image if invert else image


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """A small image enlarged to about `SIDE`, as (height, width, 3)."""
    return to_channels(enlarged(picture, SIDE)[None], 3)[0]


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / uuid.uuid4().hex / name
    path.parent.mkdir(parents=True)
    write_bytes(path, content)
    return path
