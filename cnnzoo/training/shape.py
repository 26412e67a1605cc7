"""The image shape for a folder of pictures, derived from the pictures and reported in one line."""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnzoo.data import LABELED
from cnnzoo.data.folder_rows import FolderRows
from cnnzoo.data.folders import files_quietly, flat_root
from cnnzoo.data.loading import part
from cnnzoo.data.packed import PackedRows, is_packed, read_manifest
from cnnzoo.data.permutation import few
from cnnzoo.data.photograph_rows import find
from cnnzoo.data.pictures import Pictures
from cnnzoo.imaging.arrays import to_channels

LOOKED_AT = 1000  # pictures of a folder

Shape = tuple[int | None, int | None, int]


class Chosen(NamedTuple):
    """A shape, and the line that reports it."""

    shape: Shape
    line: str


def choose(cls: type[Any], folder: Path, split: str) -> Chosen | None:
    """The image shape of an architecture for a folder; None if the architecture has a single one.

    The side is the one of its `sides` nearest to the median of the shorter sides of the pictures. There are three
    channels if any picture has color, else one, as far as its `channels` allow. Of more than `LOOKED_AT` pictures, a
    fixed sample is looked at, so that the choice takes no longer.

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
        rows, index, _ = find(folder, split)
        shown = index[few(len(index), LOOKED_AT)].tolist()
        color = sum(not is_gray(to_channels(rows.image(i)[None], 3)[0]) for i in shown)
        shape = (*default[:2], _channels(channels, color))
        sides = [rows.sides(i) for i in shown]
        seen = _Seen(len(index), _tests(folder), len(shown), color, [each for each in sides if each])
        return Chosen(shape, _report(folder, seen, shape, ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `load` warns of other files
        rows = PackedRows(folder, "train") if is_packed(folder) else FolderRows(folder, "train")
    sizes = [size for i in few(len(rows), LOOKED_AT) if (size := rows.sides(i))]
    side = _nearest(cls.sides, sizes) if cls.sides else None
    height, width = (side, side) if side else default[:2]
    kept = np.arange(len(rows))[part(len(rows), split)]
    fitted = np.asarray(Pictures(rows, kept[few(len(kept), LOOKED_AT)], (height, width, 3)))
    color = sum(not is_gray(image) for image in fitted)
    shape = (height, width, _channels(channels, color))
    seen = _Seen(len(kept), rows.left or _tests(folder), len(fitted), color, sizes)
    return Chosen(shape, _report(folder, seen, shape, cls.sides))


def _tests(folder: Path) -> int:
    """The number of images of a test split that has its own folder or shards."""
    if is_packed(folder):
        return sum(shard["records"] for shard in read_manifest(folder)["splits"].get("test", ()))
    return len(files_quietly(folder, "test"))


class _Seen(NamedTuple):
    """Numbers of training and test images, of those that were decoded and have color; some sides (width, height)."""

    images: int
    tests: int
    decoded: int
    color: int
    sizes: list[tuple[int, int]]


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
        ValueError: It is flat, without class folders, or was packed from such a folder.
    """
    if not read_manifest(folder)["classes"] if is_packed(folder) else flat_root(folder):
        raise ValueError(f"The data must have labels for {arch}: {LABELED}. Received: {folder} without labels")


def is_gray(image: np.ndarray) -> bool:
    """Whether the channels of an image (height, width, 3) are equal."""
    return bool((image == image[..., :1]).all())


def _channels(allowed: Sequence[int], color: int) -> int:
    wanted = 3 if color else 1
    return wanted if wanted in allowed else allowed[0]


def _nearest(sides: Sequence[int], sizes: Sequence[tuple[int, int]]) -> int:
    """The side nearest to the median of the shorter sides of the training pictures, the larger of two."""
    short = float(np.median([min(size) for size in sizes] or [0]))
    return min(sides, key=lambda side: (abs(side - short), -side))


def _report(folder: Path, seen: _Seen, shape: Shape, sides: Sequence[int]) -> str:
    """The line with the images, the chosen shape and the option to change it."""
    n, tests, decoded, color, sizes = seen
    (size, count), *others = Counter(sizes).most_common() or [((0, 0), 0)]
    gray = decoded - color
    what = "gray" if not color else "color" if not gray else f"{color} color and {gray} gray"
    most = "" if not others else "most " if 2 * count > len(sizes) else "often "
    spared = f" ({tests} more are for testing)" if tests else ""
    height, width, channels = shape
    used = f"used as {height}x{width}x{channels}" if height else f"used in {'color' if channels == 3 else 'gray'}"
    allowed = f", sides {_listed(sides)}" if sides else ""
    counted = f"{n} {what}" if not (gray and color) else what if n == decoded else f"{n} ({what} of {decoded})"
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
    side = _nearest(cls.sides, [(width, height)]) if cls.sides else None
    sides = (side, side) if side else default[:2]
    return (*sides, _channels(allowed, channels == 3))
