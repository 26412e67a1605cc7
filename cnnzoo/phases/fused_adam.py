"""Adam by one fused TensorFlow kernel per variable, in place of some ten small operations each.

Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980, in the form before section
2.1, as in `keras.optimizers.Adam`.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def apply(optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    """As `optimizer.apply(gradients, variables)`, fused where the optimizer is a plain Adam."""
    if not _is_plain(optimizer) or not all(map(_is_dense, gradients)) or any(v.constraint for v in variables):
        optimizer.apply(gradients, variables)
        return
    step = tf.cast(optimizer._iterations.value + 1, tf.float32)
    powers = [tf.pow(beta, step) for beta in (optimizer.beta_1, optimizer.beta_2)]
    rate = tf.cast(optimizer._get_current_learning_rate(), tf.float32)
    for variable, gradient in zip(variables, optimizer._clip_gradients(list(gradients)), strict=True):
        index = optimizer._get_variable_index(variable)
        slots = [optimizer._momentums[index], optimizer._velocities[index]]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=slots[0].value.handle,
            v=slots[1].value.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=rate,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )
    optimizer._iterations.assign_add(1)


def _is_plain(optimizer: Any) -> bool:
    """Whether the update is Adam's alone, in float32 and on one device."""
    unused = ("amsgrad", "weight_decay", "use_ema", "gradient_accumulation_steps", "loss_scale_factor")
    return (
        type(optimizer) is keras.optimizers.Adam
        and not any(getattr(optimizer, name) for name in unused)
        and tf.distribute.get_strategy().num_replicas_in_sync == 1
    )


def _is_dense(gradient: Any) -> bool:
    return isinstance(gradient, tf.Tensor) and gradient.dtype == tf.float32
