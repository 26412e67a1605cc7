"""Attribution maps and feature visualization for classifiers and discriminators.

A map is float32 (n, height, width) for n images, and explains the logit of `cnnzoo.explain.target.LogitExplainer`.
"""

from collections.abc import Callable

from cnnzoo.explain.activations import activation_maximization, feature_maps, filters
from cnnzoo.explain.cam import grad_cam, grad_cam_plus_plus
from cnnzoo.explain.faithfulness import deletion, insertion, randomized, rank_correlation
from cnnzoo.explain.gradients import integrated_gradients, saliency, smooth_grad
from cnnzoo.explain.occlusion import occlusion

_MAPS = (saliency, smooth_grad, integrated_gradients, occlusion, grad_cam, grad_cam_plus_plus)
METHODS = {function.__name__: function for function in _MAPS}

__all__ = [
    "METHODS",
    "activation_maximization",
    "deletion",
    "feature_maps",
    "filters",
    "grad_cam",
    "grad_cam_plus_plus",
    "insertion",
    "integrated_gradients",
    "method",
    "occlusion",
    "randomized",
    "rank_correlation",
    "saliency",
    "smooth_grad",
]


def method(name: str) -> Callable:
    """The attribution method of a name: a function of a model, images and classes.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}. Received: {name!r}")
    return METHODS[name]
