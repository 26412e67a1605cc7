"""Tests of the VAEs: bounds, objectives and priors against closed forms, SciPy and hand computation."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from conformance import noise, samples
from keras import ops
from scipy import integrate, stats
from scipy.special import expit, logsumexp

import cnnzoo
from cnnzoo.data import load
from cnnzoo.evaluation import evaluate
from cnnzoo.models.vae import VAE
from cnnzoo.nn import losses

TINY = {"width": 2, "hidden": 4, "latent_dim": 3}
IMAGES = load("digits").images[:8]
FLOATS = IMAGES.astype(np.float32) / 255

rng = np.random.default_rng(0)
DIRECTIONS = np.linalg.qr(rng.normal(size=(16, 2)))[0].astype(np.float32) * np.float32([3.0, 0.5])  # (16, 2)
SIGMA = np.float32(0.8)
PRECISION = 1 + np.sum(DIRECTIONS**2, axis=0) / SIGMA**2  # of p(z|x): diagonal, since the directions are orthogonal


class Linear(VAE):
    """x = W z + noise with z ~ N(0, I); log p(x) and p(z|x) are known. q is p(z|x), shifted by `shift`."""

    architecture = "linear"

    def __init__(self, shift=0.0, **config):
        self.shift = shift
        super().__init__(image_shape=(4, 4, 1), likelihood="gaussian", **TINY | {"latent_dim": 2}, **config)

    def posterior(self, images, labels=None, training=False):
        mean = ops.matmul(ops.reshape(images, (-1, 16)), DIRECTIONS / SIGMA**2 / PRECISION)
        return mean + self.shift, ops.zeros_like(mean) - np.log(PRECISION).astype(np.float32)

    def logits(self, z, labels=None, training=False):
        return ops.reshape(ops.matmul(z, DIRECTIONS.T), (-1, 4, 4, 1))

    def log_likelihood(self, images, logits):
        return losses.gaussian_log_likelihood(images, logits, float(np.log(SIGMA)))


def points(n):
    return np.random.default_rng(1).random((n, 4, 4, 1), dtype=np.float32)


def log_evidence(x):
    covariance = DIRECTIONS @ DIRECTIONS.T + SIGMA**2 * np.eye(16)
    return np.atleast_1d(stats.multivariate_normal(np.zeros(16), covariance).logpdf(x.reshape(-1, 16)))


def loss(model, x, labels=None):
    model.noise.state.assign([1, 2])  # the same samples in every call
    value, logs = model.phases()[0].evaluate(model.forward(x, labels, training=True))
    return float(value), {name: float(log) for name, log in logs.items()}


# -- bounds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 5])
def test_log_weights_equal_evidence_for_true_posterior(k):
    x = points(6)
    model = Linear(importance_samples=k)
    weights = model.log_weights(x, 4, seed=3)
    np.testing.assert_allclose(weights, np.tile(log_evidence(x), (4, 1)), rtol=1e-5)
    if k > 1:  # for k = 1 the KL is in closed form, and only the likelihood varies
        assert loss(model, x)[0] == pytest.approx(-log_evidence(x).mean(), rel=1e-5)


def test_loss_with_one_sample_matches_closed_form_elbo():
    model, n = Linear(shift=0.4), 20_000
    x = points(1)
    many = np.repeat(x, n, axis=0)
    bound = log_evidence(x)[0] - 0.5 * np.sum(PRECISION * 0.4**2)  # log p(x) - KL(q(z|x) || p(z|x))
    spread = model.log_weights(many, 1, seed=5).std() + 5  # with a closed-form KL, only the likelihood varies
    assert -loss(model, many)[0] == pytest.approx(bound, abs=5 * spread / np.sqrt(n))
    estimates = model.log_weights(many, 1, seed=5)[0]
    assert estimates.mean() == pytest.approx(bound, abs=5 * estimates.std() / np.sqrt(n))


def test_importance_samples_tighten_bound_and_match_loop():
    x, n = points(1), 4000
    many = np.repeat(x, n, axis=0)
    found = {k: -loss(Linear(shift=0.4, importance_samples=k), many)[0] for k in (2, 10)}
    weights = Linear(shift=0.4).log_weights(many, 10, seed=1)  # (10, n)
    elbo, evidence = weights.mean(), log_evidence(x)[0]
    for k, bound in found.items():
        expected = logsumexp(weights[:k].astype(float), axis=0) - np.log(k)
        assert bound == pytest.approx(expected.mean(), abs=5 * np.sqrt(2) * expected.std() / np.sqrt(n))
    assert elbo < found[2] < found[10] < evidence


def test_importance_weighted_bound_is_log_mean_of_weights():
    weights = np.array([[-3.0], [2.0], [0.5]], np.float32)
    np.testing.assert_array_equal(losses.importance_weighted_bound(weights), weights[:, 0])
    pair = np.log([[2.0, 6.0], [1e-30, 10.0]]).astype(np.float32)
    np.testing.assert_allclose(losses.importance_weighted_bound(pair), np.log([4.0, 5.0]), rtol=1e-6)


def test_importance_weighted_bound_gradient_is_softmax():
    import tensorflow as tf

    weights = tf.constant([[-1.0, 0.5, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(weights)
        bound = losses.importance_weighted_bound(weights)
    expected = np.exp(weights) / np.exp(weights).sum()  # Burda et al., equation 14
    np.testing.assert_allclose(tape.gradient(bound, weights), expected, rtol=1e-6)


# -- the weight of the KL ----------------------------------------------------------------------------------------------


def kl_by_latent(model):
    mean, log_variance = (np.asarray(part, float) for part in model.posterior(FLOATS))
    return (0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)).mean(axis=0)


def far(**config):
    """Returns a tiny model with a posterior far from the prior, at a different distance in each latent."""
    model = samples.fresh("vae", **TINY, **config)
    model.encoder.layers[-1].bias.assign([0.1, 1.0, -2.0, 0.0, -1.0, 0.5])
    return model


@pytest.mark.parametrize("beta", [0.0, 0.25, 4.0])
def test_beta_scales_kl_in_loss(beta):
    found, logs = loss(far(beta=beta), FLOATS)
    assert logs["kl"] == pytest.approx(kl_by_latent(far()).sum(), rel=1e-5)
    assert found == pytest.approx(logs["negative_log_likelihood"] + beta * logs["kl"], rel=1e-6)
    assert logs == loss(far(), FLOATS)[1]


def test_free_bits_set_minimum_kl_per_latent():
    by_latent = kl_by_latent(far())
    assert by_latent[0] < 0.3 < by_latent[1:].min()
    found, logs = loss(far(free_bits=0.3, beta=2.0), FLOATS)
    expected = logs["negative_log_likelihood"] + 2.0 * (0.3 + by_latent[1:].sum())
    assert found == pytest.approx(expected, rel=1e-6)
    assert logs["kl"] == pytest.approx(by_latent.sum(), rel=1e-5)  # the logged KL excludes free bits


def test_warmup_raises_kl_weight_linearly():
    model = far(beta=2.0, warmup=4)
    model.compile(keras.optimizers.SGD(0.0))
    for weight in (0.0, 0.5, 1.0, 1.5, 2.0, 2.0):
        logs = {name: values[0] for name, values in samples.steps(model, 1).items()}
        assert logs["loss"] == pytest.approx(logs["negative_log_likelihood"] + weight * logs["kl"], rel=1e-6)
        held_out = model.evaluate(samples.images(model), verbose=0, return_dict=True)  # uses the final weight
        assert held_out["loss"] == pytest.approx(held_out["negative_log_likelihood"] + 2 * held_out["kl"], rel=1e-6)


def arrays(model):
    return [ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]


def test_warmup_resumes_bit_for_bit_after_save(tmp_path):
    config = TINY | {"warmup": 5, "free_bits": 0.1}
    model = samples.fresh("vae", **config)
    model.compile()
    samples.steps(model, 2)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    weights = samples.fresh("vae", seed=1, **config)
    weights.compile()
    weights.load_weights(tmp_path / "model.weights.h5")
    logs = samples.steps(model, 2)
    for other in (keras.saving.load_model(tmp_path / "model.keras"), weights):
        assert float(other.rise.done) == 2.0
        assert samples.steps(other, 2) == logs
        for a, b in zip(arrays(other), arrays(model), strict=True):
            np.testing.assert_array_equal(a, b)


class Interrupt(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == 5:
            os.kill(os.getpid(), signal.SIGINT)


def test_run_interrupted_in_warmup_resumes_bit_for_bit(tmp_path):
    config = TINY | {"warmup": 9, "prior": "vampprior", "pseudo_inputs": 4}
    run = {"data": "digits", "epochs": 2, "batch_size": 256, "config": config, "verbose": 0}
    cnnzoo.train("vae", out=tmp_path / "straight", **run)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs inherit an ignored SIGINT
    try:
        with pytest.raises(KeyboardInterrupt):
            cnnzoo.train("vae", out=tmp_path / "stopped", callbacks=[Interrupt()], **run)
    finally:
        signal.signal(signal.SIGINT, before)
    cnnzoo.train(resume=tmp_path / "stopped", verbose=0)
    ends = [cnnzoo.build("vae", weights=tmp_path / name).get_weights() for name in ("straight", "stopped")]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


# -- priors ------------------------------------------------------------------------------------------------------------


def learned(**config):
    """Returns a model with four distant components in its prior: four digits, encoded by a network of large weights."""
    model = samples.fresh("vae", prior="vampprior", pseudo_inputs=4, **TINY, **config)
    model.pseudo.logits.assign(12.0 * FLOATS[:4] - 6.0)
    last = model.encoder.layers[-1]
    last.kernel.assign(np.random.default_rng(1).normal(size=last.kernel.shape) * [6.0, 6.0, 6.0, 1.0, 1.0, 1.0])
    last.bias.assign([0.0, 0.0, 0.0, -1.0, -3.0, 0.5])
    return model


def components(model):
    """Returns the means and standard deviations of the prior, each (4, 3), from the encoder."""
    x = expit(ops.convert_to_numpy(model.pseudo.logits))
    numbers = ops.convert_to_numpy(model.encoder(x)).astype(float)
    return numbers[:, :3], np.exp(numbers[:, 3:] / 2)


def test_vampprior_log_density_matches_mixture():
    model = learned()
    means, deviations = components(model)
    z = (means[rng.integers(4, size=50)] + rng.normal(size=(50, 3))).astype(np.float32)
    each = stats.norm.logpdf(z[:, None], means, deviations).sum(axis=2)  # (50, 4)
    found = ops.convert_to_numpy(model.log_prior(z))
    # The expanded square is computed in float32. Its terms may be a hundred times their sum.
    np.testing.assert_allclose(found, logsumexp(each, axis=1) - np.log(4), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(ops.convert_to_numpy(model.log_prior(z.reshape(5, 10, 3))).ravel(), found, rtol=1e-5)


def test_normal_mixture_density_integrates_to_one():
    means, log_variances = np.array([[-1.0], [2.0]], np.float32), np.array([[0.3], [-1.5]], np.float32)

    def density(x):
        return float(np.exp(losses.normal_mixture_log_density(np.float32([[x]]), means, log_variances))[0])

    assert integrate.quad(density, -9, 9, points=[2.0], epsabs=1e-5)[0] == pytest.approx(1.0, abs=1e-4)


def test_vampprior_draw_matches_moments_and_is_deterministic():
    model, n = learned(), 40_000
    means, deviations = components(model)
    z = model.draw(n, seed=2)
    np.testing.assert_array_equal(z, model.draw(n, seed=2))
    assert z.dtype == np.float32 and not np.array_equal(z, model.draw(n, seed=3))
    mean = means.mean(axis=0)
    covariance = np.cov(means.T, bias=True) + np.diag((deviations**2).mean(axis=0))
    assert (np.abs(z.mean(axis=0) - mean) < 5 * np.sqrt(np.diag(covariance) / n)).all()
    products = (z - mean)[:, :, None] * (z - mean)[:, None]  # (n, 3, 3)
    assert (np.abs(products.mean(axis=0) - covariance) < 5 * products.std(axis=0) / np.sqrt(n)).all()


def test_generate_decodes_draws_from_prior():
    model = learned()
    np.testing.assert_array_equal(model.generate(5, seed=1), model.decode(model.draw(5, seed=1)))
    plain = far()
    np.testing.assert_array_equal(plain.draw(5, seed=1), np.random.default_rng(1).standard_normal((5, 3), np.float32))


def test_vampprior_kl_matches_monte_carlo_estimate():
    model, n = learned(), 4000
    found, logs = loss(model, np.repeat(FLOATS[:1], n, axis=0))
    mean, log_variance = (np.asarray(part, float)[0] for part in model.posterior(FLOATS[:1]))
    deviation = np.exp(log_variance / 2)
    z = mean + deviation * rng.normal(size=(n, 3))
    means, deviations = components(model)
    log_prior = logsumexp(stats.norm.logpdf(z[:, None], means, deviations).sum(axis=2), axis=1) - np.log(4)
    kl = stats.norm.logpdf(z, mean, deviation).sum(axis=1) - log_prior
    assert logs["kl"] == pytest.approx(kl.mean(), abs=5 * np.sqrt(2) * kl.std() / np.sqrt(n) + 1e-3)
    assert found == pytest.approx(logs["negative_log_likelihood"] + logs["kl"], rel=1e-6)
    weights = model.log_weights(FLOATS[:1], n, seed=1)  # the same prior
    spread = 5 * np.sqrt(2) * weights.std() / np.sqrt(n)
    assert -weights.mean() == pytest.approx(found, abs=spread)


@pytest.mark.parametrize("config", [{"importance_samples": 3, "binarize": True}, {"beta": 0.5, "warmup": 1}], ids=str)
def test_vampprior_training_updates_all_variables(config):
    model = samples.fresh("vae", prior="vampprior", pseudo_inputs=4, **TINY, **config)
    model.compile(keras.optimizers.SGD(1e-2))
    before = [v.numpy() for v in model.trainable_variables]
    samples.steps(model, 2)
    assert any(v is model.pseudo.logits for v in model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(variable.numpy()).all() and not np.array_equal(variable, old), variable.path


# -- backends and replicas ---------------------------------------------------------------------------------------------

VARIANTS = [
    {"warmup": 3, "beta": 2.0, "free_bits": 0.05},
    {"warmup": 3, "prior": "vampprior", "pseudo_inputs": 4},
    {"importance_samples": 3, "binarize": True},
]
CHILD = """
    import json, sys
    import keras
    from conformance import noise, samples
    import cnnzoo

    noise.replace()
    folder, tiny, variants, replicas = *sys.argv[1:2], *map(json.loads, sys.argv[2:5])
    if replicas:
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope
    else:
        import contextlib

        scope = contextlib.nullcontext
    logs = []
    for i, variant in enumerate(variants):
        with scope():
            model = samples.fresh("vae", seed=9, **tiny, **variant)
            model.compile(keras.optimizers.SGD(1e-3), precision="float32")
        model.load_weights(f"{folder}/{i}.weights.h5")
        logs.append(samples.steps(model, 5))
        if model.rise:
            logs[-1]["done"] = [float(model.rise.done.numpy())]
    print(json.dumps(logs))
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with the weights of each variant, and the logs of five training steps from these weights."""
    folder, logs = tmp_path_factory.mktemp("here"), []
    with pytest.MonkeyPatch.context() as patch:
        noise.replace(patch.setattr)
        for i, variant in enumerate(VARIANTS):
            model = samples.fresh("vae", **TINY, **variant)
            model.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
            model.save_weights(folder / f"{i}.weights.h5")
            logs.append(samples.steps(model, 5) | ({"done": [float(model.rise.done)]} if model.rise else {}))
    return folder, logs


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "replicas"), [("jax", False), ("tensorflow", True)])
def test_vae_training_matches_across_backends_and_replicas(backend, replicas, here):
    pytest.importorskip(backend)
    weights, logs = here
    tests = Path(__file__).parents[1]
    env = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    arguments = [str(weights), *map(json.dumps, (TINY, VARIANTS, replicas))]
    command = [sys.executable, "-c", textwrap.dedent(CHILD), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert logs[0]["done"] == [3.0]
    for expected, found in zip(logs, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5, err_msg=name)  # summation order


# -- conditional VAE ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conditional():
    model = samples.fresh("cvae", classes=3, **TINY)
    for weight in model.trainable_variables:  # larger, so that labels matter
        weight.assign(weight.numpy() * 2)
    return model


def test_cvae_encoder_and_decoder_depend_on_label(conditional):
    of = [conditional.generate(4, seed=1, labels=label) for label in range(3)]
    assert np.abs(of[0] - of[1]).max() > 1e-3
    mixed = conditional.generate(4, seed=1, labels=[0, 1, 2, 0])
    np.testing.assert_allclose(mixed, [of[label][i] for i, label in enumerate((0, 1, 2, 0))], atol=1e-6)
    np.testing.assert_array_equal(conditional.generate(4, seed=1), mixed)  # the classes in turn
    codes = [conditional.encode(IMAGES, label) for label in range(3)]
    assert np.abs(codes[0] - codes[1]).max() > 1e-3
    again = conditional.decode(codes[2], 2)
    np.testing.assert_allclose(conditional.reconstruct(FLOATS, 2), again, atol=1e-6)
    np.testing.assert_allclose(conditional.reconstruct(FLOATS[3], 2), again[3], atol=1e-6)


def test_cvae_infers_most_likely_label(conditional):
    bounds = []
    for label in range(3):
        z = conditional.encode(IMAGES, label)
        chances = conditional.decode(z, label).astype(float)
        seen = conditional.with_labels(FLOATS, np.eye(3, dtype=np.float32)[[label] * len(FLOATS)])
        log_variance = ops.convert_to_numpy(conditional.encoder(seen))[:, 3:]
        likelihood = np.sum(FLOATS * np.log(chances) + (1 - FLOATS) * np.log1p(-chances), axis=(1, 2, 3))
        prior = stats.norm.logpdf(z).sum(axis=1)
        bounds.append(likelihood + prior - stats.norm.logpdf(0, 0, np.exp(log_variance / 2)).sum(axis=1))
    labels = np.argmax(bounds, axis=0)
    assert len(set(labels.tolist())) > 1
    np.testing.assert_allclose(conditional.encode(IMAGES), conditional.encode(IMAGES, labels), atol=1e-6)
    np.testing.assert_allclose(conditional.reconstruct(FLOATS), conditional.reconstruct(FLOATS, labels), atol=1e-6)
    np.testing.assert_allclose(conditional(FLOATS), conditional.reconstruct(FLOATS, labels), atol=1e-6)


def test_trained_cvae_generates_and_infers_classes():
    digits = load("digits")
    pair = np.isin(digits.labels, (0, 1))
    x, labels = digits.images[pair], digits.labels[pair]
    model = samples.fresh("cvae", classes=2, width=4, hidden=16, latent_dim=2)
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(x, labels, batch_size=32, epochs=12, shuffle=False, verbose=0)
    means = np.stack([x[labels == label].mean(axis=0) for label in (0, 1)]) / 255
    for label in (0, 1):
        away = np.square(model.generate(20, labels=label).mean(axis=0) - means).sum(axis=(1, 2, 3))
        assert away.argmin() == label
    test = load("digits", "test")
    images, truth = (part[np.isin(test.labels, (0, 1))] for part in (test.images, test.labels))
    found = ops.convert_to_numpy(model.infer(images.astype(np.float32) / 255)).argmax(axis=1)
    assert np.mean(found == truth) > 0.9


def test_cvae_vampprior_is_independent_of_label(conditional):
    model = samples.fresh("cvae", classes=3, prior="vampprior", pseudo_inputs=4, importance_samples=2, **TINY)
    assert ops.convert_to_numpy(model.pseudo()).shape == (4, 28, 28, 1 + 3)
    model.compile()
    assert np.isfinite(model.fit(IMAGES, np.arange(8) % 3, shuffle=False, verbose=0).history["loss"]).all()
    np.testing.assert_array_equal(model.generate(3, labels=1), model.decode(model.draw(3), 1))


# -- scores and invalid arguments --------------------------------------------------------------------------------------


def test_evaluate_scores_cvae_given_labels():
    model = samples.fresh("cvae", **TINY)
    report = evaluate(model, "digits", samples=20, images=10)
    test = load("digits", "test")
    x = test.images.astype(np.float32) / 255
    weights = model.log_weights(x[:10], 20, seed=0, labels=test.labels[:10])
    assert report["iw_nll"].value == pytest.approx((np.log(20) - logsumexp(weights, axis=0)).mean(), rel=1e-5)
    assert report["iw_nll"].protocol["given"] == "the label of each image"
    assert report["negative_elbo"].n == 360


def test_evaluate_reports_bits_per_dim_only_for_logistic():
    model = samples.fresh("vae", likelihood="logistic", **TINY)
    report = evaluate(model, "digits", samples=10, images=10)
    bits = report["bits_per_dim"]
    assert bits.value == pytest.approx(report["iw_nll"].value / (28 * 28 * np.log(2)), rel=1e-6)
    assert bits.unit == "bits" and bits.protocol == report["iw_nll"].protocol
    assert "bits_per_dim" not in {score.name for score in evaluate(far(), "digits", samples=2, images=2).scores}


def test_evaluate_reports_static_binarization(tfds_data):
    report = evaluate(far(), "mnist/static", limit=20, samples=2, images=2)
    assert report["iw_nll"].protocol["binarization"] == "static: the data are binary"


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"beta": -1.0}, "`beta` must be a number >= 0.*Received: -1.0"),
        ({"beta": float("nan")}, "`beta` must be a number >= 0.*Received: nan"),
        ({"free_bits": -0.1}, "`free_bits` must be a number >= 0.*Received: -0.1"),
        ({"warmup": 0.5}, "`warmup` must be an integer.*Received: 0.5"),
        ({"importance_samples": 0}, "`importance_samples` must be an integer >= 1.*Received: 0"),
        ({"pseudo_inputs": 0}, "`pseudo_inputs` must be an integer >= 1.*Received: 0"),
        ({"prior": "flow"}, "`prior` must be one of normal, vampprior.*Received: 'flow'"),
        (
            {"importance_samples": 5, "beta": 2.0},
            "must be 1 unless beta=1, .*Received: importance_samples=5 with beta=2.0",
        ),
        ({"importance_samples": 5, "free_bits": 0.1}, "importance_samples=5 with .*free_bits=0.1"),
        ({"importance_samples": 5, "warmup": 9}, "importance_samples=5 with .*warmup=9"),
        (
            {"prior": "vampprior", "free_bits": 0.1},
            "`free_bits` must be 0 with prior='vampprior'; .*Received: free_bits=0.1",
        ),
    ],
)
def test_vae_rejects_invalid_configuration(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build("vae", **TINY, **config)


def test_cvae_rejects_invalid_classes_and_labels(conditional):
    with pytest.raises(ValueError, match=r"`classes` must be an integer >= 2.*Received: 1"):
        cnnzoo.build("cvae", classes=1)
    with pytest.raises(ValueError, match=r"`labels` must come with the images.*Received: None"):
        conditional.log_weights(FLOATS)
    z = np.zeros((8, 3), np.float32)
    for labels in (3, -1, [0, 1], np.zeros(8)):
        for verb, x in (("encode", IMAGES), ("reconstruct", IMAGES), ("decode", z), ("generate", 8)):
            with pytest.raises(ValueError, match=r"`labels` must be 8 integers in \[0, 3\), or one. Received: "):
                getattr(conditional, verb)(x, labels=labels)
        with pytest.raises(ValueError, match=r"`labels` must be .*Received: "):
            conditional.elbo(FLOATS, labels=labels)


def test_log_weights_rejects_invalid_arguments_but_accepts_uint8():
    model = samples.fresh("vae", **TINY)
    with pytest.raises(ValueError, match=r"`labels` must be None for the unconditional vae. Received: labels"):
        model.log_weights(FLOATS, labels=np.eye(8))
    for wrong in (0, 2.0):
        with pytest.raises(ValueError, match=rf"`samples` must be an integer >= 1.*Received: {wrong}"):
            model.log_weights(FLOATS, samples=wrong)
    with pytest.raises(
        ValueError, match=r"Images must be uint8 in \[0, 255\] or float32 in \[0, 1\].*values in \[0, 255"
    ):
        model.elbo(255 * FLOATS)
    binary = samples.fresh("vae", **TINY, binarize=True)
    with pytest.raises(ValueError, match=r"`images` must be binary, .*Received: grays"):
        binary.elbo(FLOATS)
    black_and_white = np.where(FLOATS > 0.5, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(binary.elbo(black_and_white), binary.elbo(black_and_white / np.float32(255)))
    gray = np.rint(255 * FLOATS).astype(np.uint8)
    np.testing.assert_allclose(model.elbo(gray), model.elbo(gray.astype(np.float32) / 255), rtol=1e-6)


@pytest.mark.parametrize("likelihood", ["gaussian", "logistic"])
def test_log_weights_under_mixed_float16_are_those_of_float32(likelihood):
    keras.utils.set_random_seed(0)
    plain = samples.fresh("vae", likelihood=likelihood, **TINY)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = samples.fresh("vae", likelihood=likelihood, **TINY)
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(plain.get_weights())
    np.testing.assert_allclose(model.log_weights(FLOATS, 2), plain.log_weights(FLOATS, 2), rtol=0.01)


def test_log_weights_of_single_image_are_those_of_a_batch_of_one(conditional):
    model = samples.fresh("vae", **TINY)
    np.testing.assert_array_equal(model.log_weights(FLOATS[0], 3), model.log_weights(FLOATS[:1], 3))
    assert model.elbo(FLOATS[0]).shape == (1,)
    np.testing.assert_array_equal(conditional.elbo(FLOATS[0], labels=2), conditional.elbo(FLOATS[:1], labels=2))
