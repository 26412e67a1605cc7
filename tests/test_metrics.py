"""Metrics against SciPy, scikit-image, closed forms and plain loops."""

import json
import math

import numpy as np
import pytest
from scipy import linalg, stats
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio
from sklearn.linear_model import LinearRegression

from cnnzoo.metrics import classification, features, likelihood, reconstruction
from cnnzoo.metrics.scores import Score

rng = np.random.default_rng(0)


def test_accuracy_counts():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    assert classification.accuracy(probabilities, np.array([0, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (9935, 10_000), (7, 7), (3, 8)])
def test_the_wilson_interval_is_scipy_s(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(classification.wilson_interval(right / n, n), expected, atol=1e-12)


def test_errors_are_scikit_image_s():
    images, made = rng.random((3, 6, 5, 2)), rng.random((3, 6, 5, 2))
    pairs = list(zip(images, made, strict=True))
    expected = [mean_squared_error(a, b) for a, b in pairs]
    np.testing.assert_allclose(reconstruction.mse_per_image(images, made), expected)
    expected = [peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
    np.testing.assert_allclose(reconstruction.psnr_per_image(images, made), expected)
    assert reconstruction.psnr_per_image(images, images).tolist() == [np.inf] * 3


def test_pca_is_the_best_linear_code():
    code = rng.normal(size=(60, 3))
    images = (code @ rng.normal(size=(3, 12))).reshape(60, 2, 2, 3)
    assert reconstruction.pca_mse(images[:40], images[40:], 3) < 1e-20
    noisy = images + 0.1 * rng.normal(size=images.shape)
    centred = noisy.reshape(60, -1) - noisy.reshape(60, -1).mean(axis=0)
    lost = np.linalg.svd(centred, compute_uv=False)[3:]  # Eckart and Young: the rest of the singular values
    assert reconstruction.pca_mse(noisy, noisy, 3) == pytest.approx(np.sum(lost**2) / centred.size, rel=1e-9)
    axes = np.linalg.svd(centred)[2][:3].T
    fit = LinearRegression().fit(centred @ axes, centred)
    residual = np.mean((fit.predict(centred @ axes) - centred) ** 2)
    assert reconstruction.pca_mse(noisy, noisy, 3) == pytest.approx(residual, rel=1e-9)


def test_the_frechet_distance_of_diagonal_gaussians_is_closed():
    n = 400_000
    first = rng.normal(0, [1.0, 2.0], (n, 2))
    second = rng.normal([3.0, 0.0], [1.5, 0.5], (n, 2))
    expected = 9.0 + (1.5 - 1.0) ** 2 + (2.0 - 0.5) ** 2
    assert features.frechet_distance(first, second) == pytest.approx(expected, rel=0.01)


def test_the_frechet_distance_is_that_of_a_matrix_square_root():
    first = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    second = rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6)) + 0.3
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = linalg.sqrtm(c1 @ c2).real
    expected = np.sum((first.mean(0) - second.mean(0)) ** 2) + np.trace(c1 + c2 - 2 * root)
    assert features.frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert features.frechet_distance(first, first) == pytest.approx(0, abs=1e-9)
    flat = np.hstack([first, np.zeros((200, 2))])  # a covariance without full rank
    assert features.frechet_distance(flat, flat + 1.0) == pytest.approx(8.0, abs=1e-6)


def test_the_kernel_distance_is_its_plain_sum():
    x, y = rng.normal(size=(13, 4)), rng.normal(0.5, 1, size=(9, 4))

    def kernel(a, b):
        return (a @ b / 4 + 1) ** 3

    pairs_x = [kernel(x[i], x[j]) for i in range(13) for j in range(13) if i != j]
    pairs_y = [kernel(y[i], y[j]) for i in range(9) for j in range(9) if i != j]
    cross = [kernel(a, b) for a in x for b in y]
    expected = np.mean(pairs_x) + np.mean(pairs_y) - 2 * np.mean(cross)
    assert features.kernel_distance(x, y, block=4) == pytest.approx(expected, rel=1e-10)


def test_the_kernel_distance_is_unbiased():
    distances = [features.kernel_distance(*rng.normal(size=(2, 50, 3))) for _ in range(300)]
    assert abs(np.mean(distances)) < 4 * np.std(distances) / np.sqrt(300)


def test_density_and_coverage_are_their_plain_counts():
    real, fake, k = rng.normal(size=(40, 3)), rng.normal(0.3, 1.2, size=(30, 3)), 5
    radii = [sorted(np.linalg.norm(real - r, axis=1))[k] for r in real]
    inside = np.array([[np.linalg.norm(f - r) <= radius for f in fake] for r, radius in zip(real, radii, strict=True)])
    density, coverage = features.density_coverage(real, fake, k)
    assert density == pytest.approx(inside.sum() / (k * 30))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_a_collapsed_generator_covers_nothing_however_dense():
    real = rng.normal(size=(500, 2))
    density, coverage = features.density_coverage(real, np.repeat(real[:1] * 0, 500, axis=0))
    assert density > 0.5 and coverage < 0.05
    _, alike = features.density_coverage(real, rng.normal(size=(500, 2)))
    assert alike > 0.9


def test_the_inception_score_is_its_plain_sum():
    chances = rng.dirichlet(np.full(7, 0.3), size=23)
    expected = []
    for part in (chances[:8], chances[8:16], chances[16:]):  # 23 in three parts
        mean = sum(part) / len(part)
        divergences = [sum(p * math.log(p / m) for p, m in zip(row, mean, strict=True) if p > 0) for row in part]
        expected.append(math.exp(sum(divergences) / len(divergences)))
    assert features.inception_score(chances, 3) == pytest.approx(np.mean(expected), rel=1e-9)
    certain = np.eye(7)[np.arange(70) % 7]
    assert features.inception_score(certain, 10) == pytest.approx(7)  # all sure, and evenly of all classes
    assert features.inception_score(np.repeat(certain[:1], 70, axis=0)) == pytest.approx(1)
    with pytest.raises(ValueError, match="got the chances of 9 images; allowed: at least one for each of 10 parts"):
        features.inception_score(chances[:9])


def test_importance_weights_find_the_evidence_of_a_linear_gaussian_model():
    # z ~ N(0, 1), x|z ~ N(z, 1): log p(x) is that of N(0, 2). The proposal is off the posterior N(x/2, 1/2) on purpose.
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


def test_a_score_survives_json():
    score = Score("accuracy", 99.5, "%", "higher", 10, (99.0, 99.9), {"interval": "Wilson"})
    assert Score.from_json(json.loads(json.dumps(score.to_json()))) == score
    assert str(score) == "99.50 %"


@pytest.mark.parametrize("bad", [np.zeros((1, 3)), np.zeros(5), np.full((4, 2), np.nan)])
def test_features_that_cannot_be_compared_are_refused(bad):
    with pytest.raises(ValueError, match="got features of shape"):
        features.frechet_distance(bad, np.zeros((5, 3)))
