"""Tiled inference on large images, in NumPy."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

from cnnzoo.utils.checks import check_integer


def tiled(
    function: Callable[..., Any],
    image: np.ndarray,
    *,
    extra_inputs: Sequence[tuple[np.ndarray, int]] = (),
    scale: int = 1,
    margin: int,
    stride: int = 1,
    tile: int = 256,
    grain: int = 1,
) -> np.ndarray:
    """`function` applied to an image tile by tile, in little memory.

    Tiles overlap by `margin` on each side, and only their inside is kept; tiles at the border see the border. The
    result equals that of the whole image, up to floating-point rounding, if the receptive field is at most `margin`:
    not with a mean over the image, such as in instance normalization. If `stride` divides the sides of the image, all
    tiles have one shape; otherwise the last row and column differ. Of all grids of tiles with at most the pixels of a
    square one, the one is taken that has the fewest in all.

    Args:
        function: From an array (1, h, w, c) of the image's dtype to one (1, h * scale, w * scale, d). It pads
            sides not divisible by `stride` at the bottom and right.
        image: (height, width, c).
        extra_inputs: Further inputs (⌈height / s⌉, ⌈width / s⌉, e), each with its s, a divisor of `stride`; the
            function also gets the matching tile (1, ⌈h / s⌉, ⌈w / s⌉, e) of each.
        scale: Upscaling factor of the function.
        margin: Radius of the receptive field, in input pixels; rounded up to a multiple of `stride`.
        stride: Stride of the coarsest feature map; tiles start at multiples of it.
        tile: Side of the kept part of a square tile, in input pixels; rounded up to a multiple of `stride`.
        grain: The sides of the kept parts are rounded up to multiples of it, so that images of many sizes have tiles of
            few shapes.

    Returns:
        (height * scale, width * scale, d) in the dtype of the function.

    Raises:
        ValueError: For an image of another rank or without pixels, a number out of range, or a wrong output shape of
            the function.
    """
    for name, value, least in (("scale", scale, 1), ("margin", margin, 0), ("stride", stride, 1), ("tile", tile, 1)):
        check_integer(name, value, least)
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"The image must be (height, width, channels), not empty. Received: shape {image.shape}")
    margin, tile = (-(-side // stride) * stride for side in (margin, tile))
    sizes = _window_size(image.shape[:2], tile, margin, -(-grain // stride) * stride)
    axes = zip(image.shape[:2], sizes, strict=True)
    windows = list(product(*(_windows(side, size, margin, stride) for side, size in axes)))
    whole: Any = None
    for (rows, kept_rows), (columns, kept_columns) in windows:
        parts = (array[None, _coarser(rows, s), _coarser(columns, s)] for array, s in ((image, 1), *extra_inputs))
        part = np.asarray(function(*parts))
        height, width = (scale * (side.stop - side.start) for side in (rows, columns))
        if part.ndim != 4 or part.shape[:3] != (1, height, width):
            raise ValueError(f"The function must return (1, {height}, {width}, channels). Received: shape {part.shape}")
        if whole is None:
            whole = np.empty((scale * image.shape[0], scale * image.shape[1], part.shape[3]), part.dtype)
        inside = part[0, _scaled(kept_rows, scale, rows.start), _scaled(kept_columns, scale, columns.start)]
        whole[_scaled(kept_rows, scale), _scaled(kept_columns, scale)] = inside
    return whole


def _window_size(sides: Sequence[int], tile: int, margin: int, grain: int) -> tuple[int, int]:
    """Height and width of the windows of an image, of the grid with the fewest pixels in all windows."""
    both, most = 2 * margin, (tile + 2 * margin) ** 2

    def size(side: int, count: int) -> int:
        """The side of `count` windows: two neighbors share twice the margin."""
        kept = -(-(side + both * (count - 1)) // count) - both
        return side if count == 1 else min(side, -(-kept // grain) * grain + both)

    def rows(width: int) -> int:
        """How many windows of a width there are from top to bottom, at least."""
        return 1 if sides[0] * width <= most else max(1, -(-(sides[0] - both) // max(most // width - both, 1)))

    grids = []
    for columns in range(1, 2 * -(-sides[1] // tile) + 1):
        width = size(sides[1], columns)
        if most // width > both or sides[0] * width <= most:
            count = rows(width)
            height = size(sides[0], count)
            grids.append((columns * width * count * height, height, width))
    return min(grids)[1:]


def _windows(length: int, size: int, margin: int, stride: int) -> list[tuple[slice, slice]]:
    """Along one axis, the window and the kept part of each tile; the kept parts partition the axis.

    The last window is shifted inwards to the length of the others, up to the remainder of `length` by the stride.
    """
    last = max(0, length - size) // stride * stride
    windows, kept = [], 0
    for start in (*range(0, last, max(size - 2 * margin, 1)), last):
        stop, keep = (length, length) if start == last else (start + size, start + size - margin)
        windows.append((slice(start, stop), slice(kept, keep)))
        kept = keep
    return windows


def _scaled(part: slice, scale: int, origin: int = 0) -> slice:
    """A slice in output coordinates, relative to `origin`."""
    return slice(scale * (part.start - origin), scale * (part.stop - origin))


def _coarser(part: slice, stride: int) -> slice:
    """A slice, starting at a multiple of the stride, in coordinates of a map at that stride."""
    return slice(part.start // stride, -(-part.stop // stride))
