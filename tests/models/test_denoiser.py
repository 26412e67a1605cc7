"""Tests of the denoisers: input and output, the noise model, and training."""

import keras
import numpy as np
import pytest
from scipy import ndimage, stats

import cnnzoo

rng = np.random.default_rng(0)


def picture(height: int, width: int, channels: int = 1) -> np.ndarray:
    """Returns a uint8 image of smooth waves with edges."""
    waves = ndimage.gaussian_filter(rng.standard_normal((height, width, channels)), (6, 6, 0), mode="wrap")
    waves = waves / np.abs(waves).max() + 0.5 * (waves > 0)
    return np.rint(np.clip(127.5 + 85 * waves, 0, 255)).astype(np.uint8)


def noisy(image: np.ndarray, sigma: float = 25.0) -> np.ndarray:
    """Returns the image with Gaussian noise, float32, not clipped."""
    return (image / 255 + sigma / 255 * rng.standard_normal(image.shape)).astype(np.float32)


def array(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def awake(name: str = "denoiser", **config):
    """Returns an untrained network with nonzero weights in all layers, including the last one."""
    model = cnnzoo.build(name, **config)
    for weight in model.trainable_weights:
        weight.assign(0.7 * rng.standard_normal(weight.shape) / np.sqrt(np.prod(weight.shape[:-1])))
    return model


@pytest.mark.parametrize(("name", "most"), [("denoiser", 70_000), ("denoiser_large", 560_000)])
@pytest.mark.parametrize("channels", [1, 3])
def test_denoiser_parameter_count_is_within_limit(name, most, channels):
    assert cnnzoo.build(name, image_shape=(None, None, channels)).count_params() <= most


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (5, 3), (24, 33), (30, 50)])
def test_restore_preserves_any_image_size(size, channels):
    model = awake(image_shape=(None, None, channels))
    image = picture(*size, channels)
    restored = model.restore(image)
    assert restored.shape == image.shape and restored.dtype == np.uint8
    assert (restored != image).any()


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("size", [(300, 301), (302, 300)])
def test_restore_is_invariant_to_tiling(size, ensemble, monkeypatch):
    from cnnzoo.tasks import photo_inference

    model = awake()
    image = picture(*size)
    whole = model.restore(image, ensemble)
    monkeypatch.setattr(photo_inference, "TILE", 128)
    in_tiles = model.restore(image, ensemble)
    assert np.abs(in_tiles.astype(int) - whole).max() <= 1
    assert (whole != image).mean() > 0.9


def test_denoiser_graph_matches_eager_for_any_size():
    import tensorflow as tf

    model = awake()
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])
    for size in ((21, 30), (24, 24)):
        image = noisy(picture(*size))[None]
        np.testing.assert_allclose(graph(image), model(image), atol=1e-5)


# -- dtypes, ranges and invalid arguments -----------------------------------------------------------------------------


def test_restore_matches_across_dtypes_and_batches():
    model = awake()
    image = picture(40, 31)
    single = model.restore(image.astype(np.float32) / 255)
    deep = model.restore(image.astype(np.uint16) * 257)  # 65535 / 255
    assert single.dtype == np.float32 and deep.dtype == np.uint16
    np.testing.assert_allclose(deep / 65535, single, atol=1e-5)
    np.testing.assert_allclose(model.restore(image) / 255, single, atol=0.51 / 255)
    np.testing.assert_array_equal(model.restore(image[:, :, 0]), model.restore(image))
    batch = np.stack([image, image[::-1]])
    np.testing.assert_array_equal(model.restore(batch), [model.restore(image), model.restore(image[::-1])])


def test_restore_uses_noise_outside_unit_range():
    model = awake()
    image = noisy(picture(24, 24), 50.0)
    assert image.min() < 0 and image.max() > 1
    restored = model.restore(image)
    np.testing.assert_allclose(restored, np.clip(array(model.denoised(image[None]))[0], 0, 1), atol=1e-6)
    assert np.abs(restored - model.restore(np.clip(image, 0, 1))).max() > 1e-2
    assert restored.min() >= 0 and restored.max() <= 1


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_restore_rejects_non_finite_values(odd):
    image = noisy(picture(24, 24))
    image[3, 4] = odd
    with pytest.raises(ValueError, match=r"Images must be uint8, uint16 or float32 in .*Received: values in \["):
        cnnzoo.build("denoiser").restore(image)


