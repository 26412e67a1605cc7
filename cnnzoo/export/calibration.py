"""Percentile calibration of int8 activation ranges.

An int8 tensor has 255 steps. A converter takes the range from the extremes of its calibration data, so that a single
outlier makes the steps coarse for all values; and LiteRT's calibrator confuses the result of an in-place addition with
its input. Here ranges are quantiles, written into the graph, and kept by the converter.

Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3.1.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cnnzoo.nn.batchnorm_folding import Affine, functional

OUTSIDE = 1e-4  # fraction of values outside the range at each end
MOST = 1_000_000  # values of a quantile, at most
KERNELS = (layers.Conv2D, layers.Conv2DTranspose, layers.Dense)
RANGED = (*KERNELS, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Add, Affine)


class Range(layers.Layer):
    """Identity that records quantiles of its input; once `known`, it rounds as int8 does."""

    def __init__(self, **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.known = False
        self.ends = 0.0, 0.0

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if self.known:
            return tf.quantization.fake_quant_with_min_max_args(x, *self.ends)
        if tf.is_tensor(x) and tf.executing_eagerly():
            values = x.numpy().ravel()
            low, high = np.quantile(values[:: values.size // MOST | 1], [OUTSIDE, 1 - OUTSIDE])
            self.ends = min(float(low), 0.0), max(float(high), 1e-6)  # with 0 inside, for zero padding
        return x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


def ranged(model: Any, images: np.ndarray) -> None:
    """Inserts the activation ranges into the networks of an image-to-image model.

    Args:
        model: See `cnnzoo.nn.batchnorm_folding.for_inference`; it cannot be trained afterwards.
        images: The calibration images, float32 (n, height, width, channels) in [0, 1].
    """
    found: list[Range] = []
    for name, network in list(vars(model).items()):
        if isinstance(network, keras.Model):
            network = functional(network) if isinstance(network, keras.Sequential) else network
            object.__setattr__(model, name, _with_ranges(network, found))
    model(images)
    for layer in found:
        layer.known = True


def _with_ranges(network: keras.Model, found: list[Range]) -> keras.Model:
    """A copy with a `Range` after each computing layer, except layers that are fused with a following ReLU."""

    def with_range(x: Any) -> Any:
        found.append(Range(name=f"range_{len(found)}"))
        return found[-1](x)

    def users(layer: layers.Layer) -> list[layers.Layer]:
        return [other for other in network.layers if any(x is layer.output for x in tf.nest.flatten(other.input))]

    def copied(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if _has_unfused_activation(layer):
            config["activation"] = "linear"
        return type(layer).from_config(config)

    def called(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        x = layer(*args, **kwargs)
        original = network.get_layer(layer.name)
        if _has_unfused_activation(original):
            x = layers.Activation(original.activation)(with_range(x))
        following = users(original)
        fused = isinstance(original, KERNELS) and following and all(type(user) is layers.ReLU for user in following)
        return with_range(x) if isinstance(layer, RANGED) and not fused else x

    made = keras.models.clone_model(network, clone_function=copied, call_function=called)
    for layer in network.layers:
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    return made


def _has_unfused_activation(layer: layers.Layer) -> bool:
    """Whether a layer is two operations in LiteRT: a kernel, and an activation that is not fused with it."""
    return isinstance(layer, KERNELS) and layer.activation not in (keras.activations.linear, keras.activations.relu)
