"""Degradations against closed-form means and variances, SciPy and Pillow; eager, and in graphs of any size."""

import io

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from scipy import ndimage, stats
from skimage import data

from cnnzoo.imaging import degradations
from cnnzoo.imaging.color import rgb_to_full_ycbcr

rng = np.random.default_rng(0)
PIXELS = 1 << 16  # of a constant image, for statistics


def array(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


def flat(value: float) -> np.ndarray:
    return np.full((1, 256, PIXELS // 256, 1), value, np.float32)


# -- noise ------------------------------------------------------------------------------------------------------------


def assert_drawn_from(x: np.ndarray, mean: float, variance: float, kurtosis: float):
    """Checks that the mean and the variance of all values are within five standard errors of the expected ones."""
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / x.size)
    assert abs(x.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / x.size)


def test_gaussian_noise_is_normal_and_not_clipped():
    noisy = array(degradations.gaussian_noise(flat(1.0), 25, seed=1))
    assert_drawn_from(noisy, 1.0, (25 / 255) ** 2, 3.0)
    assert stats.kstest((noisy.ravel() - 1) * 255 / 25, "norm").pvalue > 1e-3
    assert noisy.max() > 1.2 and noisy.dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1, 1)])
def test_gaussian_noise_accepts_sigma_per_image(shape):
    sigmas = np.array([0.0, 10.0, 50.0], np.float32)
    noisy = array(degradations.gaussian_noise(np.repeat(flat(0.5), 3, axis=0), sigmas.reshape(shape), seed=1))
    np.testing.assert_array_equal(noisy[0], 0.5)
    for image, sigma in zip(noisy[1:], sigmas[1:], strict=True):
        assert_drawn_from(image, 0.5, (sigma / 255) ** 2, 3.0)


DRAWN = [(degradations.gaussian_noise, 25)]


