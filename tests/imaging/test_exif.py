"""EXIF of edited images, read by Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image

from cnnzoo.imaging.exif import of_changed

NOTE = b"MAKERNOTE" * 5


def camera_exif(order: str, thumbnail: bytes, note: bytes = NOTE) -> bytes:
    """EXIF as written by a camera: a maker note at its own offset, and a thumbnail in the second directory."""
    make, exif_at, note_at, second, picture = 50, 60, 200, 300, 400
    first = [(0x010F, 2, 6, make), (0x0112, 3, 1, 6), (0x8769, 4, 1, exif_at)]
    beyond = [(0x927C, 7, len(note), note_at), (0xA002, 3, 1, 640), (0xA003, 3, 1, 480)]
    thumb = [(0x0103, 3, 1, 6), (0x0201, 4, 1, picture), (0x0202, 4, 1, len(thumbnail))]

    def directory(entries, following):
        packed = b"".join(
            struct.pack(f"{order}HHIHH" if kind == 3 else f"{order}HHII", tag, kind, count, value, *(kind == 3) * (0,))
            for tag, kind, count, value in entries
        )
        return struct.pack(f"{order}H", len(entries)) + packed + struct.pack(f"{order}I", following)

    body = bytearray(picture + len(thumbnail))
    for at, data in (
        (0, (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)),
        (8, directory(first, second)),
        (make, b"Maker\0"),
        (exif_at, directory(beyond, 0)),
        (note_at, note),
        (second, directory(thumb, 0)),
        (picture, thumbnail),
    ):
        body[at : at + len(data)] = data
    return b"Exif\0\0" + bytes(body)


@pytest.fixture
def thumbnail() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    return buffer.getvalue()


def read(exif: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(exif)
    return found


@pytest.mark.parametrize("order", "<>")
def test_of_changed_preserves_offsets_and_drops_thumbnail(order, thumbnail):
    before = camera_exif(order, thumbnail)
    assert read(before).get_ifd(ExifTags.IFD.IFD1)
    after = of_changed(before, 1200, 70000)
    found, beyond = read(after), read(after).get_ifd(ExifTags.IFD.Exif)
    assert found[ExifTags.Base.Make] == "Maker" and found[ExifTags.Base.Orientation] == 1
    assert (beyond[ExifTags.Base.ExifImageWidth], beyond[ExifTags.Base.ExifImageHeight]) == (1200, 70000)
    assert not found.get_ifd(ExifTags.IFD.IFD1) and b"\xff\xd8\xff" not in after and len(after) < len(before)
    assert beyond[ExifTags.Base.MakerNote] == NOTE and after.index(NOTE) == before.index(NOTE)
    assert of_changed(after, 1200, 70000) == after


def test_of_changed_drops_maker_note_with_embedded_jpeg(thumbnail):
    after = of_changed(camera_exif("<", thumbnail, NOTE + thumbnail[:40]), 5, 5)
    assert ExifTags.Base.MakerNote not in read(after).get_ifd(ExifTags.IFD.Exif)
    assert NOTE not in after and read(after)[ExifTags.Base.Make] == "Maker"


def test_of_changed_drops_uncompressed_thumbnail():
    """The thumbnail is stored in strips, as in TIFF."""
    secret = b"BARE PIXELS" * 9
    before = camera_exif("<", secret).replace(struct.pack("<HHI", 0x0201, 4, 1), struct.pack("<HHI", 0x0111, 4, 1))
    assert secret in before and secret not in of_changed(before, 5, 5)


@pytest.mark.parametrize("exif", [None, b"", b"Exif\0\0", b"garbage", b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"])
def test_of_changed_returns_none_for_empty_or_damaged_exif(exif):
    assert of_changed(exif, 5, 5) is None


def test_of_changed_drops_cyclic_directories(thumbnail):
    before = bytearray(camera_exif("<", thumbnail))
    struct.pack_into("<I", before, 6 + 8 + 2 + 2 * 12 + 8, 8)  # the Exif pointer refers to the first directory
    assert ExifTags.IFD.Exif not in read(of_changed(bytes(before), 5, 5))


def test_of_changed_drops_directories_below_third_level():
    directory = [struct.pack("<HHHIII", 1, 0x8769, 4, 1, 8 + 18 * (i + 1), 0) for i in range(600)]
    after = of_changed(b"Exif\0\0II*\0\x08\0\0\0" + b"".join(directory), 5, 5)
    assert len(after) == 6 + 8 + 3 * 18 - 12  # the third has no entry


def test_of_changed_drops_thumbnail_of_damaged_exif(thumbnail):
    rng, before = np.random.default_rng(0), camera_exif("<", thumbnail)
    for _ in range(3000):
        damaged = np.frombuffer(before, np.uint8)[: rng.integers(8, len(before) + 1)].copy()
        damaged[rng.integers(6, min(len(damaged), 120), 3) % len(damaged)] = rng.integers(0, 256, 3)
        after = of_changed(damaged.tobytes(), 5, 5)
        assert after is None or (b"\xff\xd8\xff" not in after and len(after) <= len(before) + 4)
