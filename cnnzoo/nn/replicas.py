"""Statistics and random numbers of a whole batch whose rows are shared by the replicas of a `tf.distribute` strategy.

With them, one batch has one result whatever the number of replicas. On JAX a program sees the whole batch anyway.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

_counted = threading.local()  # of a replica, whose step is built in a thread of its own


class _Unshifted(keras.random.SeedGenerator):
    """The draws of a generator that are the same on every replica."""

    def __init__(self, generator: keras.random.SeedGenerator) -> None:
        self.generator = generator  # not initialized further: it has no state of its own

    def next(self, ordered: bool = True) -> Any:
        return keras.random.SeedGenerator.next(self.generator, ordered)


def _context() -> Any:
    """The context of one of several replicas, or None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return context if context is not None and context.num_replicas_in_sync > 1 else None


@contextmanager
def counting(weight: Any) -> Iterator[None]:
    """Weights this replica's rows in batch statistics; 0 for the placeholder row of an empty replica."""
    _counted.weight = weight
    try:
        yield
    finally:
        del _counted.weight


def is_shared() -> bool:
    """Whether this is one of several replicas."""
    return _context() is not None


def moments(x: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """Mean and variance over axes that include the batch, of the rows of all of several replicas, in float32.

    The deviations are from the mean of all, which rounds less than the difference of the means of squares.
    """
    import tensorflow as tf

    context = _context()
    weight = getattr(_counted, "weight", 1.0)
    x = tf.cast(x, tf.float32)
    count = tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), list(axes))), tf.float32)

    def total(value: Any) -> Any:
        return context.all_reduce(tf.distribute.ReduceOp.SUM, value * weight)

    whole = total(count)
    mean = total(tf.reduce_sum(x, axes)) / whole
    deviations = tf.square(x - tf.reshape(mean, [1 if i in axes else x.shape[i] for i in range(len(x.shape))]))
    return mean, total(tf.reduce_sum(deviations, axes)) / whole


def each_row(draw: Callable[[Any, Any], Any], count: Any, seed: Any) -> Any:
    """The random numbers `draw(count, seed)` of a number of rows, (count, ...).

    A replica takes its rows of those that are drawn for all replicas.
    """
    if (context := _context()) is None:
        return draw(count, seed)
    import tensorflow as tf

    here = tf.range(context.num_replicas_in_sync) - tf.cast(context.replica_id_in_sync_group, tf.int32)
    counts = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(here == 0, count, 0))
    first = tf.reduce_sum(tf.where(here < 0, counts, 0))
    return draw(tf.reduce_sum(counts), same_everywhere(seed))[first : first + count]


def same_everywhere(seed: Any) -> Any:
    """A seed or generator whose draws are the same on every replica."""
    return _Unshifted(seed) if isinstance(seed, keras.random.SeedGenerator) and is_shared() else seed
