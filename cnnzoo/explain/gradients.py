"""Attribution maps from input gradients of the logit."""

from typing import Any

import numpy as np
from keras import ops

from cnnzoo.explain.target import LogitExplainer
from cnnzoo.utils.checks import check_integer


def saliency(model: Any, images: Any, classes: Any = None) -> np.ndarray:
    """Saliency: the maximum over the channels of |dy/dx| for the logit y.

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.

    Returns:
        float32 >= 0, (n, height, width).

    Source: Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
    Maps", 2014, section 3.1.
    """
    target = LogitExplainer(model, images, classes)
    return target.each(lambda x, chosen: _magnitude(target.gradient(x, chosen)))


def smooth_grad(
    model: Any, images: Any, classes: Any = None, noise: float = 0.15, samples: int = 25, seed: int = 0
) -> np.ndarray:
    """SmoothGrad: `saliency` of the mean gradient over noisy copies x + N(0, sigma^2).

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        noise: sigma as a fraction of the image's range, >= 0.
        samples: Noisy copies, >= 1; all images share the noise.
        seed: Of the noise.

    Returns:
        float32 >= 0, (n, height, width).

    Raises:
        ValueError: For noise below 0 or no samples.

    Source: Smilkov et al., "SmoothGrad: Removing Noise by Adding Noise", 2017.
    """
    if noise < 0:
        raise ValueError(f"`noise` must be a number >= 0. Received: {noise}")
    check_integer("samples", samples, 1)
    target = LogitExplainer(model, images, classes)
    drawn = np.random.default_rng(seed).standard_normal((samples, *target.images.shape[1:]), dtype=np.float32)

    def mean(x: Any, chosen: Any) -> Any:
        sigma = noise * (ops.max(x, (1, 2, 3), keepdims=True) - ops.min(x, (1, 2, 3), keepdims=True))
        slopes = target.over(drawn, lambda z: x + sigma * z[:, None], target.gradient, x, chosen)
        return _magnitude(sum(ops.sum(slope, axis=0) for _, slope in slopes) / samples)

    return target.each(mean)


def integrated_gradients(
    model: Any, images: Any, classes: Any = None, baseline: float = 0.0, steps: int = 64
) -> np.ndarray:
    """Integrated gradients: signed contributions to y(x) - y(x'), for the logit y and a constant image x'.

    (x - x') times the mean of dy/dx along the straight line from x' to x, by the midpoint rule, summed over the
    channels. The sum over the pixels converges to y(x) - y(x') with the steps (completeness).

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        baseline: The gray value of x', in [0, 1]; equal pixels get 0.
        steps: Points on the line, >= 1.

    Returns:
        float32, (n, height, width); positive for evidence for the class.

    Raises:
        ValueError: For a baseline outside [0, 1], or no steps.

    Source: Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017, equations 1 and 3.
    """
    check_baseline(baseline)
    check_integer("steps", steps, 1)
    target = LogitExplainer(model, images, classes)
    shares = (np.arange(steps, dtype=np.float32).reshape(-1, 1, 1, 1, 1) + 0.5) / steps

    def integral(x: Any, chosen: Any) -> Any:
        way = x - baseline
        slopes = target.over(shares, lambda share: baseline + share * way, target.gradient, x, chosen)
        return ops.sum(way * sum(ops.sum(slope, axis=0) for _, slope in slopes) / steps, axis=-1)

    return target.each(integral)


def check_baseline(baseline: float) -> None:
    """Raises a ValueError for a baseline outside [0, 1]."""
    if not 0.0 <= baseline <= 1.0:
        raise ValueError(f"`baseline` must be between 0 and 1. Received: {baseline}")


def _magnitude(gradient: Any) -> Any:
    return ops.max(ops.abs(gradient), axis=-1)
