"""Image sets that are decoded while they are used, and batches of them as a pure function of (seed, step)."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnzoo.data.image_set import ImageSet
from cnnzoo.data.pictures import Pictures

AHEAD = 2  # batches that are decoded before they are asked for


@dataclass(frozen=True)
class StreamedSet(ImageSet):
    """An `ImageSet` whose pictures stay on the disk: the same pixels in the same order, with less memory.

    Attributes:
        images: `Pictures`; a slice of them is an array.
    """

    images: Any

    def _subset(self, chosen: np.ndarray) -> Pictures:
        return self.images.take(chosen)

    def _gather(self) -> Callable[[Any], Any]:
        import tensorflow as tf

        def gather(index: Any) -> Any:
            taken = tf.numpy_function(self.images.__getitem__, [index], tf.uint8)
            return tf.ensure_shape(taken, (*index.shape, *self.images.shape[1:]))

        return gather

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """See `ImageSet.batches`; the next ones are decoded on another thread."""
        return ahead(self._batch, self._indices(batch_size, seed, start_step))

    @property
    def on_disk(self) -> Pictures:
        """The pictures."""
        return self.images

    def in_memory(self) -> ImageSet:
        """The same set, decoded."""
        return ImageSet(self.name, self.split, np.asarray(self.images), self.labels, self.classes)


def ahead(make: Callable[[Any], Any], of: Iterator[Any]) -> Iterator[Any]:
    """What a function makes of each of endless items, the next ones made on another thread."""
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(make, next(of)) for _ in range(AHEAD))
        while True:
            taken = waiting.popleft().result()
            waiting.append(thread.submit(make, next(of)))
            yield taken


@contextmanager
def reading(images: Any) -> Iterator[None]:
    """Raises the error of a picture that cannot be read as it is, where TensorFlow has wrapped it."""
    try:
        yield
    except Exception:
        error = images.on_disk.error if images.on_disk is not None else None
        if error is None:
            raise
        raise error from None
