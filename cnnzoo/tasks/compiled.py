"""Functions of models as compiled graphs, kept on the model."""

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cnnzoo.phases.precision import with_precision

if keras.backend.backend() == "tensorflow":
    from cnnzoo.tasks.graph_tensorflow import ANY_SIZE, Graph, signature
else:
    from cnnzoo.tasks.graph_jax import ANY_SIZE, Graph, signature  # type: ignore[assignment]

__all__ = ["ANY_SIZE", "BATCH", "in_batches", "run"]

BATCH = 256  # images per pass: full speed in bounded memory
KEPT = 32  # graphs of a model; the one that was used longest ago is dropped


class _Graphs:
    """The graphs of a model. Keras and TensorFlow would save and export those in a list or dict of the model."""

    def __init__(self) -> None:
        self.by_key: dict[Any, Callable] = {}
        self.lock = threading.Lock()


def run(model: Any, function: Callable, /, *arrays: np.ndarray, **settings: Any) -> Any:
    """`function(model, *arrays, **settings)` of tensors, as one compiled graph, with arrays as the result.

    The graph is compiled at the first call, and again only for other settings, dtypes or numbers of channels; on JAX
    also for other sizes. It reads the current weights, and computes in the `verb_precision` of the model.

    Args:
        model: A model, which keeps the graph.
        function: A function of a module or class, in operations of Keras, and free of random numbers.
        arrays: Its inputs; the first axis is the batch.
        settings: Further keywords of it, hashable.
    """
    graphs = vars(model).setdefault("_graphs", _Graphs())
    variables = model.weights
    precision = model.verb_precision
    key = (function, precision, *settings.items(), *(signature(model, x) for x in arrays), *map(id, variables))
    with graphs.lock:
        if graph := graphs.by_key.pop(key, None):
            graphs.by_key[key] = graph  # the last is the one used last
    if graph is None:
        whole = Graph(lambda *given: function(model, *given, **settings), model, variables, arrays)
        graph = with_precision(whole, precision)
        with graphs.lock:
            graphs.by_key[key] = graph
            while len(graphs.by_key) > KEPT:
                del graphs.by_key[next(iter(graphs.by_key))]
    return graph(*arrays)


def in_batches(
    model: Any, function: Callable, /, *arrays: np.ndarray, at_once: int = BATCH, **settings: Any
) -> np.ndarray:
    """`run` over the rows of arrays of equal length, `at_once` rows at once, with a float32 or integer array as result.

    Where each size is compiled, batches are filled up to powers of two by copies of their last row.
    """
    parts = []
    for start in range(0, len(arrays[0]), at_once):
        part = [x[start : start + at_once] for x in arrays]
        n = len(part[0])
        beyond = 0 if ANY_SIZE else (1 << (n - 1).bit_length()) - n
        part = [np.concatenate([x, np.repeat(x[-1:], beyond, axis=0)]) for x in part] if beyond else part
        parts.append(run(model, function, *part, **settings)[:n])
    made = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return made if np.issubdtype(made.dtype, np.integer) else made.astype(np.float32, copy=False)
