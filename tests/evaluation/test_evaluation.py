"""Scores of each task from `evaluate`, against metrics computed by hand."""

import json
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.data import load
from cnnzoo.evaluation import evaluate
from cnnzoo.evaluation.generation import default_extractor
from cnnzoo.imaging.files import save_png
from cnnzoo.metrics import features, reconstruction
from cnnzoo.registry import UnknownName


class Oracle:
    """A classifier that is correct for the first `known` labels and predicts class 0 for the rest."""

    architecture, task, image_shape = "oracle", "classify", (28, 28, 1)

    def __init__(self, known: int):
        self.answers = load("digits", "test").few(80).labels.copy()
        self.answers[known:] = -1

    def classify(self, images):
        return (np.arange(10) == self.answers[: len(images), None]).astype(float)


def test_evaluate_classifier_reports_accuracy():
    report = evaluate(Oracle(40), "digits", limit=80)
    zeros = np.sum(load("digits", "test").few(80).labels[40:] == 0)  # argmax of a row of zeros is class 0
    score = report["accuracy"]
    assert score.value == pytest.approx(100 * (40 + zeros) / 80)
    assert score.n == 80 and score.interval[0] < score.value < score.interval[1]
    assert (report.model, report.data, report.split) == ("oracle", "digits", "test")


def test_evaluate_autoencoder_reports_mse_and_pca_mse():
    model = cnnzoo.build("autoencoder", latent_dim=8, width=4, hidden=16)
    report = evaluate(model, "digits")
    truth = load("digits", "test").images / 255.0
    made = model.reconstruct(load("digits", "test").images) / 255.0
    assert report["mse"].value == pytest.approx(np.mean((truth - made) ** 2), rel=0.02)  # rounded to gray levels here
    expected = reconstruction.pca_mse(load("digits").images / 255.0, truth, 8)
    assert report["pca_mse"].value == pytest.approx(expected, rel=1e-4)
    assert report["mse_over_pca"].value == pytest.approx(report["mse"].value / report["pca_mse"].value)


def test_evaluate_autoencoder_on_few_pictures_omits_pca(tmp_path):
    for i, image in enumerate(load("digits").images[:10]):
        save_png(tmp_path / f"{i}.png", image)
    report = evaluate(cnnzoo.build("autoencoder", latent_dim=16, width=4, hidden=16), tmp_path)
    assert [score.name for score in report.scores] == ["mse", "psnr"]


@pytest.mark.parametrize("config", [{"binarize": True}, {"likelihood": "logistic"}], ids=str)
def test_evaluate_vae_reports_negative_elbo_and_iw_nll(config):
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


def test_vae_mean_log_weight_matches_elbo():
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


@pytest.fixture
def judge(monkeypatch):
    """Replaces "lenet.mnist" with an untrained classifier, so that scores of an untrained GAN are not extreme."""
    judge = cnnzoo.build("lenet", image_shape=(28, 28, 1))
    card = {"files": {"model.weights.h5": {"sha256": "abc"}}}
    build = cnnzoo.hub.build
    monkeypatch.setattr("cnnzoo.hub.build", lambda name: judge if name == "lenet.mnist" else build(name))
    monkeypatch.setattr("cnnzoo.hub.card", lambda name: card)
    return judge


def test_evaluate_gan_reports_distances_density_and_coverage(judge):
    model = cnnzoo.build("gan")
    report = evaluate(model, "digits")
    real = judge.features(load("digits", "test").images)
    fakes = [judge.features(model.generate(360, seed=seed)) for seed in (1, 2, 3)]
    pairs = [features.density_coverage(real, fake, 5) for fake in fakes]
    expected = {
        "frechet": [features.frechet_distance(fake, real) for fake in fakes],
        "kernel_distance": [features.kernel_distance(fake, real) for fake in fakes],
        "density": [density for density, _ in pairs],
        "coverage": [coverage for _, coverage in pairs],
    }
    for name, values in expected.items():
        assert report[name].value == pytest.approx(np.mean(values), rel=1e-6)
        protocol = report[name].protocol
        assert protocol["standard deviation over seeds"] == pytest.approx(statistics.stdev(values), rel=0.006, abs=1e-9)
        assert protocol["generation seeds"] == [1, 2, 3] and protocol["generated"] == report[name].n == 360
    train = judge.features(load("digits").few(3 * 360).images)
    floor = np.mean([features.frechet_distance(train[i::3], real) for i in range(3)])
    assert report["frechet_floor"].value == pytest.approx(floor, rel=1e-6)
    assert report["frechet_over_floor"].value == pytest.approx(report["frechet"].value / floor, rel=1e-6)
    assert report["frechet"].protocol["extractor"] == "lenet.mnist"
    assert report["frechet"].protocol["extractor sha256"] == "abc"


