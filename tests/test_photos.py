"""Photographs: what a file carries is read, and written again."""

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, JpegImagePlugin

from cnnzoo.photos import Photo, read_photo, save_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY, CMYK = (SRGB[:16] + space + SRGB[20:] for space in (b"GRAY", b"CMYK"))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


@pytest.fixture
def deep() -> np.ndarray:
    """Every channel of 16 bits: RGB and alpha."""
    return np.random.default_rng(1).integers(0, 65536, (12, 10, 4), np.uint16)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png16(array: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """An uncompressed PNG of 16 bits, written by hand; `extra` are chunks to put in."""
    height, width, channels = array.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b"")]
    body = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def exif_of(orientation: int | None, endian: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = endian
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.DateTime] = "2020:02:02 20:20:20"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.5
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()


# -- reading ----------------------------------------------------------------------------------------------------------


def test_it_reads_paths_and_bytes(picture, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.fromarray(picture), "PNG"))
    for source in (path, str(path), path.read_bytes()):
        photo = read_photo(source)
        np.testing.assert_array_equal(photo.pixels, picture)
        assert photo.pixels.dtype == np.uint8 and photo.alpha is photo.exif is photo.icc is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_kept(deep, channels):
    deep = deep[..., -channels:]
    photo = read_photo(png16(deep))
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels, deep[..., : 1 if channels < 3 else 3])
    if channels % 2:
        assert photo.alpha is None
    else:
        assert photo.alpha.dtype == np.uint16
        np.testing.assert_array_equal(photo.alpha, deep[..., -1])


def test_sixteen_bits_of_grey_are_kept_from_a_tiff(deep):
    photo = read_photo(encoded(Image.fromarray(deep[..., 0]), "TIFF"))
    np.testing.assert_array_equal(photo.pixels, deep[..., :1])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_sixteen_bits_becomes_alpha(deep, channels):
    deep = deep[..., :channels]
    photo = read_photo(png16(deep, (b"tRNS", deep[4, 5].astype(">u2").tobytes())))
    expected = np.where((deep == deep[4, 5]).all(axis=2), 0, 65535)
    np.testing.assert_array_equal(photo.alpha, expected)
    np.testing.assert_array_equal(photo.pixels, deep)


def test_palettes_transparency_and_black_and_white(picture):
    colours = Image.fromarray(picture).quantize(16)
    photo = read_photo(encoded(colours, "PNG"))
    np.testing.assert_array_equal(photo.pixels, np.asarray(colours.convert("RGB")))
    assert photo.alpha is None

    clear = read_photo(encoded(colours, "PNG", transparency=3))
    np.testing.assert_array_equal(clear.pixels, photo.pixels)
    np.testing.assert_array_equal(clear.alpha, np.where(np.asarray(colours) == 3, 0, 255))

    bits = read_photo(encoded(Image.fromarray(picture[..., 0] > 99), "PNG"))
    np.testing.assert_array_equal(bits.pixels[..., 0], np.where(picture[..., 0] > 99, 255, 0))

    both = read_photo(encoded(Image.fromarray(picture[..., :2]), "PNG"))
    np.testing.assert_array_equal(both.pixels, picture[..., :1])
    np.testing.assert_array_equal(both.alpha, picture[..., 1])


def test_cmyk_becomes_rgb_and_loses_its_profile(picture):
    raw = encoded(Image.fromarray(picture).convert("CMYK"), "JPEG", icc_profile=CMYK, quality=95)
    photo = read_photo(raw)
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
    assert photo.icc is None


@pytest.mark.parametrize("value", range(10))  # 0 and 9 mean nothing
@pytest.mark.parametrize("endian", ["<", ">"])
def test_orientation_is_applied_and_reset_and_the_rest_is_kept(picture, value, endian):
    exif = exif_of(value, endian)
    raw = encoded(Image.fromarray(picture), "PNG", exif=exif)
    photo = read_photo(raw)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    np.testing.assert_array_equal(photo.pixels, np.asarray(upright))
    reset = exif_of(1, endian)
    assert photo.exif == reset and exif[:8] == (b"Exif\0\0II" if endian == "<" else b"Exif\0\0MM")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_and_profile_are_read_alike_from_each_format(picture, kind):
    raw = encoded(Image.fromarray(picture), kind, exif=exif_of(6), icc_profile=SRGB)
    photo = read_photo(raw)
    assert photo.exif == exif_of(1) and photo.icc == SRGB and photo.pixels.shape == (10, 12, 3)
    assert read_photo(encoded(Image.fromarray(picture), kind, exif=exif_of(None))).exif == exif_of(None)


