"""Synthetic degradations of photographs: noise, blur, JPEG, exposure; for training, evaluation and export.

Each maps float images (n, height, width, channels) in [0, 1] to float32 images of the same shape, inside or outside a
graph. Random ones take a `seed` as in `keras.random`: an integer, or a `keras.random.SeedGenerator`.
"""

import math
import numbers
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.color import full_ycbcr_to_rgb, rgb_to_full_ycbcr
from cnnzoo.imaging.resampling import downscale, mirrored
from cnnzoo.nn.replicas import each_row


def gaussian_noise(images: Any, sigma: Any, seed: Any) -> Any:
    """x + sigma / 255 * n with n ~ N(0, 1); not clipped, so that results may leave [0, 1].

    Args:
        images: See above.
        sigma: Standard deviation in units of 1 / 255, as in the literature: a number, or a tensor with one per image,
            (n,) or (n, 1, 1, 1).
        seed: See above.

    Raises:
        ValueError: For a number below 0.
    """
    _check("sigma", sigma, 0.0)
    sigma = ops.convert_to_tensor(sigma, "float32")
    sigma = sigma[:, None, None, None] if len(sigma.shape) == 1 else sigma
    n, *rest = ops.shape(images)
    noise = each_row(lambda n, s: keras.random.normal((n, *rest), seed=s), n, seed)
    return ops.cast(images, "float32") + sigma / 255.0 * noise


def blur(images: Any, sigma: Any) -> Any:
    """Gaussian blur, with weights normalized at the border.

    As a product with a matrix of each axis, since images may have different sigmas; for crops, not for large images.

    Args:
        images: See above.
        sigma: Standard deviation in pixels, 0 for no blur: a number, or a tensor with one per image, (n,).

    Raises:
        ValueError: For a number below 0.
    """
    _check("sigma", sigma, 0.0)
    x = ops.cast(images, "float32")
    n, height, width = ops.shape(x)[:3]
    sigma = ops.broadcast_to(ops.maximum(ops.convert_to_tensor(sigma, "float32"), 1e-3), (n,))[:, None, None]
    for equation, size in (("nij,njxc->nixc", height), ("nij,nyjc->nyic", width)):
        place = ops.cast(ops.arange(size), "float32")
        weights = ops.exp(-0.5 * ops.square((place[:, None] - place) / sigma))  # (n, size, size)
        x = ops.einsum(equation, weights / ops.sum(weights, axis=2, keepdims=True), x)
    return x


# -- JPEG -------------------------------------------------------------------------------------------------------------

BLOCK = 8
# ITU-T T.81, tables K.1 and K.2: quantization steps of the coefficients of Y, and of Cb and Cr.
LUMINANCE = """
    16 11 10 16  24  40  51  61
    12 12 14 19  26  58  60  55
    14 13 16 24  40  57  69  56
    14 17 22 29  51  87  80  62
    18 22 37 56  68 109 103  77
    24 35 55 64  81 104 113  92
    49 64 78 87 103 121 120 101
    72 92 95 98 112 100 103  99
"""
CHROMINANCE = """
    17 18 24 47 99 99 99 99
    18 21 26 66 99 99 99 99
    24 26 56 99 99 99 99 99
    47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
    99 99 99 99 99 99 99 99
"""


