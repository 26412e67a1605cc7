"""Classical baselines against plain loops and closed forms, and their gain in PSNR."""

import numpy as np
import pytest
from skimage import data

from cnnzoo.evaluation import classical
from cnnzoo.metrics.reconstruction import psnr_per_image

rng = np.random.default_rng(0)
PHOTO = data.camera()[100:196, 180:260, None]  # (96, 80, 1) uint8, the head and the camera
DENOISERS = (classical.non_local_means, classical.total_variation)


def keys(x):
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def lanczos3(x):
    return np.sinc(x) * np.sinc(x / 3) if abs(x) < 3 else 0.0


def enlarged(image, scale, kernel, reach, mirrored):
    """Enlarges the first axis pixel by pixel, with a mirrored border or without the weights outside the image."""
    size = len(image)
    rows = []
    for i in range(scale * size):
        center = (i + 0.5) / scale - 0.5
        total, weights = 0.0, 0.0
        for j in range(int(np.floor(center)) - reach, int(np.floor(center)) + reach + 2):
            inside = 0 <= j < size
            if inside or mirrored:
                source = j if inside else (-1 - j if j < 0 else 2 * size - 1 - j)
                total = total + kernel(center - j) * image[source]
                weights += kernel(center - j)
        rows.append(total / weights)
    return np.stack(rows)


@pytest.mark.parametrize(
    ("method", "kernel", "reach", "mirrored"),
    [(classical.bicubic, keys, 2, True), (classical.lanczos, lanczos3, 3, False)],
)
@pytest.mark.parametrize("scale", [2, 3])
def test_bicubic_and_lanczos_match_plain_loop(method, kernel, reach, mirrored, scale):
    image = rng.random((7, 5, 3))
    along = enlarged(image, scale, kernel, reach, mirrored)
    expected = enlarged(along.swapaxes(0, 1), scale, kernel, reach, mirrored).swapaxes(0, 1)
    assert expected.min() < 0 and expected.max() > 1  # overshoot, which the method clips
    found = method(image, scale)
    assert found.dtype == np.float32 and found.shape == (7 * scale, 5 * scale, 3)
    np.testing.assert_allclose(found, np.clip(expected, 0, 1), atol=1e-6)


@pytest.mark.parametrize("method", [classical.bicubic, classical.lanczos])
def test_bicubic_and_lanczos_accept_uint8_and_reject_bad_scale(method):
    np.testing.assert_allclose(method(PHOTO, 2), method(PHOTO / 255, 2), atol=1e-6)
    for scale in (1, 2.0):
        with pytest.raises(ValueError, match=rf"`scale` must be an integer >= 2. Received: {scale}"):
            method(PHOTO, scale)


@pytest.mark.parametrize("method", DENOISERS)
@pytest.mark.parametrize("sigma", [15, 50])
@pytest.mark.parametrize("channels", [1, 3])
def test_classical_denoisers_increase_psnr(method, sigma, channels):
    truth = np.repeat(PHOTO, channels, axis=2) / 255
    noisy = truth + sigma / 255 * rng.standard_normal(truth.shape)
    found = method(noisy, sigma)
    assert found.dtype == np.float32 and found.shape == truth.shape and 0 <= found.min() < found.max() <= 1
    before, after = psnr_per_image([truth, truth], [np.clip(noisy, 0, 1), found])
    assert after > before + 3.5


@pytest.mark.parametrize("method", DENOISERS)
def test_classical_denoisers_use_sigma_in_gray_levels(method):
    noisy = np.clip(PHOTO + 25 * rng.standard_normal(PHOTO.shape), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(method(noisy, 25), method(noisy / 255, 25))
    scores = psnr_per_image([PHOTO / 255] * 3, [method(noisy, sigma) for sigma in (6, 25, 100)])
    assert scores.argmax() == 1
    with pytest.raises(ValueError, match=r"`sigma` must be a number > 0, .*\. Received: 0"):
        method(noisy, 0)


def test_total_variation_matches_closed_form_for_a_step():
    sigma = 50.0
    weight = 0.7 * (sigma / 25) ** 0.3 * sigma / 255
    step = np.full((6, 7, 1), 0.2)
    step[:, 4:] = 0.8
    # Each plateau moves by the weight divided by its number of columns, 4 and 3.
    expected = np.where(step < 0.5, 0.2 + weight / 4, 0.8 - weight / 3)
    np.testing.assert_allclose(classical.total_variation(step, sigma), expected, atol=3e-4)


def test_non_local_means_averages_similar_patches():
    stripes = np.tile(np.repeat([0.2, 0.8], 2), 10)[None, :, None] * np.ones((40, 1, 1))
    noise = 10 / 255 * rng.standard_normal(stripes.shape)
    found = classical.non_local_means(stripes + noise, 10)
    inside = np.s_[8:-8, 8:-8]
    # About half of the 13 x 13 pixels are similar: equal weights would divide the noise by the square root of 85.
    left = np.std((found - stripes)[inside]) / np.std(noise[inside])
    assert 1 / np.sqrt(85) < left < 3 / np.sqrt(85)


def test_biharmonic_inpainting_is_exact_for_cubic_surfaces():
    y, x = np.mgrid[0:1:14j, 0:1:17j]
    surfaces = (0.5 + 0.2 * x - 0.4 * x * y + 0.3 * y**3, 0.9 - 0.8 * x * x * y, 0.1 + 0.5 * x**3)
    image = np.stack(surfaces, axis=-1)  # the Laplacian of the Laplacian of a cubic is 0
    mask = np.zeros((14, 17, 1))
    mask[4:9, 5:12], mask[11, 3] = 1, 255
    holed = np.where(mask != 0, 0.0, image)
    np.testing.assert_allclose(classical.biharmonic(holed, mask), image, atol=1e-6)
    np.testing.assert_array_equal(classical.biharmonic(holed, mask), classical.biharmonic(image, mask[..., 0]))


def test_biharmonic_preserves_known_pixels_and_fills_holes():
    mask = rng.random(PHOTO.shape[:2]) < 0.2
    found = classical.biharmonic(PHOTO, mask)
    np.testing.assert_array_equal(found[~mask], np.float32(PHOTO / 255)[~mask])
    missing = [PHOTO[mask] / 255], [found[mask]]
    assert psnr_per_image(*missing)[0] > psnr_per_image(missing[0], [np.full_like(found[mask], 0.5)])[0] + 8
    np.testing.assert_array_equal(classical.biharmonic(PHOTO, mask & False), np.float32(PHOTO / 255))


@pytest.mark.parametrize("mask", [np.ones((96, 80)), np.zeros((80, 96)), np.zeros((96, 80, 3))])
def test_biharmonic_rejects_invalid_mask(mask):
    with pytest.raises(ValueError, match=r"`mask` must be of shape \(96, 80\) or \(96, 80, 1\), .* missing"):
        classical.biharmonic(PHOTO, mask)


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 1), np.int32), np.zeros((0, 4, 1))])
def test_classical_methods_reject_invalid_image(image):
    for method in (classical.lanczos, classical.biharmonic, *DENOISERS):
        with pytest.raises(
            ValueError, match=r"`image` must be .*\(height, width, channels\). Received: .* of shape .*"
        ):
            method(image, 2)
