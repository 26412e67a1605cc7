"""Quantitative checks of attribution maps: deletion, insertion, weight randomization, rank correlation."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata

from cnnzoo.explain.gradients import check_baseline
from cnnzoo.explain.target import LogitExplainer
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.inference import called
from cnnzoo.utils.checks import check_integer


def deletion(
    model: Any, images: Any, maps: Any, classes: Any = None, baseline: float = 0.0, steps: int = 28
) -> np.ndarray:
    """Deletion: the mean class probability while pixels are removed in decreasing order of the map.

    Lower is better.

    Args:
        model: A classifier.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        maps: float (n, height, width). Ties are removed in reading order.
        classes: n integers in [0, classes), or one for all; by default the most likely ones.
        baseline: The gray value of a removed pixel, in [0, 1].
        steps: Number of equal steps, >= 1.

    Returns:
        float32 in [0, 1], (n,): the area under the probability over the fraction of removed pixels (trapezoidal rule).

    Raises:
        ValueError: For another model, another shape of images or maps, or an argument out of range.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018.
    """
    return _area(model, images, maps, classes, baseline, steps, lambda rank, moved: rank >= moved)


def insertion(
    model: Any, images: Any, maps: Any, classes: Any = None, baseline: float = 0.0, steps: int = 28
) -> np.ndarray:
    """Insertion: as `deletion`, with pixels inserted into a constant image; higher is better."""
    return _area(model, images, maps, classes, baseline, steps, lambda rank, moved: rank < moved)


def _area(
    model: Any, images: Any, maps: Any, classes: Any, baseline: float, steps: int, is_there: Callable[..., Any]
) -> np.ndarray:
    check_baseline(baseline)
    if getattr(model, "task", "") != "classify":
        raise ValueError(f"`model` must be a classifier. Received: {model.architecture}")
    check_integer("steps", steps, 1)
    target = LogitExplainer(model, images, classes)
    x, maps = target.images, np.asarray(maps)
    if maps.shape != x.shape[:3]:
        raise ValueError(f"`maps` must have the shape {x.shape[:3]} of the images. Received: {maps.shape}")
    order = np.argsort(-maps.reshape(len(x), -1), axis=1, kind="stable")
    rank = np.argsort(order, axis=1).reshape(*maps.shape, 1)  # 0 for the first pixel

    def chance(moved: float) -> np.ndarray:
        shown = np.where(is_there(rank, moved), x, np.float32(baseline))
        return np.sum(in_batches(model, called, shown) * target.chosen, axis=1)  # without a hint about the ground

    curve = [chance(moved) for moved in np.linspace(0, order.shape[1], steps + 1)]
    return np.trapezoid(curve, dx=1 / steps, axis=0).astype(np.float32)


def randomized(model: Any, seed: int = 0) -> Any:
    """A copy of a model with randomly permuted trainable weights, tensor by tensor.

    An attribution map unchanged by it does not depend on the model.

    Args:
        model: Of the zoo.
        seed: Of the permutations.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3 (model parameter randomization test).
    """
    rng = np.random.default_rng(seed)
    copy = model.inference_copy()
    for weight in copy.trainable_weights:
        weight.assign(rng.permutation(np.ravel(weight.numpy())).reshape(weight.shape))
    return copy


def rank_correlation(maps: Any, others: Any) -> np.ndarray:
    """Spearman's rank correlation of n pairs of maps, (n,); 0 for constant maps."""
    a, b = (rankdata(np.reshape(x, (len(x), -1)), axis=1) for x in (maps, others))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide(np.sum(a * b, axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
