"""The number that a search goes by: one of the zoo's own metrics, on the validation images."""

from dataclasses import replace
from typing import Any

import numpy as np

from cnnzoo import hub
from cnnzoo.data import ImageSet, load
from cnnzoo.data.photographs import photographs
from cnnzoo.evaluation import bounds, evaluate, restoration
from cnnzoo.evaluation.generation import default_extractor
from cnnzoo.metrics import features, reconstruction
from cnnzoo.metrics.scores import Score

SAMPLES, BOUNDED = 50, 500  # draws and images of the importance-weighted bound: enough to tell trials apart
PART = 100  # images whose draws are decoded at a time: half a gigabyte
SEED = 0  # of what a generator makes

# The first of each kind is what a search goes by unless told otherwise: (name, which way is better, unit).
OF_LIKELIHOOD = (("iw_nll", "lower", "nats"), ("negative_elbo", "lower", "nats"))
OF_RECONSTRUCTION = (("mse", "lower", ""), ("psnr", "higher", "dB"))
OF_GENERATION = (("frechet", "lower", ""), ("kernel_distance", "lower", ""), ("coverage", "higher", ""))
BY_TASK = {
    "classify": (("accuracy", "higher", "%"),),
    "reconstruct": OF_RECONSTRUCTION,
    "generate": OF_GENERATION,
    "upscale": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "restore": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "enhance": (("psnr", "higher", "dB"), ("ssim", "higher", "")),
    "inpaint": (("hole_psnr", "higher", "dB"),),
}


def objectives(architecture: type) -> dict[str, tuple[str, str]]:
    """`{name: (better, unit)}` of what an architecture can be searched for, the default first."""
    rows = BY_TASK.get(architecture.task, ())
    if hasattr(architecture, "log_weights"):
        rows = (*OF_LIKELIHOOD, *rows)
    return {name: (better, unit) for name, better, unit in rows}


def measure(model: Any, objective: str, data: str) -> Score:
    """That objective of a model on the validation images of a data set."""
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
    if objective in ("mse", "psnr"):
        truth = found.images.astype(np.float32) / 255
        per_image = {"mse": reconstruction.mse_per_image, "psnr": reconstruction.psnr_per_image}[objective]
        value, protocol = float(per_image(truth, model.reconstruct(truth)).mean()), {"range": "[0, 1]"}
    else:
        extractor = default_extractor(model.image_shape, data)
        judge = hub.build(extractor)
        real, fake = judge.features(found.images), judge.features(model.generate(len(found.images), seed=SEED))
        value = {
            "frechet": lambda: features.frechet_distance(fake, real),
            "kernel_distance": lambda: features.kernel_distance(fake, real),
            "coverage": lambda: features.density_coverage(real, fake)[1],
        }[objective]()
        protocol = {"extractor": extractor, "generated": len(found.images), "generation seed": SEED}
    return Score(objective, float(value), unit, better, len(found.images), protocol=protocol)


def nll(model, found: ImageSet) -> Score:
    """The importance-weighted bound on the negative log-likelihood of some images, with `SAMPLES` draws."""
    parts = []
    for i in range(0, len(found.images), PART):
        labels = None if found.labels is None else found.labels[i : i + PART]
        part = replace(found, images=found.images[i : i + PART], labels=labels)
        parts.append(_bounds(model, part, SAMPLES, PART)["iw_nll"])
    value = float(np.average([part.value for part in parts], weights=[part.n for part in parts]))
    protocol = {key: value for key, value in parts[0].protocol.items() if key not in ("images", "interval")}
    return Score("iw_nll", value, "nats", "lower", len(found.images), protocol=protocol)


def _bounds(model, found: ImageSet, samples: int, count: int) -> dict[str, Score]:
    labels = found.labels if model.needs_labels else None
    return {score.name: score for score in bounds(model, found.images, labels, samples, count, None)}


def _restoration(model, objective: str, data: str) -> Score:
    if model.task == "inpaint":
        found = restoration.to_fill(model, data, "validation")
        scores = restoration.filling(model, found.name, found.images, beside=False)
        return next(score for score in scores if score.name == objective)
    found = photographs(data, "validation", None if model.task == "upscale" else model.image_shape[2])
    measured = restoration.MEASURED[model.task]
    scores = [score for score in measured(model, found, beside=False) if score.name.startswith(f"{objective}_")]
    if model.task == "upscale":
        scores = scores[:1]  # by the usual protocol; others follow
    mean = float(np.mean([score.value for score in scores]))  # over the levels of noise, or the exposures
    return Score(objective, mean, scores[0].unit, "higher", scores[0].n, protocol=scores[0].protocol)
