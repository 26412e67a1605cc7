"""Photographs: read and written with what they carry, 8 or 16 bits, transparency, EXIF and a colour profile."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnzoo.files import write_bytes
from cnnzoo.images import contents, decoding, open_image

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

ORIENTATION = 0x0112  # the tag, CIPA DC-008 (EXIF 2.32), 4.6.4
# What makes a picture upright: whether to flip it left to right first, and the quarter turns to the left after that.
_UPRIGHT = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


@dataclass(frozen=True)
class Photo:
    """One photograph; `dataclasses.replace` makes the next one from it.

    Attributes:
        pixels: uint8 or uint16 (height, width, 1 or 3), upright.
        alpha: Its opacity, (height, width) of the same dtype, or None.
        exif: As in the APP1 segment of a JPEG, or None. It says that the picture is upright.
        icc: The colour profile of the pixels, or None.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc: bytes | None = None


# -- reading ----------------------------------------------------------------------------------------------------------


def read_photo(source: "str | Path | bytes | Image.Image") -> Photo:
    """A photograph from a file, turned upright as its EXIF asks for.

    A PNG of 16 bits keeps them all, and so does any grey picture of 16 bits; everything else has 8. Palettes become
    colour, and a transparent colour becomes an alpha channel. Black and white becomes grey, 0 and 255. CMYK becomes
    RGB by Pillow's formula without a profile, and its profile is left out. Of a JPEG with several pictures (MPO, with a
    preview or a depth map) the first is read. XMP and the comments of a file are not.

    Args:
        source: The path of a file, its bytes, or a Pillow image, which has 16 bits only where it is grey.

    Raises:
        ValueError: The file is no image, cut short, damaged, too large for Pillow (179 million pixels), animated, or
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
        array = _pixels(image, name)
    exif = image.info.get("exif")
    if exif and not exif.startswith(b"Exif\0\0"):  # WebP keeps it without the header
        exif = b"Exif\0\0" + exif
    if exif and (place := _orientation_at(exif)) is not None:
        order, at = place
        (orientation,) = struct.unpack_from(f"{order}H", exif, at + 8)
        flip, turns = _UPRIGHT.get(orientation, (False, 0))
        array = np.ascontiguousarray(np.rot90(array[:, ::-1] if flip else array, turns))
        exif = exif[:at] + struct.pack(f"{order}HHIHH", ORIENTATION, 3, 1, 1, 0) + exif[at + 12 :]
    channels = 1 if array.shape[2] < 3 else 3
    alpha = array[..., -1] if array.shape[2] > channels else None
    return Photo(array[..., :channels], alpha, exif or None, _profile(image.info.get("icc_profile"), channels == 3))


def _pixels(image: Any, name: str) -> np.ndarray:
    """A Pillow image as an array (height, width, channels): grey, grey and alpha, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.mode in ("I", "F", "LAB"):
        raise ValueError(f"{name} has pixels of Pillow's mode {image.mode!r}; allowed: 8 or 16 bits, grey, RGB or CMYK")
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    array = np.asarray(image if image.mode == mode else image.convert(mode))  # which copies, needed or not
    return array if array.ndim == 3 else array[..., None]


def _png16(raw: bytes, transparent: bool) -> np.ndarray:
    """The array (height, width, channels) in the bytes of a PNG of 16 bits, of which Pillow keeps only 8 in colour."""
    import tensorflow as tf

    colour = raw[25] in (2, 6)  # the colour type
    array = tf.io.decode_png(raw, 4 if transparent else 3 if colour else 1, tf.uint16).numpy()
    return array[..., 2:] if transparent and not colour else array  # it gives no two channels, but grey as RGBA


def _orientation_at(exif: bytes) -> tuple[str, int] | None:
    """The byte order of EXIF and where in it the twelve bytes of the orientation are; None where there is no such."""
    if (order := {b"II": "<", b"MM": ">"}.get(exif[6:8])) is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}I", exif, 6 + 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, 6 + directory)
        for at in range(6 + directory + 2, 6 + directory + 2 + 12 * entries, 12):
            if struct.unpack_from(f"{order}HH8x", exif, at) == (ORIENTATION, 3):  # a SHORT
                return order, at
    except struct.error:  # damaged EXIF is kept as it is
        pass
    return None


