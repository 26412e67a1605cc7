"""Arithmetic of a training step or a verb: float32, or bfloat16 in its convolutions and matrix products.

Weights, optimizers, sums and losses are float32 in both. Bfloat16 has the range of float32 with 8 significant bits.
TensorFlow's oneDNN graph rewrite rounds the operands to it and accumulates their products in float32.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import keras

PRECISIONS = ("float32", "bfloat16")  # in order of speed
INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}  # of processors that multiply bfloat16
NEEDS = "bfloat16 needs TensorFlow graphs without XLA, and a CPU with avx512_bf16 or amx_bf16"
OPTION = "auto_mixed_precision_onednn_bfloat16"


def resolved(precision: str, is_graph: bool = True, name: str = "precision") -> str:
    """A precision as given; for "auto" the fastest of this machine and backend, "float32" or "bfloat16".

    Args:
        precision: "auto", "float32" or "bfloat16".
        is_graph: Whether steps run as TensorFlow graphs; XLA and eager steps are float32.
        name: Of the setting, for the error.

    Raises:
        ValueError: The precision is unavailable.
    """
    allowed = _available() if is_graph else PRECISIONS[:1]
    if precision == "auto":
        return allowed[-1]
    if precision not in allowed:
        limit = "" if len(allowed) > 1 else f" here ({NEEDS})"
        raise ValueError(f"`{name}` must be one of auto, {', '.join(allowed)}{limit}. Received: {precision!r}")
    return precision


@cache
def _available() -> tuple[str, ...]:
    """The precisions of this machine and backend."""
    described = Path("/proc/cpuinfo")
    if keras.backend.backend() != "tensorflow" or not described.is_file():
        return PRECISIONS[:1]
    import tensorflow as tf

    is_fast = INSTRUCTIONS & set(described.read_text().split()) and not tf.config.list_physical_devices("GPU")
    return PRECISIONS if is_fast else PRECISIONS[:1]


def with_precision(step: Callable, precision: str) -> Callable:
    """A compiled function on TensorFlow, run in a precision."""
    if precision == "float32":
        return step

    def rewritten(*args: Any) -> Any:
        with _rewriting():
            return step(*args)

    return rewritten


@contextmanager
def _rewriting() -> Iterator[None]:
    """Turns the rewrite on for the functions called inside; others of the process keep their precision."""
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options().get(OPTION, False)
    tf.config.optimizer.set_experimental_options({OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({OPTION: before})
