"""Files of weights, written where the disk has room for them, and models that are no larger than their file."""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HEADER = 2**16  # bytes of an HDF5 file beside its arrays, and for each array, at most
ENTRY = 2**12
COPIES = 4  # bytes of float32 weights over those of their file, at most: stored as float16, and an equal average once
BESIDE = 2**28  # bytes of networks beside the weights, such as those of losses

_building = threading.RLock()


class WeightsTooLarge(ValueError):
    """A configuration asks for more weights than a file can hold."""


@contextmanager
def no_larger_than(file: Path) -> Iterator[None]:
    """Builds models in this thread whose weights a file can hold; others are refused before they take memory.

    Raises:
        WeightsTooLarge: As it says.
    """
    import keras

    size = file.stat().st_size
    limit, made, thread = BESIDE + COPIES * size, 0, threading.get_ident()

    with _building:
        add_weight = keras.Layer.add_weight

        def counted(layer: Any, shape: Any = None, *args: Any, **settings: Any) -> Any:
            nonlocal made
            if threading.get_ident() == thread:
                made += 4 * math.prod(shape or ())
                if made > limit:
                    raise WeightsTooLarge(
                        f"its weights must fit a file of {size} bytes. Received: {made} bytes or more"
                    )
            return add_weight(layer, shape, *args, **settings)

        keras.Layer.add_weight = counted
        try:
            yield
        finally:
            keras.Layer.add_weight = add_weight


def save_weights(model: Any, path: Path) -> None:
    """`model.save_weights`, after a test that the disk has room for the file.

    On a full disk, HDF5 cannot close its file, and crashes the process when it ends. Linux tells before, also where a
    quota or the largest size of a file is the limit.

    Args:
        model: A Keras model.
        path: The file; its name ends in .weights.h5.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _most_bytes(model))
        except OSError as error:
            path.unlink(missing_ok=True)
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from None
    model.save_weights(path)


def _most_bytes(model: Any) -> int:
    """An upper bound of the bytes of a file with the weights and optimizers of a model."""
    optimizer = getattr(model, "optimizer", None)
    owners = [model, *([] if optimizer is None else [optimizer, *getattr(optimizer, "by_phase", {}).values()])]
    sizes = [math.prod(variable.shape) for owner in owners for variable in owner.variables]
    return HEADER + sum(4 * size + ENTRY for size in sizes)
