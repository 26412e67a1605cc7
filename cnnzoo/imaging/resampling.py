"""Bicubic resampling by whole numbers, antialiased, as MATLAB's `imresize` does it; bilinear resampling to any size.

The bicubic one is what the literature makes its small images with, and what its scores depend on: other bicubics leave
out the antialiasing, or place the pixels otherwise. Written with slices, sums and products, so that it runs in any
graph, on images of any size.

Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, equation 15 (a = -1/2); stretched by
the scale where images are made smaller.
"""

import numpy as np
from keras import ops


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _check(scale) -> None:
    if not isinstance(scale, (int, np.integer)) or isinstance(scale, bool) or scale < 2:
        raise ValueError(f"got scale={scale!r}; allowed: an integer >= 2")


def downscale(images, scale: int):
    """Images (n, height, width, channels) to (n, height / scale, width / scale, channels), in float32.

    The border is mirrored. What comes out may leave the range of what went in by a little.

    Raises:
        ValueError: For a scale that is no integer >= 2, or sides that are no multiples of it (see `crop_to_multiple`).
    """
    _check(scale)
    sides = images.shape[1:3]
    if any(side is not None and side % scale for side in sides):
        raise ValueError(f"got images of {sides[0]}x{sides[1]}; allowed: multiples of {scale}")
    # The pixel i of the result lies at scale * i + (scale - 1) / 2; the kernel reaches 2 * scale to both sides.
    first = -2 * scale + scale // 2
    offsets = np.arange(first, first + 4 * scale + 1)
    weights = _cubic((offsets - (scale - 1) / 2) / scale)
    weights /= weights.sum()
    x = ops.cast(images, "float32")
    for axis in (1, 2):
        size = ops.shape(x)[axis] // scale
        padded = mirrored(x, axis, 2 * scale)
        total = 0.0
        for offset, weight in zip(offsets, weights, strict=True):
            if weight:
                start = int(offset) + 2 * scale
                taken = _strided(padded, axis, start, scale * (size - 1) + 1, scale)
                total = total + float(weight) * taken
        x = total
    return x


def upscale(images, scale: int):
    """Images (n, height, width, channels) to (n, height * scale, width * scale, channels), in float32.

    The border is mirrored. What comes out may leave the range of what went in by a little.

    Raises:
        ValueError: For a scale that is no integer >= 2.
    """
    _check(scale)
    offsets = np.arange(-2, 3)
    x = ops.cast(images, "float32")
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        padded = mirrored(x, axis, 2)
        shifted = [_strided(padded, axis, int(offset) + 2, size, 1) for offset in offsets]
        phases = []
        for phase in range(scale):  # the pixel scale * i + phase of the result lies at i + centre
            centre = (phase + 0.5) / scale - 0.5
            weights = _cubic(offsets - centre)
            phases.append(sum(float(w) * s for w, s in zip(weights, shifted, strict=True) if w))
        x = ops.stack(phases, axis=axis + 1)  # (n, …, size, scale, …)
        shape = list(ops.shape(x))
        x = ops.reshape(x, [*shape[:axis], size * scale, *shape[axis + 2 :]])
    return x


def bilinear(size, of):
    """The weights of `of` entries in each of `size`, a float32 matrix (size, of), whose rows have the sum 1.

    Each weight falls along a line from its middle to 0 one entry away, or so many entries as one of fewer stands for.
    """
    ratio = ops.cast(of, "float32") / ops.cast(size, "float32")
    centres = (ops.cast(ops.arange(size), "float32")[:, None] + 0.5) * ratio - 0.5
    away = ops.abs(centres - ops.cast(ops.arange(of), "float32"))
    weights = ops.relu(1.0 - away / ops.maximum(ratio, 1.0))
    return weights / ops.sum(weights, axis=1, keepdims=True)


def weighted(weights, images, axis: int):
    """Images (n, height, width, channels) with the rows (axis 1) or the columns (axis 2) that weights (k, of) make."""
    if axis == 2:
        return ops.matmul(weights, images)
    n, height, width = ops.shape(images)[:3]
    rows = ops.matmul(weights, ops.reshape(images, (n, height, -1)))
    return ops.reshape(rows, (n, -1, width, images.shape[3]))


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """An image (height, width, channels) without the last rows and columns that make its sides no multiples."""
    height, width = (side - side % scale for side in image.shape[:2])
    return image[:height, :width]


def mirror_to_multiple(images, multiple: int):
    """Images with more rows below and columns on the right, mirrored, until both sides are multiples; in any graph."""
    x = images
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        if not isinstance(size, int) or size % multiple:
            whole = (size + multiple - 1) // multiple * multiple  # not all runtimes round negative numbers down
            x = _strided(mirrored(x, axis, multiple - 1), axis, multiple - 1, whole, 1)
    return x


def mirrored(x, axis: int, margin: int):
    """x with `margin` more on both sides of an axis, mirrored so that the border stands twice, as often as it takes."""
    size = ops.shape(x)[axis]
    index = (ops.arange(-margin, size + margin) + 2 * margin * size) % (2 * size)  # a positive remainder everywhere
    return ops.take(x, ops.where(index < size, index, 2 * size - 1 - index), axis=axis)


def _strided(x, axis: int, start: int, length, step: int):
    """Every `step`-th of the `length` entries from `start` on, along an axis."""
    return x[(slice(None),) * axis + (slice(start, start + length, step),)]
