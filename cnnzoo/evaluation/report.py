"""Scores of a model on a data set, each with the protocol that makes it comparable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnzoo import hub
from cnnzoo.checkpoints import TASKS
from cnnzoo.data import ImageSet, load
from cnnzoo.evaluation import restoration, stylization
from cnnzoo.evaluation.generation import GenerationMetrics, default_extractor
from cnnzoo.features.inception import network as inception_network
from cnnzoo.metrics import classification, likelihood, reconstruction
from cnnzoo.metrics.scores import Score

CHUNK = 50_000 * 28 * 28  # numbers that a decoder makes at a time
BOUNDED = 1000 * 28 * 28  # values of the images whose likelihood is bounded with many samples

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
    images: int | None = None,
    extractor: str | None = None,
    inception: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Measures what a model is for: accuracy, reconstruction, likelihood, restoration, or likeness of what it makes up.

    Args:
        model: "arch.tag", or a model; a model of your own needs `data`.
        data: A data set's name or a folder; by default the one that the checkpoint was trained on, and for one that
            was trained on whole photographs the usual sets to test on (see `cnnzoo.evaluation.restoration`).
        split: "test", or as in `cnnzoo.data.load`.
        limit: Use only so many images; see `cnnzoo.data.ImageSet.few`.
        samples: Of the importance-weighted bound, for each image.
        images: Of the importance-weighted bound: the first so many; by default 1000 of 28x28, and as many fewer of
            others as they have more values.
        extractor: The classifier whose features score generated images; by default the `judge` of the data set in
            `cnnzoo.data.catalog`, or `lenet.mnist` for gray 28x28 images of other data.
        inception: Judge it by the Inception network of 2015 as well; see `cnnzoo.features.inception`.
        progress: Called with (done, total) in long measurements.

    Raises:
        UnknownName: No such checkpoint.
        DataNotFound: The data, or the Inception network, are not on this machine and cannot be fetched.
        ValueError: No data, an option out of range, no classifier to judge a generator, or a model whose task is not
            known.
    """
    name = model if isinstance(model, str) else model.architecture
    if isinstance(model, str):
        data = data or hub.card(model)["data"]["name"]
        model = hub.build(model)
    if data is None:
        raise ValueError(f"got a model of {name!r} without data; allowed: a data set's name or a folder")
    for option, value in (("limit", limit), ("samples", samples), ("images", images)):
        if value is not None and value < 1:
            raise ValueError(f"got {option}={value}; allowed: {option} >= 1")
    if not getattr(model, "ships", True):
        tasks = ", ".join(TASKS)
        raise ValueError(f"got a {model.architecture}, which is trained anew for each picture; allowed: to {tasks}")
    generates = hasattr(model, "generate")
    extractor = extractor or (default_extractor(model.image_shape, data) if generates else None)
    if model.task == "generate" and extractor is None:
        raise ValueError(
            f"no shipped classifier judges images {tuple(model.image_shape)} beside those of {data}; allowed: an "
            "extractor, the name of a classifier of such images"
        )
    if inception and not generates:
        raise ValueError(f"got inception=True for a model of the task {model.task!r}; allowed: a model that generates")
    if model.task in ("upscale", "restore", "inpaint", "enhance"):
        return Report(name, str(data), split, tuple(restoration.measure(model, str(data), split, limit, progress)))
    if model.task == "stylize":
        return Report(name, str(data), split, tuple(stylization.measure(model, str(data), split, limit, progress)))
    network = inception_network() if inception else None
    found = load(data, split, shape=model.image_shape).few(limit)
    if names := getattr(model, "class_names", ()):
        found = found.relabeled(names)
    if model.task == "classify":
        if found.labels is None:
            raise ValueError(f"{data} has no labels; accuracy needs them")
        return Report(name, str(data), split, tuple(_classification(model, found.images, found.labels)))
    scores = []
    train = load(data, "train", shape=model.image_shape)
    if model.task == "reconstruct":
        scores += _reconstruction(model, found, train.images)
    if generates:
        likeness = GenerationMetrics(model, found, train, progress)
        scores += likeness.scores(extractor) if extractor else []
        scores += likeness.inception_scores(network) if network else []
    if hasattr(model, "log_weights"):
        labels = found.labels if model.needs_labels else None
        images = images or max(1, BOUNDED // found.images[0].size)
        scores += bounds(model, found.images, labels, samples, images, progress)
    return Report(name, str(data), split, tuple(scores))


def _classification(model: Any, images: np.ndarray, labels: np.ndarray) -> list[Score]:
    rate, n = classification.accuracy(model.classify(images), labels), len(images)
    low, high = classification.wilson_interval(rate, n)
    return [Score("accuracy", 100 * rate, "%", "higher", n, (100 * low, 100 * high), {"interval": "Wilson, 95 %"})]


def _reconstruction(model: Any, found: ImageSet, train: np.ndarray) -> list[Score]:
    truth = found.images.astype(np.float32) / 255
    made = model.reconstruct(truth)
    n = len(truth)
    errors = reconstruction.mse_per_image(truth, made)
    mse = float(errors.mean())
    psnr = float(reconstruction.psnr_per_image(truth, made).mean())
    pca = reconstruction.pca_mse(train.astype(np.float32) / 255, truth, model.latent_dim)
    fitted = {"components": model.latent_dim, "fitted on": f"{len(train)} training images"}
    scores = [
        Score("mse", mse, "", "lower", n, protocol={"range": "[0, 1]", "mean over": "images, pixels and channels"}),
        Score("psnr", psnr, "dB", "higher", n, protocol={"data range": 1, "mean over": "images"}),
        Score("pca_mse", pca, "", "", n, protocol=fitted),
        Score("mse_over_pca", mse / pca, "", "lower", n, protocol=fitted),
    ]
    return scores if found.labels is None else [*scores, _worst_class(errors, found.labels, found.classes)]


def _worst_class(errors: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> Score:
    """The mean error of the class that is reconstructed worst, with those of all classes in its protocol."""
    means = {label: float(errors[labels == label].mean()) for label in np.unique(labels)}
    worst = max(means, key=means.__getitem__)
    table = {classes[label]: float(f"{mean:.4g}") for label, mean in means.items()}
    protocol = {"class": classes[worst], "by class": table}
    return Score("worst_class_mse", means[worst], "", "lower", int(np.sum(labels == worst)), protocol=protocol)


def bounds(
    model: Any, images: np.ndarray, labels: Any, samples: int, count: int, progress: Progress | None
) -> list[Score]:
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


def _log_weights(model: Any, few: dict[str, Any], samples: int, progress: Progress | None) -> Iterator[np.ndarray]:
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
