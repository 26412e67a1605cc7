"""Streaming fast style transfer of large photographs, in strips of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import in_unit_range

STRIP = 2**18  # output pixels of a convolution per strip

Progress = Callable[[int, int], None]


def paint_in_strips(painter: Any, photo: np.ndarray, mix: np.ndarray, progress: Progress | None = None) -> np.ndarray:
    """A stylized photograph, float32 (height, width, 3): equal to the painter up to rounding, in less memory.

    Convolutions outside the residual blocks run in strips of rows. The moments for instance normalization are summed
    over all strips, and maps are normalized on their next read, so that there are no seams.

    Args:
        painter: A `cnnzoo.models.fast_style.Painter`.
        photo: (height, width, 3), in a dtype of `in_unit_range`.
        mix: (1, styles).
        progress: Called with the finished convolutions and their total.
    """
    height, width = photo.shape[:2]
    beyond = ((0, -height % painter.stride), (0, -width % painter.stride), (0, 0))
    x, read = np.pad(photo, beyond, mode="symmetric"), lambda part: 2.0 * in_unit_range(part) - 1.0
    for i, (conv, norm) in enumerate(zip(painter.convs[:3], painter.norms[:3], strict=True), start=1):
        x, read = _convolved(x, read, conv, norm, mix)
        _tell(progress, i)
    x, read = ops.convert_to_numpy(painter.middle(ops.convert_to_tensor(read(x)[None]), mix))[0], lambda part: part
    _tell(progress, 4)
    for i, (conv, norm) in enumerate(zip(painter.convs[-2:], painter.norms[-2:], strict=True), start=5):
        x, read = _convolved(x, read, conv, norm, mix, repeat=2)
        _tell(progress, i)
    painted, _ = _convolved(x, read, painter.last)
    _tell(progress, 7)
    return painted[:height, :width]


def _tell(progress: Progress | None, done: int) -> None:
    if progress is not None:
        progress(done, 7)


def _convolved(
    x: np.ndarray, read: Callable, conv: Any, norm: Any = None, mix: Any = None, repeat: int = 1
) -> tuple[np.ndarray, Callable]:
    """A strip-wise convolution of `read(x)` for maps x (h, w, c); returns its output and the reader of its rows.

    Args:
        read: Deferred normalization of rows of x.
        conv: A convolution on symmetrically padded maps.
        norm, mix: The following normalization, if any, and the style weights.
        repeat: Nearest-neighbor upsampling factor before the convolution.
    """
    size, stride, margin = conv.kernel_size[0], conv.strides[0], conv.kernel_size[0] // 2
    rows, columns = repeat * x.shape[0], repeat * x.shape[1]
    made = np.empty((rows // stride, columns // stride, conv.filters), np.float32)
    sums = np.zeros((2, conv.filters))
    at_once = max(1, STRIP // made.shape[1])
    for start in range(0, len(made), at_once):
        stop = min(start + at_once, len(made))
        needed = np.arange(start * stride - margin, (stop - 1) * stride - margin + size)
        needed = np.where(needed < 0, -1 - needed, np.where(needed < rows, needed, 2 * rows - 1 - needed)) // repeat
        first = needed.min()
        part = read(x[first : needed.max() + 1])[needed - first].repeat(repeat, axis=1)
        part = np.pad(part, ((0, 0), (margin, margin), (0, 0)), mode="symmetric")
        strip = made[start:stop] = ops.convert_to_numpy(conv(ops.convert_to_tensor(part[None])))[0]
        sums += strip.sum((0, 1), dtype=float), np.square(strip).sum((0, 1), dtype=float)
    if norm is None:
        return made, lambda part: part
    mean, square = sums / (made.shape[0] * made.shape[1])
    moments = mean.astype(np.float32), (square - mean**2).astype(np.float32)

    def normal(part: Any) -> Any:
        return ops.convert_to_numpy(ops.relu(norm(ops.convert_to_tensor(part[None]), mix, moments=moments)))[0]

    return made, normal
