"""Large pictures through a network: tile by tile as though at once, and as the mean over flips and rotations."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np


def tiled(
    function: Callable[..., Any],
    image: np.ndarray,
    *,
    beside: Sequence[tuple[np.ndarray, int]] = (),
    scale: int = 1,
    margin: int,
    stride: int = 1,
    tile: int = 256,
) -> np.ndarray:
    """What `function` makes of a whole image, computed tile by tile in little memory.

    Each tile is given `margin` more pixels on each side where the image has them, and only its inside is kept; at a
    side of the image it sees that side, and so pads there as it would pad the whole. The result is therefore that of
    the whole, but for the rounding of floating-point sums, where a pixel of it depends on none further than `margin`
    away: not for a function with a mean over the image, such as instance normalisation. Where `stride` divides the
    sides of the image, all tiles have one shape; else those of the last row and column have another.

    Args:
        function: From an array (1, h, w, c) of the image's dtype to one (1, h * scale, w * scale, d). Sides that are
            no multiple of `stride` it pads at the bottom and on the right.
        image: (height, width, c).
        beside: Further arrays (⌈height / s⌉, ⌈width / s⌉, e), each with its s, a divisor of `stride`; the function is
            given the part (1, ⌈h / s⌉, ⌈w / s⌉, e) of each that belongs to its tile as well.
        scale: How many times larger the result is.
        margin: How far a pixel of the result sees, in pixels of the image; rounded up to a multiple of `stride`.
        stride: The pixels of the image that the coarsest feature map has one for; tiles start at multiples of it.
        tile: The side of what is kept of a tile, in pixels of the image; rounded up to a multiple of `stride`.

    Returns:
        (height * scale, width * scale, d) of the dtype that the function gives.

    Raises:
        ValueError: For an image of another rank or without pixels, a number that is too small, or a function that
            gives another shape than it should.
    """
    for name, value, least in (("scale", scale, 1), ("margin", margin, 0), ("stride", stride, 1), ("tile", tile, 1)):
        if value < least:
            raise ValueError(f"got {name}={value}; allowed: >= {least}")
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"got an image of shape {image.shape}; allowed: (height, width, channels), not empty")
    margin, tile = (-(-side // stride) * stride for side in (margin, tile))
    windows = list(product(*(_windows(side, tile, margin, stride) for side in image.shape[:2])))
    whole = None
    for (rows, kept_rows), (columns, kept_columns) in windows:
        parts = (array[None, _coarser(rows, s), _coarser(columns, s)] for array, s in ((image, 1), *beside))
        part = np.asarray(function(*parts))
        height, width = (scale * (side.stop - side.start) for side in (rows, columns))
        if part.ndim != 4 or part.shape[:3] != (1, height, width):
            raise ValueError(f"got {part.shape} from the function; allowed: (1, {height}, {width}, channels)")
        if whole is None:
            whole = np.empty((scale * image.shape[0], scale * image.shape[1], part.shape[3]), part.dtype)
        inside = part[0, _scaled(kept_rows, scale, rows.start), _scaled(kept_columns, scale, columns.start)]
        whole[_scaled(kept_rows, scale), _scaled(kept_columns, scale)] = inside
    return whole


def _windows(length: int, tile: int, margin: int, stride: int) -> list[tuple[slice, slice]]:
    """Along one axis, what each tile sees and what of that is kept: together all of the axis, and nothing twice.

    The last window is moved inwards as far as makes it as long as the others, up to the part of a stride by which
    `length` exceeds a multiple of it.
    """
    size = tile + 2 * margin
    last = max(0, length - size) // stride * stride
    windows, kept = [], 0
    for start in (*range(0, last, tile), last):
        stop, keep = (length, length) if start == last else (start + size, start + size - margin)
        windows.append((slice(start, stop), slice(kept, keep)))
        kept = keep
    return windows


def _scaled(part: slice, scale: int, origin: int = 0) -> slice:
    """Where a part of an axis is in the result for what begins at `origin`."""
    return slice(scale * (part.start - origin), scale * (part.stop - origin))


def _coarser(part: slice, stride: int) -> slice:
    """Where a part of an axis that begins at a multiple of the stride is in what has one pixel for so many."""
    return slice(part.start // stride, -(-part.stop // stride))


def self_ensemble(function: Callable[[np.ndarray], Any], images: np.ndarray) -> np.ndarray:
    """The mean of what `function` makes of images in their eight flips and rotations, each turned back.

    A network that has learnt from images in all positions errs differently in each, and the mean errs less. Functions
    that change the scale do as well. Inside `tiled` it makes what it makes of the whole if `stride` divides the sides
    of the image: a picture turned round is padded at what was its other side.

    Source: "enhanced prediction" in Timofte et al., "Seven ways to improve example-based single image super
    resolution", 2016; since called the geometric self-ensemble.

    Args:
        function: From a batch (n, h, w, c) of any height and width to one (n, h * scale, w * scale, d).
        images: Floats (n, height, width, c).

    Returns:
        (n, height * scale, width * scale, d) of the dtype that the function gives.

    Raises:
        ValueError: For images that are no floats, whose rounded results would not average well.
    """
    if not np.issubdtype(images.dtype, np.floating) or images.ndim != 4:
        raise ValueError(f"got images {images.dtype} {images.shape}; allowed: floats (n, height, width, channels)")
    total = 0
    for flipped, turns in product((False, True), range(4)):
        turned = np.rot90(images[:, :, ::-1] if flipped else images, turns, axes=(1, 2))
        back = np.rot90(np.asarray(function(np.ascontiguousarray(turned))), -turns, axes=(1, 2))
        total = total + (back[:, :, ::-1] if flipped else back)
    return total / 8
