"""Antialiased bicubic resampling by integer factors, as MATLAB's `imresize`; bilinear resampling to any size.

MATLAB's bicubic is the convention of the super-resolution literature, and scores depend on it: other implementations
lack antialiasing or align pixels differently. Written with slices, sums and products, so that it runs inside any graph
and for images of any size.

Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, equation 15 (a = -1/2); for
downscaling, the kernel is stretched by the scale.
"""

from typing import Any

import numpy as np
from keras import ops

from cnnzoo.utils.checks import check_integer


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _check(scale: Any) -> None:
    check_integer("scale", scale, 2)


def downscale(images: Any, scale: int) -> Any:
    """Images (n, height, width, channels) to (n, height / scale, width / scale, channels), in float32.

    Symmetric padding. The result may slightly overshoot the input range.

    Raises:
        ValueError: For a scale other than an integer >= 2, or sides not divisible by it (see `crop_to_multiple`).
    """
    _check(scale)
    sides = images.shape[1:3]
    if any(side is not None and side % scale for side in sides):
        raise ValueError(f"Images must have sides that are multiples of {scale}. Received: {sides[0]}x{sides[1]}")
    # Output pixel i lies at scale * i + (scale - 1) / 2; the kernel radius is 2 * scale.
    first = -2 * scale + scale // 2
    offsets = np.arange(first, first + 4 * scale + 1)
    weights = _cubic((offsets - (scale - 1) / 2) / scale)
    weights /= weights.sum()
    x = ops.cast(images, "float32")
    for _ in range(2):  # rows, then columns as rows; blocks of `scale` rows, since strided slices are slow
        n, height, width, channels = ops.shape(x)
        size = height // scale
        blocks = ops.reshape(mirrored(x, 1, 2 * scale), (n, size + 4, scale, width * channels))
        total = 0.0
        for offset, weight in zip(offsets, weights, strict=True):
            if weight:
                block, row = divmod(int(offset) + 2 * scale, scale)
                total = total + float(weight) * blocks[:, block : block + size, row]
        x = ops.transpose(ops.reshape(total, (n, size, width, channels)), (0, 2, 1, 3))
    return x


def upscaling_weights(scale: int) -> np.ndarray:
    """The weights of five input pixels around output pixel scale * i + phase, for each phase: (5, scale)."""
    centers = (np.arange(scale) + 0.5) / scale - 0.5  # the output pixel lies at i + center
    return _cubic(np.arange(-2, 3)[:, None] - centers)


def upscale(images: Any, scale: int) -> Any:
    """Images (n, height, width, channels) to (n, height * scale, width * scale, channels), in float32.

    Symmetric padding. The result may slightly overshoot the input range.

    Raises:
        ValueError: For a scale other than an integer >= 2.
    """
    _check(scale)
    x = ops.cast(images, "float32")
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        padded = mirrored(x, axis, 2)
        shifted = [_strided(padded, axis, start, size, 1) for start in range(5)]
        phases = []
        for weights in upscaling_weights(scale).T:
            phases.append(sum(float(w) * s for w, s in zip(weights, shifted, strict=True) if w))
        x = ops.stack(phases, axis=axis + 1)  # (n, …, size, scale, …)
        shape = list(ops.shape(x))
        x = ops.reshape(x, [*shape[:axis], size * scale, *shape[axis + 2 :]])
    return x


def bilinear(size: Any, of: Any) -> Any:
    """The matrix of linear interpolation from `of` samples to `size`, float32 (size, of); rows sum to 1.

    A triangle filter with a radius of one input sample, or of the ratio of / size for downscaling (antialiasing).
    """
    ratio = ops.cast(of, "float32") / ops.cast(size, "float32")
    centers = (ops.cast(ops.arange(size), "float32")[:, None] + 0.5) * ratio - 0.5
    away = ops.abs(centers - ops.cast(ops.arange(of), "float32"))
    weights = ops.relu(1.0 - away / ops.maximum(ratio, 1.0))
    return weights / ops.sum(weights, axis=1, keepdims=True)


def weighted(weights: Any, images: Any, axis: int) -> Any:
    """Images (n, height, width, channels) resampled along axis 1 or 2 by a matrix of weights (k, of)."""
    if axis == 2:
        return ops.matmul(weights, images)
    n, height, width = ops.shape(images)[:3]
    rows = ops.matmul(weights, ops.reshape(images, (n, height, -1)))
    return ops.reshape(rows, (n, -1, width, images.shape[3]))


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """An image (height, width, channels) cropped at the bottom and right to multiples of the scale."""
    height, width = (side - side % scale for side in image.shape[:2])
    return image[:height, :width]


def mirror_to_multiple(images: Any, multiple: int) -> Any:
    """Images padded symmetrically at the bottom and right to multiples; works inside a graph."""
    x = images
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        if not isinstance(size, int) or size % multiple:
            whole = (size + multiple - 1) // multiple * multiple  # runtimes round negative quotients differently
            x = _strided(mirrored(x, axis, multiple - 1), axis, multiple - 1, whole, 1)
    return x


def mirrored(x: Any, axis: int, margin: int) -> Any:
    """Symmetric padding of one axis by `margin` on both sides, for any margin."""
    size = ops.shape(x)[axis]
    index = (ops.arange(-margin, size + margin) + 2 * margin * size) % (
        2 * size
    )  # operands >= 0, for equal % everywhere
    return ops.take(x, ops.where(index < size, index, 2 * size - 1 - index), axis=axis)


def _strided(x: Any, axis: int, start: int, length: Any, step: int) -> Any:
    """A strided slice of the given length along one axis."""
    return x[(slice(None),) * axis + (slice(start, start + length, step),)]
