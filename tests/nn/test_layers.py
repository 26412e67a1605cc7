"""The shared layers against SciPy, NumPy and explicit counts."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from cnnzoo.nn import layers
from cnnzoo.nn.layers import (
    AUGMENTATIONS,
    BatchSpread,
    ConditionalBatchNormalization,
    DepthToSpace,
    DifferentiableAugmentation,
    Dropout,
    LogScale,
    RandomAffine,
    ReplicaSeedGenerator,
    SpectralConv2D,
    SpectralDense,
    with_label,
)


@pytest.fixture
def photograph() -> np.ndarray:
    from skimage.data import camera

    return (camera()[::16, ::16] / 255.0).astype(np.float32)[None, :, :, None]


def augmented(photograph, monkeypatch, draws, **settings) -> np.ndarray:
    """The photograph after RandomAffine with fixed draws in (-1, 1): angle, scale, x, y and flip."""
    column = ops.convert_to_tensor(np.array(draws, "float32")[:, None])
    monkeypatch.setattr(keras.random, "uniform", lambda *args, **kwargs: column)
    return ops.convert_to_numpy(RandomAffine(**settings)(photograph, training=True))[0, :, :, 0]


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_random_affine_rotates_about_center(photograph, monkeypatch, angle):
    turned = augmented(photograph, monkeypatch, [np.sign(angle), 0, 0, 0, 1], rotation=abs(angle))
    candidates = [np.rot90(photograph[0, :, :, 0], k) for k in (1, 2, 3)]
    wanted = {180: [candidates[1]], 90: [candidates[0], candidates[2]], -90: [candidates[0], candidates[2]]}[angle]
    assert min(np.abs(turned - c)[1:-1, 1:-1].max() for c in wanted) < 1e-3


def test_random_affine_small_rotation_matches_scipy(photograph, monkeypatch):
    turned = augmented(photograph, monkeypatch, [1, 0, 0, 0, 1], rotation=10.0)
    expected = [ndimage.rotate(photograph[0, :, :, 0], a, reshape=False, order=1) for a in (10, -10)]
    inside = np.s_[8:-8, 8:-8]
    assert min(np.abs(turned[inside] - e[inside]).max() for e in expected) < 1e-3


def test_random_affine_shifts_zooms_and_flips(photograph, monkeypatch):
    plain = photograph[0, :, :, 0]
    shifted = augmented(photograph, monkeypatch, [0, 0, 1, 0, 1], shift=4 / 32)
    np.testing.assert_allclose(shifted[:, :-4], plain[:, 4:], atol=1e-5)
    np.testing.assert_array_equal(shifted[:, -4:], 0.0)
    down = augmented(photograph, monkeypatch, [0, 0, 0, -1, 1], shift=4 / 32)
    np.testing.assert_allclose(down[4:], plain[:-4], atol=1e-5)
    mirrored = augmented(photograph, monkeypatch, [0, 0, 0, 0, -1], mirror=True)
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-5)
    small = augmented(photograph, monkeypatch, [0, 1, 0, 0, 1], zoom=0.25)
    matrix, center = np.eye(2) * 1.25, np.array([15.5, 15.5])
    expected = ndimage.affine_transform(plain, matrix, offset=center - matrix @ center, order=1)
    np.testing.assert_allclose(small[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-4)


def test_random_affine_draws_per_image_in_training_only(photograph):
    batch = np.repeat(photograph, 6, axis=0)
    layer = RandomAffine(rotation=20.0, shift=0.1, zoom=0.1, mirror=True)
    np.testing.assert_array_equal(layer(batch, training=False), batch)
    moved = ops.convert_to_numpy(layer(batch, training=True))
    assert len({image.tobytes() for image in moved}) == 6


def test_dropout_preserves_mean_and_acts_in_training_only():
    ones = np.ones((100, 100), np.float32)
    layer = Dropout(0.25)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    dropped = ops.convert_to_numpy(layer(ones, training=True))
    assert set(np.unique(dropped)) == {np.float32(0.0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / ones.size)
    assert not np.array_equal(dropped, ops.convert_to_numpy(layer(ones, training=True)))
    with pytest.raises(ValueError, match=r"`dropout` must be at least 0 and below 1. Received: 1.0"):
        Dropout(1.0)


def test_depth_to_space_matches_index_formula():
    x = np.arange(2 * 3 * 2 * 8, dtype=np.float32).reshape(2, 3, 2, 8)
    found = ops.convert_to_numpy(DepthToSpace(2)(x))
    assert found.shape == (2, 6, 4, 2) == tuple(DepthToSpace(2).compute_output_shape((2, 3, 2, 8)))
    for n, i, j, c in np.ndindex(*found.shape):
        assert found[n, i, j, c] == x[n, i // 2, j // 2, ((i % 2) * 2 + j % 2) * 2 + c]


def test_log_scale_is_at_least_floor():
    layer = LogScale(3, floor=-1.0)
    np.testing.assert_array_equal(layer(), [-1.0] * 3)
    layer.log_scale.assign([0.5, -0.5, -7.0])
    np.testing.assert_array_equal(layer(), [0.5, -0.5, -1.0])


@pytest.mark.parametrize(
    "layer",
    [Dropout(0.3), RandomAffine(5.0, 0.1, 0.2, True), DepthToSpace(2), LogScale(3, -1.0), ReplicaSeedGenerator(5)],
    ids=lambda layer: type(layer).__name__,
)
def test_layer_config_round_trip(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert type(layer).__module__ == layers.__name__


def test_batch_spread_appends_mean_standard_deviation():
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    spread = np.asarray(BatchSpread()(x))
    np.testing.assert_array_equal(spread[:, :5], x)
    np.testing.assert_allclose(spread[:, 5], x.std(axis=0).mean(), rtol=1e-6)
    same = np.asarray(BatchSpread()(np.ones((4, 5), "float32")))
    np.testing.assert_allclose(same[:, 5], 1e-4, rtol=1e-3)  # root of the epsilon that keeps the gradient finite


@pytest.mark.parametrize(
    ("layer", "shape"), [(SpectralDense(5), (4, 7)), (SpectralConv2D(5, 3, padding="same"), (4, 6, 6, 3))]
)
def test_spectral_layers_divide_by_largest_singular_value(layer, shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer(x)
    # A fixed kernel: the convergence of power iteration depends on the gap of the two largest singular values.
    stored = np.random.default_rng(1).normal(size=layer.get_weights()[0].shape).astype("float32")
    layer.set_weights([stored, *layer.get_weights()[1:]])
    matrix = stored.reshape(-1, 5)
    for _ in range(50):
        layer(x, training=True)
    exact = np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(layer.sigma, exact, rtol=1e-4)
    np.testing.assert_allclose(layer.kernel, stored / exact, rtol=1e-3, atol=1e-6)
    plain = keras.layers.Dense(5) if len(shape) == 2 else keras.layers.Conv2D(5, 3, padding="same")
    plain.build(shape)
    plain.set_weights([stored / exact, np.zeros(5, "float32")])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(layer.get_weights()[0], stored)


def test_spectral_normalization_gradient_includes_sigma():
    import tensorflow as tf

    layer, x = SpectralDense(2, use_bias=False), np.eye(3, dtype="float32")
    for _ in range(50):
        layer(x, training=True)
    before = [w.copy() for w in layer.get_weights()]
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x, training=False))
    gradient = tape.gradient(total, layer.trainable_variables[0].value).numpy()
    kernel = before[0].astype(np.float64)
    u, s, v = np.linalg.svd(kernel)
    # d sum(W / sigma) = 1 / sigma - sum(W) / sigma^2 * u v^T
    expected = 1 / s[0] - kernel.sum() / s[0] ** 2 * np.outer(u[:, 0], v[0])
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))


def test_spectral_layers_save_and_load_singular_vectors(tmp_path):
    def model():
        return keras.Sequential(
            [keras.Input((6, 6, 3)), SpectralConv2D(4, 3), keras.layers.Flatten(), SpectralDense(2)]
        )

    first, second = model(), model()
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
    first(x, training=True)
    first.save_weights(tmp_path / "a.weights.h5")
    second.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first(x), second(x))


def test_with_label_appends_label_at_every_pixel():
    rng, labels = np.random.default_rng(0), np.eye(3, dtype="float32")[[2, 0, 1, 1]]
    images, rows = rng.normal(size=(4, 5, 6, 2)).astype("float32"), rng.normal(size=(4, 7)).astype("float32")
    seen = ops.convert_to_numpy(with_label(images, labels))
    np.testing.assert_array_equal(seen[..., :2], images)
    for image, label in zip(seen, labels, strict=True):
        np.testing.assert_array_equal(image[..., 2:], np.broadcast_to(label, (5, 6, 3)))
    np.testing.assert_array_equal(with_label(rows, labels), np.concatenate([rows, labels], axis=1))


def test_conditional_batch_normalization_matches_numpy():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(2, 3, (6, 4, 4, 5)).astype("float32"), np.array([0, 1, 2, 2, 1, 0])
    layer = ConditionalBatchNormalization(momentum=0.5)
    layer(x, np.eye(3, dtype="float32")[labels])
    layer.scale.assign(rng.normal(size=(3, 5)))
    layer.shift.assign(rng.normal(size=(3, 5)))
    normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)
    expected = normal * layer.scale.numpy()[labels][:, None, None] + layer.shift.numpy()[labels][:, None, None]
    np.testing.assert_allclose(layer(x, np.eye(3, dtype="float32")[labels], training=True), expected, atol=1e-4)
    np.testing.assert_allclose(layer.normalize.moving_mean, 0.5 * x.mean((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_augmentation_draws_per_image_in_training_only(kind):
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    images, layer = np.tile(image, (8, 1, 1, 1)), DifferentiableAugmentation([kind])
    changed = ops.convert_to_numpy(layer(images, training=True))
    assert len({c.tobytes() for c in changed}) > 4
    np.testing.assert_array_equal(layer(images, training=False), images)


def test_augmentation_translation_shifts_by_up_to_one_eighth():
    images = np.random.default_rng(0).uniform(0.1, 1, (200, 16, 16, 2)).astype("float32")
    moved = ops.convert_to_numpy(DifferentiableAugmentation(["translation"])(images, training=True))
    seen = set()
    for image, result in zip(images, moved, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        shifts = [(y, x) for y in range(5) for x in range(5) if np.array_equal(padded[y : y + 16, x : x + 16], result)]
        assert len(shifts) == 1
        seen |= set(shifts)
    assert len(seen) == 25


def test_augmentation_cutout_is_gray_square_of_half_the_side():
    images = np.ones((100, 16, 16, 2), "float32")
    cut = ops.convert_to_numpy(DifferentiableAugmentation(["cutout"])(images, training=True))
    for image in cut:
        rows, columns = np.nonzero(image[..., 0] == 0)
        assert (image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == 0).all()
        assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 4 <= np.ptp(rows) + 1 <= 8 and 4 <= np.ptp(columns) + 1 <= 8  # the border may cut off half of the square
    assert (cut == 0).any(axis=(0, 3)).all()


def test_augmentation_color_is_affine_within_documented_ranges():
    image = np.random.default_rng(0).uniform(-1, 1, (64, 6, 6, 3)).astype("float32")
    changed = ops.convert_to_numpy(DifferentiableAugmentation(["color"])(image, training=True))
    # An affine map of the gray values of each image, and of its differences from gray.
    for before, after in zip(image.astype(np.float64), changed.astype(np.float64), strict=True):
        gray, new = before.mean(2).ravel(), after.mean(2).ravel()
        contrast, brightness = np.polyfit(gray, new, 1)
        np.testing.assert_allclose(new, contrast * gray + brightness, atol=1e-5)
        assert 0.5 <= contrast <= 1.5 and abs(new.mean() - gray.mean()) <= 0.5
        off, new_off = (before - before.mean(2, keepdims=True)).ravel(), (after - after.mean(2, keepdims=True)).ravel()
        saturation = new_off @ off / (off @ off) / contrast
        assert -1e-3 <= saturation <= 2.001
        np.testing.assert_allclose(new_off, saturation * contrast * off, atol=1e-5)
