"""Occlusion maps."""

from itertools import product
from typing import Any

import numpy as np
from keras import ops

from cnnzoo.explain.gradients import check_baseline
from cnnzoo.explain.target import LogitExplainer


def occlusion(
    model: Any,
    images: Any,
    classes: Any = None,
    size: int | None = None,
    stride: int | None = None,
    baseline: float = 0.0,
) -> Any:
    """Occlusion: the mean decrease of the logit over all occluding squares containing a pixel, signed.

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        size: The side of the square, in pixels; by default a seventh of the image's shorter side.
        stride: Distance of the squares, at most `size`; by default half of it. The last ones are aligned to the edges.
        baseline: The gray value of the square, in [0, 1].

    Returns:
        float32, (n, height, width); positive for evidence for the class.

    Raises:
        ValueError: For a square larger than the image, a stride above `size`, or a baseline outside [0, 1].

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 4.2.
    """
    check_baseline(baseline)
    target = LogitExplainer(model, images, classes)
    sides = target.images.shape[1:3]
    size = max(min(sides) // 7, 1) if size is None else size
    stride = max(size // 2, 1) if stride is None else stride
    if not 1 <= size <= min(sides):
        raise ValueError(f"`size` must be between 1 and {min(sides)}. Received: {size}")
    if not 1 <= stride <= size:
        raise ValueError(f"`stride` must be between 1 and {size}. Received: {stride}")
    tops, lefts = (sorted({*range(0, side - size, stride), side - size}) for side in sides)
    squares = np.zeros((len(tops) * len(lefts), *sides, 1), np.float32)
    for square, (top, left) in zip(squares, product(tops, lefts), strict=True):
        square[top : top + size, left : left + size] = 1.0

    def fallen(x: Any, chosen: Any) -> Any:
        whole = target.logit(x, chosen)[:, None, None]  # (n, 1, 1)
        total = 0.0
        for square, logit in target.over(squares, covered(x), target.logit, x, chosen):
            total += ops.sum((whole - logit[..., None, None]) * square[:, None, :, :, 0], axis=0)  # (n, height, width)
        return total / squares.sum(axis=0)[..., 0]

    def covered(x: Any) -> Any:
        return lambda square: x + (baseline - x) * square[:, None]

    return target.each(fallen)
