"""Reconstruction metrics for float images in [0, 1] or uint8 ones in [0, 255]: MSE, PSNR, SSIM, and their variants.

Two sets of images are two batches, or two sequences of images of different sizes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnnzoo.imaging import color
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.utils.checks import check_integer

Images = np.ndarray | Sequence[np.ndarray]

WINDOW = 11  # side of the SSIM window in pixels


def mse_per_image(images: Images, reconstructions: Images) -> np.ndarray:
    """The mean squared error of each image over its pixels and channels, (n,).

    Raises:
        ValueError: For different shapes or numbers of images, or other integers than uint8.
    """
    return np.array([np.mean(np.square(a - b)) for a, b in _pairs(images, reconstructions)])


def psnr_per_image(images: Images, reconstructions: Images) -> np.ndarray:
    """10 log10(1 / MSE) of each image in dB, (n,): the data range is 1. Equal images give infinity.

    Raises:
        ValueError: As `mse_per_image`.
    """
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(mse_per_image(images, reconstructions))


def ssim_per_image(images: Images, reconstructions: Images) -> np.ndarray:
    """The mean structural similarity of each image (height, width, channels), (n,): in [-1, 1], 1 for equal images.

    Settings are those of the authors' `ssim_index.m`: a Gaussian window of 11x11 with a standard deviation of 1.5,
    K1 = 0.01, K2 = 0.03, data range 1, and the mean over pixels with the whole window inside the image, without the
    five at each border. MATLAB's `ssim` includes them, and the authors' later `ssim.m` downsamples large images first:
    both give other values. Channels are averaged.

    Raises:
        ValueError: As `mse_per_image`, or for a side below 11 pixels.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.
    """
    return np.array([_similarity(a, b) for a, b in _pairs(images, reconstructions)])


def _similarity(a: np.ndarray, b: np.ndarray, **options: Any) -> Any:
    from skimage.metrics import structural_similarity

    if a.ndim != 3 or min(a.shape[:2]) < WINDOW:
        raise ValueError(
            f"Images must be (height, width, channels) with sides of {WINDOW} or more. Received: shape {a.shape}"
        )
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    return structural_similarity(a, b, win_size=WINDOW, channel_axis=-1, **settings, **options)


def _pairs(images: Images, reconstructions: Images) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for a, b in zip(images, reconstructions, strict=True):
        a, b = _in_unit_range(a), _in_unit_range(b)
        if a.shape != b.shape:
            raise ValueError(f"Images must come in two batches of one shape. Received: {a.shape} and {b.shape}")
        yield a, b


def _in_unit_range(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image / 255.0
    if image.dtype.kind != "f":
        raise ValueError(f"Images must be uint8 in [0, 255] or floats in [0, 1]. Received: {image.dtype}")
    return image.astype(np.float64)


@dataclass(frozen=True)
class Protocol:
    """A super-resolution evaluation protocol.

    Attributes:
        channels: "Y", the luma of ITU-R BT.601 (see `cnnzoo.imaging.color`) of a color image, or "RGB", all channels.
        shave: Whether a border of `scale` pixels is excluded.
    """

    channels: Literal["Y", "RGB"]
    shave: bool


PROTOCOLS = {
    "Y-shave": Protocol("Y", True),  # of most papers
    "Y-noshave": Protocol("Y", False),
    "RGB-shave": Protocol("RGB", True),
}


def prepare(image: np.ndarray, protocol: str, scale: int) -> np.ndarray:
    """Prepares an original or upscaled image for PSNR and SSIM by the protocol.

    Floats are clipped and rounded to 8 bits first, as in a file. Y is not rounded again and stays in [16, 235] / 255
    with data range 1, on the [0, 255] scale of MATLAB's uint8 Y. Gray images are compared without conversion, as in
    published tables for the gray image of Set14; as three equal channels it would score 1.3 dB more.

    Args:
        image: (height, width, 1 or 3), uint8 or float in [0, 1].
        protocol: A name in `PROTOCOLS`.
        scale: Upscaling factor.

    Returns:
        float64 in [0, 1], (height, width, channels), without a border of `scale` pixels for protocols with shaving.

    Raises:
        ValueError: For an unknown protocol, a scale below 1, or an image of another shape or too small.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"`protocol` must be one of {', '.join(PROTOCOLS)}. Received: {protocol!r}")
    check_integer("scale", scale, 1)
    chosen = PROTOCOLS[protocol]
    border = scale if chosen.shave else 0
    if image.ndim != 3 or image.shape[2] not in (1, 3) or min(image.shape[:2]) <= 2 * border:
        raise ValueError(
            f"Images must be (height, width, 1 or 3) with sides above {2 * border}. Received: shape {image.shape}"
        )
    height, width = image.shape[:2]
    image = to_uint8(image)[border : height - border, border : width - border] / 255.0
    return color.luma(image) if chosen.channels == "Y" and image.shape[2] == 3 else image


def pca_mse(train: np.ndarray, test: np.ndarray, components: int) -> float:
    """The mean squared error of `test` after projection on the principal components of `train`.

    On `train`, it is optimal among linear codes of that length; images are (n, ...) in [0, 1].
    """
    from sklearn.decomposition import PCA

    train, test = (images.reshape(len(images), -1) for images in (train, test))
    pca = PCA(components, svd_solver="covariance_eigh").fit(train)
    return float(np.mean(mse_per_image(test, pca.inverse_transform(pca.transform(test)))))


def hole_mse_per_image(images: Images, reconstructions: Images, masks: Images) -> np.ndarray:
    """The mean squared error of each image over its missing pixels, (n,).

    Args:
        images, reconstructions: (height, width, channels) each, in [0, 1].
        masks: (height, width, 1) each, nonzero for missing pixels; see `cnnzoo.imaging.masks.for_evaluation`.

    Raises:
        ValueError: As `mse_per_image`, or for a mask without missing pixels.
    """
    pairs = _pairs(images, reconstructions)
    return np.array([_in_hole(np.square(a - b), mask) for (a, b), mask in zip(pairs, masks, strict=True)])


def hole_ssim_per_image(images: Images, reconstructions: Images, masks: Images) -> np.ndarray:
    """The mean structural similarity over the missing pixels of each image, (n,).

    Windows include known pixels, and the mirrored image beyond the border; other settings as in `ssim_per_image`.
    Arguments and errors as in `hole_mse_per_image`.
    """
    maps = (_similarity(a, b, full=True)[1] for a, b in _pairs(images, reconstructions))
    return np.array([_in_hole(values, mask) for values, mask in zip(maps, masks, strict=True)])


def _in_hole(values: np.ndarray, mask: np.ndarray) -> float:
    missing = np.asarray(mask)[..., 0] != 0
    if not missing.any():
        raise ValueError("Each mask must mark at least one pixel as missing. Received: a mask of zeros")
    return float(values[missing].mean())
