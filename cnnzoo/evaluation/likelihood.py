"""Scores of VAEs: the ELBO and the importance-weighted bound on the log-likelihood."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cnnzoo.data import ImageSet
from cnnzoo.evaluation.options import Options, Progress
from cnnzoo.metrics import classification, likelihood
from cnnzoo.metrics.scores import Score

CHUNK = 50_000 * 28 * 28  # values decoded at a time
BOUNDED = 1000 * 28 * 28  # values of the images of the importance-weighted bound


def scores(model: Any, found: ImageSet, options: Options) -> list[Score]:
    """The bounds of a model for images, with labels if it needs them; see `bounds`."""
    labels = found.labels if model.needs_labels else None
    count = options.images or max(1, BOUNDED // found.images[0].size)
    samples = options.samples or model.bound_samples
    return bounds(model, found.images, labels, samples, count, options.progress)


def bounds(
    model: Any, images: np.ndarray, labels: np.ndarray | None, samples: int, count: int, progress: Progress | None
) -> list[Score]:
    """The ELBO of all images and the importance-weighted bound of the first `count`, in nats, with intervals.

    Args:
        model: Has `elbo`, `log_weights` and `latent_layers`.
        images: uint8 (n, height, width, channels).
        labels: (n,), or None for a model without labels.
        samples: Draws per image of the importance-weighted bound.
        count: The number of images of the importance-weighted bound.
        progress: Called with (done, total) draws.
    """
    truth = images.astype(np.float32) / 255
    protocol: dict[str, Any] = {"likelihood": model.likelihood, "latent layers": model.latent_layers}
    if labels is not None:
        protocol["given"] = "the label of each image"
    if model.binarize:
        truth = (np.random.default_rng(0).random(truth.shape) < truth).astype(np.float32)
        protocol["binarization"] = "each pixel drawn once, NumPy default_rng(0)"
    elif np.isin(images, (0, 255)).all():
        protocol["binarization"] = "static: the data are binary"

    def part(start: int, stop: int) -> dict[str, Any]:
        given = {} if labels is None else {"labels": labels[start:stop]}
        return {"images": truth[start:stop], **given}

    elbo = np.concatenate([model.elbo(**part(i, i + 500), seed=i) for i in range(0, len(truth), 500)])
    log_weights = _log_weights(model, part(0, count), samples, progress)
    bound = likelihood.importance_weighted_bound(log_weights)
    weighted = {**protocol, "samples": samples, "images": f"the first {len(bound)}"}
    scores = [
        _mean("negative_elbo", -elbo, "nats", {**protocol, "samples": 1}),
        _mean("iw_nll", -bound, "nats", weighted),
    ]
    if model.likelihood == "logistic":
        scores.append(_mean("bits_per_dim", -bound / (np.prod(truth.shape[1:]) * np.log(2)), "bits", weighted))
    return scores


def _log_weights(model: Any, inputs: dict[str, Any], samples: int, progress: Progress | None) -> Iterator[np.ndarray]:
    """log p(x, z) - log q(z|x) for `samples` draws per image, in chunks."""
    step = max(1, min(samples, CHUNK // inputs["images"].size))
    for done in range(0, samples, step):
        now = min(step, samples - done)
        yield model.log_weights(**inputs, samples=now, seed=done)
        if progress is not None:
            progress(done + now, samples)


def _mean(name: str, values: np.ndarray, unit: str, protocol: dict[str, Any]) -> Score:
    mean, n = float(values.mean()), len(values)
    margin = classification.Z95 * float(values.std(ddof=1)) / np.sqrt(n) if n > 1 else float("inf")
    interval = (mean - margin, mean + margin) if n > 1 else None
    return Score(name, mean, unit, "lower", n, interval, {**protocol, "interval": "95 %, normal, over images"})