def jpeg(images: Any, quality: Any) -> Any:
    """Images after JPEG compression without chroma subsampling (4:4:4), rounded to 8 bits.

    Only the lossy steps are computed: rounding to 8 bits, Y'CbCr, the DCT of 8x8 blocks, and the quantization of its
    coefficients. The last row or column is repeated to a multiple of 8, as in libjpeg.

    Args:
        images: See above, with 1 or 3 channels; clipped to [0, 1].
        quality: An integer from 1 to 100, on the scale of the Independent JPEG Group (libjpeg, Pillow); or a tensor
            with one per image, (n,).

    Raises:
        ValueError: For another quality, or another number of channels.

    Source: ITU-T T.81, 1992, A.3; JFIF 1.02; `jpeg_quality_scaling` of libjpeg.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"Images must have 1 or 3 channels. Received: {channels}")
    steps = _quantization(quality, channels)[:, None, :, None, :, :]  # (n or 1, 1, 8, 1, 8, channels)
    height, width = ops.shape(images)[1:3]
    x = _gray_levels(images)
    x = x if channels == 1 else _gray_levels(rgb_to_full_ycbcr(x / 255.0))
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        x = ops.take(x, ops.minimum(ops.arange(-(-size // BLOCK) * BLOCK), size - 1), axis=axis)
    rows, columns = (side // BLOCK for side in ops.shape(x)[1:3])
    x = ops.reshape(x, (-1, rows, BLOCK, columns, BLOCK, channels)) - 128.0
    x = ops.einsum("ui,vj,nyixjc->nyuxvc", COSINES, COSINES, x) / steps
    # Ties are frequent; libjpeg rounds them away from 0. 0.501, since the sums above are inexact.
    x = ops.sign(x) * ops.floor(ops.abs(x) + 0.501) * steps
    x = ops.einsum("ui,vj,nyuxvc->nyixjc", COSINES, COSINES, x) + 128.0
    x = ops.reshape(x, (-1, rows * BLOCK, columns * BLOCK, channels))[:, :height, :width]
    x = _gray_levels(x / 255.0) / 255.0
    return x if channels == 1 else _gray_levels(full_ycbcr_to_rgb(x)) / 255.0


def _cosines() -> np.ndarray:
    """The orthonormal discrete cosine transform of 8 numbers, (frequency, place): T.81, A.3.3."""
    frequency, place = np.arange(BLOCK)[:, None], np.arange(BLOCK)[None, :]
    waves = np.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK))
    return (waves * np.where(frequency == 0, math.sqrt(1 / BLOCK), math.sqrt(2 / BLOCK))).astype(np.float32)


COSINES = _cosines()


def _quantization(quality: Any, channels: int) -> Any:
    """The quantization tables, float32 (n, 8, 8, channels), n = 1 for a number."""
    if isinstance(quality, numbers.Number):
        if not isinstance(quality, numbers.Integral) or isinstance(quality, bool) or not 1 <= int(quality) <= 100:
            raise ValueError(f"`quality` must be an integer between 1 and 100. Received: {quality!r}")
        quality = np.array([quality])
    tables = [LUMINANCE, CHROMINANCE, CHROMINANCE][:channels]
    base = np.stack([np.array(table.split(), np.float32).reshape(BLOCK, BLOCK) for table in tables], axis=-1)
    quality = ops.cast(quality, "float32")[:, None, None, None]
    # Quotients of whole numbers, rounded down; 0.5 more, since a compiler may multiply by an inexact reciprocal.
    percent = ops.where(quality < 50.0, ops.floor(5000.5 / quality), 200.0 - 2.0 * quality)
    return ops.clip(ops.floor((base * percent + 50.5) / 100.0), 1.0, 255.0)


def _gray_levels(x: Any) -> Any:
    """Values in [0, 1] as integers in [0, 255], in float32."""
    return ops.floor(ops.clip(ops.cast(x, "float32"), 0.0, 1.0) * 255.0 + 0.5)


# -- low resolution ----------------------------------------------------------------------------------------------------

# Limits of the random draws of `photographed`: blur in pixels of the small image, noise in 1 / 255, quality of JPEG.
BLUR, NOISE, QUALITY = 0.5, 3.0, (30, 95)
UNCOMPRESSED = 0.1  # fraction of images without JPEG


def photographed(images: Any, scale: int, seed: Any) -> Any:
    """Images downscaled and degraded as photographs in files are, with independent draws per image, in 8 bits.

    In this order: Gaussian blur, antialiased bicubic downscaling, Gaussian noise and rounding to 8 bits, JPEG. Half of
    the images have no blur, and half no noise; for the others sigma is uniform from 0 to `BLUR` pixels of the small
    image, and to `NOISE` / 255. The quality is uniform in `QUALITY`; a tenth of the images is not compressed. Blocks of
    JPEG begin at any pixel, one for all images, as in a crop.

    Args:
        images: See above, gray; sides are multiples of the scale.
        scale: As in `cnnzoo.imaging.resampling.downscale`.
        seed: See above.

    Returns:
        float32 (n, height / scale, width / scale, 1) in [0, 1].
    """

    def draw(n: Any, seed: Any) -> Any:
        numbers = keras.random.uniform((n + 1, 4), seed=seed)
        of_all = ops.broadcast_to(numbers[:1, :2], (n, 2))
        return ops.concatenate([numbers[1:], of_all], 1)

    drawn = each_row(draw, ops.shape(images)[0], seed)
    down, right = ops.unstack(ops.cast(BLOCK * drawn[0, 4:], "int32"), 2)
    x = blur(images, scale * BLUR * ops.relu(2.0 * drawn[:, 0] - 1.0))
    x = gaussian_noise(downscale(x, scale), NOISE * ops.relu(2.0 * drawn[:, 1] - 1.0), seed)
    plain = _gray_levels(x) / 255.0
    height, width = ops.shape(x)[1:3]
    # A block more at the top and the left, of which `down` rows and `right` columns stay.
    wider = mirrored(mirrored(plain, 1, BLOCK), 2, BLOCK)
    shape = (ops.shape(x)[0], height + BLOCK, width + BLOCK, 1)
    wider = ops.slice(wider, (0, BLOCK - down, BLOCK - right, 0), shape)
    low, high = QUALITY
    wider = jpeg(wider, ops.floor(low + (high + 1 - low) * drawn[:, 2]))
    compressed = ops.slice(wider, (0, down, right, 0), ops.shape(x))
    return ops.where(drawn[:, 3, None, None, None] < UNCOMPRESSED, plain, compressed)


# -- exposure ----------------------------------------------------------------------------------------------------------

STOPS, GAMMA, CAST = (-3.0, 1.5), 1.35, 1.15  # limits of the random draws of `misexposed`


def exposed(images: Any, stops: Any, gamma: Any = 1.0, cast: Any = 1.0) -> Any:
    """Images with changed exposure, tone curve and color cast, rounded to 8 bits.

    sRGB values are multiplied in linear light by 2^stops and by the cast, and clipped to [0, 1], as on a sensor; then,
    in sRGB, raised to the power gamma.

    Args:
        images: See above.
        stops: Below 0 for darker images; a number, or a tensor broadcast to the images, as are gamma and cast.
        gamma: Above 0; above 1 for darker middle tones.
        cast: At least 0; (3,) for a color cast.

    Raises:
        ValueError: For a number out of range.

    Source: the transfer function of sRGB, IEC 61966-2-1, 1999.
    """
    _check("stops", stops, -math.inf)
    _check("gamma", gamma, 0.0, above=True)
    _check("cast", cast, 0.0)
    x = ops.clip(ops.cast(images, "float32"), 0.0, 1.0)
    light = ops.where(x <= 0.04045, x / 12.92, ops.power((x + 0.055) / 1.055, 2.4))
    light = ops.clip(light * (2.0 ** ops.convert_to_tensor(stops, "float32") * cast), 0.0, 1.0)
    x = ops.where(light <= 0.0031308, 12.92 * light, 1.055 * ops.power(light, 1 / 2.4) - 0.055)
    return _gray_levels(ops.power(ops.clip(x, 0.0, 1.0), gamma)) / 255.0


def misexposed(images: Any, seed: Any, well: float = 0.0) -> Any:
    """Randomly mis-exposed images, with independent draws per image; see `exposed`.

    Stops are uniform in [-3, 1.5], gamma is log-uniform in [1 / 1.35, 1.35], and the cast of each channel log-uniform
    in [1 / 1.15, 1.15].

    Args:
        images: See above.
        seed: See above.
        well: The fraction of unchanged images.

    Raises:
        ValueError: For a fraction outside [0, 1].
    """
    _check("well", well, 0.0, 1.0)
    drawn = each_row(lambda n, s: keras.random.uniform((n, 1, 1, 6), seed=s), ops.shape(images)[0], seed)
    wrong = ops.cast(drawn[..., :1] >= well, "float32")
    low, high = STOPS
    stops = wrong * (low + (high - low) * drawn[..., 1:2])
    gamma = ops.exp(wrong * math.log(GAMMA) * (2.0 * drawn[..., 2:3] - 1.0))
    cast = ops.exp(wrong * math.log(CAST) * (2.0 * drawn[..., 3:] - 1.0))
    return exposed(images, stops, gamma, cast)


# -- validation -------------------------------------------------------------------------------------------------------


def _check(name: str, value: Any, low: float, high: float = math.inf, above: bool = False) -> None:
    """Rejects numbers out of range and NaN; tensors have no values yet and pass."""
    if not isinstance(value, numbers.Real):
        return
    number = float(value)
    if not ((low < number if above else low <= number) and number <= high):
        allowed = f"between {low:g} and {high:g}" if high < math.inf else f"a number >= {low:g}"
        if above:
            allowed = f"a number > {low:g}"
        raise ValueError(f"`{name}` must be {allowed}. Received: {value}")