def test_evaluate_vae_reports_frechet_distance(judge):
    model = cnnzoo.build("vae", latent_dim=4, width=2, hidden=4)
    report = evaluate(model, "digits", limit=50, samples=2, images=4)
    real = judge.features(load("digits", "test").few(50).images)
    distances = [features.frechet_distance(judge.features(model.generate(50, seed=s)), real) for s in (1, 2, 3)]
    assert report["frechet"].value == pytest.approx(np.mean(distances), rel=1e-6)
    assert {"iw_nll", "mse"} <= {score.name for score in report.scores}


@pytest.mark.parametrize(
    ("shape", "data", "name"),
    [
        ((28, 28, 1), "mnist", "lenet.mnist"),
        ((28, 28, 1), "digits", "lenet.mnist"),
        ((28, 28, 1), "fashion_mnist", "cnn.fashion_mnist"),
        ((32, 32, 3), "cifar10", "lenet.cifar10"),
        ((64, 64, 3), "signs", "cnn.signs"),
        ((64, 64, 3), "photos", None),
        ((28, 28, 1), "mnist/static", None),
        ((32, 32, 1), "mnist", None),
    ],
)
def test_default_extractor_depends_on_image_shape_and_data(shape, data, name):
    assert default_extractor(shape, data) == default_extractor(list(shape), data) == name


def test_evaluate_requires_extractor_for_gan_but_not_for_vae():
    model = cnnzoo.build("dcgan", image_shape=(32, 32, 3), width=2, latent_dim=4)
    complaint = r"`extractor` must be .* images \(32, 32, 3\), .* photos \(shipped: .*cifar10\)\. Received: None"
    with pytest.raises(ValueError, match=complaint):
        evaluate(model, "photos")
    with pytest.raises(ValueError, match=r"must be a classifier of images \(32, 32, 3\). Received: 'lenet.mnist' "):
        evaluate(model, "photos", extractor="lenet.mnist")
    vae = cnnzoo.build("vae", image_shape=(8, 8, 3), latent_dim=4, width=2, hidden=4)
    names = {score.name for score in evaluate(vae, "photos", samples=2, images=4).scores}
    assert "iw_nll" in names and "frechet" not in names


def test_evaluate_cgan_reports_label_agreement_and_coverage():
    judge = cnnzoo.build("lenet.mnist")
    model = cnnzoo.build("cgan", width=2, latent_dim=4)
    report = evaluate(model, "digits")
    made, asked = [model.generate(360, seed=seed) for seed in (1, 2, 3)], np.arange(360) % 10
    rates = [np.mean(judge.classify(images).argmax(1) == asked) for images in made]
    assert report["label_agreement"].value == pytest.approx(100 * np.mean(rates))
    assert report["label_agreement"].n == 3 * 360
    test = load("digits", "test")
    real, fakes = judge.features(test.images), [judge.features(images) for images in made]
    coverage = [
        [features.density_coverage(real[test.labels == c], fake[asked == c], 5)[1] for fake in fakes] for c in range(10)
    ]
    least = report["least_coverage"]
    assert least.value == pytest.approx(min(np.mean(row) for row in coverage))
    assert np.mean(coverage[least.protocol["class"]]) == pytest.approx(least.value)
    few = {score.name for score in evaluate(model, "digits", limit=20).scores}  # too few per class for neighbors
    assert "label_agreement" in few and "least_coverage" not in few


