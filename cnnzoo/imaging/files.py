"""Image files: reading and writing with 8 or 16 bits, transparency, EXIF, resolution and color profile."""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnzoo.imaging import exif
from cnnzoo.imaging.arrays import fit_to, middle_box, to_channels, to_uint8
from cnnzoo.imaging.decoding import (
    LARGEST,
    contents,
    decoding,
    frames_in,
    is_picture,
    open_image,
    opened,
    pixels_of,
    split,
)
from cnnzoo.imaging.exif import exif_tag, orientation, upright
from cnnzoo.imaging.transparency import flattened
from cnnzoo.utils.atomic_files import write_bytes

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
PHOTO_FORMATS = {**FORMATS, ".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF"}  # of photograph commands
# Maximum pixels per side: libpng's default limit, libjpeg's limit, 14 bits, 16 bits, and that of libpng again.
LONGEST = {"PNG": 1_000_000, "JPEG": 65500, "WEBP": 16383, "GIF": 65535, "TIFF": 1_000_000}
# Options of Pillow by format.
ENCODING: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 4},  # of a photograph: 2 % more bytes than by 6, in 40 % of the time
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_deflate"},
}
SEGMENT = 65533  # maximum bytes of EXIF in a JPEG
DENSEST = 65535  # maximum pixels per inch in a JPEG
X_RESOLUTION = 0x011A  # the tag of EXIF and TIFF


