"""Random inpainting masks: boxes, strokes, scratches, single pixels and text.

A mask is float32 (n, height, width, 1): 1 for a missing pixel, 0 for a known one. Every mask has at least one of each.
All kinds but "text" are functions of uniform random numbers: drawn by Keras inside the graph in training, and by NumPy
in evaluation, for equal masks on every backend.
"""

import math
import string
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.replicas import each_row

LARGEST_CHUNK = 4_000_000  # mask pixels per chunk


class Kind(NamedTuple):
    """A kind of mask."""

    numbers: Callable[[int, int], int]  # count of random numbers per mask, by height and width
    missing: Callable[[Any, int, int], Any]  # from numbers in [0, 1), (n, numbers), to booleans (n, height, width)


def _centers(side: int) -> np.ndarray:
    """Coordinates of the pixel centers along a side."""
    return np.arange(side, dtype=np.float32) + 0.5


def _between(first: Any, last: Any, side: int) -> Any:
    """Pixels between two coordinates (n,) along a side, booleans (n, side)."""
    at = _centers(side)
    return ops.logical_and(at >= first[:, None], at < last[:, None])


def _rectangle(top: Any, left: Any, bottom: Any, right: Any, height: int, width: int) -> Any:
    rows, columns = _between(top, bottom, height), _between(left, right, width)
    return ops.logical_and(rows[:, :, None], columns[:, None, :])


def _center(numbers: Any, height: int, width: int) -> Any:
    """The centered rectangle with half of both sides."""
    one = ops.ones_like(numbers[:, 0])
    return _rectangle(one * height / 4, one * width / 4, one * 3 * height / 4, one * 3 * width / 4, height, width)


def _box(numbers: Any, height: int, width: int) -> Any:
    """A rectangle with sides of 1/4 to 1/2 of the image, at a random position."""
    tall, wide, down, along = ops.unstack(numbers, 4, axis=1)
    tall, wide = (0.25 + 0.25 * tall) * height, (0.25 + 0.25 * wide) * width
    top, left = down * (height - tall), along * (width - wide)
    return _rectangle(top, left, top + tall, left + wide, height, width)


def _pixels(numbers: Any, height: int, width: int) -> Any:
    """Independent pixels, with a probability per image in [0.25, 0.75]."""
    chance = 0.25 + 0.5 * numbers[:, :1]
    return ops.reshape(numbers[:, 1:] < chance, (-1, height, width))


class Brush(NamedTuple):
    """Random chains of thick line segments; lengths are in units of the shorter image side."""

    chains: int  # at most, from 1 on
    links: int  # segments in each
    length: tuple[float, float]  # of a segment, range
    turn: float  # maximum change of direction between segments, in radians
    radius: tuple[float, float]  # half of the segment width, range
    least: float  # minimum radius, in pixels

    def numbers(self, height: int, width: int) -> int:
        return 1 + self.chains * (3 + 3 * self.links)

    def missing(self, numbers: Any, height: int, width: int) -> Any:
        side = min(height, width)
        used = ops.floor(1.0 + self.chains * numbers[:, :1]) > np.arange(self.chains)  # (n, chains)
        each = ops.reshape(numbers[:, 1:], (-1, self.chains, 3 + 3 * self.links))
        x, y, heading = (each[:, :, i : i + 1] for i in range(3))  # (n, chains, 1)
        turn, length, radius = ops.split(each[:, :, 3:], 3, axis=2)  # (n, chains, links)
        heading = 2 * math.pi * heading + ops.cumsum(self.turn * (2.0 * turn - 1.0), axis=2)
        length = side * (self.length[0] + (self.length[1] - self.length[0]) * length)
        radius = side * (self.radius[0] + (self.radius[1] - self.radius[0]) * radius)
        radius = ops.where(used[:, :, None], ops.maximum(radius, self.least), -1.0)
        along_x, along_y = length * ops.cos(heading), length * ops.sin(heading)
        start_x = x * width + ops.cumsum(along_x, axis=2) - along_x
        start_y = y * height + ops.cumsum(along_y, axis=2) - along_y
        segments = (start_x, start_y, along_x, along_y, radius)
        x, y, along_x, along_y, radius = (ops.reshape(s, (-1, self.chains * self.links, 1, 1)) for s in segments)
        return _near_segments(x, y, along_x, along_y, radius, height, width)


def _near_segments(x: Any, y: Any, along_x: Any, along_y: Any, radius: Any, height: int, width: int) -> Any:
    """Pixels within `radius` of a segment from (x, y) to (x + along_x, y + along_y), booleans (n, height, width).

    Segments are on the second axis, (n, segments, 1, 1); a negative radius disables a segment.
    """
    to_x, to_y = _centers(width) - x, _centers(height)[:, None] - y  # (n, segments, 1, width), (n, segments, height, 1)
    squared = ops.maximum(ops.square(along_x) + ops.square(along_y), 1e-6)
    share = ops.clip((to_x * along_x + to_y * along_y) / squared, 0.0, 1.0)  # position of the nearest point
    distance = ops.square(to_x - share * along_x) + ops.square(to_y - share * along_y)
    return ops.any(distance < radius * ops.abs(radius), axis=1)


# Any point of an image is within 0.71 of a pixel center, so every chain hides at least one pixel.
STROKES = Brush(4, 5, (0.05, 0.3), 2.0, (0.02, 0.08), 0.75)
SCRATCHES = Brush(6, 4, (0.1, 0.4), 0.3, (0.003, 0.01), 0.75)

