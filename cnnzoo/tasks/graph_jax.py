"""A graph on JAX, for arrays of one shape; `cnnzoo.tasks.graph_tensorflow` is its mirror image."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras
import numpy as np

ANY_SIZE = False  # whether a graph takes images of all sizes


def signature(model: Any, array: np.ndarray) -> tuple:
    """What a graph depends on in an array."""
    return array.dtype.name, array.shape


class Graph:
    """`function` of tensors as a graph of arrays; see `cnnzoo.tasks.compiled.run`."""

    def __init__(self, function: Callable, model: Any, variables: Sequence, arrays: Sequence[np.ndarray]) -> None:
        def pure(values: list, *given: Any) -> Any:
            with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
                return function(*given)

        self.variables = variables
        self.graph = jax.jit(pure)

    def __call__(self, *arrays: np.ndarray) -> Any:
        made = self.graph([variable.value for variable in self.variables], *arrays)
        return jax.tree.map(np.asarray, made)
