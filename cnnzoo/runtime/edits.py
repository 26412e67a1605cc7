"""The photograph verbs on whole photographs: with transparency, gray or in color, and with their metadata.

Each takes a model with the verb, of Keras or of `cnnzoo.runtime.photographs`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cnnzoo.imaging.arrays import to_channels
from cnnzoo.imaging.files import Photo
from cnnzoo.imaging.transparency import bled, from_nearest


def enlarged(model: Any, photo: Photo, scale: float, **options: Any) -> Photo:
    """A photograph upscaled by `model.upscale`, and resized to `scale` where that is not the scale of the model."""
    pixels = model.upscale(visible_pixels(photo), **options)
    size = scaled_size(photo.pixels.shape, scale)
    if size != pixels.shape[:2]:
        pixels = resized(pixels, size, "LANCZOS")
    alpha = None if photo.alpha is None else resized(photo.alpha[..., None], size, "BICUBIC")[..., 0]
    return replace(photo, pixels=pixels, alpha=alpha)


def denoised(model: Any, photo: Photo, **options: Any) -> Photo:
    """A photograph restored by `model.restore`."""
    clear = replace(photo, pixels=visible_pixels(photo))
    return in_channels(model.image_shape[2], clear, lambda pixels: model.restore(pixels, **options))


def filled(model: Any, photo: Photo, missing: np.ndarray) -> Photo:
    """A photograph with the pixels that are true in `missing`, (height, width), filled by `model.restore`."""
    clear = replace(photo, pixels=visible_pixels(photo, missing))
    made = in_channels(model.image_shape[2], clear, lambda pixels: model.restore(pixels, missing))
    alpha = photo.alpha
    if alpha is not None and not alpha[missing].any():  # erased pixels become visible once filled
        alpha = from_nearest(alpha, ~missing)
    return replace(made, pixels=np.where(missing[..., None], made.pixels, photo.pixels), alpha=alpha)


def enhanced(model: Any, photo: Photo, strength: float) -> Photo:
    """A photograph enhanced by `model.enhance`."""
    clear = replace(photo, pixels=visible_pixels(photo))
    return in_channels(3, clear, lambda pixels: model.enhance(pixels, strength))


def painted(stylize: Callable[..., np.ndarray], photo: Photo, **options: Any) -> Photo:
    """A photograph stylized by a function of color pixels; the result has three channels."""
    return replace(photo, pixels=stylize(to_channels(visible_pixels(photo)[None], 3)[0], **options))


def visible_pixels(photo: Photo, missing: np.ndarray | None = None) -> np.ndarray:
    """The pixels of a photograph with transparent parts filled; see `cnnzoo.imaging.transparency.bled`."""
    return bled(photo.pixels, photo.alpha, missing)


def in_channels(channels: int, photo: Photo, work: Callable[[np.ndarray], np.ndarray]) -> Photo:
    """Applies a function of pixels with a number of channels to a photograph.

    A gray photograph becomes three equal channels for a color function; the result is their mean.
    """
    made = work(to_channels(photo.pixels[None], channels)[0])
    if photo.pixels.shape[2] < channels:
        made = np.rint(made.mean(axis=2, keepdims=True, dtype=np.float32)).astype(made.dtype)
    return replace(photo, pixels=made)


def scaled_size(shape: tuple[int, ...], scale: float) -> tuple[int, int]:
    """Height and width of an image (height, width, channels) after scaling, rounded, at least 1."""
    return max(1, round(scale * shape[0])), max(1, round(scale * shape[1]))


def resized(pixels: np.ndarray, size: tuple[int, int], method: str) -> np.ndarray:
    """Pixels of 8 or 16 bits (height, width, channels) resized by a filter of Pillow, antialiased."""
    from PIL import Image

    channels = [Image.fromarray(pixels[..., i]) for i in range(pixels.shape[2])]  # Pillow has no color of 16 bits
    return np.stack([np.asarray(each.resize(size[::-1], Image.Resampling[method])) for each in channels], axis=2)
