"""Search objectives: metrics of a model on validation images."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from cnnzoo.data import ImageSet, load
from cnnzoo.evaluation import bounds, evaluate, restoration
from cnnzoo.evaluation.generation import default_extractor, judge_of
from cnnzoo.metrics import features, reconstruction
from cnnzoo.metrics.scores import Score

SAMPLES, BOUNDED = 50, 500  # draws and images of the importance-weighted bound: enough to rank trials
PART = 100  # images decoded at a time, with all draws: half a gigabyte
SEED = 0  # of the samples of a generator

Better = Literal["higher", "lower", ""]
Rows = tuple[tuple[str, Better, str], ...]  # (name, better direction, unit); the first is the default

OF_LIKELIHOOD: Rows = (("iw_nll", "lower", "nats"), ("negative_elbo", "lower", "nats"))
OF_RECONSTRUCTION: Rows = (("mse", "lower", ""), ("psnr", "higher", "dB"))
OF_GENERATION: Rows = (("frechet", "lower", ""), ("kernel_distance", "lower", ""), ("coverage", "higher", ""))
BY_TASK: dict[str, Rows] = {
    "classify": (("accuracy", "higher", "%"),),
    "reconstruct": OF_RECONSTRUCTION,
    "generate": OF_GENERATION,
    "upscale": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "restore": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "enhance": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "inpaint": (("hole_psnr", "higher", "dB"),),
}


def objectives(architecture: type[Any]) -> dict[str, tuple[Better, str]]:
    """The objectives of an architecture, `{name: (better, unit)}`, the default first."""
    rows = BY_TASK.get(architecture.task, ())
    if hasattr(architecture, "log_weights"):
        rows = (*OF_LIKELIHOOD, *rows)
    return {name: (better, unit) for name, better, unit in rows}


def measure(model: Any, objective: str, data: str) -> Score:
    """The objective of a model on the validation images of a data set."""
    better, unit = objectives(type(model))[objective]
    if model.task in ("upscale", "restore", "inpaint", "enhance"):
        return _restoration(model, objective, data)
    if objective == "accuracy":
        return evaluate(model, data, "validation")[objective]
    found = load(data, "validation", model.image_shape)
    if objective == "iw_nll":
        return nll(model, found.few(BOUNDED))
    if objective == "negative_elbo":
        return _bounds(model, found, 1, 1)["negative_elbo"]
    value, protocol = (_reconstruction if objective in PER_IMAGE else _generation)(model, objective, found, data)
    return Score(objective, value, unit, better, len(found.images), protocol=protocol)


PER_IMAGE = {"mse": reconstruction.mse_per_image, "psnr": reconstruction.psnr_per_image}
OF_FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {  # of (real, generated) features
    "frechet": lambda real, fake: features.frechet_distance(fake, real),
    "kernel_distance": lambda real, fake: features.kernel_distance(fake, real),
    "coverage": lambda real, fake: features.density_coverage(real, fake)[1],
}


def _reconstruction(model: Any, objective: str, found: ImageSet, data: str) -> tuple[float, dict[str, Any]]:
    truth = found.images.astype(np.float32) / 255
    return float(PER_IMAGE[objective](truth, model.reconstruct(truth)).mean()), {"range": "[0, 1]"}


def _generation(model: Any, objective: str, found: ImageSet, data: str) -> tuple[float, dict[str, Any]]:
    extractor = default_extractor(model.image_shape, data)
    if extractor is None:
        raise ValueError(f"no shipped classifier judges images {tuple(model.image_shape)} beside those of {data}")
    judge = judge_of(model, extractor)
    real, fake = judge.features(found.images), judge.features(model.generate(len(found.images), seed=SEED))
    protocol = {"extractor": extractor, "generated": len(found.images), "generation seed": SEED}
    return float(OF_FEATURES[objective](real, fake)), protocol


def nll(model: Any, found: ImageSet) -> Score:
    """The importance-weighted bound on the negative log-likelihood of images in nats, with `SAMPLES` draws."""
    parts = []
    for i in range(0, len(found.images), PART):
        labels = None if found.labels is None else found.labels[i : i + PART]
        part = replace(found, images=found.images[i : i + PART], labels=labels)
        parts.append(_bounds(model, part, SAMPLES, PART)["iw_nll"])
    value = float(np.average([part.value for part in parts], weights=[part.n for part in parts]))
    protocol = {key: value for key, value in parts[0].protocol.items() if key not in ("images", "interval")}
    return Score("iw_nll", value, "nats", "lower", len(found.images), protocol=protocol)


def _bounds(model: Any, found: ImageSet, samples: int, count: int) -> dict[str, Score]:
    labels = found.labels if model.needs_labels else None
    return {score.name: score for score in bounds(model, found.images, labels, samples, count, None)}


def _restoration(model: Any, objective: str, data: str) -> Score:
    found = restoration.images(model, data, "validation")
    if model.task == "inpaint":
        scores = restoration.inpainting(model, found.name, found.images, baselines=False)
        return next(score for score in scores if score.name == objective)
    measured = restoration.BY_TASK[model.task]
    scores = [score for score in measured(model, found, baselines=False) if score.name.startswith(f"{objective}_")]
    if model.task == "upscale":
        scores = [score for score in scores if score.protocol["protocol"] == restoration.MAIN_PROTOCOL]
    mean = float(np.mean([score.value for score in scores]))  # over noise levels, exposures or qualities of JPEG
    return Score(objective, mean, scores[0].unit, "higher", scores[0].n, protocol=scores[0].protocol)
