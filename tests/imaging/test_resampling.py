"""Bicubic resampling against the formula of MATLAB's imresize, and against Pillow away from the border."""

import numpy as np
import pytest
from PIL import Image
from skimage.data import camera

from cnnzoo.imaging.resampling import crop_to_multiple, downscale, upscale

TOLERANCE = 1e-3 / 255  # a thousandth of a gray value


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def matrix(length: int, scale: float) -> np.ndarray:
    """The weight matrix of imresize(…, scale, 'bicubic') along one axis, by a loop over pixels counted from 1."""
    rows = int(np.ceil(length * scale))
    squeeze = min(scale, 1.0)
    width = 4.0 / squeeze
    weights = np.zeros((rows, length))
    for x in range(1, rows + 1):
        u = x / scale + 0.5 * (1 - 1 / scale)
        left = int(np.floor(u - width / 2))
        near = [(left + k, squeeze * cubic(squeeze * (u - left - k))) for k in range(int(np.ceil(width)) + 2)]
        total = sum(weight for _, weight in near)
        for pixel, weight in near:
            inside = (pixel - 1) % (2 * length)
            weights[x - 1, min(inside, 2 * length - 1 - inside)] += weight / total
    return weights


def by_formula(images: np.ndarray, scale: float) -> np.ndarray:
    rows, columns = (matrix(side, scale) for side in images.shape[1:3])
    return np.einsum("ij,njkc,lk->nilc", rows, images.astype(np.float64), columns, optimize=True)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("scale", [2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(2, 60, 120, 3), (1, 60, 60, 1)])
def test_resampling_matches_imresize_formula(scale, shape):
    images = noise(*shape)
    np.testing.assert_allclose(downscale(images, scale), by_formula(images, 1 / scale), atol=TOLERANCE)
    np.testing.assert_allclose(upscale(images, scale), by_formula(images, scale), atol=TOLERANCE)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_resampling_mirrors_small_images_repeatedly(scale):
    small, tiny = noise(1, scale, 2 * scale, 1), noise(1, 1, 2, 1)
    np.testing.assert_allclose(downscale(small, scale), by_formula(small, 1 / scale), atol=TOLERANCE)
    np.testing.assert_allclose(upscale(tiny, scale), by_formula(tiny, scale), atol=TOLERANCE)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_downscale_matches_pillow_away_from_border(scale):
    photograph = crop_to_multiple(camera()[:, :, None], scale).astype(np.float32)
    height, width, _ = photograph.shape
    picture = Image.fromarray(photograph[:, :, 0])
    smaller = picture.resize((width // scale, height // scale), Image.Resampling.BICUBIC)
    inside = (slice(4, -4), slice(4, -4))
    ours = np.asarray(downscale(photograph[None], scale))[0, :, :, 0]
    np.testing.assert_allclose(ours[inside], np.asarray(smaller)[inside], atol=1e-3)


def test_resampling_accepts_dynamic_shapes_in_graph():
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
    there_and_back = tf.function(lambda x: downscale(upscale(x, 3), 3), input_signature=signature)
    images = noise(2, 7, 11, 3)
    np.testing.assert_allclose(there_and_back(images), by_formula(by_formula(images, 3), 1 / 3), atol=TOLERANCE)


def test_resampling_preserves_constant_images():
    np.testing.assert_allclose(upscale(np.full((1, 5, 6, 1), 0.3, np.float32), 4), 0.3, atol=1e-6)
    np.testing.assert_allclose(downscale(np.full((1, 12, 9, 1), 0.3, np.float32), 3), 0.3, atol=1e-6)


def test_resampling_rejects_indivisible_sides_and_invalid_scales():
    with pytest.raises(ValueError, match=r"Images must have sides that are multiples of 2. Received: 10x9"):
        downscale(noise(1, 10, 9, 1), 2)
    for scale in (1, 2.0, True, "2"):
        with pytest.raises(ValueError, match=r"`scale` must be an integer >= 2. Received: "):
            upscale(noise(1, 4, 4, 1), scale)


def test_crop_to_multiple_removes_fewest_pixels():
    assert crop_to_multiple(np.zeros((10, 12, 3)), 4).shape == (8, 12, 3)
