"""The shared layers against SciPy, NumPy and counting."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from cnnzoo import layers
from cnnzoo.layers import BatchSpread, DepthToSpace, Dropout, LogScale, RandomAffine, ReplicaSeedGenerator


@pytest.fixture
def photograph() -> np.ndarray:
    from skimage.data import camera

    return (camera()[::16, ::16] / 255.0).astype(np.float32)[None, :, :, None]


def augmented(photograph, monkeypatch, draws, **settings) -> np.ndarray:
    """The photograph after RandomAffine, whose draws in (-1, 1) are angle, scale, x, y and flip."""
    column = ops.convert_to_tensor(np.array(draws, "float32")[:, None])
    monkeypatch.setattr(keras.random, "uniform", lambda *args, **kwargs: column)
    return ops.convert_to_numpy(RandomAffine(**settings)(photograph, training=True))[0, :, :, 0]


@pytest.mark.parametrize("angle", [90, 180, -90])
def test_it_turns_about_the_centre(photograph, monkeypatch, angle):
    turned = augmented(photograph, monkeypatch, [np.sign(angle), 0, 0, 0, 1], rotation=abs(angle))
    candidates = [np.rot90(photograph[0, :, :, 0], k) for k in (1, 2, 3)]
    wanted = {180: [candidates[1]], 90: [candidates[0], candidates[2]], -90: [candidates[0], candidates[2]]}[angle]
    assert min(np.abs(turned - c)[1:-1, 1:-1].max() for c in wanted) < 1e-3


def test_a_small_turn_is_scipy_s(photograph, monkeypatch):
    turned = augmented(photograph, monkeypatch, [1, 0, 0, 0, 1], rotation=10.0)
    expected = [ndimage.rotate(photograph[0, :, :, 0], a, reshape=False, order=1) for a in (10, -10)]
    inside = np.s_[8:-8, 8:-8]
    assert min(np.abs(turned[inside] - e[inside]).max() for e in expected) < 1e-3


def test_it_shifts_zooms_and_mirrors(photograph, monkeypatch):
    plain = photograph[0, :, :, 0]
    shifted = augmented(photograph, monkeypatch, [0, 0, 1, 0, 1], shift=4 / 32)
    np.testing.assert_allclose(shifted[:, :-4], plain[:, 4:], atol=1e-5)
    np.testing.assert_array_equal(shifted[:, -4:], 0.0)
    down = augmented(photograph, monkeypatch, [0, 0, 0, -1, 1], shift=4 / 32)
    np.testing.assert_allclose(down[4:], plain[:-4], atol=1e-5)
    mirrored = augmented(photograph, monkeypatch, [0, 0, 0, 0, -1], mirror=True)
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-5)
    small = augmented(photograph, monkeypatch, [0, 1, 0, 0, 1], zoom=0.25)
    matrix, centre = np.eye(2) * 1.25, np.array([15.5, 15.5])
    expected = ndimage.affine_transform(plain, matrix, offset=centre - matrix @ centre, order=1)
    np.testing.assert_allclose(small[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-4)


def test_each_image_is_moved_its_own_way_and_only_in_training(photograph):
    batch = np.repeat(photograph, 6, axis=0)
    layer = RandomAffine(rotation=20.0, shift=0.1, zoom=0.1, mirror=True)
    np.testing.assert_array_equal(layer(batch, training=False), batch)
    moved = ops.convert_to_numpy(layer(batch, training=True))
    assert len({image.tobytes() for image in moved}) == 6


def test_dropout_keeps_the_mean_and_only_acts_in_training():
    ones = np.ones((100, 100), np.float32)
    layer = Dropout(0.25)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    dropped = ops.convert_to_numpy(layer(ones, training=True))
    assert set(np.unique(dropped)) == {np.float32(0.0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / ones.size)
    assert not np.array_equal(dropped, ops.convert_to_numpy(layer(ones, training=True)))
    with pytest.raises(ValueError, match=r"got dropout=1.0; allowed: 0 <= dropout < 1"):
        Dropout(1.0)


def test_depth_to_space_puts_each_channel_in_its_place():
    x = np.arange(2 * 3 * 2 * 8, dtype=np.float32).reshape(2, 3, 2, 8)
    found = ops.convert_to_numpy(DepthToSpace(2)(x))
    assert found.shape == (2, 6, 4, 2) == tuple(DepthToSpace(2).compute_output_shape((2, 3, 2, 8)))
    for n, i, j, c in np.ndindex(*found.shape):
        assert found[n, i, j, c] == x[n, i // 2, j // 2, ((i % 2) * 2 + j % 2) * 2 + c]


def test_a_log_scale_stays_above_its_floor():
    layer = LogScale(3, floor=-1.0)
    np.testing.assert_array_equal(layer(), [-1.0] * 3)
    layer.log_scale.assign([0.5, -0.5, -7.0])
    np.testing.assert_array_equal(layer(), [0.5, -0.5, -1.0])


@pytest.mark.parametrize(
    "layer",
    [Dropout(0.3), RandomAffine(5.0, 0.1, 0.2, True), DepthToSpace(2), LogScale(3, -1.0), ReplicaSeedGenerator(5)],
    ids=lambda layer: type(layer).__name__,
)
def test_its_configuration_makes_it_again(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert type(layer).__module__ == layers.__name__


def test_the_spread_of_a_batch_is_appended_to_each_row():
    x = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    spread = np.asarray(BatchSpread()(x))
    np.testing.assert_array_equal(spread[:, :5], x)
    np.testing.assert_allclose(spread[:, 5], x.std(axis=0).mean(), rtol=1e-6)
    same = np.asarray(BatchSpread()(np.ones((4, 5), "float32")))
    np.testing.assert_allclose(same[:, 5], 1e-4, rtol=1e-3)  # the root of what keeps the slope finite
