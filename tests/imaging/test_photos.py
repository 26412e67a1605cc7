"""Photographs: reading and writing of pixels and metadata."""

import io
import os
import struct
import threading
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin

from cnnzoo.imaging.files import Photo, read_image, read_photo, save_photo

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY, CMYK = (SRGB[:16] + space + SRGB[20:] for space in (b"GRAY", b"CMYK"))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


@pytest.fixture
def deep() -> np.ndarray:
    """A 16-bit RGBA image."""
    return np.random.default_rng(1).integers(0, 65536, (12, 10, 4), np.uint16)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png16(array: np.ndarray, *extra: tuple[bytes, bytes]) -> bytes:
    """An uncompressed 16-bit PNG, assembled by hand; `extra` are additional chunks."""
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


def long_exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = 70000 * "x"
    return exif.tobytes()


# -- reading ----------------------------------------------------------------------------------------------------------


def test_read_photo_accepts_paths_and_bytes(picture, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.fromarray(picture), "PNG"))
    for source in (path, str(path), path.read_bytes()):
        photo = read_photo(source)
        np.testing.assert_array_equal(photo.pixels, picture)
        assert photo.pixels.dtype == np.uint8 and photo.alpha is photo.exif is photo.icc is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_read_photo_preserves_16_bit_png(deep, channels):
    deep = deep[..., -channels:]
    photo = read_photo(png16(deep))
    assert photo.pixels.dtype == np.uint16
    np.testing.assert_array_equal(photo.pixels, deep[..., : 1 if channels < 3 else 3])
    if channels % 2:
        assert photo.alpha is None
    else:
        assert photo.alpha.dtype == np.uint16
        np.testing.assert_array_equal(photo.alpha, deep[..., -1])


def test_read_photo_preserves_16_bit_gray_tiff(deep):
    photo = read_photo(encoded(Image.fromarray(deep[..., 0]), "TIFF"))
    np.testing.assert_array_equal(photo.pixels, deep[..., :1])


