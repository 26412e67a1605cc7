"""Metrics against SciPy, scikit-image, closed forms and explicit loops."""

import json
import math

import numpy as np
import pytest
from scipy import linalg, signal, stats
from skimage.color import rgb2ycbcr
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
from sklearn.linear_model import LinearRegression

from cnnzoo.imaging import color
from cnnzoo.metrics import classification, features, likelihood, reconstruction
from cnnzoo.metrics.scores import Score

rng = np.random.default_rng(0)


def test_accuracy_is_fraction_of_correct_predictions():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    assert classification.accuracy(probabilities, np.array([0, 1, 1])) == pytest.approx(2 / 3)


def test_accuracy_rejects_no_images():
    with pytest.raises(ValueError, match=r"`probabilities` must be of one image or more. Received: none"):
        classification.accuracy(np.zeros((0, 3)), np.zeros(0))


@pytest.mark.parametrize(("right", "n"), [(0, 10), (9935, 10_000), (7, 7), (3, 8)])
def test_wilson_interval_matches_scipy(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(classification.wilson_interval(right / n, n), expected, atol=1e-12)


def test_mse_and_psnr_match_scikit_image():
    images, made = rng.random((3, 6, 5, 2)), rng.random((3, 6, 5, 2))
    pairs = list(zip(images, made, strict=True))
    expected = [mean_squared_error(a, b) for a, b in pairs]
    np.testing.assert_allclose(reconstruction.mse_per_image(images, made), expected)
    expected = [peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
    np.testing.assert_allclose(reconstruction.psnr_per_image(images, made), expected)
    assert reconstruction.psnr_per_image(images, images).tolist() == [np.inf] * 3


def test_mse_psnr_and_ssim_of_uint8_equal_those_of_floats():
    images, made = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 12, 3)).astype(np.uint8)
    for score in (reconstruction.mse_per_image, reconstruction.psnr_per_image, reconstruction.ssim_per_image):
        np.testing.assert_allclose(score(images, made), score(images / 255, made / 255), rtol=1e-12)
        with pytest.raises(ValueError, match=r"must be uint8 in \[0, 255\] or floats in \[0, 1\]. Received: int64"):
            score(images.astype(np.int64), made)


def test_mse_psnr_and_ssim_accept_images_of_different_sizes():
    sizes = [(12, 15, 3), (20, 11, 1), (11, 11, 3)]
    images = [rng.random(size) for size in sizes]
    made = [np.clip(image + 0.1 * rng.normal(size=image.shape), 0, 1) for image in images]
    for score in (reconstruction.mse_per_image, reconstruction.psnr_per_image, reconstruction.ssim_per_image):
        alone = [score(a[None], b[None])[0] for a, b in zip(images, made, strict=True)]
        assert score(images, made).tolist() == alone
        with pytest.raises(ValueError, match=r"one shape. Received: \(12, 15, 3\) and \(12, 15, 1\)"):
            score(images, [image[..., :1] for image in made])
        with pytest.raises(ValueError, match="zip"):
            score(images, made[:2])


def wang(a, b):
    """The mean structural similarity of two planes, by the formula of Wang et al."""
    axis = np.arange(11) - 5
    window = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(x):
        return signal.convolve2d(x, window, mode="valid")

    c1, c2 = 0.01**2, 0.03**2
    var_a, var_b = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2
    cov = mean(a * b) - mean(a) * mean(b)
    luminance = (2 * mean(a) * mean(b) + c1) / (mean(a) ** 2 + mean(b) ** 2 + c1)
    return np.mean(luminance * (2 * cov + c2) / (var_a + var_b + c2))


def test_ssim_matches_formula_of_paper():
    images = rng.random((2, 17, 23, 3))
    made = np.clip(images + 0.2 * rng.normal(size=images.shape), 0, 1)
    expected = [np.mean([wang(a[..., k], b[..., k]) for k in range(3)]) for a, b in zip(images, made, strict=True)]
    np.testing.assert_allclose(reconstruction.ssim_per_image(images, made), expected, rtol=1e-9)
    np.testing.assert_allclose(reconstruction.ssim_per_image(images, images), 1, rtol=1e-12)
    light, dark = np.full((1, 11, 11, 1), 0.6), np.full((1, 11, 11, 1), 0.2)  # only the luminance term remains
    expected = (2 * 0.6 * 0.2 + 1e-4) / (0.6**2 + 0.2**2 + 1e-4)
    np.testing.assert_allclose(reconstruction.ssim_per_image(light, dark), expected, rtol=1e-9)
    with pytest.raises(ValueError, match=r"sides of 11 or more. Received: shape \(10, 30, 1\)"):
        reconstruction.ssim_per_image(np.zeros((1, 10, 30, 1)), np.zeros((1, 10, 30, 1)))


