"""What photographs suffer: noise, compression, wrong exposure; training, evaluation and export share it.

Each is a function of float images (n, height, width, channels) in [0, 1] that gives float32 images of the same shape,
in any graph. Those that draw take a `seed` as `keras.random` does: an integer, or a `keras.random.SeedGenerator`.
"""

import math
import numbers

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.color import full_ycbcr_to_rgb, rgb_to_full_ycbcr


def gaussian_noise(images, sigma, seed):
    """x + sigma / 255 * n with n ~ N(0, 1) for each number; not clipped, so that it may leave [0, 1].

    Args:
        images: See above.
        sigma: Standard deviation in grey levels of 255, as the literature has it: a number, or a tensor with one for
            each image, (n,) or (n, 1, 1, 1).
        seed: See above.

    Raises:
        ValueError: For a number below 0.
    """
    _check("sigma", sigma, 0.0)
    sigma = ops.convert_to_tensor(sigma, "float32")
    sigma = sigma[:, None, None, None] if len(sigma.shape) == 1 else sigma
    return ops.cast(images, "float32") + sigma / 255.0 * keras.random.normal(ops.shape(images), seed=seed)


# -- JPEG -------------------------------------------------------------------------------------------------------------

BLOCK = 8
# ITU-T T.81, tables K.1 and K.2: the steps in which the coefficients of Y, and of Cb and Cr, are rounded.
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


