"""Decoded images in memory, and batches of them as a pure function of (seed, step)."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np

from cnnzoo.data.permutation import few, order
from cnnzoo.utils.checks import check_integer

LABELED = "a data set that has them, or a folder <folder>/train/<label>/<image>"


class DataNotFound(ValueError):
    """A data set is not on this machine and cannot be downloaded; the message names the remedy."""


def stacked(images: Sequence[np.ndarray], where: str) -> np.ndarray:
    """Images (height, width, channels) as one array (n, height, width, channels).

    Args:
        images: One or more.
        where: "in" or "of" their source, for the error.

    Raises:
        ValueError: They have several shapes.
    """
    one_shape({image.shape for image in images}, where)
    return np.stack(images)


def one_shape(shapes: Collection[tuple[int, ...]], where: str) -> None:
    """Checks that there is one shape only; see `stacked`."""
    if len(shapes) > 1:
        raise ValueError(
            f"Images {where} must have one shape, or load must be given a `shape`. "
            f"Received: {len(shapes)} shapes, {sorted(shapes)[:2]}…"
        )


@dataclass(frozen=True)
class ImageSet:
    """Decoded images in memory.

    Attributes:
        name: Name of the data set, or the path of the folder.
        split: "train", "test", "fit" or "validation".
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), or None.
        classes: Class names, in the order of the labels.
    """

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def on_disk(self) -> Any:
        """The images, if they are on the disk; here None."""
        return None

    @property
    def epoch(self) -> int:
        """Number of images per epoch: all of them."""
        return len(self.images)

    def few(self, limit: int | None) -> "ImageSet":
        """A fixed random subset of `limit` images, in their order; the whole set for None or a larger limit.

        Smaller subsets are contained in larger ones. The choice is random since data sets may be sorted by label;
        `Photographs.few` takes the first photographs instead.

        Raises:
            ValueError: For limit < 1.
        """
        if limit is None or limit >= len(self.images):
            return self
        check_integer("limit", limit, 1)
        chosen = few(len(self.images), limit)
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, images=self._subset(chosen), labels=labels)

    def _subset(self, chosen: np.ndarray) -> Any:
        return self.images[chosen]

    def relabeled(self, classes: Sequence[str]) -> "ImageSet":
        """The same images, labeled by their position in another list of class names.

        Raises:
            ValueError: A class of this set is not in the list.
        """
        if self.labels is None or self.classes == tuple(classes):
            return self
        if unknown := [name for name in self.classes if name not in classes]:
            raise ValueError(
                f"{self.name} must have only the classes {', '.join(classes)}. Received: {', '.join(unknown)}"
            )
        numbers = np.array([classes.index(name) for name in self.classes], np.int64)
        return replace(self, labels=numbers[self.labels], classes=tuple(classes))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of whole batches per epoch.

        Raises:
            ValueError: The batch is larger than the set.
        """
        if not 1 <= batch_size <= self.epoch:
            raise ValueError(
                f"`batch_size` must be between 1 and {self.epoch}, the size of {self.name}. Received: {batch_size}"
            )
        return self.epoch // batch_size

    def stream(self, batch_size: int, seed: int, start_step: Any = 0, rows: slice = slice(None)) -> Any:
        """Endless shuffled batches, starting at a step.

        Each epoch has `steps_per_epoch` batches in a new order; the remainder of an epoch is dropped. The images are
        gathered one batch at a time.

        Args:
            batch_size: Images in a batch.
            seed: Of the order.
            start_step: The first step, from 0; may be a tensor.
            rows: Of each batch; the others are not read.

        Returns:
            A `tf.data.Dataset` of (images, labels), or of (images,) without labels.
        """
        import tensorflow as tf

        per_epoch = self.steps_per_epoch(batch_size)
        gather = self._gather()
        with tf.init_scope():
            labels = None if self.labels is None else tf.constant(self.labels)

        def batch(step: Any) -> Any:
            positions = step % per_epoch * batch_size + tf.constant(np.arange(batch_size)[rows])
            index = order(len(self.images), seed, step // per_epoch, positions)
            return (gather(index),) if labels is None else (gather(index), tf.gather(labels, index))

        steps = tf.data.Dataset.counter(start=start_step, dtype=tf.int64)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)

    def in_order(self, batch_size: int) -> Any:
        """All images once, in their own order, as the batches of `stream`; the last one may be smaller."""
        import tensorflow as tf

        gather = self._gather()
        labels = None if self.labels is None else tf.constant(self.labels)

        def batch(index: Any) -> Any:
            return (gather(index),) if labels is None else (gather(index), tf.gather(labels, index))

        return tf.data.Dataset.range(len(self.images)).batch(batch_size).map(batch).prefetch(1)

    def in_memory(self) -> "ImageSet":
        """The set with its images decoded: this one."""
        return self

    def _gather(self) -> Callable[[Any], Any]:
        """The function from the indices of a batch to its images, inside a graph."""
        import tensorflow as tf

        with tf.init_scope():  # otherwise a surrounding graph would contain the images as constants
            images = tf.constant(self.images)
        return lambda index: tf.gather(images, index)

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """The batches of `stream` as NumPy arrays, for backends without TensorFlow."""
        # A generator, as Keras takes no other iterator.
        return (self._batch(index) for index in self._indices(batch_size, seed, start_step))

    def _indices(self, batch_size: int, seed: int, start_step: int) -> Iterator[np.ndarray]:
        """The indices of the images of each batch."""
        per_epoch = self.steps_per_epoch(batch_size)
        return (
            order(len(self.images), seed, step // per_epoch, step % per_epoch * batch_size + np.arange(batch_size))
            for step in count(start_step)
        )

    def _batch(self, index: np.ndarray) -> tuple[np.ndarray, ...]:
        taken = self.images[index]
        return (taken,) if self.labels is None else (taken, self.labels[index])
