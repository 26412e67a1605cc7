"""Images as arrays: channels, size, dtype and contact sheets.

Outside a model, images are uint8 in [0, 255] or float32 in [0, 1], channels last.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Shape = tuple[int | None, int | None, int | None]
LARGEST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}


def to_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images (n, height, width, c) with `channels` channels: gray repeated, RGB to luma (ITU-R BT.601)."""
    have = images.shape[-1]
    if have == channels:
        return images
    if have == 1 and channels == 3:
        return np.repeat(images, 3, axis=-1)
    if have == 3 and channels == 1:
        gray = images @ np.array([0.299, 0.587, 0.114])
        gray = np.rint(gray) if np.issubdtype(images.dtype, np.integer) else gray
        return gray[..., None].astype(images.dtype)
    raise ValueError(
        f"Images must have 1 or 3 channels, as must the input of the model. Received: {have} channels for a model of "
        f"{channels}"
    )


def fit_to(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 images (n, height, width, c) center-cropped to the aspect ratio of `shape` and resized (bicubic).

    The one preprocessing of images for a model, in training, inference, explanations and the command line. Channels are
    converted.
    """
    height, width, channels = shape
    return resized(to_channels(middle(images, height, width), channels), height, width)


def middle(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest center crop of images (n, h, w, c) with the aspect ratio height : width."""
    top, left, bottom, right = middle_box(images.shape[1], images.shape[2], height, width)
    return images[:, top:bottom, left:right]


def middle_box(rows: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The first and last rows and columns, exclusive, of the crop of `middle`: top, left, bottom, right."""
    # Integer arithmetic, so that exports crop the same pixels.
    sides = (
        min(rows, max(1, (2 * columns * height + width) // (2 * width))),
        min(columns, max(1, (2 * rows * width + height) // (2 * height))),
    )
    top, left = (rows - sides[0]) // 2, (columns - sides[1]) // 2
    return top, left, top + sides[0], left + sides[1]


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 images (n, h, w, 1 or 3) resized, ignoring the aspect ratio (bicubic, antialiased)."""
    from PIL import Image

    n, *sides, channels = images.shape
    if sides == [height, width]:
        return images
    made = np.empty((n, height, width, channels), np.uint8)
    for image, target in zip(images, made, strict=True):
        picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
        target[:] = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)).reshape(target.shape)
    return made


def fits(shape: Sequence[int | None], wanted: Shape) -> bool:
    """Whether a shape matches another, in which None matches any side."""
    return len(shape) == len(wanted) and all(want in (None, have) for have, want in zip(shape, wanted, strict=True))


def in_words(shape: Shape) -> str:
    """A shape for error messages: "any, any, 3"."""
    return ", ".join("any" if side is None else str(side) for side in shape)


def in_unit_range(images: np.ndarray) -> np.ndarray:
    """uint8, uint16 or float32 photographs as float32 in [0, 1]."""
    return images.astype(np.float32) / LARGEST[images.dtype]


def in_type(images: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Images in [0, 1] converted to uint8, uint16 (rounded) or float32."""
    return images.astype(dtype, copy=False) if dtype == np.float32 else np.rint(LARGEST[dtype] * images).astype(dtype)


def style_weights(style: str | Mapping[str, float] | np.ndarray | None, names: Sequence[str], n: int) -> np.ndarray:
    """Weights of the styles of a network, float32 (n, styles), with rows of sum 1.

    Args:
        style: A style name, weights by name, or an array of weights, (styles,) or (n, styles); by default the first.
        names: The names of all styles.
        n: Number of images.

    Raises:
        ValueError: For an unknown name, negative weights, or a sum of 0.
    """
    named: Any = {names[0]: 1.0} if style is None else style
    if isinstance(named, str):
        named = {named: 1.0}
    if isinstance(named, Mapping) and set(named) <= set(names):
        named = [named.get(name, 0.0) for name in names]
    try:
        weights = np.broadcast_to(np.asarray(named, np.float32), (n, len(names)))
    except (TypeError, ValueError):
        raise ValueError(
            f"`style` must be one of {', '.join(names)}, or weights of these. Received: {style!r}"
        ) from None
    total = weights.sum(1, keepdims=True)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (total > 0).all()):
        raise ValueError(f"The weights of styles must be numbers >= 0, not all 0. Received: {style}")
    return weights / total


def to_uint8(images: Any) -> np.ndarray:
    """uint8 images from uint8 or from floats in [0, 1], clipped and rounded."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def contact_sheet(images: Any, columns: int, gap: int = 2) -> np.ndarray:
    """Images (n, height, width, channels) in a grid on mid-gray, as one uint8 array (H, W, channels)."""
    images = to_uint8(images)
    n, height, width, channels = images.shape
    sheet = np.full((*sheet_sides(n, height, width, columns, gap), channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A small image (height, width, channels) enlarged by an integer factor, to a long side of about `side`."""
    times = max(1, round(side / max(picture.shape[:2])))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def sheet_sides(n: int, height: int, width: int, columns: int, gap: int = 2) -> tuple[int, int]:
    """Height and width of the contact sheet of n images."""
    return -(-n // columns) * (height + gap) + gap, columns * (width + gap) + gap
