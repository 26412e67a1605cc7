"""Images at the border: read, checked, fitted, written."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnzoo import images


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_it_reads_paths_bytes_pictures_and_arrays(picture, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(png(picture))
    for source in (path, str(path), png(picture), Image.fromarray(picture), picture):
        np.testing.assert_array_equal(images.read_image(source), picture)


def test_it_reads_palettes_transparency_and_black_and_white(picture):
    source = Image.fromarray(picture)
    assert images.read_image(source.convert("P")).shape == (12, 10, 3)
    assert images.read_image(source.convert("RGBA")).shape == (12, 10, 3)
    bits = images.read_image(source.convert("1"))
    assert bits.shape == (12, 10, 1) and set(np.unique(bits)) <= {0, 255}


def test_grey_and_colour_are_converted(picture):
    grey = images.read_image(picture, channels=1)
    by_pillow = np.asarray(Image.fromarray(picture).convert("L")).astype(int)
    assert np.abs(grey[:, :, 0] - by_pillow).max() <= 1  # Pillow's weights are rounded to 16 bits
    back = images.read_image(grey, channels=3)
    np.testing.assert_array_equal(back, np.repeat(grey, 3, axis=2))
    with pytest.raises(ValueError, match="got images with 3 channels where the model takes 2"):
        images.read_image(picture, channels=2)


@pytest.mark.parametrize("cut", [10, 60, -80])
def test_a_damaged_file_is_named(picture, tmp_path, cut):
    path = tmp_path / "damaged.png"
    path.write_bytes(png(picture)[:cut])
    with pytest.raises(ValueError, match=r"damaged\.png cannot be read as an image"):
        images.read_image(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        images.read_image(tmp_path / "nowhere.png")


def test_a_batch_is_what_the_model_takes(picture):
    batch, single = images.as_batch(picture, (12, 10, 3))
    assert batch.shape == (1, 12, 10, 3) and batch.dtype == np.uint8 and single
    batch, single = images.as_batch(picture[None] / 255.0, (None, None, 3))
    assert batch.dtype == np.float32 and not single
    batch, single = images.as_batch(picture[:, :, 0], (12, 10, 1))
    assert batch.shape == (1, 12, 10, 1) and single


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        (np.zeros((5, 5, 3), np.uint8), r"got images of shape \(5, 5, 3\); allowed: uint8"),
        (np.zeros((2, 4, 4, 1), np.uint8), r"got images of shape \(2, 4, 4, 1\)"),
        (np.zeros(4, np.uint8), r"got images of shape \(4,\)"),
        (np.zeros((4, 4), np.uint8), r"got images of shape \(4, 4\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), "got an empty batch"),
        (np.zeros((4, 4, 3), np.int32), "got images of dtype int32"),
        (np.full((4, 4, 3), 1.5, np.float32), r"got images with values in \[1.5, 1.5\]"),
        (np.full((4, 4, 3), -0.5, np.float32), r"got images with values in \[-0.5, -0.5\]"),
        (np.full((4, 4, 3), np.nan, np.float32), r"got images with values in \[nan, nan\]"),
    ],
)
def test_what_is_not_an_image_is_refused(x, complaint):
    with pytest.raises(ValueError, match=complaint):
        images.as_batch(x, (4, 4, 3))


def test_float_and_bytes_are_the_same_picture(picture):
    np.testing.assert_array_equal(images.to_uint8(picture / 255.0), picture)
    np.testing.assert_array_equal(images.to_uint8(np.array([-1.0, 0.5, 2.0])), [0, 128, 255])


def test_images_are_fitted_as_pillow_resizes(picture):
    fitted = images.fit_to(picture[None], (24, 20, 3))
    expected = Image.fromarray(picture).resize((20, 24), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(fitted[0], np.asarray(expected))


def test_a_contact_sheet_holds_every_image():
    singles = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 1), np.uint8)
    sheet = images.contact_sheet(singles, columns=2, gap=1)
    assert sheet.shape == (13, 11, 1)
    for i in range(5):
        top, left = 1 + i // 2 * 4, 1 + i % 2 * 5
        assert (sheet[top : top + 3, left : left + 4] == i).all()
    assert (sheet[9:12, 6:10] == 128).all()  # the place that stays empty


def test_a_png_is_written_whole_or_not_at_all(picture, tmp_path):
    path = tmp_path / "new" / "picture.png"
    images.save_png(path, picture)
    np.testing.assert_array_equal(images.read_image(path), picture)
    with pytest.raises(TypeError):
        images.save_png(path, np.concatenate([picture, picture], axis=2))
    np.testing.assert_array_equal(images.read_image(path), picture)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]
