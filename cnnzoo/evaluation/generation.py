"""How alike the images are that a model makes up and those of a data set: the scores of whatever generates."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cnnzoo import hub
from cnnzoo.data import ImageSet
from cnnzoo.data.sources import STATIC
from cnnzoo.features import inception
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.metrics import classification, features
from cnnzoo.metrics.scores import Score

GENERATED = 10_000  # samples of each seed
SEEDS = (1, 2, 3)
FLOORS = 20  # sets of training images at most: more would tell little more of how their distances spread

JUDGES = {"fashion_mnist": "cnn.fashion_mnist", "cifar10": "lenet.cifar10", "signs": "cnn.signs"}

Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def default_extractor(image_shape, data: str) -> str | None:
    """The shipped classifier whose features judge images of that shape beside those of a data set, if there is one."""
    if str(data) == STATIC:  # black and white, while the means that a model decodes are grey
        return None
    return JUDGES.get(str(data)) or ("lenet.mnist" if tuple(image_shape) == (28, 28, 1) else None)


class GenerationMetrics:
    """Samples of several seeds beside as many real images, and what was measured between them.

    Args:
        model: Has `generate`.
        real: The images that it is compared with.
        train: The images that it was trained on; disjoint sets of as many of them give the floor, which is the
            distance that even images of the data have from the real ones.
        progress: Called with (done, total) after each part of the work.
    """

    def __init__(self, model, real: ImageSet, train: ImageSet, progress: Callable[[int, int], None] | None = None):
        self.model = model
        self.n = min(GENERATED, len(real.images), len(train.images))
        self.real, self.train = real.few(self.n), train
        self.progress = progress

    def scores(self, extractor: str) -> list[Score]:
        """Fréchet and kernel distance, density and coverage in the features of a classifier, averaged over the seeds.

        Raises:
            UnknownName: There is no such checkpoint.
            ValueError: It is no classifier of such images.
        """
        judge = hub.build(extractor)
        if judge.task != "classify" or tuple(judge.image_shape) != tuple(self.model.image_shape):
            raise ValueError(
                f"got the extractor {extractor!r} ({judge.task}, images {judge.image_shape}); allowed: a classifier of "
                f"images {self.model.image_shape}"
            )
        real = judge.features(self.real.images)
        floor = self._floor(judge, real)
        found: dict[str, list[float]] = {name: [] for name in ("frechet", "kernel_distance", "density", "coverage")}
        answers, by_class = [], []
        for images in self._samples():
            fake = judge.features(images)
            found["frechet"].append(features.frechet_distance(fake, real))
            found["kernel_distance"].append(features.kernel_distance(fake, real))
            density, coverage = features.density_coverage(real, fake)
            found["density"].append(density)
            found["coverage"].append(coverage)
            if self.model.needs_labels:
                answers.append(judge.classify(images))
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
        neighbours = {**protocol, "k": features.NEIGHBORS}
        over_floor = [distance / np.mean(floor) for distance in found["frechet"]]
        scores = [
            self._score("frechet", found["frechet"], "lower", protocol),
            Score("frechet_floor", float(np.mean(floor)), "", "", self.n, protocol=floors),
            self._score("frechet_over_floor", over_floor, "lower", floors),
            self._score("kernel_distance", found["kernel_distance"], "lower", protocol),
            self._score("density", found["density"], "", {**neighbours, "ideal": 1}),
            self._score("coverage", found["coverage"], "higher", neighbours),
        ]
        if not self.model.needs_labels:
            return scores
        if self.real.labels is not None:
            right = classification.accuracy(judge.classify(self.real.images), self.real.labels)
            protocol["accuracy on real images"] = 100 * right
        return scores + self._conditional_accuracy(answers, by_class, protocol)

    def inception_scores(self, network: Network) -> list[Score]:
        """FID, KID and IS as the literature has them; `network` is that of `cnnzoo.features.inception`."""
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

    def _floor(self, judge, real: np.ndarray) -> list[float]:
        """The Fréchet distances of disjoint sets of training images, of as many as there are up to `FLOORS`."""
        sets = min(FLOORS, len(self.train.images) // self.n)
        train = judge.features(self.train.few(sets * self.n).images)
        return [features.frechet_distance(train[i::sets], real) for i in range(sets)]

    def _samples(self):
        """The images of each seed, float32 (n, height, width, channels)."""
        for done, seed in enumerate(SEEDS):
            yield self.model.generate(self.n, seed=seed)
            if self.progress is not None:
                self.progress(done + 1, len(SEEDS))

    def _score(self, name: str, values: list[float], better: str, protocol: dict[str, Any]) -> Score:
        """The mean over the seeds, with their standard deviation in the protocol."""
        seeds = {"generated": self.n, "generation seeds": list(SEEDS)}
        seeds["standard deviation over seeds"] = _deviation(values)
        return Score(name, float(np.mean(values)), "", better, self.n, protocol={**protocol, **seeds})

    def _asked(self) -> np.ndarray:
        """What a conditional generator makes by default: the classes in turn."""
        return np.arange(self.n) % self.model.classes

    def _coverage_by_class(self, real: np.ndarray, fake: np.ndarray) -> list[float]:
        """The coverage of each class by the samples that were asked to be of it; none where a class has too few."""
        asked = self._asked()
        kinds = [(real[self.real.labels == label], fake[asked == label]) for label in range(self.model.classes)]
        if any(len(images) <= features.NEIGHBORS for images, _ in kinds):
            return []
        return [features.density_coverage(*kind)[1] for kind in kinds]

    def _conditional_accuracy(self, answers: list[np.ndarray], by_class: list[list[float]], protocol) -> list[Score]:
        """Whether a generator makes what it is asked for."""
        asked = np.tile(self._asked(), len(answers))
        rate, n = classification.accuracy(np.concatenate(answers), asked), len(asked)
        interval = tuple(100 * bound for bound in classification.wilson_interval(rate, n))
        seeds = {"generated": self.n, "generation seeds": list(SEEDS), "interval": "Wilson, 95 %"}
        scores = [Score("label_agreement", 100 * rate, "%", "higher", n, interval, {**protocol, **seeds})]
        if by_class[0]:
            worst = int(np.argmin(np.mean(by_class, axis=0)))
            of_it = {**protocol, "k": features.NEIGHBORS, "class": worst}
            scores.append(self._score("least_coverage", [row[worst] for row in by_class], "higher", of_it))
        return scores


def _deviation(values: list[float]) -> float | None:
    """Their standard deviation in three digits; None of a single one."""
    return float(f"{np.std(values, ddof=1):.3g}") if len(values) > 1 else None