def test_evaluate_autoencoder_reports_worst_class_mse():
    model = cnnzoo.build("autoencoder", latent_dim=4, width=2, hidden=4)
    score = evaluate(model, "digits")["worst_class_mse"]
    test = load("digits", "test")
    truth = test.images / 255.0
    errors = ((truth - model.reconstruct(truth)) ** 2).mean(axis=(1, 2, 3))
    table = {str(c): errors[test.labels == c].mean() for c in range(10)}
    assert score.protocol["class"] == max(table, key=table.get)
    assert score.value == pytest.approx(max(table.values()), rel=1e-5)
    assert score.n == np.sum(test.labels == int(score.protocol["class"]))
    assert score.protocol["by class"] == pytest.approx(table, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"data": None}, "`data` must be .* for a model of 'oracle'. Received: None"),
        ({"data": "digits", "limit": 0}, "`limit` must be an integer >= 1. Received: 0"),
        ({"data": "digits", "limit": 2.5}, "`limit` must be an integer >= 1. Received: 2.5"),
        ({"data": "digits", "samples": -1}, "`samples` must be an integer >= 1. Received: -1"),
        (
            {"data": "digits", "samples": 3, "images": 4},
            "`samples`, `images` must not be given .*. Received: samples=3, images=4 for a model of the task",
        ),
        (
            {"data": "digits", "extractor": "lenet.mnist"},
            "`extractor` must not be given .*. Received: extractor='lenet.mnist' for a model of the task 'classify'",
        ),
        (
            {"data": "digits", "inception": True},
            "`inception` must not be given .*. Received: inception=True for a model of the task 'classify'",
        ),
        ({"data": "mnits"}, "`data` must be one of mnist, .*. Received: 'mnits'"),
    ],
)
def test_evaluate_rejects_invalid_arguments(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        evaluate(Oracle(1), **arguments)


def test_evaluate_rejects_name_of_architecture():
    with pytest.raises(UnknownName, match=r"Unknown checkpoint 'lenet'. Did you mean lenet"):
        evaluate("lenet", "digits")


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """A working directory with a checkpoint, a run and a folder of pictures that have the names of others."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(checkpoints.saved_models_dir() / "lenet.mnist", "autoencoder.mnist")
    card = checkpoints.open_checkpoint("autoencoder.mnist").card
    plan = {"architecture": "lenet", "config": card["config"], "data": "digits"}
    Path("run").mkdir()
    shutil.copy("autoencoder.mnist/model.weights.h5", "run")
    Path("run/run.json").write_text(json.dumps(plan))
    for name, gray in (("zero", 0), ("one", 255)):
        save_png(tmp_path / "digits" / "test" / name / "0.png", np.full((28, 28, 1), gray, np.uint8))
        save_png(tmp_path / "digits" / "train" / name / "0.png", np.full((28, 28, 1), gray, np.uint8))
    return tmp_path


def test_evaluate_takes_folders_of_runs_and_checkpoints(in_folder):
    report = evaluate(Path("run"), limit=20)
    assert report.data == "digits" and report.model == "run"
    expected = evaluate("lenet.mnist", "digits", limit=20)["accuracy"]
    assert report["accuracy"] == evaluate("run", limit=20)["accuracy"] == expected
    assert evaluate(Path("autoencoder.mnist"), "digits", limit=20)["accuracy"] == expected
    assert evaluate("autoencoder.mnist", "digits", limit=20)["mse"].n == 20  # the checkpoint of that name
    with pytest.raises(UnknownName, match="Unknown checkpoint 'nowhere'"):
        evaluate(Path("nowhere"), "digits")


def test_path_is_never_the_data_set_of_its_name(in_folder):
    model = cnnzoo.build("autoencoder", latent_dim=2, width=1, hidden=2)
    report = evaluate(model, Path("digits"))
    assert report["mse"].n == 2 and report.data == str(in_folder / "digits")
    assert evaluate(model, "digits")["mse"].n == 360
    assert [len(images) for images, _ in cnnzoo.pipeline(Path("digits"), "test")] == [2]
    assert next(len(images) for images, _ in cnnzoo.pipeline("digits", "test")) == 128
    with pytest.raises(ValueError, match="mnist"):
        load(Path("mnist"))


@pytest.mark.slow
def test_evaluate_shipped_classifier_matches_card(tfds_data):
    score = evaluate("lenet.mnist")["accuracy"]
    on_card = cnnzoo.card("lenet.mnist")["scores"][0]
    assert score.value == pytest.approx(on_card["value"], abs=0.011)  # one prediction may differ on another processor
    assert score.n == on_card["n"] == 10_000


def test_frechet_floor_is_mean_over_disjoint_training_sets(judge, monkeypatch):
    report = evaluate(cnnzoo.build("gan"), "digits", limit=100)
    real, train = judge.features(load("digits", "test").few(100).images), load("digits")
    assert len(train.images) // 100 == 14
    of_train = judge.features(train.few(1400).images)
    distances = [features.frechet_distance(of_train[i::14], real) for i in range(14)]
    floor = report["frechet_floor"]
    assert floor.value == pytest.approx(np.mean(distances), rel=1e-6)
    assert floor.protocol["standard deviation over sets"] == pytest.approx(statistics.stdev(distances), rel=0.006)
    assert floor.protocol["floor"].startswith("mean of 14 disjoint sets of 100 training images")
    monkeypatch.setattr("cnnzoo.evaluation.generation.FLOORS", 1)
    single = evaluate(cnnzoo.build("gan"), "digits", limit=100)["frechet_floor"]
    assert single.protocol["standard deviation over sets"] is None


def test_label_agreement_has_judge_accuracy_and_density_ideal_1():
    model = cnnzoo.build("cgan", width=2, latent_dim=4)
    report, judge = evaluate(model, "digits", limit=50), cnnzoo.build("lenet.mnist")
    test = load("digits", "test").few(50)
    right = 100 * np.mean(judge.classify(test.images).argmax(1) == test.labels)
    assert report["label_agreement"].protocol["accuracy on real images"] == pytest.approx(right)
    assert report["density"].better == "" and report["density"].protocol["ideal"] == 1
    assert report["coverage"].better == "higher"


def test_evaluate_validation_reports_pca_fitted_on_fit_split():
    found = evaluate(cnnzoo.build("autoencoder", latent_dim=4, width=2, hidden=4), "digits", "validation")
    assert found["pca_mse"].protocol["fitted on"] == f"{len(load('digits', 'fit').images)} training images"
