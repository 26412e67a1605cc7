"""Whole photographs of any size, and random crops of them for training."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, overload

import numpy as np

from cnnzoo.data.addresses import GIVEN, as_name
from cnnzoo.data.given import given_images
from cnnzoo.data.permutation import order
from cnnzoo.data.photograph_rows import check_split, find, held_out
from cnnzoo.data.pictures import MOVE_AWAY, attempted, check_none
from cnnzoo.data.rows import Rows
from cnnzoo.data.streamed import ahead
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.utils.checks import check_integer

SYMMETRIES = 8  # of the square: four rotations, each with and without reflection


class StoredPhotographs(Sequence[np.ndarray]):
    """Photographs on the disk, decoded when they are asked for; the first ones are kept while there is room.

    Args:
        rows: The pictures of a split.
        index: Their numbers in `rows`, int64 (n,).
        channels: 1 or 3 to convert to gray or color; None to keep the channels.
        room: The most bytes of pictures that are kept.

    Attributes:
        rows: As given.
        error: The last error, for callers that see only TensorFlow's text of it.
    """

    def __init__(self, rows: Rows, index: np.ndarray, channels: int | None = None, room: int = 0):
        self.rows, self._index, self._channels = rows, index, channels
        self.error: ValueError | None = None
        self._kept: dict[int, np.ndarray] = {}
        self._room, self._lock = room, Lock()

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, at: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, at: slice) -> "StoredPhotographs": ...
    def __getitem__(self, at: Any) -> Any:
        """The photograph at a number, uint8 (height, width, channels), or those of a slice, not decoded.

        Raises:
            ValueError: It cannot be read, or its size has changed.
        """
        if not isinstance(at, slice):
            return self._picture(int(range(len(self))[at]))
        taken = copy(self)
        taken._index, taken._kept = self._index[at], {}
        taken.__dict__.pop("sides", None)
        if "sides" in self.__dict__:
            taken.sides = self.sides[at]
        return taken

    @cached_property
    def sides(self) -> np.ndarray:
        """The height and width of each, int64 (n, 2), from the headers of their files.

        Raises:
            ValueError: Some cannot be read.
        """
        found = np.empty((len(self), 2), np.int64)

        def look(i: int) -> None:
            row = int(self._index[i])
            width_height = self.rows.sides(row)
            found[i] = width_height[::-1] if width_height else self.rows.image(row).shape[:2]

        check_none(attempted(look, len(self)), MOVE_AWAY)
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of all, decoded; in color if their channels are not given."""
        return int(self.sides.prod(axis=1).sum()) * (self._channels or 3)

    def read(self, numbers: Sequence[int], is_converted: bool = True) -> list[np.ndarray]:
        """Some of them, decoded in parallel.

        Args:
            numbers: Of those.
            is_converted: Whether all are converted to `channels`; else those that are not kept have their own.

        Raises:
            ValueError: Some cannot be read; or they have changed.
        """
        found: dict[int, np.ndarray] = {}

        def decode(i: int) -> None:
            found[i] = self._picture(numbers[i], is_converted)

        try:
            check_none(attempted(decode, len(numbers)), MOVE_AWAY)
        except ValueError as error:
            self.error = error
            raise
        return [found[i] for i in range(len(numbers))]

    def _picture(self, i: int, is_converted: bool = True) -> np.ndarray:
        if (kept := self._kept.get(i)) is not None:
            return kept
        image = self.rows.image(int(self._index[i]))
        channels, pixels = self._channels or image.shape[2], image.shape[0] * image.shape[1]
        is_kept = channels * pixels <= self._room
        if is_kept or is_converted:
            image = to_channels(image[None], channels)[0]
        if "sides" in self.__dict__ and image.shape[:2] != tuple(self.sides[i]):
            height, width = self.sides[i]
            raise ValueError(
                f"Pictures of {self.rows.name} must not change while they are read. Received: one of "
                f"{image.shape[1]}x{image.shape[0]} that was {width}x{height}"
            )
        if is_kept:
            with self._lock:
                if i not in self._kept and image.nbytes <= self._room:
                    self._room -= image.nbytes
                    self._kept[i] = image
        return image