@pytest.mark.parametrize("orientation", [1, 6])
def test_read_photo_inverts_tiff_whose_zero_is_white(deep, orientation):
    gray = Image.fromarray(deep[..., 0])
    kept, inverted = (encoded(gray, "TIFF", tiffinfo={262: zero, 274: orientation}) for zero in (1, 0))
    np.testing.assert_array_equal(read_photo(inverted).pixels, 65535 - read_photo(kept).pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_read_photo_converts_16_bit_transparent_color_to_alpha(deep, channels):
    deep = deep[..., :channels]
    photo = read_photo(png16(deep, (b"tRNS", deep[4, 5].astype(">u2").tobytes())))
    expected = np.where((deep == deep[4, 5]).all(axis=2), 0, 65535)
    np.testing.assert_array_equal(photo.alpha, expected)
    np.testing.assert_array_equal(photo.pixels, deep)


def test_read_photo_converts_palette_alpha_and_bilevel_images(picture):
    colors = Image.fromarray(picture).quantize(16)
    photo = read_photo(encoded(colors, "PNG"))
    np.testing.assert_array_equal(photo.pixels, np.asarray(colors.convert("RGB")))
    assert photo.alpha is None

    clear = read_photo(encoded(colors, "PNG", transparency=3))
    np.testing.assert_array_equal(clear.pixels, photo.pixels)
    np.testing.assert_array_equal(clear.alpha, np.where(np.asarray(colors) == 3, 0, 255))

    bits = read_photo(encoded(Image.fromarray(picture[..., 0] > 99), "PNG"))
    np.testing.assert_array_equal(bits.pixels[..., 0], np.where(picture[..., 0] > 99, 255, 0))

    both = read_photo(encoded(Image.fromarray(picture[..., :2]), "PNG"))
    np.testing.assert_array_equal(both.pixels, picture[..., :1])
    np.testing.assert_array_equal(both.alpha, picture[..., 1])


def test_read_photo_converts_cmyk_to_rgb_without_profile(picture):
    raw = encoded(Image.fromarray(picture).convert("CMYK"), "JPEG", icc_profile=CMYK, quality=95)
    photo = read_photo(raw)
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")))
    assert photo.icc is None


@pytest.mark.parametrize("value", range(10))  # 0 and 9 are invalid
@pytest.mark.parametrize("endian", ["<", ">"])
def test_read_photo_applies_and_resets_exif_orientation(picture, value, endian):
    exif = exif_of(value, endian)
    raw = encoded(Image.fromarray(picture), "PNG", exif=exif)
    photo = read_photo(raw)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    np.testing.assert_array_equal(photo.pixels, np.asarray(upright))
    reset = exif_of(1, endian)
    assert photo.exif == reset and exif[:8] == (b"Exif\0\0II" if endian == "<" else b"Exif\0\0MM")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_read_photo_returns_exif_and_profile_of_each_format(picture, kind):
    raw = encoded(Image.fromarray(picture), kind, exif=exif_of(6), icc_profile=SRGB)
    photo = read_photo(raw)
    assert photo.exif == exif_of(1) and photo.icc == SRGB and photo.pixels.shape == (10, 12, 3)
    assert read_photo(encoded(Image.fromarray(picture), kind, exif=exif_of(None))).exif == exif_of(None)


def test_read_photo_rotates_16_bit_image_and_alpha(deep):
    photo = read_photo(png16(deep, (b"eXIf", exif_of(6)[6:])))
    turned = np.rot90(deep, -1)
    np.testing.assert_array_equal(photo.pixels, turned[..., :3])
    np.testing.assert_array_equal(photo.alpha, turned[..., 3])


@pytest.mark.parametrize("exif", [b"garbage", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_read_photo_drops_damaged_exif(picture, exif):
    photo = read_photo(encoded(Image.fromarray(picture), "PNG", exif=exif))
    np.testing.assert_array_equal(photo.pixels, picture)
    assert photo.exif is None


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_read_photo_rejects_images_with_several_frames(picture, kind, tmp_path):
    path = tmp_path / "moving"
    first = Image.fromarray(picture)
    path.write_bytes(encoded(first, kind, save_all=True, append_images=[first.rotate(180)]))
    with pytest.raises(ValueError, match=r"moving must be a still picture. Received: several frames"):
        read_photo(path)


def test_read_photo_returns_first_image_of_mpo(picture):
    image = Image.fromarray(picture)
    photo = read_photo(encoded(image, "MPO", save_all=True, append_images=[image.rotate(180)]))
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(io.BytesIO(encoded(image, "JPEG")))))


def test_photo_round_trip_of_single_pixel(tmp_path):
    one = np.array([[[7, 8, 9]]], np.uint8)
    for kind in ("png", "webp"):
        save_photo(tmp_path / f"one.{kind}", one, Photo(one))
        np.testing.assert_array_equal(read_photo(tmp_path / f"one.{kind}").pixels, one)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "moving GIF", "deep PNG"])
def test_read_photo_error_names_truncated_file(picture, deep, kind, tmp_path):
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


