"""Y'CbCr of ITU-R BT.601, in studio swing (as MATLAB's rgb2ycbcr) and full range (as JPEG).

Functions map float arrays or tensors of any backend, channels last, to the same type and precision. They work channel
by channel, since a matrix product on a GPU may be rounded to ten bits (TF32).

Source: ITU-R BT.601-7, 2011, section 2.5; the constants are those of Poynton, "A Technical Introduction to Digital
Video", 1996, equation 9.6.
"""

from typing import Any

import numpy as np

# One row for each of R, G and B in [0, 1]; the columns are Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255.
YCBCR_OF_RGB = np.array([[65.481, -37.797, 112.0], [128.553, -74.203, -93.786], [24.966, 112.0, -18.214]]) / 255.0
YCBCR_OF_BLACK = np.array([16.0, 128.0, 128.0]) / 255.0
RGB_OF_YCBCR = np.linalg.inv(YCBCR_OF_RGB)
# The same for all three in [0, 1], with gray at 128 / 255: JFIF 1.02.
FULL_YCBCR_OF_RGB = np.array(
    [[0.299, -0.299 / 1.772, 0.5], [0.587, -0.587 / 1.772, -0.587 / 1.402], [0.114, 0.5, -0.114 / 1.402]]
)
FULL_YCBCR_OF_BLACK = np.array([0.0, 128.0, 128.0]) / 255.0
RGB_OF_FULL_YCBCR = np.linalg.inv(FULL_YCBCR_OF_RGB)


def rgb_to_ycbcr(images: Any) -> Any:
    """R'G'B' in [0, 1] (..., 3) as Y'CbCr (..., 3): Y in [16, 235] / 255, Cb and Cr in [16, 240] / 255.

    Raises:
        ValueError: For another number of channels, or a dtype other than float.
    """
    return _affine(images, YCBCR_OF_RGB, YCBCR_OF_BLACK)


def ycbcr_to_rgb(images: Any) -> Any:
    """The inverse of `rgb_to_ycbcr`, (..., 3) to (..., 3). Not clipped: some Y'CbCr values lie outside the RGB gamut.

    Raises:
        ValueError: As `rgb_to_ycbcr`.
    """
    return _affine(images, RGB_OF_YCBCR, -YCBCR_OF_BLACK @ RGB_OF_YCBCR)


def rgb_to_full_ycbcr(images: Any) -> Any:
    """R'G'B' in [0, 1] (..., 3) as full-range Y'CbCr of JPEG files (..., 3): white has Y = 1.

    Raises:
        ValueError: As `rgb_to_ycbcr`.

    Source: JPEG File Interchange Format, version 1.02, 1992, page 3.
    """
    return _affine(images, FULL_YCBCR_OF_RGB, FULL_YCBCR_OF_BLACK)


def full_ycbcr_to_rgb(images: Any) -> Any:
    """The inverse of `rgb_to_full_ycbcr`, (..., 3) to (..., 3), not clipped.

    Raises:
        ValueError: As `rgb_to_ycbcr`.
    """
    return _affine(images, RGB_OF_FULL_YCBCR, -FULL_YCBCR_OF_BLACK @ RGB_OF_FULL_YCBCR)


def luma(images: Any) -> Any:
    """Y in [16, 235] / 255 of images in [0, 1]: (..., 3) or (..., 1) to (..., 1).

    A gray image counts as three equal channels: its Y is (16 + 219 g) / 255, not g.

    Raises:
        ValueError: For another number of channels, or a dtype other than float.
    """
    weights = YCBCR_OF_RGB[:, :1]
    gray = images.shape[-1] == 1
    return _affine(images, weights.sum(axis=0, keepdims=True) if gray else weights, YCBCR_OF_BLACK[:1])


def with_luma(images: Any, luma: Any) -> Any:
    """R'G'B' (..., 3) with their full-range Y replaced by `luma` (..., 1): (..., 3), not clipped.

    Adding the same amount to all channels changes Y by that amount and leaves Cb and Cr.

    Raises:
        ValueError: As `rgb_to_ycbcr`.
    """
    return images + (luma - _affine(images, FULL_YCBCR_OF_RGB[:, :1], FULL_YCBCR_OF_BLACK[:1]))


def _affine(images: Any, matrix: np.ndarray, offset: np.ndarray) -> Any:
    """images (..., k) @ matrix (k, m) + offset (m,)."""
    dtype = getattr(images.dtype, "name", images.dtype)  # a string in Keras, an object elsewhere
    if images.shape[-1] != len(matrix) or "float" not in dtype:
        raise ValueError(f"Images must be floats (..., {len(matrix)}). Received: {dtype} {tuple(images.shape)}")
    weighted = (images[..., k : k + 1] * row for k, row in enumerate(matrix.astype(dtype)))  # each (..., m)
    return sum(weighted) + offset.astype(dtype)
