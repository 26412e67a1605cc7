"""Whether a map shows what the model uses: checks that need no eye."""

import numpy as np
from scipy.stats import rankdata

from cnnzoo.explain.gradients import check_baseline
from cnnzoo.explain.target import LogitExplainer


def deletion(model, images, maps, classes=None, baseline: float = 0.0, steps: int = 28) -> np.ndarray:
    """The mean probability of the class while pixels are taken away, those with the largest values of the map first.

    Lower is better: what the map points at is what the model needs.

    Args:
        model: A classifier.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        maps: float (n, height, width). Pixels of equal values go in reading order.
        classes: n integers in [0, classes), or one for all; by default the most likely ones.
        baseline: The grey value of a pixel that is away, in [0, 1].
        steps: How many equal parts they go in, >= 1.

    Returns:
        float32 in [0, 1], (n,): the area below the probability over the fraction that is away (trapezoidal rule).

    Raises:
        ValueError: For another model, images or maps of another shape, or an argument out of range.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018.
    """
    return _area(model, images, maps, classes, baseline, steps, lambda rank, moved: rank >= moved)


def insertion(model, images, maps, classes=None, baseline: float = 0.0, steps: int = 28) -> np.ndarray:
    """As `deletion`, while pixels are put into a plain image instead: higher is better."""
    return _area(model, images, maps, classes, baseline, steps, lambda rank, moved: rank < moved)


def _area(model, images, maps, classes, baseline: float, steps: int, is_there) -> np.ndarray:
    check_baseline(baseline)
    if getattr(model, "task", "") != "classify":
        raise ValueError(f"got a {model.architecture}; allowed: a classifier")
    if steps < 1:
        raise ValueError(f"got steps={steps}; allowed: steps >= 1")
    target = LogitExplainer(model, images, classes)
    x, maps = target.images, np.asarray(maps)
    if maps.shape != x.shape[:3]:
        raise ValueError(f"got maps of shape {maps.shape}; allowed: {x.shape[:3]}, as the images")
    order = np.argsort(-maps.reshape(len(x), -1), axis=1, kind="stable")
    rank = np.argsort(order, axis=1).reshape(*maps.shape, 1)  # 0 for the pixel that goes first

    def chance(moved: float) -> np.ndarray:
        shown = np.where(is_there(rank, moved), x, np.float32(baseline))
        return np.sum(model.classify(shown) * target.chosen, axis=1)

    curve = [chance(moved) for moved in np.linspace(0, order.shape[1], steps + 1)]
    return np.trapezoid(curve, dx=1 / steps, axis=0).astype(np.float32)


def randomized(model, seed: int = 0):
    """A copy of a model whose trained weights are shuffled, each kernel in itself: as large as before, without sense.

    A map that is the same for it shows the image and not the model.

    Args:
        model: Of the zoo.
        seed: Of the shuffling.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3: the test of randomised parameters.
    """
    rng = np.random.default_rng(seed)
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    for weight in copy.trainable_weights:
        weight.assign(rng.permutation(np.ravel(weight.numpy())).reshape(weight.shape))
    return copy


def rank_correlation(maps, others) -> np.ndarray:
    """Spearman's rank correlation of each of n maps with another, (n,); 0 where one of the two is constant."""
    a, b = (rankdata(np.reshape(x, (len(x), -1)), axis=1) for x in (maps, others))
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide(np.sum(a * b, axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
