"""Compositing and color bleeding of transparent images, against Pillow and explicit loops."""

import numpy as np
import pytest
from PIL import Image

from cnnzoo.imaging.transparency import bled, flattened, from_nearest


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)


def test_flattened_composites_dark_images_on_white_like_pillow(picture):
    picture[..., :3] //= 2
    made = flattened(picture[..., :3], picture[..., 3])
    paper = Image.new("RGBA", (7, 9), "white")
    paper.alpha_composite(Image.fromarray(picture))
    assert np.abs(made.astype(int) - np.asarray(paper.convert("RGB"))).max() <= 1  # the two round independently


def test_flattened_composites_light_images_on_black(picture):
    picture[..., :3] = 255
    np.testing.assert_array_equal(flattened(picture[..., :3], picture[..., 3]), picture[..., 3:].repeat(3, 2))


def test_flattened_chooses_background_by_visible_pixels():
    pixels, alpha = np.full((10, 10, 1), 250, np.uint8), np.zeros((10, 10), np.uint8)
    pixels[2:4], alpha[2:4] = 10, 255  # the light pixels are fully transparent
    np.testing.assert_array_equal(flattened(pixels, alpha)[0], 255)
    np.testing.assert_array_equal(flattened(pixels, alpha)[2], 10)


def test_flattened_of_uint16_matches_uint8(picture):
    deep = picture.astype(np.uint16) * 257
    made = flattened(deep[..., :3], deep[..., 3])
    assert made.dtype == np.uint16
    assert np.abs(made / 257 - flattened(picture[..., :3], picture[..., 3])).max() <= 0.51


def test_flattened_and_bled_return_opaque_images_unchanged(picture):
    pixels = picture[..., :3]
    for alpha in (None, np.full((9, 7), 255, np.uint8)):
        assert flattened(pixels, alpha) is pixels and bled(pixels, alpha) is pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bled_fills_transparent_pixels_with_nearest_color(picture, dtype):
    pixels, full = picture[..., :3].astype(dtype), np.iinfo(dtype).max
    alpha = np.where(picture[..., 3] < 200, full // 50, full // 2).astype(dtype)
    made, visible = bled(pixels, alpha), np.argwhere(alpha > full // 32)
    for at in np.ndindex(9, 7):
        away = np.square(visible - at).sum(axis=1)
        nearest = [pixels[tuple(v)].tolist() for v in visible[away == away.min()]]
        assert made[at].tolist() in nearest


def test_bled_excludes_missing_pixels_as_color_source():
    pixels, alpha = np.array([[[1], [2], [3], [4]]], np.uint8), np.array([[255, 255, 0, 0]], np.uint8)
    missing = np.array([[False, True, False, False]])
    np.testing.assert_array_equal(bled(pixels, alpha, missing)[..., 0], [[1, 2, 1, 1]])


def test_bled_falls_back_to_faint_pixels_or_unchanged_image(picture):
    np.testing.assert_array_equal(bled(picture[..., :3], np.zeros((9, 7), np.uint8)), picture[..., :3])
    faint = np.zeros((9, 7), np.uint8)
    faint[4, 3] = 1
    np.testing.assert_array_equal(bled(picture[..., :3], faint), np.broadcast_to(picture[4, 3, :3], (9, 7, 3)))


def test_from_nearest_fills_unknown_pixels_of_a_channel(picture):
    known = np.zeros((9, 7), bool)
    known[:, 0] = True
    np.testing.assert_array_equal(from_nearest(picture[..., 0], known), picture[:, :1, 0].repeat(7, 1))
