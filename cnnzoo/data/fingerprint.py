"""Fingerprints of training data, which detect changes before a run is resumed."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from cnnzoo.data.permutation import few
from cnnzoo.data.photographs import Crops

SAMPLE = 64  # images whose pixels are compared where not all are in memory


def fingerprint(data: Any) -> dict[str, Any]:
    """The number of images, the class names, and hashes that two fingerprints are compared by.

    "blake2b" is a hash of all pixels and labels, and "sample" one of some images and all labels. Pictures on the disk
    have no "blake2b"; instead they have "files": a hash of the names and sizes of the files in a folder, or of packed
    shards.

    Args:
        data: An `ImageSet` or `Crops`; of crops, the whole photographs are hashed.
    """
    labels = [] if data.labels is None else [data.labels]
    images: Any
    if isinstance(data, Crops):
        images = data.photographs.images
        arrays, sample = images, data.photographs.read(few(len(images), SAMPLE).tolist())
    else:
        images = data.images
        arrays, sample = [images], [images[few(len(images), SAMPLE)]]
    hashes = {"sample": _hash((*sample, *labels))}
    if data.on_disk is not None:
        hashes["files"] = data.on_disk.rows.stamp()
    else:
        hashes["blake2b"] = _hash((*arrays, *labels))
    return {"images": len(images), "classes": list(data.classes), **hashes}


def _hash(arrays: Iterable[np.ndarray]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The first difference of two fingerprints, for an error message; "" if they are equal.

    Of the hashes, those are compared that both have: a run that began in memory may resume with a stream.
    """
    if before["classes"] != now["classes"]:
        return f"the classes {', '.join(now['classes']) or 'none'} instead of {', '.join(before['classes']) or 'none'}"
    if before["images"] != now["images"]:
        return f"{now['images']} images instead of {before['images']}"
    said = {"blake2b": "other pixels or labels", "files": "other files", "sample": "other pixels or labels"}
    return next((text for key, text in said.items() if key in before and before[key] != now.get(key, before[key])), "")
