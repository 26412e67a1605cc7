"""Tiled inference equals inference on the whole image; the self-ensemble is the mean over eight views."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import correlate

from cnnzoo.imaging.self_ensemble import self_ensemble
from cnnzoo.imaging.tiling import tiled


def picture(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def blur(batch):
    """Two 5x5 integer correlations with zero padding: exact, with a receptive field of radius 4."""
    kernel = np.arange(25).reshape(5, 5)[None, :, :, None]
    once = correlate(batch.astype(np.int64), kernel, mode="constant")
    return correlate(once, kernel, mode="constant")


def enlarge(batch):
    """Nine different 3x3 correlations of the image, then depth to space by three."""
    n, height, width, channels = batch.shape
    kernels = np.random.default_rng(1).integers(-5, 6, (9, 1, 3, 3, 1))
    deep = np.stack([correlate(batch.astype(np.int64), kernel, mode="constant") for kernel in kernels], axis=-1)
    blocks = deep.reshape(n, height, width, channels, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, 3 * height, 3 * width, channels)


def strided(batch):
    """Space to depth by two, a 3x3 correlation, and back; odd sides are reflected. Receptive field: radius 3."""
    n, height, width, channels = batch.shape
    even = np.pad(batch, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="reflect").astype(np.int64)
    blocks = even.reshape(n, even.shape[1] // 2, 2, even.shape[2] // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    kernel = np.random.default_rng(2).integers(-5, 6, (1, 3, 3, 2, 2, 1))  # mixes the four pixels of a block
    mixed = correlate(blocks, kernel, mode="constant", origin=(0, 0, 0, -1, -1, 0))
    return mixed.transpose(0, 1, 3, 2, 4, 5).reshape(even.shape)[:, :height, :width]


SIZES = [(1, 1), (3, 50), (50, 3), (16, 16), (24, 24), (25, 24), (33, 57), (64, 41), (63, 64)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (blur, {"margin": 4}),
        (enlarge, {"margin": 1, "scale": 3}),
        (strided, {"margin": 3, "stride": 2}),
    ],
)
def test_tiled_equals_whole_image(function, settings, size):
    image = picture(*size)
    whole = function(image[None])[0]
    for tile in (1, 7, 16, 100):
        made = tiled(function, image, tile=tile, **settings)
        np.testing.assert_array_equal(made, whole)
        assert made.dtype == whole.dtype


@pytest.mark.parametrize(
    ("function", "settings", "enough"),
    [
        (blur, {}, 4),
        (enlarge, {"scale": 3}, 1),
        (strided, {"stride": 2}, 2),  # a margin of 1 is rounded up to 2
    ],
)
def test_tiled_differs_with_too_small_margin(function, settings, enough):
    image = picture(64, 64)
    whole = function(image[None])[0]
    least = enough - settings.get("stride", 1)
    assert (tiled(function, image, tile=16, margin=enough, **settings) == whole).all()
    assert (tiled(function, image, tile=16, margin=least, **settings) != whole).any()


def test_tiled_keras_network_matches_whole_image():
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.layers.Conv2D(8, 5, padding="same", activation="relu") for _ in range(3)])
    image = picture(70, 61).astype(np.float32) / 255
    made = tiled(network, image, margin=6, tile=24)
    assert made.dtype == np.float32
    # sums of up to 200 terms in a different order
    np.testing.assert_allclose(made, np.asarray(network(image[None]))[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(96, 70), (128, 128), (47, 300)])
def test_tiled_uses_one_tile_shape_if_stride_divides_sides(size):
    shapes = set()

    def note(batch):
        shapes.add(batch.shape)
        return batch

    tiled(note, picture(*size), margin=3, tile=20)
    ((_, height, width, _),) = shapes
    assert height * width <= 26**2
    shapes.clear()
    tiled(note, picture(97, 131), margin=3, stride=4, tile=20)
    assert len({height % 4 for _, height, _, _ in shapes}) == len({width % 4 for _, _, width, _ in shapes}) == 2
    assert len(shapes) == 4


def test_tiled_overlap_adds_less_than_6_percent_of_pixels():
    seen = []

    def note(batch):
        seen.append(batch.shape[1] * batch.shape[2])
        return batch

    tiled(note, picture(720, 1280), margin=12, tile=512)
    assert sum(seen) < 1.06 * 720 * 1280 and max(seen) <= 536**2


def test_tiled_grain_limits_number_of_tile_shapes():
    shapes = set()

    def note(batch):
        shapes.add(batch.shape)
        return batch

    for height in range(100, 150):
        tiled(note, picture(height, 110), margin=3, tile=32, grain=16)
    assert len(shapes) <= 4


def test_tiled_peak_memory_is_close_to_output_size():
    image = picture(2048, 1024)
    tracemalloc.start()
    made = tiled(lambda x: x.repeat(2, axis=1).repeat(2, axis=2), image, margin=8, scale=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(made[::2, 1::2], image)
    assert made.dtype == np.uint8 and peak < made.nbytes + 8 * (2 * 272) ** 2 * 3


@pytest.mark.parametrize(
    ("image", "settings", "complaint"),
    [
        ((8, 8, 3), {"margin": -1}, "`margin` must be an integer >= 0.*Received: -1"),
        ((8, 8, 3), {"margin": 1, "stride": 0}, "`stride` must be an integer >= 1.*Received: 0"),
        ((8, 8, 3), {"margin": 1, "tile": 0}, "`tile` must be an integer >= 1.*Received: 0"),
        (
            (8, 8, 3),
            {"margin": 1, "scale": 2},
            r"function must return \(1, 16, 16, channels\). Received: shape \(1, 8, 8, 3\)",
        ),
        ((8, 8), {"margin": 1}, r"must be \(height, width, channels\), not empty. Received: shape \(8, 8\)"),
        ((0, 8, 3), {"margin": 1}, r"Received: shape \(0, 8, 3\)"),
    ],
)
def test_tiled_rejects_invalid_arguments(image, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiled(lambda x: x, np.zeros(image, np.uint8), **settings)


# -- self-ensemble ----------------------------------------------------------------------------------------------------


def test_self_ensemble_preserves_equivariant_functions():
    images = np.random.default_rng(0).random((2, 7, 9, 3), np.float32)
    made = np.asarray(self_ensemble(lambda x: np.asarray(x).repeat(3, axis=1).repeat(3, axis=2), images))
    np.testing.assert_allclose(made, images.repeat(3, axis=1).repeat(3, axis=2), rtol=1e-6)
    assert made.dtype == np.float32


def test_self_ensemble_of_filter_equals_symmetrized_filter():
    """The mean over the views of a convolution equals a convolution with the mean of the eight kernels."""
    images = np.random.default_rng(0).random((2, 7, 9, 1))
    kernel = np.random.default_rng(1).random((3, 3))
    made = self_ensemble(lambda x: correlate(x, kernel[None, :, :, None], mode="constant"), images)
    views = [np.rot90(side, turns) for side in (kernel, kernel.T) for turns in range(4)]
    expected = correlate(images, np.mean(views, axis=0)[None, :, :, None], mode="constant")
    np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_self_ensemble_uses_eight_distinct_views():
    seen = []

    def note(batch):
        seen.extend(np.asarray(batch)[:, None])
        return batch

    image = np.arange(6.0).reshape(1, 2, 3, 1)
    self_ensemble(note, image)
    assert len({view.tobytes() + bytes(view.shape) for view in seen}) == 8
    assert sorted(view.shape[1:3] for view in seen) == [(2, 3)] * 4 + [(3, 2)] * 4
    assert all(sorted(view.ravel()) == list(range(6)) for view in seen)


def test_tiled_self_ensemble_equals_whole_image():
    def once(batch):
        return correlate(batch, np.arange(9.0).reshape(1, 3, 3, 1), mode="constant")

    image = picture(41, 35).astype(np.float64)
    made = tiled(lambda tile: self_ensemble(once, tile), image, margin=1, tile=16)
    whole = np.asarray(self_ensemble(once, image[None]))[0]
    np.testing.assert_array_equal(made, whole)  # eighths of integers: exact


def test_self_ensemble_rejects_integers():
    with pytest.raises(ValueError, match=r"Images must be floats \(n, height.*Received: uint8 \(1, 4, 4, 3\)"):
        self_ensemble(lambda x: x, np.zeros((1, 4, 4, 3), np.uint8))
