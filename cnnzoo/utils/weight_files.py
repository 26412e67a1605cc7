"""Files of weights, written where the disk has room for them."""

import math
import os
from pathlib import Path
from typing import Any

HEADER = 2**16  # bytes of an HDF5 file beside its arrays, and for each array, at most
ENTRY = 2**12


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