def test_read_photo_rejects_missing_and_invalid_files(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as an image: no known format"):
        read_photo(tmp_path / "text.png")
    (tmp_path / "trick.jpg").write_bytes(encoded(Image.new("RGB", (8, 8)), "EPS"))  # for which Pillow runs Ghostscript
    with pytest.raises(ValueError, match=r"trick\.jpg cannot be read as an image: no known format"):
        read_photo(tmp_path / "trick.jpg")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_photo(tmp_path / "nowhere.png")
    with pytest.raises(
        ValueError, match=r"the bytes given must have 8 or 16 bits, .*Received: pixels of Pillow's mode 'F'"
    ):
        read_photo(encoded(Image.new("F", (3, 3)), "TIFF"))
    (tmp_path / "no_width.png").write_bytes(png16(np.zeros((3, 0, 1), np.uint16)))
    with pytest.raises(ValueError, match=r"no_width\.png cannot be read as an image"):
        read_photo(tmp_path / "no_width.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    Image.new("L", (9, 9)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb\.png must have at most 8e-05 megapixels. Received: more"):
        read_photo(tmp_path / "bomb.png")


def test_read_photo_accepts_67_megapixels(tmp_path):
    Image.new("L", (8192, 8192), 5).save(tmp_path / "large.png", compress_level=1)
    pixels = read_photo(tmp_path / "large.png").pixels
    assert pixels.shape == (8192, 8192, 1) and pixels.min() == pixels.max() == 5


# -- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_save_photo_png_preserves_pixels_and_metadata(deep, tmp_path, channels, transparent, dtype):
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
        if channels == 3:  # Pillow returns the upper 8 of 16 bits
            upper = photo.pixels >> (8 if dtype == np.uint16 else 0)
            np.testing.assert_array_equal(np.asarray(by_pillow)[..., :3], upper)
    assert path.read_bytes()[24] == 8 * np.dtype(dtype).itemsize


def test_save_photo_jpeg_preserves_chroma_exif_and_profile(picture, tmp_path):
    path = tmp_path / "photo.jpeg"
    save_photo(path, picture, Photo(picture, None, exif_of(1), SRGB))
    expected = Image.open(io.BytesIO(encoded(Image.fromarray(picture), "JPEG", quality=95, subsampling=0)))
    with Image.open(path) as written:
        assert JpegImagePlugin.get_sampling(written) == 0  # 4:4:4
        np.testing.assert_array_equal(np.asarray(written), np.asarray(expected))
    again = read_photo(path)
    assert again.exif == exif_of(1) and again.icc == SRGB


def test_save_photo_webp_is_lossless_and_converts_gray_to_rgb(picture, tmp_path):
    path = tmp_path / "photo.webp"
    save_photo(path, picture, Photo(picture, picture[..., 0], exif_of(1), SRGB))
    again = read_photo(path)
    np.testing.assert_array_equal(again.pixels, picture)
    np.testing.assert_array_equal(again.alpha, picture[..., 0])
    assert again.exif == exif_of(1) and again.icc == SRGB
    save_photo(path, picture[..., :1], Photo(picture, picture[..., 1], None, GRAY))
    gray = read_photo(path)
    np.testing.assert_array_equal(gray.pixels, np.repeat(picture[..., :1], 3, axis=2))
    np.testing.assert_array_equal(gray.alpha, picture[..., 1])
    with Image.open(path) as written:
        assert "icc_profile" not in written.info  # a gray profile does not suit RGB pixels


def test_save_photo_webp_rounds_16_to_8_bits(tmp_path):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    save_photo(tmp_path / "photo.webp", values, Photo(values))
    expected = np.rint(values[..., 0] / 65535 * 255)
    np.testing.assert_array_equal(read_photo(tmp_path / "photo.webp").pixels[..., 0], expected)


def test_save_photo_keeps_metadata_and_rejects_alpha_mismatch(picture, tmp_path):
    photo = Photo(picture, picture[..., 0], exif_of(1), SRGB)
    larger = replace(photo, alpha=picture[..., 0].repeat(2, 0).repeat(2, 1))
    save_photo(tmp_path / "photo.png", picture.repeat(2, 0).repeat(2, 1), larger)
    again = read_photo(tmp_path / "photo.png")
    assert again.pixels.shape == (24, 20, 3) and again.exif == photo.exif and again.icc == photo.icc
    with pytest.raises(
        ValueError, match=r"`alpha` must be uint8 \(24, 20\), as the pixels are. Received: uint8 \(12, 10\)"
    ):
        save_photo(tmp_path / "photo.png", picture.repeat(2, 0).repeat(2, 1), photo)


@pytest.mark.parametrize(
    ("name", "pixels", "like", "complaint"),
    [
        ("photo.bmp", (4, 4, 3), {}, r"must end in one of \.png, \.jpg, \.jpeg, \.webp.*Received: .*photo\.bmp"),
        ("photo", (4, 4, 3), {}, r"must end in one of \.png, .*Received: .*photo$"),
        (
            "photo.jpg",
            (4, 4, 3),
            {"alpha": np.zeros((4, 4), np.uint8)},
            r"must end in one of \.png, \.webp, \.gif, \.tif, \.tiff, since JPEG cannot keep it. Received: ",
        ),
        ("photo.png", (4, 4, 2), {}, r"Pixels must be uint8 or uint16 .*Received: uint8 \(4, 4, 2\)"),
        ("photo.png", (4, 4), {}, r"Received: uint8 \(4, 4\)"),
        ("photo.png", (0, 4, 3), {}, r"not empty. Received: uint8 \(0, 4, 3\)"),
        ("photo.jpg", (4, 4, 3), {"exif": long_exif()}, r"photo\.jpg with 70\d+ bytes"),
        (
            "photo.webp",
            (1, 16384, 3),
            {},
            r"at most 16383 pixels a side, or end in one of \.png, .*Received: .*photo\.webp with 16384x1 pixels",
        ),
        (
            "photo.jpg",
            (65501, 1, 1),
            {},
            r"at most 65500 pixels a side, or end in one of \.png, \.gif, .*photo\.jpg with 1x65501 pixels",
        ),
    ],
)
def test_save_photo_rejects_invalid_input_and_keeps_old_file(tmp_path, name, pixels, like, complaint):
    (tmp_path / name).write_bytes(b"old")
    pixels = np.zeros(pixels, np.uint8)
    with pytest.raises(ValueError, match=complaint):
        save_photo(tmp_path / name, pixels, Photo(pixels, **like))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"old")]


