"""Feature maps, filters, and images by activation maximization."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.ndimage import gaussian_filter

from cnnzoo.explain.gradients import check_baseline
from cnnzoo.explain.target import LogitExplainer, has_classes, network

RATE, DECAY, BLUR = 0.1, 0.02, 0.7  # of activation maximization, per step: gray values, fraction, pixels
SIDE = 64  # of its images, for networks without a fixed image size


def feature_maps(model: Any, images: Any, classes: Any = None) -> list[np.ndarray]:
    """The feature maps of images after each activation layer, from the first to the last.

    Args:
        model, images: See `cnnzoo.explain.target.LogitExplainer`, with its errors.
        classes: The classes, for a conditional discriminator.

    Returns:
        float32 (n, h, w, c) each; an empty list for a network of dense layers.
    """
    target = LogitExplainer(model, images, classes)
    return [target.each(target.map_of(i)) for i in range(len(target.maps))]


def filters(model: Any) -> np.ndarray:
    """The kernels of the first convolution with a kernel size above 1.

    Args:
        model: A classifier or a GAN.

    Returns:
        float32 (filters, h, w, channels), signed.

    Raises:
        ValueError: For another model, or a network without convolutions.
    """
    for layer in _layers(network(model)):
        if isinstance(layer, keras.layers.Conv2D) and max(layer.kernel_size) > 1:
            kernel = np.asarray(ops.convert_to_numpy(layer.kernel), np.float32)  # (h, w, channels, filters)
            return np.moveaxis(kernel[:, :, : model.image_shape[2]], -1, 0)  # without the channels of a label
    raise ValueError(f"The network must have convolutions. Received: {model.architecture}")


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else (layer,)


def activation_maximization(
    model: Any, units: Sequence[int], layer: int | None = None, baseline: float = 0.0, steps: int = 100, seed: int = 0
) -> np.ndarray:
    """Activation maximization: images with a high activation of each unit, by gradient ascent with decay and blur.

    x <- blur(x + 0.1 g / |g| + 0.02 (baseline - x)), clipped to [0, 1], with the gradient g of the activation and its
    root mean square |g|.

    Args:
        model: A classifier or a GAN.
        units: Classes, for their logits; [0] for an unconditional discriminator. With `layer`, channels of that map,
            for their means, without a class for a discriminator.
        layer: Index of the map, as in `feature_maps`.
        baseline: The gray value, in [0, 1], of the initial noise and of irrelevant pixels.
        steps: >= 0.
        seed: Of the noise.

    Returns:
        float32 in [0, 1], (units, height, width, channels), of 64 pixels a side for models without a fixed image size.

    Raises:
        ValueError: For another model, or a unit or layer out of range.

    Source: Erhan et al., "Visualizing Higher-Layer Features of a Deep Network", 2009; Yosinski et al., "Understanding
    Neural Networks Through Deep Visualization", 2015, equation 2.
    """
    check_baseline(baseline)
    if not len(units) or steps < 0:
        raise ValueError(f"`units` must be one or more, and `steps` >= 0. Received: {list(units)} and {steps}")
    height, width, channels = model.image_shape
    shape = (len(units), height or SIDE, width or SIDE, channels)
    noise = np.random.default_rng(seed).uniform(-0.2, 0.2, shape).astype(np.float32)
    x = np.clip(baseline + noise, 0.0, 1.0)
    plain = np.full(shape, baseline, np.float32)  # not `x`, whose ground may be the opposite of the training images
    if layer is None:
        logits = model.classes if has_classes(model) else 1
        if not all(0 <= unit < logits for unit in units):
            raise ValueError(f"`units` must be in [0, {logits}) with a {model.architecture}. Received: {list(units)}")
    target = LogitExplainer(model, plain, (list(units) if layer is None else 0) if has_classes(model) else None)
    answer, chosen = target.logit, ops.convert_to_tensor(target.chosen)
    if layer is not None:
        answer, chosen = _channels(target, units, layer), chosen * 0
    for _ in range(steps):
        slope = ops.convert_to_numpy(target.gradient(ops.convert_to_tensor(x), chosen, answer))
        length = np.sqrt(np.mean(slope**2, axis=(1, 2, 3), keepdims=True)) + 1e-12
        x = x + RATE * slope / length + DECAY * (baseline - x)
        x = np.clip(gaussian_filter(x, (0, BLUR, BLUR, 0)), 0.0, 1.0)
    return x


def _channels(target: LogitExplainer, units: Sequence[int], layer: int) -> Any:
    """The spatial mean of one channel of a map for each image, as a function like `LogitExplainer.logit`."""
    map_of = target.map_of(layer)
    there = target.maps[layer].shape[-1]
    if not all(0 <= unit < there for unit in units):
        raise ValueError(f"`units` must be channels of the map, 0 to {there - 1}. Received: {list(units)}")
    wanted = np.eye(there, dtype=np.float32)[list(units)]  # (units, c)
    return lambda x, chosen: ops.sum(ops.mean(map_of(x, chosen), (1, 2)) * wanted, axis=-1)