@pytest.mark.parametrize(("damage", "strength"), DRAWN)
def test_random_degradations_depend_on_seed(damage, strength):
    first, again, other = (array(damage(flat(0.5), strength, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    generator = keras.random.SeedGenerator(1)
    assert (array(damage(flat(0.5), strength, generator)) != array(damage(flat(0.5), strength, generator))).any()


# -- JPEG -------------------------------------------------------------------------------------------------------------


def through_pillow(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(buffer)).reshape(image.shape)


@pytest.mark.parametrize("photograph", [data.camera()[..., None], data.astronaut()], ids=["gray", "color"])
@pytest.mark.parametrize("quality", [5, 30, 75, 95])
@pytest.mark.parametrize("size", [(96, 104), (99, 101)])
def test_jpeg_matches_pillow(size, quality, photograph):
    image = photograph[100:, 200:][: size[0], : size[1]]
    made = array(degradations.jpeg(image[None].astype(np.float32) / 255, quality))[0] * 255
    np.testing.assert_allclose(made, np.rint(made), atol=1e-4)
    # libjpeg uses integer transforms, so that some coefficients near a half are rounded the other way. At the next
    # lower or higher quality, at most 86 % of the values are this close.
    assert (np.abs(made - through_pillow(image, quality)) < 1.5).mean() > 0.92


def test_jpeg_rounds_mean_of_constant_block():
    """At quality 50, the mean has steps of 16 / 8 = 2 levels, counted from 128; ties are rounded away from 128."""
    levels = np.array([128, 129, 130, 131, 127, 125], np.float32)
    blocks = np.ones((1, 8, 8, 1), np.float32) * levels[:, None, None, None] / 255
    made = array(degradations.jpeg(blocks, 50)) * 255
    np.testing.assert_allclose(made[:, 0, 0, 0], [128, 130, 130, 132, 126, 124], atol=1e-4)
    assert np.ptp(made, axis=(1, 2, 3)).max() < 1e-4


def test_rgb_to_full_ycbcr_matches_pillow():
    image = data.astronaut()[:64, :64]
    expected = np.asarray(Image.fromarray(image).convert("YCbCr"))
    assert np.abs(255 * rgb_to_full_ycbcr(image / 255) - expected).max() < 1.0  # Pillow rounds to integers


# -- all degradations -------------------------------------------------------------------------------------------------

UNDRAWN = [(lambda x, *q: degradations.jpeg(x, q[0]), 30)]


@pytest.mark.parametrize(("damage", "strength"), DRAWN + UNDRAWN)
def test_degradations_match_in_graph_with_dynamic_shape(damage, strength):
    import tensorflow as tf

    graph = tf.function(
        lambda x: damage(x, strength, 1), input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)]
    )
    for shape in ((1, 13, 18, 3), (2, 8, 8, 3)):
        images = rng.random(shape, np.float32)
        np.testing.assert_allclose(graph(images), damage(images, strength, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda x: degradations.gaussian_noise(x, -1, 0), "`sigma` must be a number >= 0.*Received: -1"),
        (lambda x: degradations.gaussian_noise(x, float("nan"), 0), "`sigma` must be a number >= 0.*Received: nan"),
        (lambda x: degradations.jpeg(x, 0), "`quality` must be an integer between 1 and 100.*Received: 0"),
        (lambda x: degradations.jpeg(x, 75.5), "`quality` must be an integer between 1 and 100.*Received: 75.5"),
        (lambda x: degradations.blur(x, -1), "`sigma` must be a number >= 0.*Received: -1"),
        (lambda x: degradations.jpeg(x[..., :2], 75), "Images must have 1 or 3 channels. Received: 2"),
    ],
)
def test_degradations_reject_invalid_arguments(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(np.zeros((1, 8, 8, 3), np.float32))


# -- blur and low resolution ------------------------------------------------------------------------------------------


def test_blur_matches_scipy_filter_normalized_at_border():
    images = rng.random((3, 30, 23, 2), np.float32)
    sigmas = np.array([0.0, 0.8, 2.5], np.float32)
    made = array(degradations.blur(images, sigmas))
    np.testing.assert_allclose(made[0], images[0], atol=1e-6)
    for image, blurred, sigma in list(zip(images, made, sigmas, strict=True))[1:]:
        total, share = (
            ndimage.gaussian_filter(x.astype(float), (sigma, sigma, 0), mode="constant", truncate=20)
            for x in (image, np.ones_like(image))
        )
        np.testing.assert_allclose(blurred, total / share, atol=1e-5)
    np.testing.assert_allclose(degradations.blur(images, 2.5)[2], made[2], atol=1e-6)


def test_jpeg_accepts_quality_per_image():
    images = np.repeat(data.camera()[None, 100:164, 200:272, None] / np.float32(255), 4, axis=0)
    qualities = [1, 35, 50, 94]
    made = array(degradations.jpeg(images, np.array(qualities, np.float32)))
    for image, quality in zip(made, qualities, strict=True):
        np.testing.assert_array_equal(image, array(degradations.jpeg(images[:1], quality))[0])


@pytest.fixture
def photograph() -> np.ndarray:
    return data.camera()[None, 100:196, 200:272, None] / np.float32(255)


def test_photographed_matches_pillow_jpeg_without_blur_and_noise(photograph, monkeypatch):
    """Holds for exactly one of the 64 offsets of the JPEG blocks."""
    from cnnzoo.imaging.resampling import downscale

    monkeypatch.setattr(degradations, "BLUR", 0.0)
    monkeypatch.setattr(degradations, "NOISE", 0.0)
    monkeypatch.setattr(degradations, "QUALITY", (40, 40))
    monkeypatch.setattr(degradations, "UNCOMPRESSED", 0.0)
    made = array(degradations.photographed(photograph, 3, seed=0))[0] * 255
    small = np.rint(255 * array(downscale(photograph, 3))[0].clip(0, 1)).astype(np.uint8)
    padded = np.pad(small, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    near = []
    for down, right in np.ndindex(8, 8):
        wider = padded[8 - down : 48 - down, 8 - right : 40 - right]
        found = through_pillow(wider, 40)[down:, right:][:32, :24]
        near.append((np.abs(made - found) < 1.5).mean())
    assert max(near) > 0.9 and sorted(near)[-2] < 0.8
    monkeypatch.setattr(degradations, "UNCOMPRESSED", 1.0)
    np.testing.assert_allclose(array(degradations.photographed(photograph, 3, seed=0))[0] * 255, small, atol=1e-4)


def test_photographed_is_deterministic_with_draws_per_image(photograph):
    images = np.repeat(photograph, 40, axis=0)
    first, again, other = (array(degradations.photographed(images, 2, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and first.shape == (40, 48, 36, 1) and first.dtype == np.float32
    np.testing.assert_allclose(first * 255, np.rint(first * 255), atol=1e-4)
    assert first.min() >= 0 and first.max() <= 1
    assert len(np.unique(first.reshape(40, -1), axis=0)) > 30


def test_photographed_matches_in_graph_with_dynamic_shape(photograph):
    import tensorflow as tf

    graph = tf.function(
        lambda x: degradations.photographed(x, 3, 1), input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)]
    )
    for images in (photograph, photograph[:, :30, :45]):
        difference = np.abs(array(graph(images)) - array(degradations.photographed(images, 3, 1)))
        assert (difference > 1e-4).mean() < 0.01  # a coefficient at a half may be rounded the other way
