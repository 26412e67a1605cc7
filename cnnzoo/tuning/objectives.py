"""The number that a search goes by: one of the zoo's own metrics, on the validation images."""

from typing import Any

import numpy as np

from cnnzoo import registry, restoration
from cnnzoo.data import load
from cnnzoo.data.photographs import photographs
from cnnzoo.evaluation import bounds, evaluate
from cnnzoo.likeness import judge_of
from cnnzoo.metrics import features, reconstruction
from cnnzoo.metrics.scores import Score

SAMPLES, BOUNDED = 50, 1000  # draws and images of the importance-weighted bound: enough to tell trials apart
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
    if model.task in ("upscale", "restore", "inpaint"):
        return _restoration(model, objective, data)
    if objective == "accuracy":
        return evaluate(model, data, "validation")[objective]
    found = load(data, "validation", model.image_shape)
    if objective in ("iw_nll", "negative_elbo"):
        labels = found.labels if model.needs_labels else None
        samples, count = (SAMPLES, BOUNDED) if objective == "iw_nll" else (1, 1)
        scores = bounds(model, found.images, labels, samples, count, None)
        return next(score for score in scores if score.name == objective)
    if objective in ("mse", "psnr"):
        truth = found.images.astype(np.float32) / 255
        per_image = {"mse": reconstruction.mse_per_image, "psnr": reconstruction.psnr_per_image}[objective]
        value, protocol = float(per_image(truth, model.reconstruct(truth)).mean()), {"range": "[0, 1]"}
    else:
        extractor = judge_of(model.image_shape, data)
        judge = registry.build(extractor)
        real, fake = judge.features(found.images), judge.features(model.generate(len(found.images), seed=SEED))
        value = {
            "frechet": lambda: features.frechet_distance(fake, real),
            "kernel_distance": lambda: features.kernel_distance(fake, real),
            "coverage": lambda: features.density_coverage(real, fake)[1],
        }[objective]()
        protocol = {"extractor": extractor, "generated": len(found.images), "generation seed": SEED}
    return Score(objective, float(value), unit, better, len(found.images), protocol=protocol)


def _restoration(model, objective: str, data: str) -> Score:
    if model.task == "inpaint":
        found = restoration.to_fill(model, data, "validation")
        scores = restoration.filling(model, found.name, found.images, beside=False)
        return next(score for score in scores if score.name == objective)
    found = photographs(data, "validation", model.image_shape[2] if model.task == "restore" else None)
    measured = restoration.enlarging if model.task == "upscale" else restoration.denoising
    scores = [score for score in measured(model, found, beside=False) if score.name.startswith(f"{objective}_")]
    if model.task == "upscale":
        scores = scores[:1]  # by the usual protocol; others follow
    mean = float(np.mean([score.value for score in scores]))  # over the levels of noise
    return Score(objective, mean, scores[0].unit, "higher", scores[0].n, protocol=scores[0].protocol)