def test_restore_rejects_floats_in_gray_levels():
    with pytest.raises(ValueError, match=r"Images must be uint8, uint16 or float32 in .*Received: means in \["):
        cnnzoo.build("denoiser").restore(picture(24, 24).astype(np.float32))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"sigma": -1}, "`sigma` must be a number between 0 and 255, or a pair.*Received: -1"),
        ({"sigma": float("nan")}, "`sigma` must be .*Received: nan"),
        ({"sigma": [50, 10]}, r"`sigma` must be .*Received: \[50, 10\]"),
        ({"sigma": [1, 2, 3]}, r"`sigma` must be .*Received: \[1, 2, 3\]"),
        ({"sigma": "blind"}, "`sigma` must be .*Received: 'blind'"),
        ({"image_shape": (32, 32, 1)}, r"`image_shape` must be \(None, None, 1\) or.*Received: \(32, 32, 1\)"),
    ],
)
def test_denoiser_rejects_invalid_sigma_and_image_shape(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build("denoiser", **config)


# -- noise ------------------------------------------------------------------------------------------------------------


def test_denoiser_without_bias_is_homogeneous():
    image = noisy(picture(24, 29))[None]

    def strays(model) -> float:
        """Returns the maximum deviation of f(3 x) from 3 f(x)."""
        return float(np.abs(array(model.denoised(3 * image)) - 3 * array(model.denoised(image))).max())

    assert strays(awake(bias=False)) < 1e-4 < 1e-1 < strays(awake())


def levels(images) -> np.ndarray:
    """Returns the standard deviation of each image in gray levels."""
    return 255 * array(images).std(axis=(1, 2, 3))


def test_with_noise_has_given_sigma():
    model = cnnzoo.build("denoiser", sigma=15.0)
    found = levels(model.with_noise(np.full((50, 64, 64, 1), 0.5, np.float32), 0, 1))
    np.testing.assert_allclose(found, 15.0, rtol=5 / np.sqrt(2 * 64 * 64))  # five standard errors


def test_with_noise_draws_uniform_sigma_for_blind_denoiser():
    model = cnnzoo.build("denoiser", sigma=[5, 55])
    flat = np.full((200, 64, 64, 1), 0.5, np.float32)
    found = levels(model.with_noise(flat, model.noise, model.noise))
    assert stats.kstest(found, stats.uniform(5, 50).cdf).pvalue > 1e-3
    again = levels(model.with_noise(flat, model.noise, model.noise))
    assert np.abs(found - again).max() > 10


def test_training_halves_mse_and_ensemble_lowers_mse_further():
    keras.utils.set_random_seed(0)
    model = cnnzoo.build("denoiser")
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(np.stack([picture(32, 32) for _ in range(16)]), batch_size=16, epochs=60, verbose=0)
    image = picture(96, 96)
    given = noisy(image)
    before, after = (np.mean((x - image / 255) ** 2) for x in (given, model.restore(given)))
    assert after < before / 2
    assert np.mean((model.restore(given, ensemble=True) - image / 255) ** 2) < after


def test_before_after_returns_noisy_restored_and_clean_images():
    model = cnnzoo.build("denoiser", image_shape=(None, None, 3))
    images = np.stack([picture(24, 24, 3)] * 2)
    noisy_ones, restored, clean = model.before_after(images)
    assert clean is images and noisy_ones.shape == restored.shape == images.shape
    assert noisy_ones.dtype == restored.dtype == np.uint8
    off = noisy_ones.astype(float) - images
    assert 20 < off.std() < 30 and (off[0] != off[1]).any()
    np.testing.assert_array_equal(noisy_ones, model.before_after(images)[0])


def test_init_from_accepts_other_sigma_and_rejects_other_layers():
    first, model = cnnzoo.build("denoiser", sigma=25), cnnzoo.build("denoiser", sigma=[0, 55])
    first.network.set_weights([w + 0.01 for w in first.network.get_weights()])
    model.init_from(first)
    noisy = np.random.default_rng(0).random((1, 12, 12, 1), np.float32)
    np.testing.assert_array_equal(model.restore(noisy), first.restore(noisy))
    with pytest.raises(
        ValueError, match=r"'denoiser_large' must begin with a model of equal layers. Received: 'denoiser'"
    ):
        cnnzoo.build("denoiser_large").init_from(first)
