"""Tile by tile gives what the whole image gives; the ensemble is the mean over eight views."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import correlate

from cnnzoo.imaging.self_ensemble import self_ensemble
from cnnzoo.imaging.tiling import tiled


def picture(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def blur(batch):
    """A 5x5 sum of whole numbers, twice, with zeros outside: sees four pixels far, and is exact."""
    kernel = np.arange(25).reshape(5, 5)[None, :, :, None]
    once = correlate(batch.astype(np.int64), kernel, mode="constant")
    return correlate(once, kernel, mode="constant")


def enlarge(batch):
    """Depth to space by three, of nine different 3x3 sums of the image."""
    n, height, width, channels = batch.shape
    kernels = np.random.default_rng(1).integers(-5, 6, (9, 1, 3, 3, 1))
    deep = np.stack([correlate(batch.astype(np.int64), kernel, mode="constant") for kernel in kernels], axis=-1)
    blocks = deep.reshape(n, height, width, channels, 3, 3).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, 3 * height, 3 * width, channels)


def strided(batch):
    """Space to depth by two, a 3x3 sum and back again, where an odd side is padded by reflection: sees three far."""
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
def test_tiles_give_what_the_whole_gives(function, settings, size):
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
        (strided, {"stride": 2}, 2),  # and one is rounded up to it
    ],
)
def test_a_margin_that_is_too_small_shows(function, settings, enough):
    image = picture(64, 64)
    whole = function(image[None])[0]
    least = enough - settings.get("stride", 1)
    assert (tiled(function, image, tile=16, margin=enough, **settings) == whole).all()
    assert (tiled(function, image, tile=16, margin=least, **settings) != whole).any()


def test_tiles_of_a_keras_network_give_what_the_whole_gives():
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.layers.Conv2D(8, 5, padding="same", activation="relu") for _ in range(3)])
    image = picture(70, 61).astype(np.float32) / 255
    made = tiled(network, image, margin=6, tile=24)
    assert made.dtype == np.float32
    # sums of up to 200 terms in another order
    np.testing.assert_allclose(made, np.asarray(network(image[None]))[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [(96, 70), (128, 128), (47, 300)])
def test_all_tiles_have_one_shape_where_the_stride_divides_the_sides(size):
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


def test_the_tiles_see_few_pixels_twice():
    seen = []

    def note(batch):
        seen.append(batch.shape[1] * batch.shape[2])
        return batch

    tiled(note, picture(720, 1280), margin=12, tile=512)
    assert sum(seen) < 1.06 * 720 * 1280 and max(seen) <= 536**2


def test_pictures_of_many_sizes_have_tiles_of_few_shapes():
    shapes = set()

    def note(batch):
        shapes.add(batch.shape)
        return batch

    for height in range(100, 150):
        tiled(note, picture(height, 110), margin=3, tile=32, grain=16)
    assert len(shapes) <= 4


def test_a_large_picture_needs_little_more_than_its_result():
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
def test_what_cannot_be_tiled_is_refused(image, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiled(lambda x: x, np.zeros(image, np.uint8), **settings)


# -- the ensemble -----------------------------------------------------------------------------------------------------


def test_a_function_that_turns_with_its_image_is_left_as_it_is():
    images = np.random.default_rng(0).random((2, 7, 9, 3), np.float32)
    made = np.asarray(self_ensemble(lambda x: np.asarray(x).repeat(3, axis=1).repeat(3, axis=2), images))
    np.testing.assert_allclose(made, images.repeat(3, axis=1).repeat(3, axis=2), rtol=1e-6)
    assert made.dtype == np.float32


def test_the_mean_over_eight_views_makes_a_filter_symmetric():
    """A convolution with a kernel, meant over the views, is one with the mean of the eight kernels."""
    images = np.random.default_rng(0).random((2, 7, 9, 1))
    kernel = np.random.default_rng(1).random((3, 3))
    made = self_ensemble(lambda x: correlate(x, kernel[None, :, :, None], mode="constant"), images)
    views = [np.rot90(side, turns) for side in (kernel, kernel.T) for turns in range(4)]
    expected = correlate(images, np.mean(views, axis=0)[None, :, :, None], mode="constant")
    np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_the_views_are_eight_different_ones_of_any_height_and_width():
    seen = []

    def note(batch):
        seen.extend(np.asarray(batch)[:, None])
        return batch

    image = np.arange(6.0).reshape(1, 2, 3, 1)
    self_ensemble(note, image)
    assert len({view.tobytes() + bytes(view.shape) for view in seen}) == 8
    assert sorted(view.shape[1:3] for view in seen) == [(2, 3)] * 4 + [(3, 2)] * 4
    assert all(sorted(view.ravel()) == list(range(6)) for view in seen)


def test_an_ensemble_of_tiles_is_that_of_the_whole():
    def once(batch):
        return correlate(batch, np.arange(9.0).reshape(1, 3, 3, 1), mode="constant")

    image = picture(41, 35).astype(np.float64)
    made = tiled(lambda tile: self_ensemble(once, tile), image, margin=1, tile=16)
    whole = np.asarray(self_ensemble(once, image[None]))[0]
    np.testing.assert_array_equal(made, whole)  # eighths of whole numbers: exact


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match=r"Images must be floats \(n, height.*Received: uint8 \(1, 4, 4, 3\)"):
        self_ensemble(lambda x: x, np.zeros((1, 4, 4, 3), np.uint8))
