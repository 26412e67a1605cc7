"""Evaluation: the scores of each task, against the metrics applied by hand."""

import numpy as np
import pytest
from scipy.special import logsumexp

import cnnzoo
from cnnzoo.data import load
from cnnzoo.evaluation import evaluate
from cnnzoo.metrics import features, reconstruction


class Oracle:
    """A classifier that knows the first labels and says 0 to the rest."""

    architecture, task, image_shape = "oracle", "classify", (28, 28, 1)

    def __init__(self, known: int):
        self.answers = load("digits", "test").labels.copy()
        self.answers[known:] = -1

    def classify(self, images):
        return (np.arange(10) == self.answers[: len(images), None]).astype(float)


def test_a_classifier_is_scored_by_its_accuracy():
    known = load("digits", "test").labels[:40]
    report = evaluate(Oracle(40), "digits", limit=80)
    zeros = np.sum(load("digits", "test").labels[40:80] == 0)  # argmax of a row of zeros is class 0
    score = report["accuracy"]
    assert score.value == pytest.approx(100 * (len(known) + zeros) / 80)
    assert score.n == 80 and score.interval[0] < score.value < score.interval[1]
    assert (report.model, report.data, report.split) == ("oracle", "digits", "test")


def test_an_autoencoder_is_scored_beside_a_pca():
    model = cnnzoo.build("autoencoder", latent_dim=8, width=4, hidden=16)
    report = evaluate(model, "digits")
    truth = load("digits", "test").images / 255.0
    made = model.reconstruct(load("digits", "test").images) / 255.0
    assert report["mse"].value == pytest.approx(np.mean((truth - made) ** 2), rel=0.02)  # rounded to grey values here
    expected = reconstruction.pca_mse(load("digits").images / 255.0, truth, 8)
    assert report["pca_mse"].value == pytest.approx(expected, rel=1e-4)
    assert report["mse_over_pca"].value == pytest.approx(report["mse"].value / report["pca_mse"].value)


@pytest.mark.parametrize("config", [{"binarize": True}, {"likelihood": "logistic"}], ids=str)
def test_a_vae_is_scored_by_its_bounds(config):
    model = cnnzoo.build("vae", latent_dim=4, width=4, hidden=16, **config)
    calls = []
    report = evaluate(model, "digits", samples=30, images=20, progress=lambda *c: calls.append(c))
    truth = load("digits", "test").images.astype(np.float32) / 255
    if model.binarize:
        truth = (np.random.default_rng(0).random(truth.shape) < truth).astype(np.float32)
    weights = model.log_weights(truth[:20], 2000, seed=9)
    assert report["negative_elbo"].value == pytest.approx(-weights.mean(), rel=0.05)
    bound = np.log(30) - logsumexp(model.log_weights(truth[:20], 30, seed=0), axis=0)
    assert report["iw_nll"].value == pytest.approx(bound.mean(), rel=1e-5)
    assert report["iw_nll"].n == 20 and report["negative_elbo"].n == 360
    assert report["iw_nll"].value < report["negative_elbo"].value + 5
    assert calls[-1] == (30, 30)


def test_log_weights_are_the_elbo_on_average():
    model = cnnzoo.build("vae", latent_dim=4, width=4, hidden=16)
    images = load("digits", "test").images[:3].astype(np.float32) / 255
    sampled = model.log_weights(images, 4000, seed=1)
    mean, log_variance = (np.asarray(part) for part in model.posterior(images))
    kl = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance, axis=1)
    z = mean + np.exp(log_variance / 2) * np.random.default_rng(2).standard_normal((4000, 3, 4), dtype=np.float32)
    chances = model.decode(z.reshape(-1, 4)).reshape(4000, 3, 28, 28, 1)
    likelihood = np.sum(images * np.log(chances) + (1 - images) * np.log1p(-chances), axis=(2, 3, 4))
    error = 4 * sampled.std(axis=0) / np.sqrt(4000)
    assert (np.abs(sampled.mean(axis=0) - (likelihood.mean(axis=0) - kl)) < 2 * error).all()


def test_a_generator_is_scored_by_its_likeness(monkeypatch):
    judge = cnnzoo.build("lenet", image_shape=(28, 28, 1))
    card = {"files": {"model.weights.h5": {"sha256": "abc"}}}
    build = cnnzoo.registry.build
    monkeypatch.setattr("cnnzoo.registry.build", lambda name: judge if name == "lenet.mnist" else build(name))
    monkeypatch.setattr("cnnzoo.registry.card", lambda name: card)
    model = cnnzoo.build("gan")
    report = evaluate(model, "digits")
    real = judge.features(load("digits", "test").images)
    fake = judge.features(model.generate(360, seed=1))
    assert report["frechet"].value == pytest.approx(features.frechet_distance(fake, real), rel=1e-6)
    floor = features.frechet_distance(judge.features(load("digits").images[:360]), real)
    assert report["frechet_floor"].value == pytest.approx(floor, rel=1e-6)
    assert report["frechet"].n == 360
    assert report["frechet"].protocol["extractor"] == "lenet.mnist"
    assert report["frechet"].protocol["extractor sha256"] == "abc"
    assert {"kernel_distance", "density", "coverage"} <= {score.name for score in report.scores}


def test_a_conditional_generator_is_scored_by_what_it_was_asked_for():
    judge = cnnzoo.build("lenet.mnist")
    model = cnnzoo.build("cgan", width=2, latent_dim=4)
    report = evaluate(model, "digits")
    made, asked = model.generate(360, seed=1), np.arange(360) % 10
    assert report["label_agreement"].value == pytest.approx(100 * np.mean(judge.classify(made).argmax(1) == asked))
    test = load("digits", "test")
    real, fake = judge.features(test.images), judge.features(made)
    kinds = [(real[test.labels == label], fake[asked == label]) for label in range(10)]
    assert report["least_coverage"].value == min(features.density_coverage(*kind, 5)[1] for kind in kinds)
    few = {score.name for score in evaluate(model, "digits", limit=20).scores}  # too few of a class for neighbours
    assert "label_agreement" in few and "least_coverage" not in few


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"data": None}, "got a model of 'oracle' without data"),
        ({"data": "digits", "limit": 0}, "got limit=0; allowed: limit >= 1"),
        ({"data": "digits", "samples": -1}, "got samples=-1"),
        ({"data": "mnits"}, "got data 'mnits'; allowed"),
    ],
)
def test_what_cannot_be_evaluated_is_said(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        evaluate(Oracle(1), **arguments)


def test_the_score_of_a_shipped_classifier_is_the_one_on_its_card(tfds_data):
    score = evaluate("lenet.mnist")["accuracy"]
    on_card = cnnzoo.card("lenet.mnist")["scores"][0]
    assert score.value == pytest.approx(on_card["value"], abs=0.011)  # one image may tip on another processor
    assert score.n == on_card["n"] == 10_000
