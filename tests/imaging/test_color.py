"""Color conversion against scikit-image, the published matrix and its own inverse, for arrays and graphs."""

import keras
import numpy as np
import pytest
from keras import ops
from skimage import color as reference

from cnnzoo.imaging import color

rng = np.random.default_rng(0)
IMAGES = rng.random((2, 5, 4, 3))


def test_ycbcr_conversion_matches_scikit_image():
    np.testing.assert_allclose(255 * color.rgb_to_ycbcr(IMAGES), reference.rgb2ycbcr(IMAGES), atol=1e-10)
    np.testing.assert_allclose(color.ycbcr_to_rgb(reference.rgb2ycbcr(IMAGES) / 255), IMAGES, atol=1e-12)
    np.testing.assert_array_equal(color.luma(IMAGES), color.rgb_to_ycbcr(IMAGES)[..., :1])


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (81.481, 90.203, 240)),
        ((0, 1, 0), (144.553, 53.797, 34.214)),
        ((0, 0, 1), (40.966, 240, 109.786)),
    ],
)
def test_rgb_to_ycbcr_matches_published_values(rgb, ycbcr):
    found = color.rgb_to_ycbcr(np.array(rgb, np.float64))
    np.testing.assert_allclose(255 * found, ycbcr, atol=1e-10)


def test_ycbcr_round_trip_preserves_rgb():
    np.testing.assert_allclose(color.ycbcr_to_rgb(color.rgb_to_ycbcr(IMAGES)), IMAGES, atol=1e-14)
    single = IMAGES.astype(np.float32)
    there = color.rgb_to_ycbcr(single)
    assert there.dtype == np.float32
    np.testing.assert_allclose(color.ycbcr_to_rgb(there), single, atol=1e-6)


def test_luma_of_gray_equals_luma_of_equal_channels():
    gray = IMAGES[..., :1]
    np.testing.assert_allclose(color.luma(gray), color.luma(np.repeat(gray, 3, axis=-1)), atol=1e-14)
    np.testing.assert_allclose(color.luma(gray), (16 + 219 * gray) / 255, atol=1e-14)


@pytest.mark.parametrize("function", [color.rgb_to_ycbcr, color.ycbcr_to_rgb, color.luma])
def test_color_conversion_of_tensors_and_graphs_matches_arrays(function):
    single = IMAGES.astype(np.float32)
    expected = function(single)
    tensor = function(ops.convert_to_tensor(single))
    assert ops.is_tensor(tensor) and keras.backend.standardize_dtype(tensor.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(tensor), expected, atol=1e-6)
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, function(inputs))
    np.testing.assert_allclose(model.predict(single, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize("images", [np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 3), np.uint8)])
def test_color_conversion_rejects_integers_and_two_channels(images):
    for function in (color.rgb_to_ycbcr, color.ycbcr_to_rgb, color.luma):
        with pytest.raises(ValueError, match=r"Images must be floats \(\.\.\., 3\). Received: (float32|uint8) \("):
            function(images)
