"""Input images as checked batches: arrays, tensors, files and Pillow images."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from cnnzoo.imaging.arrays import Shape, fit_to, fits, in_words
from cnnzoo.imaging.decoding import is_picture
from cnnzoo.imaging.files import read_image


def as_array(x: Any, read: Callable[[Any], np.ndarray]) -> np.ndarray:
    """Images as a NumPy array, from arrays, tensors, or files and Pillow images decoded by `read`, single or in a list.

    Raises:
        ValueError: For symbolic tensors and other non-arrays, or a list of images of several shapes, or of integers and
            floats.
    """
    if is_picture(x):
        return read(x)
    if isinstance(x, (list, tuple)) and any(map(is_picture, x)):
        x = [read(each) if is_picture(each) else each for each in x]
    if isinstance(x, (list, tuple)):
        x = _of_one_depth(x)
    try:
        return np.asarray(x)
    except (TypeError, ValueError, NotImplementedError):
        if not isinstance(x, (list, tuple)):
            what = f"{type(x).__name__}, which has no values to look at"
        else:
            what = f"images of the shapes {', '.join(sorted({str(np.shape(each)) for each in x}))} in one list"
        raise ValueError(
            "Images must be NumPy arrays, tensors, Pillow images or paths of pictures, several of one shape. "
            f"Received: {what}"
        ) from None


def _of_one_depth(images: Sequence[Any]) -> Sequence[Any]:
    """The images of a list, with uint8 arrays as uint16 beside others of 16 bits."""
    found = {each.dtype for each in images if isinstance(each, np.ndarray)}
    if len({dtype.kind for dtype in found}) > 1:
        raise ValueError(f"Images in one list must be of one dtype. Received: {', '.join(sorted(map(str, found)))}")
    if found != {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return images
    return [each.astype(np.uint16) * 257 if each.dtype == np.uint8 else each for each in images]


def as_batch(x: Any, shape: Shape) -> tuple[np.ndarray, bool]:
    """Validates input images of a model and adds a batch axis.

    Args:
        x: uint8 in [0, 255] or floats in [0, 1]: one image (height, width, channels), one gray image (height, width),
            or a batch (n, height, width, channels) with n >= 1, as any array type. A path, the bytes of a file, a
            Pillow image, or a list of them is read as uint8 and fitted to the shape.
        shape: (height, width, channels) of the model's input; None for any.

    Returns:
        The batch, uint8 or float32 (n, height, width, channels), and whether the input was a single image.

    Raises:
        ValueError: For another shape, dtype or range.
    """
    sides = in_words(shape)
    rule = f"Images must be uint8 in [0, 255] or float32 in [0, 1], ({sides}) or (n, {sides})"
    array = as_array(x, partial(_read_as, shape))
    if array.ndim == 2 and shape[2] == 1:
        array = array[:, :, None]
    single = array.ndim == 3
    batch = array[None] if single else array
    if batch.ndim != 4 or not fits(batch.shape[1:], shape):
        raise ValueError(f"{rule}. Received: shape {array.shape}")
    if batch.size == 0:
        raise ValueError(f"{rule} with n >= 1. Received: an empty batch of shape {batch.shape}")
    if batch.dtype == np.uint8:
        return batch, single
    if batch.dtype not in (np.float32, np.float64):
        raise ValueError(f"{rule}. Received: {batch.dtype} {array.shape}")
    low, high = batch.min(), batch.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # negated so that NaN is rejected
        raise ValueError(f"{rule}. Received: values in [{low:g}, {high:g}]")
    return batch.astype(np.float32, copy=False), single


def _read_as(shape: Shape, source: Any) -> np.ndarray:
    """An image file fitted to a shape, with its channels converted."""
    image = read_image(source)
    height, width, channels = (want or have for want, have in zip(shape, image.shape, strict=True))
    return fit_to(image[None], (height, width, channels))[0]