def test_save_photo_rejects_floats(tmp_path):
    pixels = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(ValueError, match=r"Pixels must be .*Received: float32"):
        save_photo(tmp_path / "photo.png", pixels, Photo(pixels))


# -- metadata ---------------------------------------------------------------------------------------------------------

ATTRIBUTE = '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/>'
ELEMENT = "<rdf:Description><tiff:Orientation>{}</tiff:Orientation></rdf:Description>"


def lying(image: Image.Image, where: str, value: int) -> bytes:
    """An image file with an orientation, stored in one of the possible places."""
    text = PngImagePlugin.PngInfo()
    if where == "PNG raw profile":
        exif = exif_of(value)
        text.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
        return encoded(image, "PNG", pnginfo=text)
    kind, _, place = where.partition(" ")
    if place == "EXIF":
        return encoded(image, kind, exif=exif_of(value))
    xmp = {"attribute": ATTRIBUTE, "element": ELEMENT}[place].format(value)
    if kind == "PNG":
        text.add_itxt("XML:com.adobe.xmp", xmp)
        return encoded(image, kind, pnginfo=text)
    return encoded(image, kind, xmp=xmp.encode())


@pytest.mark.parametrize("value", range(1, 10))
@pytest.mark.parametrize(
    "where",
    [
        *("JPEG EXIF", "PNG EXIF", "WEBP EXIF", "TIFF EXIF", "PNG raw profile"),
        *("JPEG attribute", "PNG attribute", "WEBP attribute", "JPEG element", "PNG element"),
    ],
)
def test_reading_applies_orientation_like_pillow(picture, where, value):
    raw = lying(Image.fromarray(picture), where, value)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(raw))).convert("RGB"))
    photo = read_photo(raw)
    np.testing.assert_array_equal(photo.pixels, upright)
    np.testing.assert_array_equal(read_image(raw), upright)
    again = Image.open(io.BytesIO(encoded(Image.fromarray(photo.pixels), "PNG", exif=photo.exif or b"")))
    assert again.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "BMP", "deep PNG"])
@pytest.mark.parametrize("target", ["png", "jpg"])
def test_save_photo_preserves_resolution(picture, deep, source, target, tmp_path):
    image = Image.fromarray(picture)
    if source == "deep PNG":
        raw = png16(deep[..., :3], (b"pHYs", struct.pack(">IIB", 11811, 5906, 1)))
    else:
        raw = encoded(image, source, dpi=(300, 150))
    photo = read_photo(raw)
    save_photo(tmp_path / f"photo.{target}", photo.pixels.repeat(2, 0), photo)
    with Image.open(tmp_path / f"photo.{target}") as made:
        assert made.info["dpi"] == pytest.approx((300, 150), abs=0.02)


def test_read_photo_swaps_resolution_of_rotated_image(picture):
    raw = encoded(Image.fromarray(picture), "PNG", dpi=(300, 150), exif=exif_of(6))
    assert read_photo(raw).dpi == pytest.approx((150, 300), abs=0.02)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP", "BMP"])
def test_read_photo_dpi_is_none_without_resolution(picture, kind):
    options = {} if kind == "BMP" else {"exif": exif_of(1)}
    raw = encoded(Image.fromarray(picture), kind, **options)
    if kind == "BMP":
        raw = raw[:38] + bytes(8) + raw[46:]
    assert read_photo(raw).dpi is None


@pytest.mark.parametrize("dpi", [(0, 0), (300, 0), (1e9, 1e9)])
def test_read_photo_drops_invalid_resolution(picture, dpi, tmp_path):
    photo = read_photo(encoded(Image.fromarray(picture), "TIFF", dpi=dpi))
    assert photo.dpi is None
    save_photo(tmp_path / "photo.jpg", photo.pixels, photo)