def test_prepare_follows_super_resolution_protocols():
    image = rng.integers(0, 256, (12, 14, 3), np.uint8)
    y = rgb2ycbcr(image)[..., :1] / 255
    np.testing.assert_allclose(reconstruction.prepare(image, "Y-noshave", 3), y, atol=1e-12)
    np.testing.assert_allclose(reconstruction.prepare(image, "Y-shave", 3), y[3:-3, 3:-3], atol=1e-12)
    np.testing.assert_array_equal(reconstruction.prepare(image, "RGB-shave", 2), image[2:-2, 2:-2] / 255)
    # Images are clipped and rounded before scoring, as in a file.
    floats = np.float32(image / 255 + rng.uniform(-0.4, 0.4, image.shape) / 255)
    floats[0, 0], image[0, 0] = (-0.3, 1.7, 0.5), (0, 255, 128)
    for protocol in reconstruction.PROTOCOLS:
        expected = reconstruction.prepare(image, protocol, 1)
        np.testing.assert_array_equal(reconstruction.prepare(floats, protocol, 1), expected)
    gray = image[..., :1]
    np.testing.assert_array_equal(reconstruction.prepare(gray, "Y-shave", 2), gray[2:-2, 2:-2] / 255)


@pytest.mark.parametrize(
    ("shape", "protocol", "scale", "message"),
    [
        ((9, 9, 3), "Y", 2, "`protocol` must be one of Y-shave, Y-noshave, RGB-shave.*Received: 'Y'"),
        ((9, 9, 3), "Y-shave", 0, "`scale` must be an integer >= 1.*Received: 0"),
        ((9, 9), "Y-shave", 2, r"Received: shape \(9, 9\)"),
        ((9, 9, 4), "Y-shave", 2, r"Received: shape \(9, 9, 4\)"),
        ((9, 4, 3), "Y-shave", 2, r"sides above 4. Received: shape \(9, 4, 3\)"),
    ],
)
def test_prepare_rejects_invalid_arguments(shape, protocol, scale, message):
    with pytest.raises(ValueError, match=message):
        reconstruction.prepare(np.zeros(shape, np.uint8), protocol, scale)


@pytest.mark.parametrize(("scale", "psnr", "ssim"), [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])
def test_bicubic_psnr_and_ssim_on_set5_match_published_values(set5, scale, psnr, ssim):
    # Published by Kim et al., "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016. There, Y
    # itself is downscaled, not rounded, upscaled, and then rounded.
    from cnnzoo.imaging.resampling import crop_to_multiple, downscale, upscale

    truths, made = [], []
    for image in set5:
        y = np.rint(255 * color.luma(crop_to_multiple(image, scale) / 255)) / 255
        enlarged = np.asarray(upscale(downscale(y[None], scale), scale))[0]
        truths.append(y[scale:-scale, scale:-scale])
        made.append(np.rint(255 * np.clip(enlarged, 0, 1))[scale:-scale, scale:-scale] / 255)
    assert reconstruction.psnr_per_image(truths, made).mean() == pytest.approx(psnr, abs=0.006)
    assert reconstruction.ssim_per_image(truths, made).mean() == pytest.approx(ssim, abs=0.0001)


def test_pca_mse_equals_smallest_linear_reconstruction_error():
    code = rng.normal(size=(60, 3))
    images = (code @ rng.normal(size=(3, 12))).reshape(60, 2, 2, 3)
    assert reconstruction.pca_mse(images[:40], images[40:], 3) < 1e-20
    noisy = images + 0.1 * rng.normal(size=images.shape)
    centered = noisy.reshape(60, -1) - noisy.reshape(60, -1).mean(axis=0)
    lost = np.linalg.svd(centered, compute_uv=False)[3:]  # Eckart and Young: the remaining singular values
    assert reconstruction.pca_mse(noisy, noisy, 3) == pytest.approx(np.sum(lost**2) / centered.size, rel=1e-9)
    axes = np.linalg.svd(centered)[2][:3].T
    fit = LinearRegression().fit(centered @ axes, centered)
    residual = np.mean((fit.predict(centered @ axes) - centered) ** 2)
    assert reconstruction.pca_mse(noisy, noisy, 3) == pytest.approx(residual, rel=1e-9)


def test_frechet_distance_matches_closed_form_for_gaussians():
    n = 400_000
    first = rng.normal(0, [1.0, 2.0], (n, 2))
    second = rng.normal([3.0, 0.0], [1.5, 0.5], (n, 2))
    expected = 9.0 + (1.5 - 1.0) ** 2 + (2.0 - 0.5) ** 2
    assert features.frechet_distance(first, second) == pytest.approx(expected, rel=0.01)


