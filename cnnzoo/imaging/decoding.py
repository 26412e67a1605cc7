"""Decoding of image files with Pillow, bounded in size, with errors that name the file."""

import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import PIL.Image

LARGEST = 178_000_000  # pixels per image, against decompression bombs; the limit of Pillow
MOST = 2**30  # bytes of a file
INTERPRETATION = 262  # tag of a TIFF, PhotometricInterpretation
# Formats of Pillow that are read. Others run programs, such as Ghostscript, or decoders that few have tested.
READ = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")

# The number of decoders at work, over all threads.
_lock = threading.Lock()
_decoders = 0


def is_picture(x: Any) -> bool:
    """Whether x is a path, the bytes of a file or a Pillow image, rather than an array."""
    from PIL import Image

    return isinstance(x, (str, Path, bytes, bytearray, Image.Image))


def is_jpeg(path: Path) -> bool:
    """Whether a file is a JPEG by its first bytes; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False


def contents(source: str | Path | bytes | bytearray) -> tuple[bytes, str]:
    """The bytes of a file, given its path or the bytes themselves, and its name for errors.

    Raises:
        OSError: The file cannot be read.
        ValueError: It has more than `MOST` bytes.
    """
    if isinstance(source, (bytes, bytearray)):
        return bytes(source), "the bytes given"
    with Path(source).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Pipes and devices have no size, and may have no end.
        raw = b"" if size > MOST else file.read(size or MOST + 1)
    if max(size, len(raw)) > MOST:
        raise ValueError(f"{source} must have at most {MOST} bytes. Received: {size or 'more'}")
    return raw, str(source)


def opened(
    source: "str | Path | bytes | bytearray | PIL.Image.Image", name: str | None = None, largest: int = LARGEST
) -> "tuple[PIL.Image.Image, str]":
    """The decoded Pillow image of a source and its name for errors, the path by default; see `open_image`."""
    from PIL import Image

    if isinstance(source, Image.Image):
        return source, name or "the Pillow image"
    raw, found = contents(source)
    return open_image(raw, name or found, largest), name or found


def open_header(raw: bytes, name: str, largest: int = LARGEST) -> "PIL.Image.Image":
    """The Pillow image from the bytes of a file, not decoded yet.

    Raises:
        ValueError: For unknown formats, a damaged header, or more than `largest` pixels; the message gives the name.
    """
    from PIL import Image

    with decoding(name):
        image = Image.open(io.BytesIO(raw), formats=READ)
    if image.width * image.height > largest:
        raise ValueError(
            f"{name} must have at most {largest / 1e6:g} megapixels. Received: {image.width}x{image.height} pixels"
        )
    return image


def open_image(raw: bytes, name: str, largest: int = LARGEST) -> "PIL.Image.Image":
    """The decoded Pillow image from the bytes of a file.

    Raises:
        ValueError: As in `open_header`, before decoding, or for a truncated or damaged file.
    """
    image = open_header(raw, name, largest)
    with decoding(name):
        image.load()
    return image


@contextmanager
def _without_warnings(bomb: type[Warning]) -> Iterator[None]:
    """Suppresses Pillow's warnings; threads may do so beside each other.

    The filters are added and removed in place, by the first and the last thread: `warnings.catch_warnings` restores the
    list that it found, and of several threads the last one would leave filters behind for good.
    """
    global _decoders
    filters: list = [
        ("ignore", None, bomb, None, 0),
        ("ignore", None, UserWarning, re.compile(r"PIL\."), 0),
    ]
    with _lock:
        _decoders += 1
        if _decoders == 1:
            warnings.filters[:0] = filters  # type: ignore[index]
    try:
        yield
    finally:
        with _lock:
            _decoders -= 1
            for each in filters if _decoders == 0 else ():
                with suppress(ValueError):  # a caller has put back another list
                    warnings.filters.remove(each)  # type: ignore[attr-defined]


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Converts any exception of a decoder to a ValueError with the name of the file.

    Warnings of Pillow about large images, which are limited here, and damaged metadata are suppressed.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with _without_warnings(Image.DecompressionBombWarning):
            yield
    except UnidentifiedImageError:
        raise ValueError(f"{name} cannot be read as an image: no known format") from None
    except Image.DecompressionBombError:
        most = min(LARGEST, 2 * (Image.MAX_IMAGE_PIXELS or LARGEST)) / 1e6
        raise ValueError(f"{name} must have at most {most:g} megapixels. Received: more") from None
    except Exception as error:
        raise ValueError(f"{name} cannot be read as an image: {error}") from error


def frames_in(image: "PIL.Image.Image") -> tuple[int, int]:
    """The number of frames of an opened image, and the index of the first: 1 for a PNG whose still picture is no frame.

    The further pictures of an MPO, such as those for the other eye, are no frames.
    """
    hidden = int(getattr(image, "default_image", False))
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1) - hidden, hidden


def pixels_of(image: "PIL.Image.Image", name: str) -> np.ndarray:
    """A Pillow image as an array (height, width, channels), uint8 or uint16: gray, gray and alpha, RGB or RGBA.

    Palettes become RGB, a transparent color becomes alpha, bilevel images become gray (0 and 255), and CMYK becomes RGB
    without a profile.

    Raises:
        ValueError: For no pixels, or other pixel types, such as 32-bit numbers, which have no defined range.
    """
    if 0 in image.size:
        raise ValueError(f"{name} must have one pixel or more. Received: {image.width}x{image.height} pixels")
    if image.mode.startswith("I;16"):
        gray = np.asarray(image).astype(np.uint16)[..., None]
        if getattr(image, "tag_v2", {}).get(INTERPRETATION) == 0:  # white is zero; Pillow inverts 8 bits alone
            gray = 65535 - gray
        if not isinstance(clear := image.info.get("transparency"), int):
            return gray
        return np.concatenate([gray, np.where(gray == clear, 0, 65535).astype(np.uint16)], axis=2)
    if image.mode in ("I", "F", "LAB"):
        raise ValueError(
            f"{name} must have 8 or 16 bits, gray, RGB or CMYK. Received: pixels of Pillow's mode {image.mode!r}"
        )
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    with decoding(name):
        array = np.asarray(image if image.mode == mode else image.convert(mode))  # `convert` always copies
    return array if array.ndim == 3 else array[..., None]


def split(array: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels (height, width, 1 or 3) and alpha (height, width) or None, from the array of `pixels_of`."""
    channels = 1 if array.shape[2] < 3 else 3
    return array[..., :channels], array[..., -1] if array.shape[2] > channels else None