def _profile(icc: bytes | None, colour: bool) -> bytes | None:
    """A colour profile, unless it is one for other pixels: bytes 16 to 19 name its colour space (ICC.1:2022, 7.2)."""
    allowed = (b"RGB ",) if colour else (b"GRAY", b"RGB ")
    return icc if icc and icc[16:20] in allowed else None


# -- writing ----------------------------------------------------------------------------------------------------------


def format_for(path: str | Path, alpha: bool) -> str:
    """The format in which a photograph would be written to a path: "PNG", "JPEG" or "WEBP".

    Raises:
        ValueError: For another suffix, or transparency in a JPEG.
    """
    path = Path(path)
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise ValueError(f"got {path} as the file to write; allowed: {', '.join(FORMATS)}")
    if alpha and found == "JPEG":
        raise ValueError(f"got {path} for a picture with transparency, which JPEG cannot keep; allowed: .png, .webp")
    return found


def save_photo(path: str | Path, pixels: np.ndarray, like: Photo) -> None:
    """Writes a photograph, whole or not at all, with the alpha, EXIF and profile of another; makes the folder.

    A PNG keeps 8 or 16 bits. A JPEG (quality 95, all of the colour) and a WebP (without loss) have 8, to which 16 are
    rounded. A WebP holds no grey pictures, so a grey one becomes RGB, and a profile for grey is left out.

    Args:
        path: It ends in .png, .jpg, .jpeg or .webp.
        pixels: uint8 or uint16 (height, width, 1 or 3).
        like: Gives all but the pixels; its alpha is of their size and dtype.

    Raises:
        ValueError: For another suffix, other pixels or alpha, transparency in a JPEG, or a picture or EXIF that is too
            large for the format.
    """
    path, alpha = Path(path), like.alpha
    kind = format_for(path, alpha is not None)
    allowed = "uint8 or uint16 (height, width, 1 or 3), not empty"
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[2:] not in ((1,), (3,)) or pixels.size == 0:
        raise ValueError(f"got pixels {pixels.dtype} {pixels.shape}; allowed: {allowed}")
    if alpha is not None and (alpha.dtype != pixels.dtype or alpha.shape != pixels.shape[:2]):
        raise ValueError(
            f"got alpha {alpha.dtype} {alpha.shape}; allowed: {pixels.dtype} {pixels.shape[:2]}, as the pixels are"
        )
    icc = _profile(like.icc, pixels.shape[2] == 3 or kind == "WEBP")
    array = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    if array.dtype == np.uint16 and kind == "PNG":
        raw: bytes | memoryview = _png16_bytes(array, like.exif, icc)
    else:
        raw = _bytes(array, kind, like.exif, icc, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, raw)


def _bytes(array: np.ndarray, kind: str, exif: bytes | None, icc: bytes | None, path: Path) -> memoryview:
    from PIL import Image

    if array.dtype == np.uint16:  # round(v / 257), without a larger dtype
        array = (array // 257 + (array % 257 > 128)).astype(np.uint8)
    options: dict[str, Any] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True, "exact": True}}
    carried = {key: value for key, value in (("exif", exif), ("icc_profile", icc)) if value}
    buffer = io.BytesIO()
    try:
        Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(
            buffer, kind, **options.get(kind, {}), **carried
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be written as {kind}: {error}") from error
    return buffer.getbuffer()  # no copy, since it may be large


def _png16_bytes(array: np.ndarray, exif: bytes | None, icc: bytes | None) -> bytes:
    """A PNG of 16 bits, with the chunks that TensorFlow does not write put behind its first, which ends at byte 33."""
    import tensorflow as tf

    raw = tf.io.encode_png(array).numpy()
    profile = _chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)) if icc else b""
    return raw[:33] + profile + (_chunk(b"eXIf", exif[6:]) if exif else b"") + raw[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG: its length, kind, data and CRC (PNG specification, third edition, 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