def test_a_deep_picture_is_turned_with_its_alpha(deep):
    photo = read_photo(png16(deep, (b"eXIf", exif_of(6)[6:])))
    turned = np.rot90(deep, -1)
    np.testing.assert_array_equal(photo.pixels, turned[..., :3])
    np.testing.assert_array_equal(photo.alpha, turned[..., 3])


@pytest.mark.parametrize("exif", [b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_exif_is_kept_as_it_is(picture, exif):
    photo = read_photo(encoded(Image.fromarray(picture), "PNG", exif=exif))
    np.testing.assert_array_equal(photo.pixels, picture)
    assert photo.exif == b"Exif\0\0" + exif


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_moving_pictures_are_refused(picture, kind, tmp_path):
    path = tmp_path / "moving"
    first = Image.fromarray(picture)
    path.write_bytes(encoded(first, kind, save_all=True, append_images=[first.rotate(180)]))
    with pytest.raises(ValueError, match=r"moving has several frames; allowed: a still picture"):
        read_photo(path)


def test_the_first_picture_of_a_jpeg_with_several_is_read(picture):
    image = Image.fromarray(picture)
    photo = read_photo(encoded(image, "MPO", save_all=True, append_images=[image.rotate(180)]))
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(encoded(image, "JPEG")))))


def test_the_smallest_picture(tmp_path):
    one = np.array([[[7, 8, 9]]], np.uint8)
    for kind in ("png", "webp"):
        save_photo(tmp_path / f"one.{kind}", one, Photo(one))
        np.testing.assert_array_equal(read_photo(tmp_path / f"one.{kind}").pixels, one)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "moving GIF", "deep PNG"])