@dataclass(frozen=True)
class Photographs:
    """Photographs, each of its own size.

    Attributes:
        name: Name of the set, or of several joined by "+".
        split: "train", "fit", "validation" or "test".
        images: uint8 arrays (height, width, channels), all with the same channels: a tuple in memory, or a
            `StoredPhotographs`, which decodes them.
        names: File names without suffix.
    """

    name: str
    split: str
    images: Sequence[np.ndarray]
    names: tuple[str, ...]

    def few(self, limit: int | None) -> "Photographs":
        """The first `limit` photographs; all of them for None or a larger limit.

        Raises:
            ValueError: For limit < 1.
        """
        if limit is not None:
            check_integer("limit", limit, 1)
        return replace(self, images=self.images[:limit], names=self.names[:limit])

    @property
    def on_disk(self) -> StoredPhotographs | None:
        """The photographs, if they are on the disk."""
        return self.images if isinstance(self.images, StoredPhotographs) else None

    @cached_property
    def sides(self) -> np.ndarray:
        """The height and width of each, int64 (n, 2)."""
        if self.on_disk is not None:
            return self.on_disk.sides
        return np.array([image.shape[:2] for image in self.images], np.int64).reshape(-1, 2)

    def read(self, numbers: Sequence[int], is_converted: bool = True) -> list[np.ndarray]:
        """Some of the images, decoded in parallel; see `StoredPhotographs.read`.

        Raises:
            ValueError: As there.
        """
        if self.on_disk is None:
            return [self.images[i] for i in numbers]
        return self.on_disk.read(numbers, is_converted)


class Centers:
    """The center crops of photographs, indexed like an array uint8 (n, size, size, channels); decoded when asked for.

    Args:
        photographs: The photographs.
        numbers: Those whose centers these are, (n,); their sides are at least `size`.
        size: Side in pixels.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, photographs: Photographs, numbers: np.ndarray, size: int):
        self._photographs, self._numbers, self._size = photographs, numbers, size
        channels = photographs.images[int(numbers[0])].shape[2]
        self.shape = (len(numbers), size, size, channels)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, at: Any) -> np.ndarray:
        numbers = np.atleast_1d(self._numbers[at]).tolist()
        made = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for i, image in enumerate(self._photographs.read(numbers)):
            top, left = ((side - self._size) // 2 for side in image.shape[:2])
            made[i] = image[top : top + self._size, left : left + self._size]
        return made[0] if isinstance(at, int | np.integer) else made

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.uint8, copy=False)


@dataclass(frozen=True)
class Crops:
    """Square crops of photographs, at any position and in any of the eight symmetries of the square.

    An epoch has as many crops as cover the area of the photographs once. The crops are a pure function of (seed, step),
    like the order of an `ImageSet`: `order` permutes all crops in all symmetries. They are the same from photographs in
    memory and on the disk.

    Args:
        photographs: Source of the crops; photographs with a side below `size` are not used.
        size: Side of a crop in pixels.

    Raises:
        ValueError: For size < 1, or if all photographs are smaller.
    """

    photographs: Photographs
    size: int
    labels = None
    classes: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        largest = self.photographs.sides.min(axis=1).max(initial=0)
        if not 1 <= self.size <= largest:
            raise ValueError(
                f"`crop` must be between 1 and {largest}, the largest shorter side of the photographs of {self.name}. "
                f"Received: {self.size}"
            )

    @property
    def name(self) -> str:
        """Name of the photographs."""
        return self.photographs.name

    @property
    def on_disk(self) -> StoredPhotographs | None:
        """The photographs, if they are on the disk."""
        return self.photographs.on_disk

    def few(self, limit: int | None) -> "Crops":
        """Crops of the first `limit` photographs."""
        return replace(self, photographs=self.photographs.few(limit))

    @cached_property
    def _used(self) -> np.ndarray:
        """The numbers of the photographs with both sides of at least `size`."""
        return np.flatnonzero(self.photographs.sides.min(axis=1) >= self.size)

    @cached_property
    def images(self) -> "np.ndarray | Centers":
        """The center crop of each photograph that is used, uint8 (n, size, size, channels)."""
        centers = Centers(self.photographs, self._used, self.size)
        return np.asarray(centers) if self.on_disk is None else centers

    def in_memory(self) -> "Crops":
        """Crops of the same photographs, decoded."""
        found = self.photographs
        return replace(self, photographs=replace(found, images=tuple(found.read(range(len(found.images))))))

    @property
    def epoch(self) -> int:
        """Number of crops per epoch: as many as cover the area of the photographs once."""
        return int(self.photographs.sides[self._used].prod(axis=1).sum()) // self.size**2

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of whole batches per epoch.

        Raises:
            ValueError: The batch is larger than an epoch.
        """
        if not 1 <= batch_size <= self.epoch:
            raise ValueError(
                f"`batch_size` must be between 1 and {self.epoch}, the crops that cover {self.name}. "
                f"Received: {batch_size}"
            )
        return self.epoch // batch_size

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """The number of crops in the photographs up to each one that is used, and in one row of it."""
        spans = self.photographs.sides[self._used] - self.size + 1
        return np.cumsum(spans.prod(axis=1)), spans[:, 1]

    def _batch(self, step: int, batch_size: int, seed: int, rows: slice) -> np.ndarray:
        """Some rows of the batch of a step, uint8 (n, size, size, channels)."""
        epoch, step = divmod(int(step), self.steps_per_epoch(batch_size))
        ends, columns = self._places
        positions = (step * batch_size + np.arange(batch_size))[rows]
        place, symmetry = np.divmod(order(SYMMETRIES * int(ends[-1]), seed, epoch, positions), SYMMETRIES)
        which = np.searchsorted(ends, place, side="right")
        y, x = np.divmod(place - np.append(0, ends)[which], columns[which])
        numbers, inverse = np.unique(which, return_inverse=True)  # each picture is decoded once
        images = self.photographs.read(self._used[numbers].tolist(), is_converted=False)
        channels = self.images.shape[3]
        made = np.empty((len(positions), self.size, self.size, channels), np.uint8)
        for i, number in enumerate(inverse):
            # Rows are converted whole, as they are in whole pictures, so that sums are rounded alike.
            strip = to_channels(images[number][None, y[i] : y[i] + self.size], channels)[0]
            crop = strip[:, x[i] : x[i] + self.size]
            crop = crop[:: 1 - 2 * (symmetry[i] // 2 % 2), :: 1 - 2 * (symmetry[i] // 4)]  # mirrored
            made[i] = crop.swapaxes(0, 1) if symmetry[i] % 2 else crop
        return made

    def stream(self, batch_size: int, seed: int, start_step: Any = 0, rows: slice = slice(None)) -> Any:
        """Endless batches, starting at a step: a `tf.data.Dataset` of (uint8 (n, size, size, channels),).

        Args:
            batch_size, seed, start_step: As in `ImageSet.stream`.
            rows: Of each batch; others are not read.
        """
        import tensorflow as tf

        self.steps_per_epoch(batch_size)
        shape = (len(range(batch_size)[rows]), *self.images.shape[1:])

        def cut(step: np.ndarray) -> np.ndarray:
            return self._batch(int(step), batch_size, seed, rows)

        def batch(step: Any) -> Any:
            return (tf.ensure_shape(tf.numpy_function(cut, [step], tf.uint8), shape),)

        steps = tf.data.Dataset.counter(start=start_step, dtype=tf.int64)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray]]:
        """The batches of `stream` as NumPy arrays, for backends without TensorFlow; the next ones on another thread."""
        self.steps_per_epoch(batch_size)
        return ahead(lambda step: (self._batch(step, batch_size, seed, slice(None)),), count(start_step))


