"""Holes of images, filled smoothly: a multigrid approximation of Laplace's and the biharmonic equation."""

from typing import Any

import numpy as np
from keras import ops

LEVELS = 10  # maximum pyramid levels, for holes up to 1024 pixels
LEAST = 1e-7  # below 4^-10, the smallest known fraction at the coarsest level; nonzero in float16
HARMONIC = 5  # Jacobi iterations of Laplace's equation per level
BIHARMONIC = 16  # iterations of the biharmonic equation at the finest level
NEIGHBORS = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]) / 4.0  # the mean of the four neighbors
LAPLACIAN = NEIGHBORS - np.pad([[1.0]], 1)
# A step of the biharmonic equation. The largest eigenvalue of the Laplacian here is 2, so that steps of up to 1/2 are
# stable. An image that is padded symmetrically has a Laplacian that is, so that one kernel does for two.
STEP = np.pad([[1.0]], 2) - 0.48 * sum(
    weight * np.pad(LAPLACIAN, ((y, 2 - y), (x, 2 - x))) for (y, x), weight in np.ndenumerate(LAPLACIAN)
)


def smooth_filling(images: Any, known: Any) -> Any:
    """Images with smoothly filled holes, by a multigrid approximation of Laplace's and the biharmonic equation.

    Pull: the image and its mask are average-pooled down to one pixel. Push: from coarse to fine, pixels with a known
    fraction below a quarter are blended with the coarser level, followed by Jacobi iterations of Laplace's equation. At
    full size, a few iterations of the biharmonic equation also continue gradients; they converge only in thin holes,
    where it is better.

    Source: the pull-push algorithm of Gortler et al., "The Lumigraph", 1996, section 3.4; Damelin and Hoang, "On
    Surface Completion and Image Inpainting by Biharmonic Functions", 2018.

    Args:
        images: float32 (n, height, width, channels) in [0, 1].
        known: (n, height, width, 1), 1 for known pixels, 0 for missing ones.

    Returns:
        float32 in the shape of `images`, equal to them at known pixels.
    """
    return filled_smoothly(images * known, known)


def filled_smoothly(total: Any, share: Any, finest: int = 0) -> Any:
    """The same, from premultiplied images at level `finest` and their known fractions."""
    sides, most = total.shape[1:3], max(LEVELS - finest, 0)
    levels = most if None in sides else min(most, (max(sides) - 1).bit_length())
    *pyramid, (total, share) = halved(total, share, levels)
    return refilled(pyramid, total / ops.maximum(share, LEAST), finest)


def halved(total: Any, share: Any, times: int) -> list[tuple]:
    """A pyramid of premultiplied images and known fractions, from full size on."""
    pyramid = [(total, share)]
    for _ in range(times):
        pyramid.append(tuple(ops.average_pool(part, 2, 2, "same") for part in pyramid[-1]))
    return pyramid


def refilled(pyramid: list[tuple], filled: Any, finest: int = 0) -> Any:
    """The push phase: the finest level of a pyramid, `finest`, filled from the level above its coarsest."""
    for level, (total, share) in reversed(list(enumerate(pyramid, finest))):
        height, width = ops.shape(total)[1:3]
        filled = ops.repeat(ops.repeat(filled, 2, axis=1), 2, axis=2)[:, :height, :width]
        trust = ops.minimum(4.0 * share, 1.0) if level else share
        found = trust * total / ops.maximum(share, LEAST)
        rest = (1.0 - trust) * ops.ones_like(total)  # for each channel: products without broadcasting are faster
        filled = found + rest * filled
        for _ in range(HARMONIC):
            filled = found + rest * _filtered(filled, NEIGHBORS)
    if finest:
        return filled
    found, rest, filled = (_two_or_more(part) for part in (found, rest, filled))
    for _ in range(BIHARMONIC):
        filled = found + rest * _filtered(filled, STEP)
    return ops.clip(filled[:, :height, :width], 0.0, 1.0)  # biharmonic steps may overshoot


def radius(stride: int) -> int:
    """The receptive field radius in pixels of a smooth filling, given its level at a stride."""
    return HARMONIC * (stride - 1) + 2 * BIHARMONIC + stride


def _filtered(x: Any, kernel: np.ndarray) -> Any:
    """Each channel filtered by a symmetric kernel (k, k), with symmetric padding."""
    margin = len(kernel) // 2
    around = ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "symmetric")
    kernels = ops.cast(np.repeat(kernel[:, :, None, None], x.shape[3], axis=2), x.dtype)
    return ops.depthwise_conv(around, kernels, padding="valid")


def _two_or_more(x: Any) -> Any:
    """An image of one row or column with two of them: symmetric padding cannot be wider than the image."""
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        beyond = max(2 - size, 0) if isinstance(size, int) else ops.maximum(2 - size, 0)
        x = ops.concatenate([x, x[(slice(None),) * axis + (slice(0, beyond),)]], axis=axis)
    return x
