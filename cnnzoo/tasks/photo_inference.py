"""Input validation, tiling and dtype conversion for photographs of any size."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import LARGEST, to_channels
from cnnzoo.imaging.batch import as_array
from cnnzoo.imaging.color import rgb_to_ycbcr, ycbcr_to_rgb
from cnnzoo.imaging.files import read_photo
from cnnzoo.imaging.resampling import upscale
from cnnzoo.imaging.self_ensemble import self_ensemble
from cnnzoo.imaging.tiling import tiled
from cnnzoo.imaging.transparency import flattened
from cnnzoo.tasks.compiled import ANY_SIZE, in_batches, run

TILE = 512  # side of the kept part of a tile, in pixels
GRAIN = 1 if ANY_SIZE else 64  # sides of tiles are multiples of it, where each size is compiled


def units(images: Any) -> Any:
    """`in_unit_range` of tensors."""
    return ops.cast(images, "float32") / LARGEST[np.dtype(keras.backend.standardize_dtype(images.dtype))]


def levels(images: Any, dtype: str) -> Any:
    """`in_type` of tensors, clipped to [0, 1]."""
    return rounded(LARGEST[np.dtype(dtype)] * ops.clip(images, 0.0, 1.0), dtype)


def rounded(images: Any, dtype: str) -> Any:
    """Tensors in the range of a dtype of photographs, in this dtype."""
    return images if dtype == "float32" else ops.cast(ops.round(images), dtype)


def as_photographs(x: Any, channels: Sequence[int], noisy: bool = False) -> tuple[np.ndarray, bool]:
    """Validates photographs of any size and adds a batch axis.

    Args:
        x: uint8, uint16, or floats in [0, 1]: one image (height, width[, channels]) or a batch. Also a path, the bytes
            of a file, a Pillow image, or a list of them, read by `read_photo` as uint8 or uint16, with channels
            converted as needed and transparency composited; see `cnnzoo.imaging.transparency.flattened`.
        channels: Allowed numbers of channels.
        noisy: Whether pixels may leave [0, 1]: then only the image mean is checked, since noise has mean 0.

    Returns:
        The batch (n, height, width, channels), and whether the input was a single image.

    Raises:
        ValueError: For another shape, dtype or range.
    """
    counts = " or ".join(map(str, channels))
    rule = f"Images must be uint8, uint16 or float32 in [0, 1], (height, width, {counts}) or a batch of them"
    array = as_array(x, partial(_read_with, channels))
    if array.ndim == 2 and 1 in channels:
        array = array[:, :, None]
    single = array.ndim == 3
    batch = array[None] if single else array
    if batch.ndim != 4 or batch.shape[3] not in channels or batch.size == 0:
        raise ValueError(f"{rule}. Received: shape {array.shape}")
    if batch.dtype == np.float64:
        batch = batch.astype(np.float32)
    if batch.dtype not in LARGEST:
        raise ValueError(f"{rule}. Received: {batch.dtype} {array.shape}")
    if batch.dtype == np.float32:
        what, values, slack = "values", batch, 1e-6
        if noisy and np.isfinite(batch).all():
            what, values, slack = "means", batch.mean(axis=(1, 2, 3)), 0.5
        low, high = values.min(), values.max()
        if not (low >= -slack and high <= 1 + slack):  # negated so that NaN is rejected
            raise ValueError(f"{rule}. Received: {what} in [{low:g}, {high:g}]")
    return batch, single


def _read_with(channels: Sequence[int], source: Any) -> np.ndarray:
    """The pixels of an image file; other channel counts are converted to the first allowed one."""
    photo = read_photo(source)
    pixels = flattened(photo.pixels, photo.alpha)
    return pixels if pixels.shape[2] in channels else to_channels(pixels[None], channels[0])[0]


def each_photograph(
    model: Any,
    function: Callable,
    x: Any,
    channels: Sequence[int],
    ensemble: bool,
    *,
    noisy: bool = False,
    scale: int = 1,
    margin: int,
    stride: int = 1,
) -> np.ndarray:
    """`function(model, ...)` of one photograph or a batch, of any size, tile by tile, in the input dtype.

    Args:
        model, function: See `cnnzoo.tasks.compiled.run`; from tensors (n, height, width, channels) to the same,
            optionally upscaled, in their dtype. It gets `ensemble`.
        x, noisy: See `as_photographs`.
        channels: Allowed numbers of channels.
        ensemble: Average over the eight flips and rotations.
        scale, margin, stride: See `cnnzoo.imaging.tiling.tiled`. Sides are padded symmetrically to multiples of the
            stride, so that rotated images stay on the same grid.
    """
    batch, single = as_photographs(x, channels, noisy)

    height, width = batch.shape[1:3]
    beyond = ((0, 0), (0, -height % stride), (0, -width % stride), (0, 0))
    batch = np.pad(batch, beyond, mode="symmetric") if np.any(beyond) else batch
    tile = TILE // 2 if ensemble else TILE  # four views at once
    pixels = batch.shape[1] * batch.shape[2]
    if pixels <= tile**2:
        made = in_batches(model, function, batch, at_once=tile**2 // pixels, ensemble=ensemble)
    else:
        tiles: dict[str, Any] = {"scale": scale, "margin": margin, "stride": stride, "tile": tile, "grain": GRAIN}
        each_tile = partial(run, model, function, ensemble=ensemble)
        made = np.stack([tiled(each_tile, image, **tiles) for image in batch])
    made = made[:, : scale * height, : scale * width]
    return made[0] if single else made


def main_in_type(model: Any, part: Any, ensemble: bool) -> Any:
    """The main function of a model, for `each_photograph`."""
    made = self_ensemble(model, units(part)) if ensemble else model(units(part))
    return levels(made, keras.backend.standardize_dtype(part.dtype))


def with_bicubic_color(function: Callable, scale: int) -> Callable:
    """`function` on the luma of images (n, height, width, 1 or 3), and bicubic upscaling of their chroma.

    Luma is rescaled from [16, 235] / 255 to [0, 1], the range of gray images.
    """

    def enlarge(images: Any) -> Any:
        if images.shape[3] == 1:
            return function(images)
        ycbcr = rgb_to_ycbcr(images)
        luma = function((ycbcr[..., :1] * 255.0 - 16.0) / 219.0)  # (n, height * scale, width * scale, 1)
        return ycbcr_to_rgb(ops.concatenate([(luma * 219.0 + 16.0) / 255.0, upscale(ycbcr[..., 1:], scale)], axis=3))

    return enlarge
