"""Batch-norm folding for inference, in float32, with linear blocks collapsed.

At inference batch normalization is x * scale + shift per channel. After a linear layer, both are folded into its kernel
and bias; before a dense layer, into the kernel and bias of the dense layer, which has no padding. Elsewhere an `Affine`
layer keeps the two vectors.
"""

from collections import Counter
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.nn.layers import ConditionalBatchNormalization

# Output axis of the kernel.
OUTPUT_AXIS = {layers.Dense: 1, layers.Conv2D: 3, layers.Conv2DTranspose: 2}


class Affine(layers.Layer):
    """x * scale + shift per channel (..., d), or per class and channel with one-hot labels (n, classes)."""

    def __init__(self, scale: np.ndarray, shift: np.ndarray, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        for name, value in (("scale", scale), ("shift", shift)):
            start = keras.initializers.Constant(value)
            setattr(self, name, self.add_weight(value.shape, start, name=name, trainable=False))
        self.built = True

    def call(self, x: Any, labels: Any = None) -> Any:
        if labels is None:
            return x * self.scale + self.shift
        inner = (-1, *[1] * (len(x.shape) - 2), x.shape[-1])
        scale, shift = (ops.reshape(ops.matmul(labels, table), inner) for table in (self.scale, self.shift))
        return x * scale + shift

    def compute_output_shape(self, input_shape: Any, *_: Any) -> tuple[Any, ...]:
        return input_shape


def for_inference(model: Any) -> Any:
    """An inference-only copy of a `PhasedModel`, reparameterized and with batch normalization folded."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # bfloat16 models are shipped in the precision of their weights
    try:
        copy = model.reparameterized()
        if copy is model:
            copy = model.inference_copy()
        for name, network in list(vars(copy).items()):
            if isinstance(network, keras.Model) and any(map(is_normalization, network.layers)):
                # Keras refuses to replace a layer of a built model, because of its weight tracking.
                object.__setattr__(copy, name, fold_batch_norm(network))
    finally:
        keras.config.set_dtype_policy(policy)
    return copy


def is_normalization(layer: layers.Layer) -> bool:
    return isinstance(layer, (layers.BatchNormalization, ConditionalBatchNormalization))


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """An equivalent model at inference, without batch normalization."""
    network = functional(network) if isinstance(network, keras.Sequential) else network
    producers = {id(layer.output): layer for layer in network.layers}
    consumers = Counter(id(x) for layer in network.layers for x in _inputs(layer))
    behind, before, left = {}, {}, {}  # folded into the layer before, into the layer after, kept as `Affine`
    gone = set()
    for layer in filter(is_normalization, network.layers):
        scale, shift = affine(layer)
        x = _inputs(layer)[0]
        source = producers[id(x)]
        users = [user for user in network.layers if any(y is layer.output for y in _inputs(user))]
        if _is_linear(source) and consumers[id(x)] == 1 and scale.ndim == 1:
            behind[source.name] = scale, shift
        elif len(users) == 1 and type(users[0]) is layers.Dense and scale.ndim == 1:
            before[users[0].name] = scale, shift
        else:
            left[layer.name] = scale, shift
            continue
        gone.add(layer.name)

    def copied(layer: Any) -> Any:
        if layer.name in left:
            return Affine(*left[layer.name], name=layer.name)
        config = layer.get_config()
        if layer.name in behind or layer.name in before:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in gone:
            return args[0]
        return layer(*args) if layer.name in left else layer(*args, **kwargs)

    made = keras.models.clone_model(network, clone_function=copied, call_function=called)
    for layer in made.layers:
        if layer.name in left or not layer.weights:
            continue
        weights = network.get_layer(layer.name).get_weights()
        if layer.name in behind or layer.name in before:
            kernel, bias = weights if len(weights) == 2 else (*weights, 0.0)
            if layer.name in before:
                scale, shift = before[layer.name]
                kernel, bias = kernel * scale[:, None], bias + shift @ kernel
            if layer.name in behind:
                scale, shift = behind[layer.name]
                outwards = scale.reshape([-1 if i == OUTPUT_AXIS[type(layer)] else 1 for i in range(kernel.ndim)])
                kernel, bias = kernel * outwards, bias * scale + shift
            weights = [kernel, np.broadcast_to(bias, layer.bias.shape)]
        layer.set_weights(weights)
    return made


def functional(network: keras.Sequential) -> keras.Model:
    """A functional copy of a `Sequential`, each layer called once; `add` may have called them several times."""
    x = given = keras.Input(network.input_shape[1:])
    for layer in network.layers:
        x = type(layer).from_config(layer.get_config())(x)
    made = keras.Model(given, x)
    made.set_weights(network.get_weights())
    return made


def affine(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of a batch normalization at inference, each (d,), or (classes, d) if conditional."""
    if isinstance(layer, ConditionalBatchNormalization):
        scale, shift = affine(layer.normalize)
        own, offset = (ops.convert_to_numpy(table) for table in (layer.scale, layer.shift))
        return own * scale, own * shift + offset
    mean, variance = (ops.convert_to_numpy(w) for w in (layer.moving_mean, layer.moving_variance))
    scale = 1.0 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
    scale = scale * ops.convert_to_numpy(layer.gamma) if layer.scale else scale
    shift = -mean * scale + (ops.convert_to_numpy(layer.beta) if layer.center else 0.0)
    return scale.astype(np.float32), shift.astype(np.float32)


def _inputs(layer: Any) -> list:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _is_linear(layer: Any) -> bool:
    return type(layer) in OUTPUT_AXIS and layer.activation is keras.activations.linear
