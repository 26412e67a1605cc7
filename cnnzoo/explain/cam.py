"""Class activation maps: the contribution of each position of a feature map A to the logit y, at image size."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from cnnzoo.explain.target import LogitExplainer


def grad_cam(model: Any, images: Any, classes: Any = None, layer: int = -1) -> np.ndarray:
    """ReLU(sum_k a_k A_k), with a_k the mean of dy/dA_k over the positions.

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        layer: Index of the map, as in `cnnzoo.explain.feature_maps`; earlier maps are finer and less specific.

    Returns:
        float32 >= 0, (n, height, width), bilinearly upsampled as if the positions tiled the image. For unpadded
        convolutions, positions near the border are really closer to the center.

    Raises:
        ValueError: For a layer out of range.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017,
    equations 1 and 2.
    """
    return _cam(model, images, classes, layer, lambda features, slope: ops.mean(slope, (1, 2)))


def grad_cam_plus_plus(model: Any, images: Any, classes: Any = None, layer: int = -1) -> np.ndarray:
    """As `grad_cam`, with a_k the sum of ReLU(g) g^2 / (2 g^2 + g^3 sum(A_k)) over the positions, g = dy/dA_k.

    It covers several instances of a class. The factor exp(y) of the published weights is constant over the map and
    omitted.

    Args:
        model, images, classes, layer: See `grad_cam`, with its errors.

    Returns:
        float32 >= 0, (n, height, width), bilinearly upsampled.

    Source: Chattopadhay et al., "Grad-CAM++: Generalized Gradient-Based Visual Explanations for Deep Convolutional
    Networks", 2018, equation 19.
    """
    return _cam(model, images, classes, layer, _weights_plus_plus)


def _weights_plus_plus(features: Any, slope: Any) -> Any:
    """(n, c) from two arrays (n, h, w, c)."""
    total = ops.sum(features, (1, 2), keepdims=True)
    below = 2.0 * slope**2 + slope**3 * total
    share = ops.where(below == 0.0, 0.0, slope**2 / ops.where(below == 0.0, 1.0, below))
    return ops.sum(share * ops.relu(slope), (1, 2))


def _cam(model: Any, images: Any, classes: Any, layer: int, weigh: Callable[..., Any]) -> np.ndarray:
    target = LogitExplainer(model, images, classes)
    map_of, slope_at = target.map_of(layer), target.slope_at(layer)

    def cam(x: Any, chosen: Any) -> Any:
        features = map_of(x, chosen)  # (n, h, w, c)
        weights = weigh(features, slope_at(features, x, chosen))  # (n, c)
        seen = ops.relu(ops.sum(features * weights[:, None, None, :], axis=-1, keepdims=True))  # (n, h, w, 1)
        return ops.image.resize(seen, x.shape[1:3], interpolation="bilinear")[..., 0]  # (n, height, width)

    return target.each(cam)
