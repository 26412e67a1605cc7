"""Images to train on: whole sets in memory, and batches of them as a pure function of (seed, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data.download import get
from cnnzoo.data.permutation import order

__all__ = ["DataNotFound", "ImageSet", "get", "load", "order", "training_images"]


class DataNotFound(ValueError):
    """The data set is not prepared on this machine and cannot be fetched; the message says what to do."""


LABELED = "allowed: a data set that has them, or a folder <folder>/train/<label>/<image>"


@dataclass(frozen=True)
class ImageSet:
    """Decoded images in memory.

    Attributes:
        name: Of the data set, or the folder.
        split: "train", "test", "fit" or "validation".
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), or None.
        classes: Their names.
    """

    name: str
    split: str
    images: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def epoch(self) -> int:
        """The images of an epoch: all."""
        return len(self.images)

    def few(self, limit: int | None) -> "ImageSet":
        """So many of the images, or all where there are fewer or for None.

        They are always the same ones, from anywhere in the set, which may be sorted by label; each larger choice holds
        all of the smaller.

        Raises:
            ValueError: For limit < 1.
        """
        if limit is None or limit >= len(self.images):
            return self
        if limit < 1:
            raise ValueError(f"got limit={limit}; allowed: limit >= 1")
        chosen = np.sort(order(len(self.images), 0, 0, np.arange(limit)))
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, images=self.images[chosen], labels=labels)

    def relabeled(self, classes: Sequence[str]) -> "ImageSet":
        """The same images with the numbers that other classes have for their names.

        Raises:
            ValueError: A class of this set is not among them.
        """
        if self.labels is None or self.classes == tuple(classes):
            return self
        if unknown := [name for name in self.classes if name not in classes]:
            raise ValueError(f"{self.name} has the classes {', '.join(unknown)}; allowed: {', '.join(classes)}")
        numbers = np.array([classes.index(name) for name in self.classes], np.int64)
        return replace(self, labels=numbers[self.labels], classes=tuple(classes))

    def steps_per_epoch(self, batch_size: int) -> int:
        """Whole batches in an epoch.

        Raises:
            ValueError: The batch is larger than the set.
        """
        if not 1 <= batch_size <= self.epoch:
            raise ValueError(f"got batch_size={batch_size}; allowed: 1 to {self.epoch}, the size of {self.name}")
        return self.epoch // batch_size

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> Any:
        """Endless shuffled batches from a step on, as a `tf.data.Dataset` of (images, labels) or (images,).

        An epoch is `steps_per_epoch` batches; what is left over comes at another place of the next epoch. The images
        are gathered inside the graph, a batch at a time.
        """
        import tensorflow as tf

        per_epoch = self.steps_per_epoch(batch_size)
        with tf.init_scope():  # else they would become a part of the graph wherever this is called in one
            images = tf.constant(self.images)
            labels = None if self.labels is None else tf.constant(self.labels)

        def batch(step: Any) -> Any:
            positions = step % per_epoch * batch_size + tf.range(batch_size, dtype=tf.int64)
            index = order(len(self.images), seed, step // per_epoch, positions)
            taken = tf.gather(images, index)
            return (taken,) if labels is None else (taken, tf.gather(labels, index))

        steps = tf.data.Dataset.counter(start=start_step, dtype=tf.int64)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """The same batches as `stream`, in NumPy, for backends without TensorFlow."""
        per_epoch = self.steps_per_epoch(batch_size)
        step = start_step
        while True:
            positions = step % per_epoch * batch_size + np.arange(batch_size)
            index = order(len(self.images), seed, step // per_epoch, positions)
            taken = self.images[index]
            yield (taken,) if self.labels is None else (taken, self.labels[index])
            step += 1


def load(
    name: str | Path,
    split: str = "train",
    shape: tuple[int | None, int | None, int] | None = None,
    corrupt: str = "raise",
) -> ImageSet:
    """A split of a data set, decoded.

    Args:
        name: "mnist", "fashion_mnist", "cifar10", "cmaterdb", "cmaterdb/devanagari" or "cmaterdb/telugu", through
            tensorflow-datasets; "mnist/static", the images of MNIST with each pixel drawn once as 0 or 255, with its
            brightness as the chance, by a fixed seed of NumPy (statically binarised; the draw is the zoo's own);
            "digits", the 1,797 scans that scikit-learn ships; "photos", crops of photographs that scikit-image and
            scikit-learn ship; "signs", photographs of hand signs, in `CNNZOO_DATA_DIR`; or a folder
            <folder>/<split>/<label>/<image>. Its classes are the folders of <folder>/train, sorted by name, or by
            number where all names are numbers. Where a folder has no <folder>/test, "test" is always the same fifth of
            <folder>/train, and "train" the rest. Hidden files and folders are passed over; whatever else is no picture
            is too, with a warning. A folder with pictures alone, in it or in its `train`, is taken without labels.
        split: "train", "test", or a part of "train": "validation", always the same 5,000 images of it (a tenth of a
            small set), and "fit", the others.
        shape: The (height, width, channels) that a model takes; the images are fitted to it by `images.fit_to`: the
            middle is kept and resized, grey and colour are converted. Where the sides are None they keep their size.
        corrupt: Of a folder: "raise" or "skip" (with a warning) for a file that cannot be read.

    Raises:
        DataNotFound: It is not prepared on this machine and there is no network; says what to do, in under a second.
        ValueError: An unknown name or split, or an unreadable file.
    """
    from cnnzoo.data.sources import read
    from cnnzoo.imaging.arrays import fit_to, to_channels

    if split not in ("train", "test", "fit", "validation"):
        raise ValueError(f"got split={split!r}; allowed: train, test, fit, validation")
    if corrupt not in ("raise", "skip"):
        raise ValueError(f"got corrupt={corrupt!r}; allowed: raise, skip")
    if isinstance(name, Path) and name.is_dir():
        name = name.absolute()  # never a data set that has the name of the folder
    whole = split if split == "test" else "train"
    height, width, channels = shape or (None, None, None)
    size = None if height is None or width is None or channels is None else (height, width, channels)
    images, labels, classes = read(str(name), whole, size, corrupt)
    if whole != split:
        held_out = np.zeros(len(images), bool)
        held_out[order(len(images), 0, 0, np.arange(min(5000, len(images) // 10)))] = True
        part = held_out if split == "validation" else ~held_out
        images, labels = images[part], None if labels is None else labels[part]
    if channels is not None:
        images = to_channels(images, channels) if size is None else fit_to(images, size)
    return ImageSet(str(name), split, images, labels, classes)


def training_images(name: str | Path, split: str, shape: tuple | None, crop: int | None = None) -> Any:
    """What a model of images of `shape` is trained on: an `ImageSet`, or `Crops` of photographs.

    Args:
        name, split: As in `load`; where the sides in `shape` are None, also as in `photographs`, for crops of these.
        shape: As in `load`.
        crop: The side of the crops; 64 by default.

    Raises:
        DataNotFound, ValueError: As `load` or `photographs`.
    """
    from cnnzoo.data.photographs import Crops, is_photographs, photographs

    if shape is not None and None in shape and (is_photographs(name) or Path(name).is_dir()):
        return Crops(photographs(name, split, shape[2]), crop or 64)
    return load(name, split, shape)
