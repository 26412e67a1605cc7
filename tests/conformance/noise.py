"""Replacements for `keras.random` with equal numbers for both halves of a batch, on every backend and replica."""

import keras
import numpy as np
from keras import ops

from conformance.samples import BATCH


def _waves(shape):
    """Returns numbers in (-1, 1) that repeat along the first axis every half batch."""
    count = BATCH // 2
    rows = np.random.default_rng(1).uniform(-1, 1, (count, *map(int, shape[1:]))).astype(np.float32)
    return ops.take(ops.convert_to_tensor(rows), ops.arange(shape[0]) % count, axis=0)


def normal(shape, *args, **kwargs):
    return _waves(shape)


def uniform(shape, minval=0.0, maxval=1.0, **kwargs):
    return minval + 0.5 * (_waves(shape) + 1.0) * (maxval - minval)


def dropout(inputs, rate, **kwargs):
    return inputs


def replace(setattr=setattr) -> None:
    """Replaces the random functions of Keras."""
    for draw in (normal, uniform, dropout):
        setattr(keras.random, draw.__name__, draw)
