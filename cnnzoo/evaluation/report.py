"""The scores of a model on a data set, each with its protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.checkpoints import TASKS
from cnnzoo.checkpoints.trained import data_of, described
from cnnzoo.data import load
from cnnzoo.data.addresses import as_name
from cnnzoo.data.memory import limit
from cnnzoo.data.streamed import StreamedSet
from cnnzoo.evaluation import classification, generation, likelihood, reconstruction, restoration, stylization
from cnnzoo.evaluation.options import Options, Progress, labeled_images
from cnnzoo.features.inception import network as inception_network
from cnnzoo.metrics.features import NEIGHBORS
from cnnzoo.metrics.scores import Score
from cnnzoo.utils.checks import check_integer

STREAMED = 10_000  # training images that PCA is fitted on, where they do not fit into memory


@dataclass(frozen=True)
class Report:
    """The scores of one model on one split of a data set."""

    model: str
    data: str
    split: str
    scores: tuple[Score, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        scores = [score.to_json() for score in self.scores]
        return {"model": self.model, "data": self.data, "split": self.split, "scores": scores}

    def __getitem__(self, name: str) -> Score:
        """The score of that name.

        Raises:
            KeyError: There is none; the message lists all names.
        """
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(f"`name` must be one of {', '.join(score.name for score in self.scores)}. Received: {name!r}")


def evaluate(
    model: Any,
    data: str | Path | None = None,
    split: str = "test",
    *,
    limit: int | None = None,
    samples: int | None = None,
    images: int | None = None,
    extractor: str | None = None,
    inception: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Measures a model by its task: accuracy, reconstruction, likelihood, restoration, style or sample quality.

    Args:
        model: "arch.tag", the folder of a checkpoint or finished run, or a model; a model needs `data`.
        data: The name of a data set, or a folder; by default the training data of the checkpoint or run, and the usual
            test sets if that is a set of photographs (see `cnnzoo.evaluation.restoration`).
        split: "test", or as in `cnnzoo.data.load`.
        limit: Use at most this number of images; see `cnnzoo.data.ImageSet.few`.
        samples: Of a VAE: draws per image of the importance-weighted bound; by default its `bound_samples`.
        images: Of a VAE: the number of images of the importance-weighted bound; by default 1000 of 28x28, and fewer of
            larger images in proportion to their values.
        extractor: Of a model that generates: the classifier whose features judge samples; by default the `judge` of the
            data set in `cnnzoo.data.catalog`, or `lenet.mnist` for gray 28x28 images of other data.
        inception: Of a model that generates: also judge samples by the Inception network of 2015; see
            `cnnzoo.features.inception`.
        progress: Called with (done, total) in long measurements.

    Raises:
        UnknownName: There is no such checkpoint.
        CheckpointError: Its files are missing or altered, or the run is not finished.
        DataNotFound: The data, or the Inception network, are not on this machine and cannot be fetched.
        ValueError: No data; an option out of range, or of another kind of model; no classifier for the samples of a
            generator; or a model that is trained for each picture.
    """
    name = str(model) if isinstance(model, str | Path) else model.architecture
    if isinstance(model, str | Path):
        folder, about = described(model)
        data = data or data_of(about)
        model = checkpoints.load(folder)
    if data is None:
        raise ValueError(f"`data` must be a data set's name or a folder for a model of {name!r}. Received: None")
    data = as_name(data)
    for option, value in (("limit", limit), ("samples", samples), ("images", images)):
        if value is not None:
            check_integer(option, value, 1)
    _check_used(model, "has no likelihood", hasattr(model, "log_weights"), samples=samples, images=images)
    _check_used(model, "does not generate", hasattr(model, "generate"), extractor=extractor, inception=inception)
    extractor = _extractor(model, data, extractor)
    options = Options(limit, samples, images, extractor, inception, progress)
    scores = MEASURES.get(model.task, _measure_samples)(model, data, split, options)
    return Report(name, data, split, tuple(scores))


def check(model: Any, data: str, split: str) -> None:
    """Checks that `evaluate` can measure a model on a split, without measuring it.

    Raises:
        DataNotFound, ValueError: As `evaluate`.
    """
    extractor = _extractor(model, data, None)
    if extractor:
        generation.judge_of(model, extractor)
    if model.task in PHOTOGRAPHIC:
        PHOTOGRAPHIC[model.task].images(model, data, split)
    else:
        labeled_images(model, data, split, least=_least(extractor))


def _least(extractor: str | None) -> int:
    """The fewest images that can be scored: of a generator, more than the neighbors of its coverage."""
    return NEIGHBORS + 1 if extractor else 1


def _check_used(model: Any, lacking: str, is_used: bool, **options: Any) -> None:
    """Checks that no option is given that a model has no use for.

    Raises:
        ValueError: One is.
    """
    given = {key: value for key, value in options.items() if value}
    if given and not is_used:
        raise ValueError(
            f"{', '.join(f'`{key}`' for key in given)} must not be given with a model that {lacking}. Received: "
            f"{', '.join(f'{key}={value!r}' for key, value in given.items())} for a model of the task {model.task!r}"
        )


def _extractor(model: Any, data: str, extractor: str | None) -> str | None:
    """The classifier that judges the samples of a model, if it generates.

    Raises:
        ValueError: A generator without a classifier, or a model that is trained for each picture.
    """
    if not getattr(model, "ships", True):
        tasks = ", ".join(TASKS)
        raise ValueError(
            f"`model` must be trained to {tasks}. Received: a {model.architecture}, trained anew for each picture"
        )
    generates = hasattr(model, "generate")
    extractor = extractor or (generation.default_extractor(model.image_shape, data) if generates else None)
    if model.task == "generate" and extractor is None:
        fitting = generation.classifiers(model.image_shape)
        raise ValueError(
            f"`extractor` must be the name of a classifier of images {tuple(model.image_shape)}, as none is chosen for "
            f"those of {data} (shipped: {', '.join(fitting) or 'none of this shape'}). Received: None"
        )
    return extractor


def _measure_samples(model: Any, data: str, split: str, options: Options) -> list[Score]:
    """Scores of autoencoders and generators; a VAE has all three kinds: reconstruction, samples and likelihood."""
    network = inception_network() if options.inception else None  # fetched before the data are read
    found = labeled_images(model, data, split, options.limit, _least(options.extractor))
    train = load(data, "fit" if split == "validation" else "train", shape=model.image_shape, memory=limit(None)[0])
    scores: list[Score] = []
    if model.task == "reconstruct":
        known = train.few(STREAMED) if isinstance(train, StreamedSet) else train
        scores += reconstruction.scores(model, found, known.in_memory().images)
    if hasattr(model, "generate"):
        metrics = generation.GenerationMetrics(model, found, train, options.progress)
        scores += metrics.scores(options.extractor) if options.extractor else []
        scores += metrics.inception_scores(network) if network else []
    if hasattr(model, "log_weights"):
        scores += likelihood.scores(model, found, options)
    return scores


# The modules that measure the tasks of whole photographs.
PHOTOGRAPHIC: dict[str, Any] = {
    "upscale": restoration,
    "restore": restoration,
    "enhance": restoration,
    "inpaint": restoration,
    "stylize": stylization,
}
MEASURES: dict[str, Callable[[Any, str, str, Options], list[Score]]] = {
    "classify": classification.measure,
    "reconstruct": _measure_samples,
    "generate": _measure_samples,
    **{task: module.measure for task, module in PHOTOGRAPHIC.items()},
}
