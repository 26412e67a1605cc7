"""Photographs: read and written with what they carry, 8 or 16 bits, transparency, EXIF, resolution and profile."""

import io
import struct
import zlib
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnzoo.imaging import exif
from cnnzoo.imaging.arrays import contents, decoding, exif_tag, open_image, orientation, pixels_of, split, upright
from cnnzoo.utils.atomic_files import write_bytes

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
# Pixels a side: of libpng and its readers by default, of libjpeg, and 14 bits.
LONGEST = {"PNG": 1_000_000, "JPEG": 65500, "WEBP": 16383}
SEGMENT = 65533  # bytes of a JPEG's EXIF
DENSEST = 65535  # pixels an inch that a JPEG can name
X_RESOLUTION = 0x011A  # the tag of EXIF and TIFF


@dataclass(frozen=True)
class Photo:
    """One photograph; `dataclasses.replace` makes the next one from it.

    Attributes:
        pixels: uint8 or uint16 (height, width, 1 or 3), upright.
        alpha: Its opacity, (height, width) of the same dtype, or None.
        exif: As in the APP1 segment of a JPEG, or None. It says that the picture is upright, and has no thumbnail.
        icc: The colour profile of the pixels, or None.
        dpi: Pixels an inch, across and down, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def read_photo(source: "str | Path | bytes | Image.Image") -> Photo:
    """A photograph from a file, turned upright as its EXIF or XMP asks for.

    A PNG of 16 bits keeps them all, and so does any grey picture of 16 bits; everything else has 8. Palettes become
    colour, and a transparent colour becomes an alpha channel. Black and white becomes grey, 0 and 255. CMYK becomes
    RGB by Pillow's formula without a profile, and its profile is left out. Of a JPEG with several pictures (MPO, with a
    preview or a depth map) the first is read. XMP and the comments of a file are not, nor are the thumbnails in EXIF,
    which would show the picture before it was changed, nor EXIF that is damaged. The tags of a TIFF become EXIF.

    Args:
        source: The path of a file, its bytes, or a Pillow image, which has 16 bits only where it is grey.

    Raises:
        ValueError: The file is no image, cut short, damaged, larger than `cnnzoo.imaging.arrays.LARGEST`, animated, or
            of a kind of pixels that is no photograph's, such as 32-bit numbers; the message names it.
        FileNotFoundError: There is no such file.
    """
    from PIL import Image

    if isinstance(source, Image.Image):
        raw, name, image = b"", "the Pillow image", source
    else:
        raw, name = contents(source)
        image = open_image(raw, name)
    with decoding(name):
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
    if animated:
        raise ValueError(f"{name} has several frames; allowed: a still picture")
    if raw.startswith(b"\x89PNG") and raw[24] == 16:  # the bit depth, which Pillow hides
        with decoding(name):
            array = _png16(raw, image.has_transparency_data)
    else:
        array = pixels_of(image, name)
    pixels, alpha = split(upright(array, image))
    height, width, channels = pixels.shape
    found = exif.of_changed(exif.of_file(image), width, height)
    dpi = _resolution(image)
    if dpi and orientation(image) > 4:  # lies on its side
        dpi = dpi[::-1]
    return Photo(pixels, alpha, found, _profile(image.info.get("icc_profile"), channels == 3), dpi)


def _png16(raw: bytes, transparent: bool) -> np.ndarray:
    """The array (height, width, channels) in the bytes of a PNG of 16 bits, of which Pillow keeps only 8 in colour."""
    import tensorflow as tf

    colour = raw[25] in (2, 6)  # the colour type
    array = tf.io.decode_png(raw, 4 if transparent else 3 if colour else 1, tf.uint16).numpy()
    return array[..., 2:] if transparent and not colour else array  # it gives no two channels, but grey as RGBA


def _profile(icc: bytes | None, colour: bool) -> bytes | None:
    """A colour profile, unless it is one for other pixels: bytes 16 to 19 name its colour space (ICC.1:2022, 7.2)."""
    allowed = (b"RGB ",) if colour else (b"GRAY", b"RGB ")
    return icc if icc and icc[16:20] in allowed else None


def _resolution(image: "Image.Image") -> tuple[float, float] | None:
    """Pixels an inch, if the file says so and other formats could hold them."""
    says = exif_tag(image, X_RESOLUTION) is not None or image.info.get("jfif_unit") in (1, 2)
    if image.format in ("TIFF", "JPEG", "MPO") and not says:  # Pillow gives 1 or 72
        return None
    try:
        across, down = map(float, image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if all(isfinite(value) and 1 <= value <= DENSEST for value in (across, down)) else None


# -- writing ----------------------------------------------------------------------------------------------------------


def format_for(path: str | Path, sides: tuple[int, int] | None = None, like: Photo | None = None) -> str:
    """The format in which a picture would be written to a path: "PNG", "JPEG" or "WEBP".

    Args:
        path: The file.
        sides: Height and width, if they are known.
        like: What else it carries, if that is known.

    Raises:
        ValueError: For another suffix, the path of a folder, one in a folder that is a file, more pixels a side than
            the format holds, or in a JPEG transparency or more than 64 KB of EXIF.
    """
    path = Path(path)
    found = FORMATS.get(path.suffix.lower())
    if path.is_dir():
        raise ValueError(f"got the folder {path} as the file to write; allowed: a file in it")
    if found is None:
        raise ValueError(f"got {path} as the file to write; allowed: {', '.join(FORMATS)}")
    if (above := next((folder for folder in path.parents if folder.exists()), None)) and not above.is_dir():
        raise ValueError(f"got {path} as the file to write, but {above} is no folder")
    if sides and max(sides) > LONGEST[found]:
        roomy = [suffix for suffix, kind in FORMATS.items() if LONGEST[kind] >= max(sides)]
        raise ValueError(
            f"got {path} for a picture of {sides[1]}x{sides[0]} pixels; allowed: {LONGEST[found]} a side"
            + (f", or {', '.join(roomy)}" if roomy else "")
        )
    if found == "JPEG" and like is not None:
        if like.alpha is not None:
            raise ValueError(
                f"got {path} for a picture with transparency, which JPEG cannot keep; allowed: .png, .webp"
            )
        if like.exif is not None and len(like.exif) > SEGMENT:
            raise ValueError(
                f"got {path} for a picture with {len(like.exif)} bytes of EXIF; allowed: {SEGMENT}, or .png, .webp"
            )
    return found


def save_photo(path: str | Path, pixels: np.ndarray, like: Photo) -> None:
    """Writes a photograph, whole or not at all, with all that another carries; makes the folder.

    A PNG keeps 8 or 16 bits. A JPEG (quality 95, all of the colour) and a WebP (without loss) have 8, to which 16 are
    rounded. A WebP holds no grey pictures, so a grey one becomes RGB, and a profile for grey is left out; nor a
    resolution, but that in EXIF. The size that EXIF names becomes that of the pixels; the resolution stays.

    Args:
        path: It ends in .png, .jpg, .jpeg or .webp.
        pixels: uint8 or uint16 (height, width, 1 or 3).
        like: Gives all but the pixels; its alpha is of their size and dtype.

    Raises:
        ValueError: For other pixels or alpha, or what `format_for` refuses.
    """
    path, alpha = Path(path), like.alpha
    allowed = "uint8 or uint16 (height, width, 1 or 3), not empty"
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2:] not in ((1,), (3,)) or pixels.size == 0:
        raise ValueError(f"got pixels {pixels.dtype} {pixels.shape}; allowed: {allowed}")
    if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
        raise ValueError(
            f"got alpha {alpha.dtype} {alpha.shape}; allowed: {pixels.dtype} {pixels.shape[:2]}, as the pixels are"
        )
    height, width, channels = pixels.shape
    like = replace(like, exif=exif.of_changed(like.exif, width, height))
    kind = format_for(path, (height, width), like)
    carried = {
        "exif": like.exif,
        "icc_profile": _profile(like.icc, channels == 3 or kind == "WEBP"),
        "dpi": like.dpi,
    }
    array = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    write = _png16_bytes if array.dtype == np.uint16 and kind == "PNG" else _bytes
    raw = write(array, kind, path, {key: value for key, value in carried.items() if value})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, raw)


def _bytes(array: np.ndarray, kind: str, path: Path, carried: dict[str, Any]) -> memoryview:
    from PIL import Image

    if array.dtype == np.uint16:  # round(v / 257), without a larger dtype
        array = (array // 257 + (array % 257 > 128)).astype(np.uint8)
    options: dict[str, Any] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}
    buffer = io.BytesIO()
    try:
        Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(
            buffer, kind, **options.get(kind, {}), **carried
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be written as {kind}: {error}") from error
    return buffer.getbuffer()  # no copy, since it may be large


def _png16_bytes(array: np.ndarray, kind: str, path: Path, carried: dict[str, Any]) -> bytes:
    """A PNG of 16 bits, with the chunks that TensorFlow does not write put behind its first, which ends at byte 33."""
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
