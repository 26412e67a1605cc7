"""Tests of the ladder VAE: likelihood and bound against SciPy and hand computation."""

import numpy as np
import pytest
from conformance import samples
from scipy import stats
from scipy.special import expit, logsumexp

import cnnzoo

TINY = {"image_shape": (8, 8, 1), "width": 4, "latent_channels": 1, "depth": 1}
FLOOR = np.log(0.5 / 255)  # of the log-scale: half a gray level
rng = np.random.default_rng(0)
GRAY = rng.integers(0, 256, (2, 8, 8, 1)).astype(np.float32) / 255


@pytest.fixture(scope="module")
def tiny():
    return cnnzoo.build("ladder_vae", **TINY)


def log_scales(logits):
    return FLOOR + np.logaddexp(0, logits - 2.0 - FLOOR)


def of_value(values, mean, log_scale):
    """Returns log P of gray values in [0, 1], by SciPy's logistic distribution with open outer bins."""
    law = stats.logistic(mean, np.exp(log_scale))
    upper = np.where(values > 254.5 / 255, 1.0, law.cdf(values + 0.5 / 255))
    lower = np.where(values < 0.5 / 255, 0.0, law.cdf(values - 0.5 / 255))
    return np.log(upper - lower)


def test_gray_likelihood_matches_scipy(tiny):
    logits = rng.normal(size=(2, 8, 8, 2)).astype(np.float32)
    expected = of_value(np.float64(GRAY[..., 0]), expit(logits[..., 0]), log_scales(logits[..., 1])).sum((1, 2))
    np.testing.assert_allclose(tiny.log_likelihood(GRAY, logits), expected, rtol=1e-4)  # float32 sums of 64 terms


def test_color_likelihood_matches_scipy_with_channel_dependence():
    model = cnnzoo.build("ladder_vae", **{**TINY, "image_shape": (8, 8, 3)})
    images = rng.integers(0, 256, (1, 8, 8, 3)).astype(np.float32) / 255
    logits = 0.3 * rng.normal(size=(1, 8, 8, 9)).astype(np.float32)  # so that no probability rounds to 0
    means, scales, slopes = expit(logits[..., :3]), log_scales(logits[..., 3:6]), logits[..., 6:]
    (red, green, blue), error = np.moveaxis(np.float64(means), -1, 0), np.float64(images) - means
    green = green + slopes[..., 0] * error[..., 0]
    blue = blue + slopes[..., 1] * error[..., 0] + slopes[..., 2] * error[..., 1]
    expected = sum(
        of_value(np.float64(images[..., c]), mean, scales[..., c]).sum() for c, mean in enumerate((red, green, blue))
    )
    np.testing.assert_allclose(model.log_likelihood(images, logits), [expected], rtol=1e-4)


def test_likelihood_far_from_the_mean_is_finite(tiny):
    logits = np.full((2, 8, 8, 2), -30.0, np.float32)  # means of 0 with the smallest scale
    assert np.isfinite(tiny.log_likelihood(np.ones_like(GRAY), logits)).all()


def test_passed_latents_decode_to_returned_logits(tiny):
    noise = rng.standard_normal((2, tiny.latent_dim), dtype=np.float32)
    z, mean, log_variance, logits = (np.asarray(part) for part in tiny.passed(GRAY, noise))
    np.testing.assert_allclose(z, mean + np.exp(0.5 * log_variance) * noise, atol=1e-6)
    np.testing.assert_allclose(tiny.logits(z), logits, atol=1e-5)
    assert (log_variance < 0).all()


def test_finer_posteriors_depend_on_coarser_latents(tiny):
    coarse = np.zeros((2, tiny.latent_dim), np.float32)
    coarse[:, 0] = 3.0  # the only latent at an eighth of the resolution
    _, still, *_ = tiny.passed(GRAY, np.zeros_like(coarse))
    _, moved, *_ = tiny.passed(GRAY, coarse)
    np.testing.assert_array_equal(np.asarray(still)[:, :1], np.asarray(moved)[:, :1])
    assert not np.allclose(np.asarray(still)[:, 1:], np.asarray(moved)[:, 1:], atol=1e-6)


def test_log_weights_evidence_matches_prior_sampling():
    model = samples.fresh("ladder_vae", **TINY)
    for posterior in model.posteriors:  # mean 0.3 and variance 0.9
        kernel, bias = posterior.layers[-1].weights
        kernel.assign(np.zeros_like(kernel))
        bias.assign([0.3, np.log(np.expm1(-np.log(0.9)))])
    for decoder in model.decoders:  # a weak dependence on the latents, for weights of small variance
        kernel, _ = next(layer for layer in decoder.layers if layer.weights).weights
        kernel.assign(0.3 * kernel)
    n, image = 4000, np.full_like(GRAY[:1], 0.5)
    weights = model.log_weights(np.repeat(image, n, axis=0), seed=1)[0]
    z = np.random.default_rng(2).standard_normal((n, model.latent_dim), dtype=np.float32)
    plain = np.asarray(model.log_likelihood(np.repeat(image, n, axis=0), model.logits(z)))
    # Means of 4,000 weights, with standard errors of at most 0.05 nats.
    assert logsumexp(weights) == pytest.approx(logsumexp(plain), abs=0.15)


def test_evaluate_loss_matches_elbo_of_log_weights():
    model = samples.fresh("ladder_vae", **TINY)
    for posterior in model.posteriors:  # means of about 2: a KL of about 40 nats
        bias = posterior.layers[-1].bias
        bias.assign([2.0, 0.0])
    model.compile(run_eagerly=True)
    logs = model.evaluate((255 * GRAY).astype(np.uint8), verbose=0, return_dict=True)
    elbo = np.mean([model.elbo(GRAY, seed) for seed in range(40)])
    # One sample of the likelihood against 40: a standard deviation of about 2 nats.
    assert -logs["loss"] == pytest.approx(elbo, abs=12.0)
    assert logs["kl"] > 36.0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"image_shape": (28, 28, 1)}, "multiples of 8. Received: .28, 28, 1."),
        ({"depth": 0}, "`depth` must be an integer >= 1. Received: 0"),
        ({"latent_channels": 0}, "`latent_channels` must be an integer >= 1. Received: 0"),
        ({"warmup": -1}, "`warmup` must be an integer >= 0. Received: -1"),
    ],
)
def test_ladder_vae_rejects_invalid_configuration(config, message):
    with pytest.raises(ValueError, match=message):
        cnnzoo.build("ladder_vae", **config)


def test_log_weights_rejects_zero_samples(tiny):
    with pytest.raises(ValueError, match=r"`samples` must be an integer >= 1\. Received: 0"):
        tiny.log_weights(GRAY, samples=0)


def test_log_weights_check_images_and_take_a_single_one(tiny):
    with pytest.raises(ValueError, match=r"Images must be uint8 in \[0, 255\] or float32 in \[0, 1\].*Received: "):
        tiny.elbo(GRAY.astype(np.float32) + 2)
    np.testing.assert_array_equal(tiny.log_weights(GRAY[0], 2), tiny.log_weights(GRAY[:1], 2))
