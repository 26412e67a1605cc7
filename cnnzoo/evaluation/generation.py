"""Scores of generators: Fréchet and kernel distance, density, coverage, label accuracy, FID, KID and IS."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cnnzoo import hub
from cnnzoo.checkpoints import shipped
from cnnzoo.data import ImageSet
from cnnzoo.data.catalog import CATALOG
from cnnzoo.evaluation.options import Progress
from cnnzoo.features import inception
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.metrics import classification, features
from cnnzoo.metrics.scores import Score

GENERATED = 10_000  # samples per seed, at most
SEEDS = (1, 2, 3)
FLOORS = 20  # sets of training images, at most: enough for the spread of their distances

Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def default_extractor(image_shape: Sequence[int | None], data: str | Path) -> str | None:
    """The shipped classifier whose features score generated images of a data set.

    It is the `judge` of the data set in `cnnzoo.data.catalog`, else `lenet.mnist` for gray 28x28 images, else None.
    """
    known = CATALOG.get(str(data))
    if known is not None and known.judge is not None:
        return known.judge or None
    return "lenet.mnist" if tuple(image_shape) == (28, 28, 1) else None


def classifiers(image_shape: Sequence[int | None]) -> list[str]:
    """The shipped classifiers of images of a shape."""
    cards = [card for card in shipped.cards() if card["task"] == "classify"]
    return [card["name"] for card in cards if card["config"]["image_shape"] == list(image_shape)]


def judge_of(model: Any, extractor: str) -> Any:
    """The classifier whose features score the samples of a model.

    Raises:
        UnknownName: There is no such checkpoint.
        ValueError: It is not a classifier of images of that shape.
    """
    judge = hub.build(extractor)
    judge.ground = ""  # no hint to invert samples: they are not a user's images
    if judge.task != "classify" or tuple(judge.image_shape) != tuple(model.image_shape):
        raise ValueError(
            f"`extractor` must be a classifier of images {model.image_shape}. "
            f"Received: {extractor!r} ({judge.task}, images {judge.image_shape})"
        )
    return judge


class GenerationMetrics:
    """Compares samples of several seeds with an equal number of real images.

    Args:
        model: Has `generate`.
        real: The real images, of the split under test.
        train: The training images. Disjoint sets of them give the floor: the distance between training and real images.
        progress: Called with (done, total) seeds.
    """

    def __init__(self, model: Any, real: ImageSet, train: ImageSet, progress: Progress | None = None):
        self.model = model
        self.n = min(GENERATED, len(real.images), len(train.images))
        self.real, self.train = real.few(self.n), train
        self.progress = progress

    def scores(self, extractor: str) -> list[Score]:
        """Fréchet and kernel distance, density and coverage in the features of a classifier, averaged over seeds.

        Raises:
            UnknownName: There is no such checkpoint.
            ValueError: It is not a classifier of images of that shape.
        """
        judge = judge_of(self.model, extractor)
        real = judge.features(self.real.images)
        floor = self._floor(judge, real)
        found: dict[str, list[float]] = {name: [] for name in ("frechet", "kernel_distance", "density", "coverage")}
        predictions, by_class = [], []
        for images in self._samples():
            fake = judge.features(images)
            found["frechet"].append(features.frechet_distance(fake, real))
            found["kernel_distance"].append(features.kernel_distance(fake, real))
            density, coverage = features.density_coverage(real, fake)
            found["density"].append(density)
            found["coverage"].append(coverage)
            if self.model.needs_labels:
                predictions.append(judge.classify(images))
                by_class.append(self._coverage_by_class(real, fake))
        protocol = {
            "extractor": extractor,
            "extractor sha256": hub.card(extractor)["files"]["model.weights.h5"]["sha256"],
            "features": int(real.shape[1]),
        }
        floors = {
            **protocol,
            "floor": f"mean of {len(floor)} disjoint sets of {self.n} training images in place of the generated",
            "standard deviation over sets": _deviation(floor),
        }
        neighbors = {**protocol, "k": features.NEIGHBORS}
        over_floor = [distance / float(np.mean(floor)) for distance in found["frechet"]]
        scores = [
            self._score("frechet", found["frechet"], "lower", protocol),
            Score("frechet_floor", float(np.mean(floor)), "", "", self.n, protocol=floors),
            self._score("frechet_over_floor", over_floor, "lower", floors),
            self._score("kernel_distance", found["kernel_distance"], "lower", protocol),
            self._score("density", found["density"], "", {**neighbors, "ideal": 1}),
            self._score("coverage", found["coverage"], "higher", neighbors),
        ]
        if not self.model.needs_labels:
            return scores
        if self.real.labels is not None:
            right = classification.accuracy(judge.classify(self.real.images), self.real.labels)
            protocol["accuracy on real images"] = 100 * right
        return scores + self._conditional_accuracy(predictions, by_class, protocol)

    def inception_scores(self, network: Network) -> list[Score]:
        """FID, KID and IS as in the literature, with the network of `cnnzoo.features.inception`."""
        real, _ = network(self.real.images)
        found: dict[str, list[float]] = {"fid": [], "kid": [], "is": []}
        for images in self._samples():
            fake, chances = network(to_uint8(images))
            found["fid"].append(features.frechet_distance(fake, real))
            found["kid"].append(features.kernel_distance(fake, real))
            found["is"].append(features.inception_score(chances, inception.SPLITS))
        protocol = {"network": "Inception of 2015, frozen TensorFlow graph", "network sha256": inception.SHA256}
        against = {**protocol, "features": int(real.shape[1]), "against": f"{self.n} images of {self.real.split!r}"}
        return [
            self._score("inception2015_fid", found["fid"], "lower", against),
            self._score("inception2015_kid", found["kid"], "lower", {**against, "pairs": "all"}),
            self._score("inception2015_is", found["is"], "higher", {**protocol, "splits": inception.SPLITS}),
        ]

    def _floor(self, judge: Any, real: np.ndarray) -> list[float]:
        """The Fréchet distances of at most `FLOORS` disjoint sets of training images."""
        sets = min(FLOORS, len(self.train.images) // self.n)
        train = judge.features(self.train.few(sets * self.n).in_memory().images)
        return [features.frechet_distance(train[i::sets], real) for i in range(sets)]

    def _samples(self) -> Iterator[np.ndarray]:
        """The images of each seed, float32 (n, height, width, channels)."""
        for done, seed in enumerate(SEEDS):
            yield self.model.generate(self.n, seed=seed)
            if self.progress is not None:
                self.progress(done + 1, len(SEEDS))

    def _score(
        self, name: str, values: list[float], better: Literal["higher", "lower", ""], protocol: dict[str, Any]
    ) -> Score:
        """The mean over seeds, with the standard deviation in the protocol."""
        seeds = {"generated": self.n, "generation seeds": list(SEEDS)}
        seeds["standard deviation over seeds"] = _deviation(values)
        return Score(name, float(np.mean(values)), "", better, self.n, protocol={**protocol, **seeds})

    def _labels(self) -> np.ndarray:
        """The labels (n,) of a conditional generator's samples: the classes in turn."""
        return np.arange(self.n) % self.model.classes

    def _coverage_by_class(self, real: np.ndarray, fake: np.ndarray) -> list[float]:
        """The coverage of each class by the samples with its label; empty if a class has too few images."""
        labels = self._labels()
        kinds = [(real[self.real.labels == label], fake[labels == label]) for label in range(self.model.classes)]
        if any(len(images) <= features.NEIGHBORS for images, _ in kinds):
            return []
        return [features.density_coverage(*kind)[1] for kind in kinds]

    def _conditional_accuracy(
        self, predictions: list[np.ndarray], by_class: list[list[float]], protocol: dict[str, Any]
    ) -> list[Score]:
        """The accuracy of the labels of samples, and the coverage of the worst class."""
        labels = np.tile(self._labels(), len(predictions))
        rate, n = classification.accuracy(np.concatenate(predictions), labels), len(labels)
        low, high = classification.wilson_interval(rate, n)
        interval = (100 * low, 100 * high)
        seeds = {"generated": self.n, "generation seeds": list(SEEDS), "interval": "Wilson, 95 %"}
        scores = [Score("label_agreement", 100 * rate, "%", "higher", n, interval, {**protocol, **seeds})]
        if by_class[0]:
            worst = int(np.argmin(np.mean(by_class, axis=0)))
            worst_protocol = {**protocol, "k": features.NEIGHBORS, "class": worst}
            scores.append(self._score("least_coverage", [row[worst] for row in by_class], "higher", worst_protocol))
        return scores


def _deviation(values: list[float]) -> float | None:
    """The standard deviation in three digits; None for a single value."""
    return float(f"{np.std(values, ddof=1):.3g}") if len(values) > 1 else None
