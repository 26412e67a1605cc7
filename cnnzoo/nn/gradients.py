"""Gradients with respect to the input, on TensorFlow and JAX."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def input_gradient(model: keras.Model, function: Callable[..., Any], x: Any) -> Any:
    """The gradient of sum(function(x)) with respect to x, in the shape of x; differentiable once more.

    Args:
        model: Owner of the variables in `function`. On JAX, state updates of the call (moving means, random states)
            are dropped, since they would belong to the inner differentiation.
        function: Of a tensor with the shape of x.
        x: A float tensor.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = ops.sum(function(x))
        return tape.gradient(value, x)
    import jax

    values = [(v, v.value) for v in model.variables]  # as the step has left them so far

    def total(x: Any) -> Any:
        with keras.StatelessScope(state_mapping=values):
            return ops.sum(function(x))

    return jax.grad(total)(x)


def value_and_gradient(function: Callable[..., Any]) -> Any:
    """A compiled function from x to `function(x)`, a scalar, and its gradient, in the shape of x.

    Args:
        function: Of a float tensor, without side effects on variables.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.function
        def both(x: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                value = function(x)
            return value, tape.gradient(value, x)

        return both
    import jax

    return jax.jit(jax.value_and_grad(function))