@dataclass(frozen=True)
class Photo:
    """A photograph with its metadata; `dataclasses.replace` derives an edited one.

    Attributes:
        pixels: uint8 or uint16 (height, width, 1 or 3), upright.
        alpha: Opacity, (height, width) of the same dtype, or None.
        exif: As in the APP1 segment of a JPEG, or None; with orientation 1 and without thumbnails.
        icc: ICC color profile, or None.
        dpi: Pixels per inch, horizontal and vertical, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def read_image(source: Any, channels: int | None = None, name: str | None = None, largest: int = LARGEST) -> np.ndarray:
    """An image as an array (height, width, channels); files are rotated upright and converted to 8 bits.

    Transparency is composited on white, or on black for light content; see `cnnzoo.imaging.transparency.flattened`. For
    animations, the first frame is read.

    Args:
        source: A path, the bytes of a file, a Pillow image or an array (height, width[, channels]).
        channels: 1 or 3 to convert to gray or color; None for no conversion.
        name: Name of a source without a path, for errors.
        largest: Pixels of a file, at most; checked before decoding.

    Raises:
        ValueError: For unknown formats, truncated or damaged files, too many pixels, or pixels of 32 bits or CIELAB;
            the message names the file.
        FileNotFoundError: For a missing file.
    """
    if is_picture(source):
        image, name = opened(source, name, largest)
        array = upright(pixels_of(image, name), image)
        if array.dtype == np.uint16:
            array = np.rint(array / 257).astype(np.uint8)
        array = flattened(*split(array))
    else:
        array = np.asarray(source)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"Arrays must be (height, width) or (height, width, channels). Received: shape {array.shape}")
    return array if channels is None else to_channels(array[None], channels)[0]


def read_fitted(source: Path | bytes, shape: tuple[int, int, int], name: str | None = None) -> np.ndarray:
    """`fit_to` of `read_image`, with equal pixels (height, width, channels).

    A picture that is upright, opaque and of the right channels, as most are, stays inside Pillow, which saves a quarter
    of the time.

    Args:
        source: A path or the bytes of a file.
        shape: Height, width and channels.
        name: As in `read_image`.

    Raises:
        ValueError, FileNotFoundError: As `read_image`.
    """
    from PIL import Image

    height, width, channels = shape
    image, name = opened(source, name)
    is_plain = image.mode == {1: "L", 3: "RGB"}.get(channels) and orientation(image) == 1
    if not is_plain or image.has_transparency_data:
        return fit_to(read_image(image, name=name)[None], shape)[0]
    top, left, bottom, right = middle_box(image.height, image.width, height, width)
    if (bottom - top, right - left) != (image.height, image.width):
        image = image.crop((left, top, right, bottom))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image).reshape(shape)


def read_photo(source: "str | Path | bytes | Image.Image", largest: int = LARGEST) -> Photo:
    """A photograph from a file, rotated upright by its EXIF or XMP orientation.

    16-bit PNGs and 16-bit gray images keep 16 bits; all others have 8. Palettes become RGB, a transparent color becomes
    alpha, and bilevel images become gray (0 and 255). CMYK becomes RGB without a profile. For a JPEG with several
    images (MPO, with a preview or a depth map), the first is read. XMP, comments, EXIF thumbnails (of the image before
    editing) and damaged EXIF are dropped. Tags of a TIFF become EXIF.

    Args:
        source: The path of a file, its bytes, or a Pillow image (16 bits only if gray).
        largest: Pixels of a file, at most; checked before decoding.

    Raises:
        ValueError: For unknown formats, truncated, damaged or animated files, too many pixels, or pixels other than 8
            or 16 bits; the message names the file.
        FileNotFoundError: For a missing file.
    """
    from PIL import Image

    if isinstance(source, Image.Image):
        raw, name, image = b"", "the Pillow image", source
    else:
        raw, name = contents(source)
        image = open_image(raw, name, largest)
    with decoding(name):
        frames, _ = frames_in(image)
    if frames > 1:
        raise ValueError(f"{name} must be a still picture. Received: several frames")
    if raw.startswith(b"\x89PNG") and raw[24] == 16:  # the bit depth, hidden by Pillow
        with decoding(name):
            array = _png16(raw, image.has_transparency_data)
    else:
        array = pixels_of(image, name)
    return photo_of(image, array)


def photo_of(image: "Image.Image", array: np.ndarray) -> Photo:
    """The photograph of a Pillow image, given its array as by `cnnzoo.imaging.decoding.pixels_of`: upright."""
    pixels, alpha = split(upright(array, image))
    height, width, channels = pixels.shape
    found = exif.of_changed(exif.of_file(image), width, height)
    dpi = _resolution(image)
    if dpi and orientation(image) > 4:  # rotated by a quarter turn
        dpi = dpi[::-1]
    return Photo(pixels, alpha, found, _profile(image.info.get("icc_profile"), channels == 3), dpi)


def _png16(raw: bytes, transparent: bool) -> np.ndarray:
    """The pixels (height, width, channels) of a 16-bit PNG; Pillow would reduce RGB to 8 bits."""
    import tensorflow as tf

    color = raw[25] in (2, 6)  # the color type
    array = tf.io.decode_png(raw, 4 if transparent else 3 if color else 1, tf.uint16).numpy()
    return array[..., 2:] if transparent and not color else array  # decode_png has no gray with alpha, only RGBA


def _profile(icc: bytes | None, color: bool) -> bytes | None:
    """A color profile if its color space, bytes 16 to 19, suits the pixels (ICC.1:2022, 7.2)."""
    allowed = (b"RGB ",) if color else (b"GRAY", b"RGB ")
    return icc if icc and icc[16:20] in allowed else None


def _resolution(image: "Image.Image") -> tuple[float, float] | None:
    """Pixels per inch, if stated in the file and representable in other formats."""
    says = exif_tag(image, X_RESOLUTION) is not None or image.info.get("jfif_unit") in (1, 2)
    if image.format in ("TIFF", "JPEG", "MPO") and not says:  # Pillow defaults to 1 or 72
        return None
    try:
        across, down = map(float, image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if all(isfinite(value) and 1 <= value <= DENSEST for value in (across, down)) else None


# -- writing ----------------------------------------------------------------------------------------------------------


def format_for(
    path: str | Path,
    sides: tuple[int, int] | None = None,
    like: Photo | None = None,
    formats: Mapping[str, str] = FORMATS,
) -> str:
    """The output format of a path, by its suffix, such as "PNG".

    Args:
        path: The file.
        sides: Height and width, if known.
        like: The photograph with the metadata to write, if known.
        formats: The known formats, by suffix.

    Raises:
        ValueError: For another suffix, the path of a folder, a parent that is a file, too many pixels per side for the
            format, or transparency or more than 64 KB of EXIF in a JPEG.
    """
    path = Path(path)
    found = formats.get(path.suffix.lower())
    if path.is_dir():
        raise ValueError(f"The path must be a file to write. Received: the folder {path}")
    if found is None:
        raise ValueError(f"The name of the file to write must end in one of {', '.join(formats)}. Received: {path}")
    if (above := next((folder for folder in path.parents if folder.exists()), None)) and not above.is_dir():
        raise ValueError(f"The file to write must be in a folder. Received: {path}, but {above} is no folder")
    if sides and max(sides) > LONGEST[found]:
        roomy = [suffix for suffix, kind in formats.items() if LONGEST[kind] >= max(sides)]
        raise ValueError(
            f"A {path.suffix} picture must have at most {LONGEST[found]} pixels a side"
            + (f", or end in {'one of ' if len(roomy) > 1 else ''}{', '.join(roomy)}" if roomy else "")
            + f". Received: {path} with {sides[1]}x{sides[0]} pixels"
        )
    if found == "JPEG" and like is not None:
        others = ", ".join(suffix for suffix, kind in formats.items() if kind != "JPEG")
        if like.alpha is not None:
            raise ValueError(
                f"The name of a picture with transparency must end in one of {others}, since JPEG cannot keep it. "
                f"Received: {path}"
            )
        if like.exif is not None and len(like.exif) > SEGMENT:
            raise ValueError(
                f"The name of a picture with more than {SEGMENT} bytes of EXIF must end in one of {others}. Received: "
                f"{path} with {len(like.exif)} bytes"
            )
    return found


def save_photo(path: str | Path, pixels: np.ndarray, like: Photo) -> None:
    """Writes a photograph atomically, with the metadata of another; creates the folder.

    PNG keeps 8 or 16 bits, and so does TIFF for gray pictures without transparency. JPEG (quality 95, 4:4:4), WebP
    (lossless) and others are rounded to 8. WebP has neither gray images (they become RGB, without a gray profile) nor a
    resolution except in EXIF. GIF has 256 colors and no metadata. The size in EXIF is updated; the resolution stays.

    Args:
        path: With a suffix of `PHOTO_FORMATS`.
        pixels: uint8 or uint16 (height, width, 1 or 3).
        like: Source of the metadata; its alpha has the size and dtype of the pixels.

    Raises:
        ValueError: For invalid pixels or alpha, or as in `format_for`.
    """
    path, alpha = Path(path), like.alpha
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2:] not in ((1,), (3,)) or pixels.size == 0:
        raise ValueError(
            f"Pixels must be uint8 or uint16 (height, width, 1 or 3), not empty. Received: {pixels.dtype} "
            f"{pixels.shape}"
        )
    if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
        raise ValueError(
            f"`alpha` must be {pixels.dtype} {pixels.shape[:2]}, as the pixels are. Received: {alpha.dtype} "
            f"{alpha.shape}"
        )
    height, width, channels = pixels.shape
    like = replace(like, exif=exif.of_changed(like.exif, width, height))
    kind = format_for(path, (height, width), like, PHOTO_FORMATS)
    array = joined(pixels, alpha)
    carried = carried_by(like, channels, kind)
    if array.dtype == np.uint16 and kind == "PNG":
        raw: bytes | memoryview = _png16_bytes(array, carried)
    else:
        raw = encoded(image_of(array, kind), kind, path, carried)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, raw)


def joined(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Pixels with their alpha, (height, width, channels); the inverse of `cnnzoo.imaging.decoding.split`."""
    return pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)


