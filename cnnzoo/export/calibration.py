"""Which range of numbers int8 has for each layer: that of all but the outermost of those seen, not of all of them.

An int8 tensor has 255 steps between its ends. A converter puts the ends where the extremes of its calibration are, so
that one pixel in a million makes the steps coarse for all others; and LiteRT's calibrator takes the result of an
addition made in place for its input. Here the ends are quantiles, written into the graph, which the converter keeps.

Source: Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3.1.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cnnzoo.nn.batchnorm_folding import Affine, functional

OUTSIDE = 1e-4  # the share of the values that is cut at each end
MOST = 1_000_000  # values that a quantile is taken of
KERNELS = (layers.Conv2D, layers.Conv2DTranspose, layers.Dense)
RANGED = (*KERNELS, layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Add, Affine)


class Range(layers.Layer):
    """The identity, which remembers the quantiles of what it saw; once `known`, rounded as int8 is."""

    def __init__(self, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.known = False
        self.ends = 0.0, 0.0

    def call(self, x):
        if self.known:
            return tf.quantization.fake_quant_with_min_max_args(x, *self.ends)
        if tf.is_tensor(x) and tf.executing_eagerly():
            values = x.numpy().ravel()
            low, high = np.quantile(values[:: values.size // MOST | 1], [OUTSIDE, 1 - OUTSIDE])
            self.ends = min(float(low), 0.0), max(float(high), 1e-6)  # 0, with which images are padded, is between
        return x

    def compute_output_shape(self, input_shape):
        return input_shape


def ranged(model, images: np.ndarray) -> None:
    """Writes into the networks of a model from images to images the ranges of their layers.

    Args:
        model: See `cnnzoo.nn.batchnorm_folding.for_inference`; it is not to be trained.
        images: float32 (n, height, width, channels) in [0, 1], all that the ranges are taken from.
    """
    found = []
    for name, network in list(vars(model).items()):
        if isinstance(network, keras.Model):
            network = functional(network) if isinstance(network, keras.Sequential) else network
            object.__setattr__(model, name, _with_ranges(network, found))
    model(images)
    for one in found:
        one.known = True


def _with_ranges(network: keras.Model, found: list[Range]) -> keras.Model:
    """A copy with a `Range` behind each layer that computes, but for those that become one with the ReLU behind."""

    def watched(x):
        found.append(Range(name=f"range_{len(found)}"))
        return found[-1](x)

    def users(layer):
        return [other for other in network.layers if any(x is layer.output for x in tf.nest.flatten(other.input))]

    def copied(layer):
        config = layer.get_config()
        if _is_apart(layer):
            config["activation"] = "linear"
        return type(layer).from_config(config)

    def called(layer, *args, **kwargs):
        x = layer(*args, **kwargs)
        original = network.get_layer(layer.name)
        if _is_apart(original):
            x = layers.Activation(original.activation)(watched(x))
        behind = users(original)
        joined = isinstance(original, KERNELS) and behind and all(type(user) is layers.ReLU for user in behind)
        return watched(x) if isinstance(layer, RANGED) and not joined else x

    made = keras.models.clone_model(network, clone_function=copied, call_function=called)
    for layer in network.layers:
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    return made


def _is_apart(layer: layers.Layer) -> bool:
    """Whether it is two operations: a kernel, and an activation that LiteRT does not join with it."""
    return isinstance(layer, KERNELS) and layer.activation not in (keras.activations.linear, keras.activations.relu)
