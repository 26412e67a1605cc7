"""The slope of a network by its input, for losses that are made of it and searches that go down it."""

import keras
from keras import ops


def input_gradient(model: keras.Model, function, x):
    """The gradient of the sum of `function(x)` by x, in the shape of x; it can be differentiated once more.

    Args:
        model: Whose variables `function` uses. On JAX what the call does to its states (a moving mean, a random state)
            is dropped, since it would belong to the inner differentiation.
        function: Takes a tensor of the shape of x.
        x: A float tensor.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = ops.sum(function(x))
        return tape.gradient(total, x)
    import jax

    values = [(v, v.value) for v in model.variables]  # as the step has left them by now

    def total(x):
        with keras.StatelessScope(state_mapping=values):
            return ops.sum(function(x))

    return jax.grad(total)(x)


def value_and_gradient(function):
    """A compiled function from x to the pair of `function(x)`, a scalar, and its gradient by x, in the shape of x.

    Args:
        function: Takes a float tensor, and changes no variable.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.function
        def both(x):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(x)
                value = function(x)
            return value, tape.gradient(value, x)

        return both
    import jax

    return jax.jit(jax.value_and_grad(function))
