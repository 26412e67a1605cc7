"""Scores of a model on a data set, each with the protocol that makes it comparable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnzoo import registry
from cnnzoo.metrics import classification, features, likelihood, reconstruction
from cnnzoo.metrics.scores import Score

GENERATED = 10_000  # samples of a generator
GENERATION_SEED = 1
NEIGHBOURS = 5  # of density and coverage
CHUNK = 50_000 * 28 * 28  # numbers that a decoder makes at a time

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Report:
    """The scores of one model on one split of a data set."""

    model: str
    data: str
    split: str
    scores: tuple[Score, ...]

    def to_json(self) -> dict[str, Any]:
        scores = [score.to_json() for score in self.scores]
        return {"model": self.model, "data": self.data, "split": self.split, "scores": scores}

    def __getitem__(self, name: str) -> Score:
        """The score of that name.

        Raises:
            KeyError: There is none; the message lists those that are.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"{name}; scores: {', '.join(score.name for score in self.scores)}")


def evaluate(
    model: Any,
    data: str | None = None,
    split: str = "test",
    *,
    limit: int | None = None,
    samples: int = 5000,
    images: int = 1000,
    extractor: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Measures what a model is for: accuracy, reconstruction, likelihood or the likeness of what it generates.

    Args:
        model: "arch.tag", or a model; a model of your own needs `data`.
        data: A data set's name or a folder; by default the one that the checkpoint was trained on.
        split: "test", or as in `cnnzoo.data.load`.
        limit: Use only the first so many images.
        samples: Of the importance-weighted bound, for each image.
        images: Of the importance-weighted bound: the first so many.
        extractor: The classifier whose features judge a generator: by default `cnn.fashion_mnist` on Fashion-MNIST and
            `lenet.mnist` on anything else.
        progress: Called with (done, total) in long measurements.

    Raises:
        UnknownName: No such checkpoint.
        ValueError: No data, an option out of range, or a model whose task is not known.
    """
    from cnnzoo.data import load

    name = model if isinstance(model, str) else model.architecture
    if isinstance(model, str):
        data = data or registry.card(model)["data"]["name"]
        model = registry.build(model)
    if data is None:
        raise ValueError(f"got a model of {name!r} without data; allowed: a data set's name or a folder")
    for option, value in (("limit", limit), ("samples", samples), ("images", images)):
        if value is not None and value < 1:
            raise ValueError(f"got {option}={value}; allowed: {option} >= 1")
    found = load(data, split, shape=model.image_shape)
    chosen = slice(limit)
    pictures = found.images[chosen]
    if model.task == "classify":
        if found.labels is None:
            raise ValueError(f"{data} has no labels; accuracy needs them")
        scores = _classification(model, pictures, found.labels[chosen])
    elif model.task == "reconstruct":
        train = load(data, "train", shape=model.image_shape).images
        scores = _reconstruction(model, pictures, train)
        if hasattr(model, "log_weights"):
            labels = found.labels[chosen] if model.needs_labels else None
            scores += _bounds(model, pictures, labels, samples, images, progress)
    elif model.task == "generate":
        extractor = extractor or ("cnn.fashion_mnist" if str(data) == "fashion_mnist" else "lenet.mnist")
        train = load(data, "train", shape=model.image_shape).images
        scores = _generation(model, pictures, found.labels, train, extractor)
    else:
        raise ValueError(f"got a model with the task {model.task!r}; allowed: classify, reconstruct, generate")
    return Report(name, str(data), split, tuple(scores))


def _classification(model, images: np.ndarray, labels: np.ndarray) -> list[Score]:
    rate, n = classification.accuracy(model.classify(images), labels), len(images)
    low, high = classification.wilson_interval(rate, n)
    return [Score("accuracy", 100 * rate, "%", "higher", n, (100 * low, 100 * high), {"interval": "Wilson, 95 %"})]


def _reconstruction(model, images: np.ndarray, train: np.ndarray) -> list[Score]:
    truth = images.astype(np.float32) / 255
    made = model.reconstruct(truth)
    n = len(images)
    mse = float(reconstruction.mse_per_image(truth, made).mean())
    psnr = float(reconstruction.psnr_per_image(truth, made).mean())
    pca = reconstruction.pca_mse(train.astype(np.float32) / 255, truth, model.latent_dim)
    fitted = {"components": model.latent_dim, "fitted on": f"{len(train)} training images"}
    return [
        Score("mse", mse, "", "lower", n, protocol={"range": "[0, 1]", "mean over": "images, pixels and channels"}),
        Score("psnr", psnr, "dB", "higher", n, protocol={"data range": 1, "mean over": "images"}),
        Score("pca_mse", pca, "", "", n, protocol=fitted),
        Score("mse_over_pca", mse / pca, "", "lower", n, protocol=fitted),
    ]


def _bounds(model, images: np.ndarray, labels, samples: int, count: int, progress: Progress | None) -> list[Score]:
    """The ELBO of all images and the importance-weighted bound of the first `count`, with their standard errors."""
    truth = images.astype(np.float32) / 255
    protocol: dict[str, Any] = {"likelihood": model.likelihood, "latent layers": 1}
    if labels is not None:
        protocol["given"] = "the label of each image"
    if model.binarize:
        truth = (np.random.default_rng(0).random(truth.shape) < truth).astype(np.float32)
        protocol["binarisation"] = "each pixel drawn once, NumPy default_rng(0)"
    elif np.isin(images, (0, 255)).all():
        protocol["binarisation"] = "static: the data are binary"

    def part(start: int, stop: int) -> dict[str, Any]:
        given = {} if labels is None else {"labels": labels[start:stop]}
        return {"images": truth[start:stop], **given}

    elbo = np.concatenate([model.elbo(**part(i, i + 500), seed=i) for i in range(0, len(truth), 500)])
    few = part(0, count)
    bound = likelihood.importance_weighted_bound(_log_weights(model, few, samples, progress))
    weighted = {**protocol, "samples": samples, "images": f"the first {len(bound)}"}
    scores = [
        _mean("negative_elbo", -elbo, "nats", {**protocol, "samples": 1}),
        _mean("iw_nll", -bound, "nats", weighted),
    ]
    if model.likelihood == "logistic":
        scores.append(_mean("bits_per_dim", -bound / (np.prod(truth.shape[1:]) * np.log(2)), "bits", weighted))
    return scores


def _log_weights(model, few: dict[str, Any], samples: int, progress: Progress | None) -> Iterator[np.ndarray]:
    """log p(x, z) - log q(z|x) for `samples` draws an image, some at a time."""
    step = max(1, min(samples, CHUNK // few["images"].size))
    for done in range(0, samples, step):
        now = min(step, samples - done)
        yield model.log_weights(**few, samples=now, seed=done)
        if progress is not None:
            progress(done + now, samples)


def _mean(name: str, values: np.ndarray, unit: str, protocol: dict[str, Any]) -> Score:
    mean, n = float(values.mean()), len(values)
    margin = classification.Z95 * float(values.std(ddof=1)) / np.sqrt(n) if n > 1 else float("inf")
    interval = (mean - margin, mean + margin) if n > 1 else None
    return Score(name, mean, unit, "lower", n, interval, {**protocol, "interval": "95 %, normal, over images"})


def _generation(model, real: np.ndarray, labels: np.ndarray | None, train: np.ndarray, extractor: str) -> list[Score]:
    judge = registry.build(extractor)
    if judge.task != "classify" or tuple(judge.image_shape) != tuple(model.image_shape):
        raise ValueError(
            f"got the extractor {extractor!r} ({judge.task}, images {judge.image_shape}); allowed: a classifier of "
            f"images {model.image_shape}"
        )
    n = min(GENERATED, len(real), len(train))
    made = model.generate(n, seed=GENERATION_SEED)
    fake = judge.features(made)
    real, other = judge.features(real[:n]), judge.features(train[:n])
    distance, floor = features.frechet_distance(fake, real), features.frechet_distance(other, real)
    density, coverage = features.density_coverage(real, fake, NEIGHBOURS)
    protocol = {
        "extractor": extractor,
        "extractor sha256": registry.card(extractor)["files"]["model.weights.h5"]["sha256"],
        "features": int(real.shape[1]),
        "generated": n,
        "generation seed": GENERATION_SEED,
    }
    floor_protocol = {**protocol, "floor": f"the first {n} training images in place of the generated"}
    neighbours = {**protocol, "k": NEIGHBOURS}
    scores = [
        Score("frechet", distance, "", "lower", n, protocol=protocol),
        Score("frechet_floor", floor, "", "", n, protocol=floor_protocol),
        Score("frechet_over_floor", distance / floor, "", "lower", n, protocol=floor_protocol),
        Score("kernel_distance", features.kernel_distance(fake, real), "", "lower", n, protocol=protocol),
        Score("density", density, "", "higher", n, protocol=neighbours),
        Score("coverage", coverage, "", "higher", n, protocol=neighbours),
    ]
    if model.needs_labels:
        scores += _obedience(model, made, fake, real, labels, judge, protocol)
    return scores


def _obedience(model, made, fake, real, labels, judge, protocol: dict[str, Any]) -> list[Score]:
    """Whether a generator makes what it is asked for: the classes in turn, as `generate` takes them."""
    n = len(made)
    asked = np.arange(n) % model.classes
    rate = classification.accuracy(judge.classify(made), asked)
    low, high = (100 * bound for bound in classification.wilson_interval(rate, n))
    interval = {**protocol, "interval": "Wilson, 95 %"}
    scores = [Score("label_agreement", 100 * rate, "%", "higher", n, (low, high), interval)]
    kinds = [(real[labels[:n] == label], fake[asked == label]) for label in range(model.classes)]
    if all(len(images) > NEIGHBOURS for images, _ in kinds):
        least = min(features.density_coverage(*kind, NEIGHBOURS)[1] for kind in kinds)
        scores.append(Score("least_coverage", least, "", "higher", n, protocol={**protocol, "k": NEIGHBOURS}))
    return scores
