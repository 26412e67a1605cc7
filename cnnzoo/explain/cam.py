"""Class activation maps: which places of a feature map A speak for the logit y, enlarged to the image."""

import numpy as np
from keras import ops

from cnnzoo.explain.target import LogitExplainer


def grad_cam(model, images, classes=None, layer: int = -1) -> np.ndarray:
    """ReLU(sum_k a_k A_k), where a_k is the mean of dy/dA_k over the places of the map.

    Args:
        model, images, classes: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        layer: Which of the maps, as in `cnnzoo.explain.feature_maps`; an earlier one is finer and means less.

    Returns:
        float32 >= 0, (n, height, width), enlarged bilinearly as if the places tiled the image. Where convolutions drop
        the border, what lies near it is really seen nearer to the middle.

    Raises:
        ValueError: There is no such map.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017,
    equations 1 and 2.
    """
    return _cam(model, images, classes, layer, lambda features, slope: ops.mean(slope, (1, 2)))


def grad_cam_plus_plus(model, images, classes=None, layer: int = -1) -> np.ndarray:
    """As `grad_cam`, with a_k the sum of ReLU(g) g^2 / (2 g^2 + g^3 sum(A_k)) over the places of g = dy/dA_k.

    So a class that is seen at several places is found at all of them. The factor exp(y) of the published weights is the
    same for the whole map and left out.

    Args:
        model, images, classes, layer: See `grad_cam`, with its errors.

    Returns:
        float32 >= 0, (n, height, width), enlarged bilinearly.

    Source: Chattopadhay et al., "Grad-CAM++: Generalized Gradient-Based Visual Explanations for Deep Convolutional
    Networks", 2018, equation 19.
    """
    return _cam(model, images, classes, layer, _weights_plus_plus)


def _weights_plus_plus(features, slope):
    """(n, c) from two arrays (n, h, w, c)."""
    total = ops.sum(features, (1, 2), keepdims=True)
    below = 2.0 * slope**2 + slope**3 * total
    share = ops.where(below == 0.0, 0.0, slope**2 / ops.where(below == 0.0, 1.0, below))
    return ops.sum(share * ops.relu(slope), (1, 2))


def _cam(model, images, classes, layer: int, weigh) -> np.ndarray:
    target = LogitExplainer(model, images, classes)
    map_of, slope_at = target.map_of(layer), target.slope_at(layer)

    def cam(x, chosen):
        features = map_of(x, chosen)  # (n, h, w, c)
        weights = weigh(features, slope_at(features, x, chosen))  # (n, c)
        seen = ops.relu(ops.sum(features * weights[:, None, None, :], axis=-1, keepdims=True))  # (n, h, w, 1)
        return ops.image.resize(seen, x.shape[1:3], interpolation="bilinear")[..., 0]  # (n, height, width)

    return target.each(cam)