KINDS = {
    "center": Kind(lambda height, width: 1, _center),
    "box": Kind(lambda height, width: 4, _box),
    "strokes": Kind(STROKES.numbers, STROKES.missing),
    "scratches": Kind(SCRATCHES.numbers, SCRATCHES.missing),
    "pixels": Kind(lambda height, width: 1 + height * width, _pixels),
}
EVALUATED = (*KINDS, "text")
LETTERS = string.ascii_letters + 5 * " "


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises a ValueError for no kinds, or unknown kinds."""
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"`masks` must be one or more of {', '.join(KINDS)}. Received: {tuple(kinds)!r}")


def sample(kinds: Sequence[str], shape: tuple, seed: int | keras.random.SeedGenerator) -> Any:
    """One random mask per image, of one of `kinds`; works inside a graph.

    Args:
        kinds: "center" (half of both sides), "box" (a random rectangle), "strokes" (of a brush), "scratches" (long
            and thin) or "pixels" (a quarter to three quarters of all); repeat a kind to raise its probability. For
            "text" see `draw`.
        shape: (n, height, width); height and width are static.
        seed: As in `keras.random`.

    Returns:
        float32 (n, height, width, 1), 1 for a missing pixel.

    Source: strokes after Yu et al., "Free-Form Image Inpainting with Gated Convolution", 2019, algorithm 1.

    Raises:
        ValueError: For an unknown kind, or images of a single pixel.
    """
    check_kinds(kinds)
    count, height, width = shape
    _check_sides(height, width)
    sizes = [KINDS[kind].numbers(height, width) for kind in kinds]
    numbers = each_row(lambda n, s: keras.random.uniform((n, 1 + max(sizes)), seed=s), count, seed)
    which = ops.floor(numbers[:, :1, None] * len(kinds))  # (n, 1, 1)
    missing = ops.zeros((1, height, width), "bool")
    for i, (kind, size) in enumerate(zip(kinds, sizes, strict=True)):
        made = KINDS[kind].missing(numbers[:, 1 : 1 + size], height, width)
        missing = ops.logical_or(missing, ops.logical_and(which == i, made))
    return _proper(missing)


def draw(kind: str, shape: tuple[int, int, int], seed: int | Sequence[int]) -> np.ndarray:
    """Masks for evaluation: reproducible on every backend, and independent of n.

    Args:
        kind: A kind of `sample`, or "text": lines of letters in Pillow's default font.
        shape: (n, height, width).
        seed: As in `numpy.random.default_rng`.

    Returns:
        float32 (n, height, width, 1), 1 where a pixel is missing.

    Raises:
        ValueError: For an unknown kind, or images of a single pixel.
    """
    if kind not in EVALUATED:
        raise ValueError(f"`kind` must be one of {', '.join(EVALUATED)}. Received: {kind!r}")
    count, height, width = shape
    _check_sides(height, width)
    random = np.random.default_rng(seed)
    if kind == "text":
        return ops.convert_to_numpy(_proper(np.stack([_letters(random, height, width) for _ in range(count)])))
    size, missing = KINDS[kind].numbers(height, width), KINDS[kind].missing
    chunk = max(1, LARGEST_CHUNK // (STROKES.chains * STROKES.links * height * width))
    parts = []
    for start in range(0, count, chunk):
        numbers = random.random((min(chunk, count - start), size), np.float32)
        parts.append(ops.convert_to_numpy(_proper(missing(ops.convert_to_tensor(numbers), height, width))))
    return np.concatenate(parts)


def for_evaluation(images: Sequence[np.ndarray], kind: str, seed: int = 0) -> Sequence[np.ndarray]:
    """The masks of the evaluation protocol, one per image, determined by size, kind and seed.

    Args:
        images: An array (n, height, width, channels), or images (height, width, channels), each of its own size.
        kind, seed: See `draw`.

    Returns:
        An array (n, height, width, 1), or a list of arrays (height, width, 1).
    """
    if isinstance(images, np.ndarray):
        return draw(kind, images.shape[:3], seed)
    return [draw(kind, (1, *image.shape[:2]), (seed, i))[0] for i, image in enumerate(images)]


def _check_sides(height: int, width: int) -> None:
    if height * width < 2:
        raise ValueError(f"Images must have two pixels or more. Received: {height}x{width}")


def _proper(missing: Any) -> Any:
    """Booleans (n, height, width) as a mask, with one pixel flipped if all or none are missing."""
    height, width = missing.shape[1:]
    middle = np.zeros((1, height, width), bool)
    middle[0, height // 2, width // 2] = True  # never the first of two or more pixels
    corner = np.zeros((1, height, width), bool)
    corner[0, 0, 0] = True
    missing = ops.logical_or(missing, ops.logical_and(middle, ~ops.any(missing, axis=(1, 2), keepdims=True)))
    missing = ops.logical_and(missing, ~ops.logical_and(corner, ops.all(missing, axis=(1, 2), keepdims=True)))
    return ops.cast(missing[..., None], "float32")


def _letters(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Lines of letters across an image, booleans (height, width)."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(8.0, random.uniform(0.1, 0.2) * min(height, width))
    picture = Image.new("1", (width, height))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    pen.fontmode = "1"  # no antialiasing
    top = random.uniform(-0.5, 0.5) * size
    while top < height:
        letters = random.choice(list(LETTERS), 2 * width // int(size))
        pen.text((random.uniform(-1.0, 0.0) * size, top), "".join(letters), fill=1, font=font)
        top += random.uniform(1.2, 2.0) * size
    return np.asarray(picture)
