"""The image shape for a folder of pictures, derived from the pictures and reported in one line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnzoo.data import LABELED, load
from cnnzoo.data.folders import Files, files_quietly, flat_root
from cnnzoo.data.photographs import photographs
from cnnzoo.imaging.decoding import decoding
from cnnzoo.imaging.exif import orientation

Shape = tuple[int | None, int | None, int]


class Chosen(NamedTuple):
    """A shape, the line that reports it, and the `ImageSet` if it was already read in that shape."""

    shape: Shape
    line: str
    images: Any


def choose(cls: type[Any], folder: Path, split: str) -> Chosen | None:
    """The image shape of an architecture for a folder; None if the architecture has a single one.

    The side is the one of its `sides` nearest to the median of the shorter sides of the pictures. There are three
    channels if any picture has color, else one, as far as its `channels` allow.

    Args:
        cls: The architecture.
        folder: As in `cnnzoo.data.load`.
        split: The split to train on.

    Raises:
        ValueError: As `cnnzoo.data.load`.
    """
    default = cls.config_fields()["image_shape"]
    channels = cls.channels or (default[2],)
    if None in default[:2]:
        if len(channels) == 1:
            return None
        shown = photographs(folder, split, 3).images
        color = sum(not is_gray(image) for image in shown)
        shape = (*default[:2], _channels(channels, color))
        return Chosen(shape, _report(folder, len(shown), color, shape, ()), None)
    side = _nearest(cls.sides, folder) if cls.sides else None
    height, width = (side, side) if side else default[:2]
    images = load(folder, split, (height, width, 3))
    color = sum(not is_gray(image) for image in images.images)
    shape = (height, width, _channels(channels, color))
    line = _report(folder, len(images.images), color, shape, cls.sides)
    return Chosen(shape, line, images if shape[2] == 3 else None)  # gray is read again, as a resumed run will read it


def kept(data: str, images: Any, shape: Shape) -> str:
    """The line for a named data set, whose images are fitted to the default shape of the architecture."""
    what = "color" if shape[2] == 3 else "gray"
    used = f"in {what}" if shape[0] is None else f"as {shape[0]}x{shape[1]}x{shape[2]}"
    return f"{data}: {len(images.images):,} images, used {used} ({_how(shape)})"


def _how(shape: Shape) -> str:
    chosen = ",".join("null" if side is None else str(side) for side in shape)
    return f"to choose: --config 'image_shape=[{chosen}]'"


def check_labels(folder: Path, arch: str) -> None:
    """Checks that a folder has labels.

    Raises:
        ValueError: It is flat, without class folders.
    """
    if flat_root(folder):
        raise ValueError(f"The data must have labels for {arch}: {LABELED}. Received: {folder} without labels")


def is_gray(image: np.ndarray) -> bool:
    """Whether the channels of an image (height, width, 3) are equal."""
    return bool((image == image[..., :1]).all())


def _channels(allowed: Sequence[int], color: int) -> int:
    wanted = 3 if color else 1
    return wanted if wanted in allowed else allowed[0]


def _nearest(sides: Sequence[int], folder: Path) -> int:
    """The side nearest to the median of the shorter sides of the training pictures, the larger of two."""
    short = float(np.median([min(size) for size in _sizes(files_quietly(folder, "train"))] or [0]))
    return min(sides, key=lambda side: (abs(side - short), -side))


def _sizes(files: Files) -> list[tuple[int, int]]:
    """The (width, height) of files from their headers; unreadable files are skipped, and reported by `load`."""
    from PIL import Image

    found = []
    for path, _ in files:
        try:
            with decoding(str(path)), Image.open(path) as image:
                found.append(image.size[::-1] if orientation(image) > 4 else image.size)
        except ValueError:
            continue
    return found


def _report(folder: Path, n: int, color: int, shape: Shape, sides: Sequence[int]) -> str:
    """The line with the images, the chosen shape and the option to change it."""
    train, test = (files_quietly(folder, split) for split in ("train", "test"))
    (size, count), *others = Counter(_sizes(train)).most_common() or [((0, 0), 0)]
    gray = n - color
    what = "gray" if not color else "color" if not gray else f"{color} color and {gray} gray"
    most = "" if not others else "most " if 2 * count > len(train) else "often "
    spared = f" ({len(test)} more are for testing)" if test else ""
    height, width, channels = shape
    used = f"used as {height}x{width}x{channels}" if height else f"used in {'color' if channels == 3 else 'gray'}"
    allowed = f", sides {_listed(sides)}" if sides else ""
    counted = what if gray and color else f"{n} {what}"
    return f"{folder.name}/: {counted} images{spared}, {most}{size[0]}x{size[1]}, {used} ({_how(shape)}{allowed})"


def _listed(sides: Sequence[int]) -> str:
    """Sides in words: "28, 32, 64" or "8, 12, … 64"."""
    return ", ".join(map(str, sides)) if len(sides) <= 4 else f"{sides[0]}, {sides[1]}, … {sides[-1]}"


def of_given(cls: type[Any], images: Sequence[np.ndarray]) -> Shape:
    """The image shape of an architecture for images that a program gave.

    The side is the one of its `sides` nearest to the shorter side of the images; the channels are theirs, if its
    `channels` allow.

    Raises:
        ValueError: The images have several shapes, and the architecture takes images of one.
    """
    default = cls.config_fields()["image_shape"]
    channels = max(image.shape[2] for image in images)
    allowed = cls.channels or (default[2],)
    if None in default[:2]:  # crops
        return (*default[:2], _channels(allowed, channels == 3))
    if len(shapes := {image.shape for image in images}) > 1:
        raise ValueError(
            "Images of `data` must have one shape, or `config` must have an `image_shape`. "
            f"Received: {len(shapes)} shapes, {sorted(shapes)[:2]}…"
        )
    height, width, _ = images[0].shape
    side = min(cls.sides, key=lambda side: (abs(side - min(height, width)), -side)) if cls.sides else None
    sides = (side, side) if side else default[:2]
    return (*sides, _channels(allowed, channels == 3))
