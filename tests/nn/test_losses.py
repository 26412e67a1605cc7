"""Losses against SciPy's distributions and explicit loops."""

import numpy as np
from keras import ops
from scipy import integrate, stats
from scipy.special import expit, log_softmax

from cnnzoo.nn import losses

rng = np.random.default_rng(0)
IMAGES = rng.random((3, 4, 4, 2), dtype=np.float32)
OTHER = rng.normal(size=(3, 4, 4, 2)).astype(np.float32)


def check(found, expected, rtol=1e-5):
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=rtol)


def test_cross_entropy_matches_scipy():
    logits, labels = rng.normal(size=(5, 7)).astype(np.float32), np.array([0, 6, 3, 3, 1])
    check(losses.cross_entropy(labels, logits), -log_softmax(logits, axis=1)[np.arange(5), labels])


def test_squared_error_matches_numpy():
    check(losses.squared_error(IMAGES, OTHER), [np.sum((a - b) ** 2) for a, b in zip(IMAGES, OTHER, strict=True)])


def test_bernoulli_log_likelihood_matches_scipy():
    binary = (IMAGES > 0.5).astype(np.float32)
    expected = stats.bernoulli.logpmf(binary, expit(OTHER)).reshape(3, -1).sum(axis=1)
    check(losses.bernoulli_log_likelihood(binary, OTHER), expected)
    large = np.full((1, 1, 1, 1), 1000.0, np.float32)
    check(losses.bernoulli_log_likelihood(np.ones_like(large), large), [0.0])
    check(losses.bernoulli_log_likelihood(np.zeros_like(large), large), [-1000.0])


def test_gaussian_log_likelihood_matches_scipy():
    log_scale = np.array([-1.0, 0.5], np.float32)
    expected = stats.norm.logpdf(IMAGES, OTHER, np.exp(log_scale)).reshape(3, -1).sum(axis=1)
    check(losses.gaussian_log_likelihood(IMAGES, OTHER, log_scale), expected)


def test_discretized_logistic_matches_difference_of_cdfs():
    gray = np.array([0, 1, 7, 128, 254, 255]).reshape(-1, 1, 1, 1)
    for mean, scale in ((0.1, 0.02), (0.5, 0.1), (0.99, 0.005)):
        logistic = stats.logistic(mean, scale)
        upper = np.where(gray == 255, 1.0, logistic.cdf((gray + 0.5) / 255))
        lower = np.where(gray == 0, 0.0, logistic.cdf((gray - 0.5) / 255))
        images, means = (gray / 255).astype(np.float32), np.full(gray.shape, mean, np.float32)
        log_scale = np.float32(np.log(scale))
        found = ops.convert_to_numpy(losses.discretized_logistic_log_likelihood(images, means, log_scale))
        mass = (upper - lower)[:, 0, 0, 0]
        seen = mass > 1e-6  # in the far tail, the two CDFs of the reference cancel
        np.testing.assert_allclose(found[seen], np.log(mass[seen]), rtol=1e-3, atol=1e-3)


def test_discretized_logistic_sums_to_one():
    images = (np.arange(256) / 255).astype(np.float32).reshape(-1, 1, 1, 1)
    means = np.full_like(images, 0.37)
    log_p = ops.convert_to_numpy(losses.discretized_logistic_log_likelihood(images, means, np.float32(-3.0)))
    np.testing.assert_allclose(np.exp(log_p).sum(), 1.0, rtol=1e-4)


def test_normal_kl_matches_numerical_integral():
    mean, log_variance = np.array([[0.7]], np.float32), np.array([[-0.9]], np.float32)
    q = stats.norm(0.7, np.exp(-0.45))
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -8, 8)
    check(losses.normal_kl_by_latent(mean, log_variance), [[expected]], rtol=1e-4)
    check(losses.normal_kl_by_latent(np.zeros((2, 5)), np.zeros((2, 5))), np.zeros((2, 5)))


def test_normal_log_density_matches_scipy():
    x, mean, log_variance = (rng.normal(size=(4, 3)).astype(np.float32) for _ in range(3))
    expected = stats.norm.logpdf(x, mean, np.exp(log_variance / 2)).sum(axis=1)
    check(losses.normal_log_density(x, mean, log_variance), expected)
    check(losses.normal_log_density(x), stats.norm.logpdf(x).sum(axis=1))
