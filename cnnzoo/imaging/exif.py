"""EXIF orientation, and EXIF of edited images: new size, upright, without thumbnails.

Offsets in EXIF, also in maker notes, are relative to its start. So kept entries stay at their offsets, and all others,
in particular thumbnails, are zeroed.

Source: CIPA DC-008 (EXIF 2.32), 4.5 and 4.6; TIFF 6.0, section 2.
"""

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnzoo.imaging.decoding import decoding

if TYPE_CHECKING:
    import PIL.Image

HEADER = b"Exif\0\0"
JPEG = b"\xff\xd8\xff"
ORIENTATION = 0x0112  # the tag, CIPA DC-008 (EXIF 2.32), 4.6.4
# For each orientation: whether to flip left to right first, then the number of quarter turns to the left.
_UPRIGHT = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}
WIDTHS, HEIGHTS = (0x0100, 0xA002, 0x1001), (0x0101, 0xA003, 0x1002)  # ImageWidth, PixelXDimension, RelatedImageWidth
DIRECTORIES = (0x8769, 0x8825, 0xA005)  # Exif, GPS, Interoperability
DEPTH = 3  # of directories: the first, Exif, Interoperability
# Tags of the pixel layout and storage, and of possible thumbnails, such as XMP and Photoshop resources. Values with an
# embedded JPEG are removed as well, for any tag.
OF_PIXELS = frozenset(
    {
        *(0x00FE, 0x00FF, 0x0102, 0x0103, 0x0106, 0x0107, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x013D),
        *(0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0152, 0x0153, 0x015B, 0x0201, 0x0202, 0x0212),
        *(0x02BC, 0x501B, 0x83BB, 0x8649, 0x8773, 0x935C),
    }
)
SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
}  # bytes, by type


def exif_tag(image: "PIL.Image.Image", tag: int) -> Any:
    """A tag from EXIF or TIFF tags, or for the orientation from XMP; None if absent or damaged."""
    try:
        with decoding(""):
            return image.getexif().get(tag)
    except ValueError:
        return None


def orientation(image: "PIL.Image.Image") -> int:
    """The orientation, 1 to 8, from EXIF or else XMP; by default 1, upright."""
    value = exif_tag(image, ORIENTATION)
    return value if value in _UPRIGHT else 1


def upright(array: np.ndarray, image: "PIL.Image.Image") -> np.ndarray:
    """The pixels (height, width, channels) of an image, rotated by its orientation."""
    if (value := orientation(image)) == 1:
        return array
    flip, turns = _UPRIGHT[value]
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if flip else array, turns))


def of_file(image: Any) -> bytes | None:
    """The EXIF of a Pillow image, as in the APP1 segment of a JPEG; None without EXIF.

    For a TIFF it is built from the tags.
    """
    exif = image.info.get("exif")
    if not exif and (hasattr(image, "tag_v2") or "Raw profile type exif" in image.info):
        try:
            tags = image.getexif()
            tags.bigtiff = False
            for tag in OF_PIXELS.union(WIDTHS, HEIGHTS).intersection(tags):
                del tags[tag]
            exif = tags.tobytes() if tags else None
        except Exception:  # Pillow raises anything for damaged tags
            return None
    # Some files have the header twice, and WebP has none.
    return HEADER + exif.removeprefix(HEADER).removeprefix(HEADER) if exif else None


def of_changed(exif: bytes | None, width: int, height: int) -> bytes | None:
    """EXIF for an upright image of this size; None if damaged or empty.

    Args:
        exif: As in the APP1 segment of a JPEG.
    """
    if exif is None or (order := {b"II*\0": "<", b"MM\0*": ">"}.get(exif[6:10])) is None:
        return None
    kept = _Kept(exif[6:], order, width, height)
    try:
        entries = kept.copy(*struct.unpack_from(f"{order}I", kept.old, 4))
    except (struct.error, ValueError):
        return None
    return HEADER + bytes(kept.new[: kept.end + kept.end % 2]) if entries else None


class _Kept:
    """A copy of the kept entries of EXIF, at their original offsets."""

    def __init__(self, old: bytes, order: str, width: int, height: int) -> None:
        self.old, self.order = old, order
        self.sides = {**dict.fromkeys(WIDTHS, width), **dict.fromkeys(HEIGHTS, height)}
        self.new, self.end = bytearray(len(old) + 4), 0
        self._put(0, old[:8])
        self._seen: set[int] = set()

    def copy(self, at: int, levels: int = DEPTH) -> int:
        """Copies a directory with its values and subdirectories, but not the next directory (thumbnails).

        Args:
            at: Its offset.
            levels: Of directories to copy, with this one.

        Returns:
            The number of kept entries.

        Raises:
            struct.error: For a truncated directory.
            ValueError: For a directory already copied (a cycle), or below the last level.
        """
        if at in self._seen or levels == 0:
            raise ValueError
        self._seen.add(at)
        (count,) = struct.unpack_from(f"{self.order}H", self.old, at)
        starts = range(at + 2, at + 2 + 12 * count, 12)
        entries = [entry for start in starts if (entry := self._entry(self.old[start : start + 12], levels - 1))]
        self._put(at, struct.pack(f"{self.order}H", len(entries)) + b"".join(entries) + bytes(4))
        return len(entries)

    def _entry(self, entry: bytes, levels: int) -> bytes | None:
        """The new twelve bytes of an entry, or None to drop it; copies its value."""
        tag, kind, count, start = struct.unpack(f"{self.order}HHII", entry)
        size = SIZES.get(kind, 0) * count
        if tag in OF_PIXELS or not size:
            return None
        if tag == ORIENTATION:
            return struct.pack(f"{self.order}HHIHH", tag, 3, 1, 1, 0)
        if tag in self.sides:
            return struct.pack(f"{self.order}HHII", tag, 4, 1, self.sides[tag])
        if tag in DIRECTORIES:
            try:
                self.copy(start, levels)
            except (struct.error, ValueError):
                return None
        elif size > 4:
            value = self.old[start : start + size]
            if len(value) < size or JPEG in value:
                return None
            self._put(start, value)
        return entry

    def _put(self, at: int, data: bytes) -> None:
        self.new[at : at + len(data)] = data
        self.end = max(self.end, at + len(data))
