"""A graph on TensorFlow, for any batch and any size of photographs; `cnnzoo.tasks.graph_jax` is its mirror image."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

ANY_SIZE = True  # whether a graph takes images of all sizes


def signature(model: Any, array: np.ndarray) -> tf.TensorSpec:
    """What a graph of a model depends on in an array: not the batch, nor the sides of images of any size."""
    free = 3 if array.ndim == 4 and model.image_shape[0] is None else 1
    return tf.TensorSpec([None] * free + list(array.shape[free:]), array.dtype)


class Graph:
    """`function` of tensors as a graph of arrays; see `cnnzoo.tasks.compiled.run`."""

    def __init__(self, function: Callable, model: Any, variables: Sequence, arrays: Sequence[np.ndarray]) -> None:
        self.variables = variables  # their ids are in use as long as the graph
        whole = tf.function(function, autograph=False)
        self.graph = whole.get_concrete_function(*(signature(model, array) for array in arrays))

    def __call__(self, *arrays: np.ndarray) -> Any:
        made = self.graph(*map(tf.convert_to_tensor, arrays))
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), made)