def test_a_file_that_is_cut_short_is_named(picture, deep, kind, tmp_path):
    image, path = Image.fromarray(picture), tmp_path / "cut"
    if kind == "deep PNG":
        raw = png16(deep)
    elif kind == "moving GIF":
        raw = encoded(image, "GIF", save_all=True, append_images=[image.rotate(180)])
    else:
        raw = encoded(image, kind)
    for length in (0, 10, 40, len(raw) // 2):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match=r"cut cannot be read as an image"):
            read_photo(path)


def test_what_is_no_picture_is_named(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as an image: no known format"):
        read_photo(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_photo(tmp_path / "nowhere.png")
    with pytest.raises(ValueError, match=r"the bytes given has pixels of Pillow's mode 'F'; allowed: 8 or 16 bits"):
        read_photo(encoded(Image.new("F", (3, 3)), "TIFF"))
    (tmp_path / "no_width.png").write_bytes(png16(np.zeros((3, 0, 1), np.uint16)))
    with pytest.raises(ValueError, match=r"no_width\.png cannot be read as an image"):
        read_photo(tmp_path / "no_width.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    Image.new("L", (9, 9)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb\.png cannot be read as an image: .*decompression bomb"):
        read_photo(tmp_path / "bomb.png")


def test_a_large_picture_is_read_without_a_warning(tmp_path):
    Image.new("L", (8192, 8192), 5).save(tmp_path / "large.png", compress_level=1)
    pixels = read_photo(tmp_path / "large.png").pixels
    assert pixels.shape == (8192, 8192, 1) and pixels.min() == pixels.max() == 5


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_png_keeps_everything(deep, tmp_path, channels, transparent, dtype):
    deep = deep.astype(dtype)
    icc = SRGB if channels == 3 else GRAY
    photo = Photo(deep[..., :channels], deep[..., 3] if transparent else None, exif_of(1), icc)
    path = tmp_path / "new" / "photo.PNG"
    save_photo(path, photo.pixels, photo)
    again = read_photo(path)
    np.testing.assert_array_equal(again.pixels, photo.pixels)
    assert again.pixels.dtype == dtype
    assert (again.exif, again.icc) == (photo.exif, photo.icc)
    if transparent:
        np.testing.assert_array_equal(again.alpha, photo.alpha)
    else:
        assert again.alpha is None
    with Image.open(path) as by_pillow:
        assert by_pillow.info["icc_profile"] == icc and by_pillow.getexif()[ExifTags.Base.Make] == "Maker"
        if channels == 3:  # of 16 bits it gives the upper eight
            upper = photo.pixels >> (8 if dtype == np.uint16 else 0)
            np.testing.assert_array_equal(np.asarray(by_pillow)[..., :3], upper)
    assert path.read_bytes()[24] == 8 * np.dtype(dtype).itemsize


def test_a_jpeg_keeps_all_of_the_colour_exif_and_profile(picture, tmp_path):
    path = tmp_path / "photo.jpeg"
    save_photo(path, picture, Photo(picture, None, exif_of(1), SRGB))
    expected = Image.open(io.BytesIO(encoded(Image.fromarray(picture), "JPEG", quality=95, subsampling=0)))
    with Image.open(path) as written:
        assert JpegImagePlugin.get_sampling(written) == 0  # 4:4:4
        np.testing.assert_array_equal(np.asarray(written), np.asarray(expected))
    again = read_photo(path)
    assert again.exif == exif_of(1) and again.icc == SRGB


def test_a_webp_keeps_everything_but_grey(picture, tmp_path):
    path = tmp_path / "photo.webp"
    save_photo(path, picture, Photo(picture, picture[..., 0], exif_of(1), SRGB))
    again = read_photo(path)
    np.testing.assert_array_equal(again.pixels, picture)
    np.testing.assert_array_equal(again.alpha, picture[..., 0])
    assert again.exif == exif_of(1) and again.icc == SRGB
    save_photo(path, picture[..., :1], Photo(picture, picture[..., 1], None, GRAY))
    grey = read_photo(path)
    np.testing.assert_array_equal(grey.pixels, np.repeat(picture[..., :1], 3, axis=2))
    np.testing.assert_array_equal(grey.alpha, picture[..., 1])
    with Image.open(path) as written:
        assert "icc_profile" not in written.info  # it would be one for other pixels


def test_sixteen_bits_are_rounded_where_there_is_room_for_eight(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    save_photo(tmp_path / "photo.webp", values, Photo(values))
    expected = np.rint(values[..., 0] / 65535 * 255)
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.webp").pixels[..., 0], expected)


def test_other_pixels_take_what_the_photograph_carries(picture, tmp_path):
    photo = Photo(picture, picture[..., 0], exif_of(1), SRGB)
    larger = replace(photo, alpha=picture[..., 0].repeat(2, 0).repeat(2, 1))
    save_photo(tmp_path / "photo.png", picture.repeat(2, 0).repeat(2, 1), larger)
    again = read_photo(tmp_path / "photo.png")
    assert again.pixels.shape == (24, 20, 3) and again.exif == photo.exif and again.icc == photo.icc
    with pytest.raises(ValueError, match=r"got alpha uint8 \(12, 10\); allowed: uint8 \(24, 20\), as the pixels are"):
        save_photo(tmp_path / "photo.png", picture.repeat(2, 0).repeat(2, 1), photo)


@pytest.mark.parametrize(
    ("name", "pixels", "like", "complaint"),
    [
        ("photo.bmp", (4, 4, 3), {}, r"photo\.bmp as the file to write; allowed: \.png, \.jpg, \.jpeg, \.webp"),
        ("photo", (4, 4, 3), {}, r"photo as the file to write; allowed: \.png"),
        ("photo.jpg", (4, 4, 3), {"alpha": np.zeros((4, 4), np.uint8)}, r"cannot keep; allowed: \.png, \.webp"),
        ("photo.png", (4, 4, 2), {}, r"got pixels uint8 \(4, 4, 2\); allowed: uint8 or uint16"),
        ("photo.png", (4, 4), {}, r"got pixels uint8 \(4, 4\); allowed"),
        ("photo.png", (0, 4, 3), {}, r"got pixels uint8 \(0, 4, 3\); allowed: .*, not empty"),
        ("photo.jpg", (4, 4, 3), {"exif": b"Exif\0\0" + bytes(70000)}, r"photo\.jpg cannot be written as JPEG: EXIF"),
        ("photo.webp", (1, 16384, 3), {}, r"photo\.webp cannot be written as WEBP: .*16383"),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(tmp_path, name, pixels, like, complaint):
    (tmp_path / name).write_bytes(b"old")
    pixels = np.zeros(pixels, np.uint8)
    with pytest.raises(ValueError, match=complaint):
        save_photo(tmp_path / name, pixels, Photo(pixels, **like))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"old")]


def test_floats_are_refused(tmp_path):
    pixels = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(ValueError, match="got pixels float32"):
        save_photo(tmp_path / "photo.png", pixels, Photo(pixels))