def jpeg(images, quality: int):
    """Images as they come back from a JPEG file, without subsampled colour (4:4:4), in the 256 grey values.

    Only what loses is computed: rounding to 8 bits, Y'CbCr, the cosine transform of blocks of 8x8, and the rounding of
    its coefficients. Where a side is no multiple of 8 its last row or column is repeated, as libjpeg does.

    Args:
        images: See above, with 1 or 3 channels; what is outside of [0, 1] is clipped.
        quality: 1 to 100, on the scale of the Independent JPEG Group, which is that of libjpeg and Pillow.

    Raises:
        ValueError: For another quality, or another number of channels.

    Source: ITU-T T.81, 1992, A.3; JFIF 1.02; `jpeg_quality_scaling` of libjpeg.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise ValueError(f"got images with {channels} channels; allowed: 1 or 3")
    steps = _quantisation(quality, channels)[:, None, :, :]  # (8, 1, 8, channels)
    height, width = ops.shape(images)[1:3]
    x = _grey_levels(images)
    x = x if channels == 1 else _grey_levels(rgb_to_full_ycbcr(x / 255.0))
    for axis in (1, 2):
        size = ops.shape(x)[axis]
        x = ops.take(x, ops.minimum(ops.arange(-(-size // BLOCK) * BLOCK), size - 1), axis=axis)
    rows, columns = (side // BLOCK for side in ops.shape(x)[1:3])
    x = ops.reshape(x, (-1, rows, BLOCK, columns, BLOCK, channels)) - 128.0
    x = ops.einsum("ui,vj,nyixjc->nyuxvc", COSINES, COSINES, x) / steps
    # Ties are frequent, and libjpeg rounds them away from 0; a little over a half, as the sums above are inexact.
    x = ops.sign(x) * ops.floor(ops.abs(x) + 0.501) * steps
    x = ops.einsum("ui,vj,nyuxvc->nyixjc", COSINES, COSINES, x) + 128.0
    x = ops.reshape(x, (-1, rows * BLOCK, columns * BLOCK, channels))[:, :height, :width]
    x = _grey_levels(x / 255.0) / 255.0
    return x if channels == 1 else _grey_levels(full_ycbcr_to_rgb(x)) / 255.0


def _cosines() -> np.ndarray:
    """The orthonormal discrete cosine transform of 8 numbers, (frequency, place): T.81, A.3.3."""
    frequency, place = np.arange(BLOCK)[:, None], np.arange(BLOCK)[None, :]
    waves = np.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK))
    return (waves * np.where(frequency == 0, math.sqrt(1 / BLOCK), math.sqrt(2 / BLOCK))).astype(np.float32)


COSINES = _cosines()


def _quantisation(quality: int, channels: int) -> np.ndarray:
    """The steps of the coefficients, float32 (8, 8, channels)."""
    if not isinstance(quality, numbers.Integral) or isinstance(quality, bool) or not 1 <= quality <= 100:
        raise ValueError(f"got quality={quality!r}; allowed: an integer from 1 to 100")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = [LUMINANCE, CHROMINANCE, CHROMINANCE][:channels]
    base = np.stack([np.array(table.split(), int).reshape(BLOCK, BLOCK) for table in tables], axis=-1)
    return np.clip((base * percent + 50) // 100, 1, 255).astype(np.float32)


def _grey_levels(x):
    """Numbers in [0, 1] as whole ones in [0, 255]."""
    return ops.floor(ops.clip(ops.cast(x, "float32"), 0.0, 1.0) * 255.0 + 0.5)


# -- exposure ----------------------------------------------------------------------------------------------------------

STOPS, GAMMA, CAST = (-3.0, 1.5), 1.35, 1.15  # the extremes of what `misexposed` draws


def exposed(images, stops, gamma=1.0, cast=1.0):
    """Images as though they had been exposed longer or shorter, in the 256 grey values.

    The numbers are taken for sRGB. In linear light they are multiplied by 2^stops and by the cast, and clipped to
    [0, 1], as on a sensor; as sRGB again they are raised to the power gamma.

    Args:
        images: See above.
        stops: Below 0 for darker images; a number, or a tensor that broadcasts to the images, as are the others.
        gamma: Above 0; above 1 for darker middle tones.
        cast: At least 0; of each channel (3,) for a cast of colour.

    Raises:
        ValueError: For a number outside of its range.

    Source: the transfer function of sRGB, IEC 61966-2-1, 1999.
    """
    _check("stops", stops, -math.inf)
    _check("gamma", gamma, 0.0, above=True)
    _check("cast", cast, 0.0)
    x = ops.clip(ops.cast(images, "float32"), 0.0, 1.0)
    light = ops.where(x <= 0.04045, x / 12.92, ops.power((x + 0.055) / 1.055, 2.4))
    light = ops.clip(light * (2.0 ** ops.convert_to_tensor(stops, "float32") * cast), 0.0, 1.0)
    x = ops.where(light <= 0.0031308, 12.92 * light, 1.055 * ops.power(light, 1 / 2.4) - 0.055)
    return _grey_levels(ops.power(ops.clip(x, 0.0, 1.0), gamma)) / 255.0


def misexposed(images, seed, well=0.0):
    """Images in wrong exposure, tone and colour, each by its own draws.

    Stops are drawn evenly from -3 to 1.5, the logarithms of gamma from 1 / 1.35 to 1.35 and those of the cast of each
    channel from 1 / 1.15 to 1.15; see `exposed`.

    Args:
        images: See above.
        seed: See above.
        well: The share of images that stay as they are.

    Raises:
        ValueError: For a share outside of [0, 1].
    """
    _check("well", well, 0.0, 1.0)
    drawn = keras.random.uniform((ops.shape(images)[0], 1, 1, 6), seed=seed)
    wrong = ops.cast(drawn[..., :1] >= well, "float32")
    low, high = STOPS
    stops = wrong * (low + (high - low) * drawn[..., 1:2])
    gamma = ops.exp(wrong * math.log(GAMMA) * (2.0 * drawn[..., 2:3] - 1.0))
    cast = ops.exp(wrong * math.log(CAST) * (2.0 * drawn[..., 3:] - 1.0))
    return exposed(images, stops, gamma, cast)


# -- what they share --------------------------------------------------------------------------------------------------


def _check(name: str, value, low: float, high: float = math.inf, above: bool = False) -> None:
    """Refuses a number outside of its range, and NaN; of a tensor nothing is known before it runs."""
    if isinstance(value, numbers.Real) and not ((low < value if above else low <= value) and value <= high):
        allowed = f"above {low:g}" if above else f">= {low:g}" if high == math.inf else f"{low:g} to {high:g}"
        raise ValueError(f"got {name}={value}; allowed: {allowed}")
