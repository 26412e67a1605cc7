"""Fingerprints of training data, which detect changes before a run is resumed."""

import hashlib
from typing import Any

import numpy as np

from cnnzoo.data.photographs import Crops


def fingerprint(data: Any) -> dict[str, Any]:
    """The number of images, the class names, and a BLAKE2b hash of all pixels and labels.

    Args:
        data: An `ImageSet` or `Crops`; of crops, the whole photographs are hashed.
    """
    images = data.photographs.images if isinstance(data, Crops) else data.images
    found = hashlib.blake2b(digest_size=16)
    arrays = [*images] if isinstance(data, Crops) else [images]
    for array in (*arrays, *([] if data.labels is None else [data.labels])):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return {"images": len(images), "classes": list(data.classes), "blake2b": found.hexdigest()}


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first difference of two fingerprints, for an error message; "" if they are equal."""
    if before["classes"] != now["classes"]:
        return f"the classes {', '.join(now['classes']) or 'none'} instead of {', '.join(before['classes']) or 'none'}"
    if before["images"] != now["images"]:
        return f"{now['images']} images instead of {before['images']}"
    return "" if before == now else "other pixels or labels"
