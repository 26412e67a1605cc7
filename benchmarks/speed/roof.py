"""Counts the floating-point operations of layers, and measures the roof: the peak rate of a matrix product."""

from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from speed.cases import Case

SIDE = 2048  # of the square matrices in the product


def forward_flops(case: Case, model: Any, part: str) -> float:
    """Returns the FLOP of the convolutions and matrix products in a forward pass of a sub-network over a batch."""
    network = model.maps._model if part == "maps" else getattr(model, part)
    if part == "painter":
        shapes: list = [(case.batch, case.side, case.side, 3), (case.batch, len(model.styles))]
    elif isinstance(network, keras.Model):
        side = case.side // (model.scale if case.loop == "upscaler" else 1)
        shapes = [(case.batch, *(extent or side for extent in given.shape[1:])) for given in network.inputs]
    else:
        shapes = [(case.batch, network.kernel.shape[0])]
    given = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    call = network if part == "painter" or len(given) == 1 else lambda *x: network(list(x))
    graph = tf.function(call, autograph=False).get_concrete_function(*given).graph
    return sum(map(_operation_flops, graph.get_operations()))


def _operation_flops(operation: Any) -> float:
    shapes = [tensor.shape for tensor in operation.inputs]
    if operation.type == "Conv2D":
        return 2.0 * operation.outputs[0].shape.num_elements() * np.prod(shapes[1][:3])
    if operation.type == "Conv2DBackpropInput":  # a transposed convolution: inputs and outputs swap roles
        return 2.0 * shapes[2].num_elements() * np.prod(shapes[1][:3])
    if operation.type in ("MatMul", "BatchMatMulV2"):
        key = "transpose_a" if operation.type == "MatMul" else "adj_x"
        inner = shapes[0][-2 if operation.get_attr(key) else -1]
        return 2.0 * operation.outputs[0].shape.num_elements() * inner
    return 0.0


def measured_roof() -> dict[str, float]:
    """Returns {dtype: GFLOP/s} of a matrix product on all processors, the best of 12 runs."""
    found = {}
    for dtype in (tf.float32, tf.bfloat16):
        a, b = (tf.cast(tf.random.normal((SIDE, SIDE)), dtype) for _ in range(2))
        product = tf.function(lambda a, b: tf.matmul(a, b), autograph=False)
        times = []
        for _ in range(12):
            begun = perf_counter()
            product(a, b).numpy()
            times.append(perf_counter() - begun)
        found[dtype.name] = 2 * SIDE**3 / min(times) / 1e9
    return found