def photographs(
    name: str | Path, split: str = "train", channels: int | None = None, memory: int | None = None
) -> Photographs:
    """Loads whole photographs.

    Args:
        name: For training "t91" (Yang et al., 2010), "bsds500" (Arbelaez et al., 2011, the training part) and
            "train400" (Zhang et al., 2017), each without the photographs that test sets contain too
            (`DataSet.left_out`). For testing "set5", "set14", "bsd100" (the validation part of BSDS500), "bsd68" and
            "set12". Several joined by "+" are allowed. All are read from `CNNZOO_DATA_DIR`. Or a folder
            <folder>/<split>/<label>/<image>, or one with images only, as in `load`, or one that `cnnzoo data build`
            packed of those. Or a name with a prefix, as in `load`, or that of images given by a program.
        split: "train", "test", or a part of "train": "validation" is a fixed tenth of the photographs, and "fit" is the
            rest. All crops of a photograph are in the same part (see `cnnzoo.data.origins`).
        channels: 1 or 3 to convert to gray or color; None to keep the channels.
        memory: The most bytes of decoded photographs in memory. If all need more, they are read from the disk whenever
            they are used, except those that fit. None for no limit.

    Raises:
        DataNotFound: A set is not on this machine.
        ValueError: An unknown name or split, or an unreadable file.
    """
    check_split(split)
    name = as_name(name)
    if name.startswith(GIVEN):
        images = given_images(name, "test" if split == "test" else "train").images
        numbers = held_out(len(images), split).tolist()
        if not numbers:
            raise ValueError(f"{name} must have images. Received: none for {split!r}")
        fitted = (images[i] if channels is None else to_channels(images[i][None], channels)[0] for i in numbers)
        return Photographs(name, split, tuple(fitted), tuple(map(str, numbers)))
    rows, index, names = find(name, split)
    stored = StoredPhotographs(rows, index, channels, memory or 0)
    if memory is not None and stored.nbytes > memory:
        return Photographs(name, split, stored, names)
    return Photographs(name, split, tuple(stored.read(range(len(stored)))), names)
