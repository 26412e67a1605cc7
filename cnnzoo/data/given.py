"""Images that a program gives to `cnnzoo.train`: those of a finite `tf.data.Dataset` or another iterable.

They are taken into memory and named by their content, `given:HASH`, for as long as the training lasts.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnzoo.data.addresses import GIVEN
from cnnzoo.data.shards import LARGEST_LABEL
from cnnzoo.imaging.decoding import is_picture
from cnnzoo.imaging.files import read_image


@dataclass(frozen=True, eq=False)
class Given:
    """Images and labels in memory.

    Attributes:
        images: uint8 (height, width, 1 or 3) each.
        labels: int64 (n,), or None.
        classes: The numbers up to the largest label; () without labels.
    """

    images: tuple[np.ndarray, ...]
    labels: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """`given:` and a hash of the images and labels."""
        found = hashlib.blake2b(digest_size=8)
        for array in (*self.images, *([] if self.labels is None else [self.labels])):
            found.update(f"{array.dtype.str} {array.shape}".encode())
            found.update(np.ascontiguousarray(array).data)
        return GIVEN + found.hexdigest()


_GIVEN: dict[str, Given] = {}


@contextmanager
def named(data: Iterable[Any], name: str | None = None) -> Iterator[str]:
    """Takes images into memory; inside the block, `given_images` finds them by the name that is yielded.

    Args:
        data: See `taken`.
        name: The name by which a run remembers its images; None for the name of these.

    Raises:
        ValueError: As `taken`; or the name is that of a data set.
    """
    if name is not None and not name.startswith(GIVEN):
        raise ValueError(
            f"`data` must not be given with `resume` for a run on {name}. Received: a {type(data).__name__}"
        )
    images = taken(data)
    name = name or images.name
    _GIVEN[name] = images
    try:
        yield name
    finally:
        del _GIVEN[name]


def given_images(name: str, split: str = "train") -> Given:
    """The images of a name `given:HASH`.

    Raises:
        ValueError: They are not in memory, or `split` is "test".
    """
    if split == "test":
        raise ValueError(f"{name} is images that a program gave to train on, without a split test; name other data")
    if name not in _GIVEN:
        raise ValueError(
            f"{name} is images that a program gave to cnnzoo.train, which are not kept; name other data, or "
            "resume the run with: cnnzoo.train(resume=..., data=...)"
        )
    return _GIVEN[name]


def taken(data: Iterable[Any]) -> Given:
    """The images of a finite iterable, in its order.

    Args:
        data: Images or pairs (image, label), not in batches. An image is an array (height, width[, 1 or 3]), uint8 or
            floats in [0, 1], which are rounded to 8 bits, or a Pillow image. A label is an integer from 0.

    Raises:
        ValueError: `data` is empty, no iterable, or an infinite `tf.data.Dataset`, or has elements of other kinds.
            Another endless iterable is not recognized.
    """
    if not isinstance(data, Iterable) or isinstance(data, (bytes, dict)):
        raise ValueError(
            "`data` must be the name of a data set, a folder, a tf.data.Dataset or an iterable of images. "
            f"Received: {type(data).__name__}"
        )
    elements: Iterable[Any] = data
    if hasattr(data, "as_numpy_iterator") and hasattr(data, "cardinality"):  # a tf.data.Dataset
        if int(data.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
            raise ValueError("`data` must be finite. Received: an infinite tf.data.Dataset; take(n) makes it finite")
        elements = data.as_numpy_iterator()
    images, labels = [], []
    for i, element in enumerate(elements):
        pair = isinstance(element, (tuple, list))
        if isinstance(element, dict) or (pair and len(element) != 2):
            keys = ", ".join(map(str, element)) if isinstance(element, dict) else ""
            what = f"a dict of {keys}" if keys else f"{len(element)} values"
            raise ValueError(f"Elements of `data` must be an image or (image, label). Received: {what}")
        images.append(_image(element[0] if pair else element, i))
        if pair:
            labels.append(_label(element[1], i))
    if not images:
        raise ValueError("`data` must have images. Received: none")
    if labels and len(labels) < len(images):
        raise ValueError(f"All images of `data` or none must have a label. Received: {len(labels)} of {len(images)}")
    classes = tuple(map(str, range(max(labels) + 1))) if labels else ()
    return Given(tuple(images), np.array(labels, np.int64) if labels else None, classes)


def _image(image: Any, i: int) -> np.ndarray:
    """An element as uint8 (height, width, 1 or 3)."""
    if is_picture(image):
        return read_image(image, name=f"image {i} of `data`")
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
        batches = array.ndim == 4 or (array.ndim == 3 and array.shape[2] > 4)  # the latter of (n, height, width)
        hint = " (of batches, unbatch() makes images; of two arrays, zip(images, labels))" if batches else ""
        raise ValueError(
            f"Images of `data` must be (height, width) or (height, width, 1 or 3){hint}. Received: {np.shape(image)} "
            f"at {i}"
        )
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):  # false for nan, too
            raise ValueError(
                "Images of `data` must be uint8 in [0, 255] or floats in [0, 1]. "
                f"Received: {array.dtype} in [{array.min():g}, {array.max():g}] at {i}"
            )
        return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(
            f"Images of `data` must be uint8 in [0, 255] or floats in [0, 1]. Received: {array.dtype} at {i}"
        )
    return np.array(array)  # the caller may write into its own again


def _label(label: Any, i: int) -> int:
    """A label as an integer from 0."""
    value = np.asarray(label)
    if value.ndim:
        raise ValueError(
            f"Labels of `data` must be integers from 0 (of one-hot vectors, argmax makes them). "
            f"Received: shape {value.shape} at {i}"
        )
    if not np.issubdtype(value.dtype, np.integer) or not 0 <= value <= LARGEST_LABEL:
        raise ValueError(f"Labels of `data` must be integers from 0. Received: {value.dtype} {value} at {i}")
    return int(value)