def test_frechet_distance_matches_matrix_square_root():
    first = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    second = rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6)) + 0.3
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = linalg.sqrtm(c1 @ c2).real
    expected = np.sum((first.mean(0) - second.mean(0)) ** 2) + np.trace(c1 + c2 - 2 * root)
    assert features.frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert features.frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    flat = np.hstack([first, np.zeros((200, 2))])  # a rank-deficient covariance
    assert features.frechet_distance(flat, flat + 1.0) == pytest.approx(8.0, abs=1e-6)


def test_kernel_distance_matches_explicit_sum():
    x, y = rng.normal(size=(13, 4)), rng.normal(0.5, 1, size=(9, 4))

    def kernel(a, b):
        return (a @ b / 4 + 1) ** 3

    pairs_x = [kernel(x[i], x[j]) for i in range(13) for j in range(13) if i != j]
    pairs_y = [kernel(y[i], y[j]) for i in range(9) for j in range(9) if i != j]
    cross = [kernel(a, b) for a in x for b in y]
    expected = np.mean(pairs_x) + np.mean(pairs_y) - 2 * np.mean(cross)
    assert features.kernel_distance(x, y, block=4) == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_is_unbiased():
    distances = [features.kernel_distance(*rng.normal(size=(2, 50, 3))) for _ in range(300)]
    assert abs(np.mean(distances)) < 4 * np.std(distances) / np.sqrt(300)


def test_density_and_coverage_match_explicit_counts():
    real, fake, k = rng.normal(size=(40, 3)), rng.normal(0.3, 1.2, size=(30, 3)), 5
    radii = [sorted(np.linalg.norm(real - r, axis=1))[k] for r in real]
    inside = np.array([[np.linalg.norm(f - r) <= radius for f in fake] for r, radius in zip(real, radii, strict=True)])
    density, coverage = features.density_coverage(real, fake, k)
    assert density == pytest.approx(inside.sum() / (k * 30))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_coverage_is_low_for_dense_mode_collapse():
    real = rng.normal(size=(500, 2))
    density, coverage = features.density_coverage(real, np.repeat(real[:1] * 0, 500, axis=0))
    assert density > 0.5 and coverage < 0.05
    _, alike = features.density_coverage(real, rng.normal(size=(500, 2)))
    assert alike > 0.9


def test_inception_score_matches_explicit_sum():
    chances = rng.dirichlet(np.full(7, 0.3), size=23)
    expected = []
    for part in (chances[:8], chances[8:16], chances[16:]):  # 23 images in three parts
        mean = sum(part) / len(part)
        divergences = [sum(p * math.log(p / m) for p, m in zip(row, mean, strict=True) if p > 0) for row in part]
        expected.append(math.exp(sum(divergences) / len(divergences)))
    assert features.inception_score(chances, 3) == pytest.approx(np.mean(expected), rel=1e-9)
    certain = np.eye(7)[np.arange(70) % 7]
    assert features.inception_score(certain, 10) == pytest.approx(7)  # certain predictions, uniform over the classes
    assert features.inception_score(np.repeat(certain[:1], 70, axis=0)) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"at least one image for each of 10 parts. Received: the chances of 9 images"):
        features.inception_score(chances[:9])


def test_importance_weighted_bound_matches_gaussian_evidence():
    # z ~ N(0, 1) and x|z ~ N(z, 1) give x ~ N(0, 2). The proposal deliberately differs from the posterior N(x/2, 1/2).
    x = np.array([0.3, -1.2, 2.0])
    proposal = stats.norm(x / 2 + 0.2, 0.9)
    chunks = []
    for seed in range(4):
        z = proposal.rvs((20_000, 3), random_state=seed)
        chunks.append(stats.norm.logpdf(z) + stats.norm.logpdf(x, z) - proposal.logpdf(z))
    expected = stats.norm.logpdf(x, 0, np.sqrt(2))
    np.testing.assert_allclose(likelihood.importance_weighted_bound(chunks), expected, atol=0.02)
    elbo = np.mean(np.concatenate(chunks), axis=0)
    assert (elbo < expected).all()
    uneven = [np.concatenate(chunks)[:777], np.concatenate(chunks)[777:]]
    whole = likelihood.importance_weighted_bound(uneven)
    np.testing.assert_allclose(whole, likelihood.importance_weighted_bound(chunks), rtol=1e-12)


def test_score_json_round_trip():
    score = Score("accuracy", 99.5, "%", "higher", 10, (99.0, 99.9), {"interval": "Wilson"})
    assert Score.from_json(json.loads(json.dumps(score.to_json()))) == score
    assert str(score) == "99.50 %"


@pytest.mark.parametrize("bad", [np.zeros((1, 3)), np.zeros(5), np.full((4, 2), np.nan)])
def test_frechet_distance_rejects_invalid_features(bad):
    with pytest.raises(ValueError, match=r"Features must be .*Received: shape"):
        features.frechet_distance(bad, np.zeros((5, 3)))
