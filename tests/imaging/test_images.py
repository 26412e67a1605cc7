"""Images as inputs and outputs: reading, validation, fitting and writing."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnzoo.imaging import arrays, files, folders
from cnnzoo.imaging.batch import as_batch


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_read_image_accepts_paths_bytes_images_and_arrays(picture, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png(picture))
    for source in (path, str(path), png(picture), Image.fromarray(picture), picture):
        np.testing.assert_array_equal(files.read_image(source), picture)


def test_read_image_converts_palette_alpha_and_bilevel_images(picture):
    source = Image.fromarray(picture)
    assert files.read_image(source.convert("P")).shape == (12, 10, 3)
    assert files.read_image(source.convert("RGBA")).shape == (12, 10, 3)
    bits = files.read_image(source.convert("1"))
    assert bits.shape == (12, 10, 1) and set(np.unique(bits)) <= {0, 255}


def test_read_image_converts_between_gray_and_color(picture):
    gray = files.read_image(picture, channels=1)
    by_pillow = np.asarray(Image.fromarray(picture).convert("L")).astype(int)
    assert np.abs(gray[:, :, 0] - by_pillow).max() <= 1  # Pillow's weights are rounded to 16 bits
    back = files.read_image(gray, channels=3)
    np.testing.assert_array_equal(back, np.repeat(gray, 3, axis=2))
    with pytest.raises(ValueError, match="Received: 3 channels for a model of 2"):
        files.read_image(picture, channels=2)


@pytest.mark.parametrize("cut", [10, 60, -80])
def test_read_image_error_names_damaged_file(picture, tmp_path, cut):
    path = tmp_path / "damaged.png"
    path.write_bytes(png(picture)[:cut])
    with pytest.raises(ValueError, match=r"damaged\.png cannot be read as an image"):
        files.read_image(path)


def test_read_image_error_names_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files.read_image(tmp_path / "nowhere.png")


def test_as_batch_adds_axes_and_returns_uint8_or_float32(picture):
    batch, single = as_batch(picture, (12, 10, 3))
    assert batch.shape == (1, 12, 10, 3) and batch.dtype == np.uint8 and single
    batch, single = as_batch(picture[None] / 255.0, (None, None, 3))
    assert batch.dtype == np.float32 and not single
    batch, single = as_batch(picture[:, :, 0], (12, 10, 1))
    assert batch.shape == (1, 12, 10, 1) and single


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros((5, 5, 3), np.uint8), r"Images must be uint8 .*Received: shape \(5, 5, 3\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), r"Received: shape \(2, 4, 4, 1\)"),
        (np.zeros(4, np.uint8), r"Received: shape \(4,\)"),
        (np.zeros((4, 4), np.uint8), r"Received: shape \(4, 4\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), "Received: an empty batch"),
        (np.zeros((4, 4, 3), np.int32), r"Received: int32 \(4, 4, 3\)"),
        (np.full((4, 4, 3), 1.5, np.float32), r"Received: values in \[1.5, 1.5\]"),
        (np.full((4, 4, 3), -0.5, np.float32), r"Received: values in \[-0.5, -0.5\]"),
        (np.full((4, 4, 3), np.nan, np.float32), r"Received: values in \[nan, nan\]"),
    ],
)
def test_as_batch_rejects_invalid_images(x, complaint):
    with pytest.raises(ValueError, match=complaint):
        as_batch(x, (4, 4, 3))


def test_to_uint8_scales_clips_and_rounds_floats(picture):
    np.testing.assert_array_equal(arrays.to_uint8(picture / 255.0), picture)
    np.testing.assert_array_equal(arrays.to_uint8(np.array([-1.0, 0.5, 2.0])), [0, 128, 255])


def test_fit_to_matches_pillow_bicubic_resize(picture):
    fitted = arrays.fit_to(picture[None], (24, 20, 3))
    expected = Image.fromarray(picture).resize((20, 24), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(fitted[0], np.asarray(expected))


def test_contact_sheet_contains_every_image():
    singles = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 1), np.uint8)
    sheet = arrays.contact_sheet(singles, columns=2, gap=1)
    assert sheet.shape == (13, 11, 1)
    for i in range(5):
        top, left = 1 + i // 2 * 4, 1 + i % 2 * 5
        assert (sheet[top : top + 3, left : left + 4] == i).all()
    assert (sheet[9:12, 6:10] == 128).all()  # the empty cell


def test_save_png_is_lossless_and_atomic(picture, tmp_path):
    path = tmp_path / "new" / "picture.png"
    files.save_png(path, picture)
    np.testing.assert_array_equal(files.read_image(path), picture)
    with pytest.raises(TypeError):
        files.save_png(path, np.concatenate([picture, picture], axis=2))
    np.testing.assert_array_equal(files.read_image(path), picture)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


# -- transparency, 16-bit images, folders ----------------------------------------------------------------------------


def test_read_image_composites_digits_on_contrasting_background():
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 12:16], digit[4:24, 16] = 255, 90  # with a soft edge
    for ink, expected in ((255, digit), (0, 255 - digit)):
        drawn = np.dstack([np.full((28, 28, 3), ink, np.uint8), digit])
        np.testing.assert_array_equal(files.read_image(png(drawn), channels=1)[..., 0], expected)
        np.testing.assert_array_equal(files.read_image(Image.fromarray(drawn).convert("LA"))[..., 0], expected)
    clear = Image.fromarray(np.where(digit > 128, 1, 0).astype(np.uint8), "L").convert("P")
    clear.putpalette([9, 9, 9, 255, 255, 255])
    clear.info["transparency"] = 0
    np.testing.assert_array_equal(files.read_image(clear)[..., 0], np.where(digit > 128, 255, 0))


def test_read_image_preserves_opaque_images_with_alpha(picture):
    opaque = np.dstack([picture, np.full((12, 10), 255, np.uint8)])
    np.testing.assert_array_equal(files.read_image(png(opaque)), picture)


def test_read_image_converts_16_bit_gray_and_transparent_gray(picture):
    deep = picture[..., 0].astype(np.uint16) * 257
    np.testing.assert_array_equal(files.read_image(Image.fromarray(deep))[..., 0], picture[..., 0])
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG", transparency=int(deep[3, 4]))
    made = files.read_image(buffer.getvalue())
    ground = made[3, 4, 0]
    assert ground in (0, 255)
    expected = np.where(picture[..., 0] == picture[3, 4, 0], ground, picture[..., 0])
    np.testing.assert_array_equal(made[..., 0], expected)


def test_read_image_rejects_image_without_pixels():
    with pytest.raises(ValueError, match=r"the Pillow image must have one pixel or more. Received: 0x5 pixels"):
        files.read_image(Image.new("L", (0, 5)))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_read_image_rejects_32_bit_pixels(dtype, tmp_path):
    source = Image.fromarray(np.full((4, 4), 40000, dtype))
    source.save(tmp_path / "deep.tif")
    with pytest.raises(
        ValueError, match=r"deep\.tif must have 8 or 16 bits, .*Received: pixels of Pillow's mode '[IF]'"
    ):
        files.read_image(tmp_path / "deep.tif")


def test_read_image_ignores_damaged_exif(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", exif=b"garbage")
    np.testing.assert_array_equal(files.read_image(buffer.getvalue()), picture)


def test_pictures_in_separates_images_and_skips_hidden_files(tmp_path):
    names = ["b.TIFF", "a.png", "c.tif", "._a.png", ".DS_Store", "notes.txt", "more.txt", "README"]
    for name in names:
        (tmp_path / name).touch()
    for name in (".ipynb_checkpoints", "deeper", "folder.png"):
        (tmp_path / name).mkdir()
    pictures, others = folders.pictures_in(tmp_path)
    assert [path.name for path in pictures] == ["a.png", "b.TIFF", "c.tif"]
    assert folders.passed_over(others) == "5 entries that are no pictures (2 folders, 2 .txt, 1 without suffix)"
    assert folders.passed_over([]) == ""
