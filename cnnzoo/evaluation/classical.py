"""Classical baselines for restoration and enhancement.

Each takes one image (height, width, channels), uint8 or floats in [0, 1], and returns float32 in [0, 1]. Noisy floats
may lie outside [0, 1] and are not clipped first. The strengths of the denoising methods were chosen on training
photographs ("train400"), for noise of sigma 5 to 75 on the scale of [0, 255].
"""

import numpy as np

from cnnzoo.imaging.color import rgb_to_full_ycbcr, with_luma
from cnnzoo.imaging.resampling import upscale
from cnnzoo.utils.checks import check_integer


def bicubic(image: np.ndarray, scale: int) -> np.ndarray:
    """Bicubic upscaling as in MATLAB's imresize, the kernel of Keys with a = -0.5: (scale h, scale w, c).

    Raises:
        ValueError: A scale below 2, or another dtype or rank of the image.

    Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981.
    """
    return _finished(upscale(_enlargeable(image, scale)[None], scale)[0])


def lanczos(image: np.ndarray, scale: int) -> np.ndarray:
    """Lanczos upscaling with three lobes, as in Pillow: (scale h, scale w, c).

    Raises:
        ValueError: A scale below 2, or another dtype or rank of the image.

    Source: Duchon, "Lanczos Filtering in One and Two Dimensions", 1979.
    """
    from PIL import Image

    image = _enlargeable(image, scale)
    height, width, channels = image.shape
    size = (scale * width, scale * height)
    planes = [Image.fromarray(image[:, :, k]).resize(size, Image.Resampling.LANCZOS) for k in range(channels)]
    return _finished(np.stack([np.asarray(plane) for plane in planes], axis=-1))


def non_local_means(image: np.ndarray, sigma: float) -> np.ndarray:
    """Non-local means with 5x5 patches within 6 pixels on each side; h = 0.7 sigma.

    Args:
        image: With Gaussian noise.
        sigma: The standard deviation of the noise on the scale of [0, 255].

    Raises:
        ValueError: A sigma that is not above 0, or another dtype or rank of the image.

    Source: Buades et al., "A Non-Local Algorithm for Image Denoising", 2005, in the form for known noise of the same
    authors' "Non-Local Means Denoising", 2011.
    """
    from skimage.restoration import denoise_nl_means

    image, sigma = _noisy(image, sigma)
    found = denoise_nl_means(image, 5, 6, 0.7 * sigma, fast_mode=True, sigma=sigma, channel_axis=-1)
    return _finished(found.reshape(image.shape))  # skimage drops a single channel


def total_variation(image: np.ndarray, sigma: float) -> np.ndarray:
    """Total variation denoising: u minimizes 1/2 ||u - f||^2 + w TV(u) for each channel f of `image`.

    On the scale of [0, 255], w = 0.7 (sigma / 25)^0.3 sigma.

    Args:
        image: With Gaussian noise.
        sigma: The standard deviation of the noise on the scale of [0, 255].

    Raises:
        ValueError: A sigma that is not above 0, or another dtype or rank of the image.

    Source: Rudin et al., "Nonlinear Total Variation Based Noise Removal Algorithms", 1992; solved as in Chambolle,
    "An Algorithm for Total Variation Minimization and Applications", 2004.
    """
    from skimage.restoration import denoise_tv_chambolle

    image, unit = _noisy(image, sigma)
    weight = 0.7 * (sigma / 25.0) ** 0.3 * unit
    # The library's own tolerance of 2e-4 stops too early under strong noise.
    return _finished(denoise_tv_chambolle(image, weight, eps=1e-5, max_num_iter=500, channel_axis=-1))


def biharmonic(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Biharmonic inpainting: the Laplacian of the Laplacian is 0 at missing pixels.

    It suits thin and scattered damage; in a large hole it overshoots, up to the extremes of the known pixels.

    Args:
        image: Its values at missing pixels are ignored.
        mask: (height, width) or (height, width, 1), non-zero where pixels are missing.

    Raises:
        ValueError: A mask of another size, or without a known pixel.

    Source: Damelin and Hoang, "On Surface Completion and Image Inpainting by Biharmonic Functions", 2018.
    """
    from skimage.restoration import inpaint_biharmonic

    image, mask = _checked(image), np.asarray(mask) != 0
    height, width, _ = image.shape
    if mask.shape not in {(height, width), (height, width, 1)} or mask.all():
        raise ValueError(
            f"`mask` must be of shape ({height}, {width}) or ({height}, {width}, 1), with less than 100% missing. "
            f"Received: {mask.shape}, {mask.mean():.0%} missing"
        )
    mask = mask.reshape(height, width)
    return _finished(inpaint_biharmonic(image, mask, channel_axis=-1) if mask.any() else image)


def equalized(image: np.ndarray) -> np.ndarray:
    """Histogram equalization of the luma Y' with 256 bins; chroma is unchanged.

    Raises:
        ValueError: Another dtype or rank of the image.

    Source: histogram equalization, as in Gonzalez and Woods, "Digital Image Processing", section "Histogram
    Processing".
    """
    from skimage.exposure import equalize_hist

    image = _checked(image)
    if image.shape[2] == 1:
        return _finished(equalize_hist(image[..., 0])[..., None])
    luma = equalize_hist(rgb_to_full_ycbcr(image)[..., 0])
    return _finished(with_luma(image, luma[..., None]))


def clahe(image: np.ndarray) -> np.ndarray:
    """Contrast limited adaptive histogram equalization of the V of HSV, with skimage's default settings.

    Raises:
        ValueError: Another dtype or rank of the image.

    Source: Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV, 1994.
    """
    from skimage.exposure import equalize_adapthist

    image = _checked(image)
    if image.shape[2] == 1:
        return _finished(equalize_adapthist(image[..., 0].clip(0.0, 1.0))[..., None])
    return _finished(equalize_adapthist(image.clip(0.0, 1.0)))


def _checked(image: np.ndarray) -> np.ndarray:
    """The image as float64, so that no method computes in single precision."""
    image = np.asarray(image)
    if image.ndim != 3 or image.size == 0 or (image.dtype != np.uint8 and image.dtype.kind != "f"):
        raise ValueError(
            "`image` must be uint8 in [0, 255] or floats in [0, 1], of shape (height, width, channels). "
            f"Received: {image.dtype} of shape {image.shape}"
        )
    return image / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)


def _enlargeable(image: np.ndarray, scale: int) -> np.ndarray:
    check_integer("scale", scale, 2)
    return _checked(image).astype(np.float32)


def _noisy(image: np.ndarray, sigma: float) -> tuple[np.ndarray, float]:
    """The image and sigma on the scale of [0, 1]."""
    if not sigma > 0:
        raise ValueError(f"`sigma` must be a number > 0, in gray values of [0, 255]. Received: {sigma!r}")
    return _checked(image), sigma / 255.0


def _finished(image: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(image), 0.0, 1.0).astype(np.float32)