def test_read_photo_converts_tiff_tags_to_exif(picture, tmp_path):
    exif = Image.Exif()
    exif.load(exif_of(6))
    raw = encoded(Image.fromarray(picture), "TIFF", exif=exif, dpi=(300, 300))
    save_photo(tmp_path / "photo.jpg", (photo := read_photo(raw)).pixels, photo)
    with Image.open(tmp_path / "photo.jpg") as made:
        found = made.getexif()
        assert made.size == (12, 10) and found[ExifTags.Base.Make] == "Maker"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == 0.5
        assert found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        for tag in ("ImageWidth", "StripOffsets", "StripByteCounts", "Compression", "BitsPerSample"):
            assert ExifTags.Base[tag] not in found


def test_save_photo_updates_image_size_in_exif(picture, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageWidth], exif[ExifTags.Base.ImageLength] = 12, 10
    beyond = exif.get_ifd(ExifTags.IFD.Exif)
    beyond[ExifTags.Base.ExifImageWidth], beyond[ExifTags.Base.ExifImageHeight] = 12, 10
    photo = read_photo(encoded(Image.fromarray(picture), "JPEG", exif=exif))
    save_photo(tmp_path / "photo.jpg", np.zeros((70, 60000, 1), np.uint8), photo)
    with Image.open(tmp_path / "photo.jpg") as made:
        found = made.getexif()
        beyond = found.get_ifd(ExifTags.IFD.Exif)
        assert (found[ExifTags.Base.ImageWidth], found[ExifTags.Base.ImageLength]) == (60000, 70)
        assert (beyond[ExifTags.Base.ExifImageWidth], beyond[ExifTags.Base.ExifImageHeight]) == (60000, 70)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("target", ["png", "jpg", "webp"])
def test_save_photo_drops_thumbnails_xmp_and_comments(picture, kind, target, tmp_path):
    image, secret = Image.fromarray(picture), b"THE PICTURE BEFORE"
    buffer = io.BytesIO()
    image.resize((4, 4)).save(buffer, "JPEG", comment=secret)
    thumbnail = buffer.getvalue()
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[0x8649] = exif[0x935C] = thumbnail  # Photoshop resources and layers
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"MAKER" + thumbnail
    options = {"exif": exif, "xmp": secret}
    if kind == "JPEG":
        options |= {"comment": secret}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", secret.decode())
        text.add_text("Raw profile type 8bim", secret.decode())
        text.add_itxt("XML:com.adobe.xmp", secret.decode())
        options["pnginfo"] = text
    if kind == "TIFF":
        options.pop("xmp")
        exif[0x02BC] = secret
    raw = encoded(image, kind, **options)
    if kind == "JPEG":  # Photoshop resources, and a second image after the first
        resources = b"Photoshop 3.0\0" + thumbnail
        raw = raw[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(resources)) + resources + raw[2:] + thumbnail
    assert secret in raw
    photo = read_photo(raw)
    save_photo(tmp_path / f"photo.{target}", photo.pixels, photo)
    made = (tmp_path / f"photo.{target}").read_bytes()
    assert secret not in made and made.count(b"\xff\xd8\xff") == (target == "jpg")
    with Image.open(tmp_path / f"photo.{target}") as written:
        assert written.getexif()[ExifTags.Base.Make] == "Maker"


@pytest.mark.parametrize("read", [read_photo, read_image])
def test_reading_large_images_raises_no_pillow_warning(picture, read, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # of 120; Pillow raises an error above 200
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        assert read(encoded(Image.fromarray(picture), kind)) is not None


@pytest.mark.parametrize("read", [read_photo, read_image])
def test_reading_rejects_too_many_pixels_before_decoding(picture, read, monkeypatch, tmp_path):
    for kind in ("PNG", "JPEG", "TIFF", "BMP"):
        (tmp_path / "large").write_bytes(encoded(Image.fromarray(picture), kind))
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("it was decoded"))
        with pytest.raises(ValueError, match=r"large must have at most 0\.0001 megapixels. Received: 10x12 pixels"):
            read(tmp_path / "large", largest=100)
        monkeypatch.undo()


def test_reading_limits_bytes_of_files_and_pipes(monkeypatch, tmp_path):
    monkeypatch.setattr("cnnzoo.imaging.decoding.MOST", 40)
    (tmp_path / "large.png").write_bytes(bytes(41))
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[bytes(50)], daemon=True).start()
    for name, received in (("large.png", "41"), ("pipe", "more")):
        with pytest.raises(ValueError, match=rf"{name} must have at most 40 bytes. Received: {received}"):
            read_photo(tmp_path / name)