def carried_by(photo: Photo, channels: int, kind: str) -> dict[str, Any]:
    """The metadata of a photograph that a format takes, as options of Pillow."""
    if kind == "GIF":
        return {}
    profile = _profile(photo.icc, channels == 3 or kind == "WEBP")
    carried = {"exif": photo.exif, "icc_profile": profile, "dpi": photo.dpi}
    return {key: value for key, value in carried.items() if value}


def image_of(array: np.ndarray, kind: str) -> "Image.Image":
    """An array (height, width, channels) as a Pillow image; of 8 bits, but for gray TIFF."""
    from PIL import Image

    if array.dtype == np.uint16 and (kind != "TIFF" or array.shape[2] > 1):
        array = (array // 257 + (array % 257 > 128)).astype(np.uint8)  # round(v / 257), without a larger dtype
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def encoded(image: "Image.Image", kind: str, path: Path, options: Mapping[str, Any]) -> memoryview:
    """The file of a Pillow image; the path is for errors.

    Raises:
        ValueError: The format cannot hold it.
    """
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **ENCODING.get(kind, {}), **options)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be written as {kind}: {error}") from error
    return buffer.getbuffer()  # no copy of a possibly large buffer


def _png16_bytes(array: np.ndarray, carried: Mapping[str, Any]) -> bytes:
    """A 16-bit PNG; metadata chunks, which TensorFlow does not write, follow the header, which ends at byte 33."""
    import tensorflow as tf

    raw, chunks = tf.io.encode_png(array).numpy(), b""
    if icc := carried.get("icc_profile"):
        chunks += _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
    if dpi := carried.get("dpi"):
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in dpi), 1))
    if found := carried.get("exif"):
        chunks += _chunk(b"eXIf", found[6:])
    return raw[:33] + chunks + raw[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG: its length, kind, data and CRC (PNG specification, third edition, 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bytes(image: Any) -> bytes:
    """One image (height, width, 1 or 3) as the bytes of a PNG file."""
    from PIL import Image

    image = to_uint8(image)
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def save_png(path: str | Path, image: Any) -> None:
    """Writes one image (height, width, 1 or 3) as a PNG, atomically; creates the folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, png_bytes(image))
