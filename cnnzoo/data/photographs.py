"""Whole photographs of any size, and random crops of them for training."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cnnzoo.data.addresses import GIVEN, address_of
from cnnzoo.data.catalog import CATALOG, TESTING, TRAINING
from cnnzoo.data.folders import files_of, flat_root
from cnnzoo.data.given import given_images
from cnnzoo.data.image_set import DataNotFound
from cnnzoo.data.origins import origin
from cnnzoo.data.packed import is_packed
from cnnzoo.data.permutation import order
from cnnzoo.data.sources import rows_of
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.imaging.files import read_image
from cnnzoo.imaging.folders import PICTURE_SUFFIXES, is_hidden, pictures_in

SYMMETRIES = 8  # of the square: four rotations, each with and without reflection


@dataclass(frozen=True)
class Photographs:
    """Decoded photographs in memory, each of its own size.

    Attributes:
        name: Name of the set, or of several joined by "+".
        split: "train", "fit", "validation" or "test".
        images: uint8 arrays (height, width, channels), all with the same channels.
        names: File names without suffix.
    """

    name: str
    split: str
    images: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def few(self, limit: int | None) -> "Photographs":
        """The first `limit` photographs; all of them for None or a larger limit.

        Raises:
            ValueError: For limit < 1.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"`limit` must be an integer >= 1. Received: {limit}")
        return replace(self, images=self.images[:limit], names=self.names[:limit])


@dataclass(frozen=True)
class Crops:
    """Square crops of photographs, at any position and in any of the eight symmetries of the square.

    An epoch has as many crops as cover the area of the photographs once. The crops are a pure function of (seed, step),
    like the order of an `ImageSet`: `order` permutes all crops in all symmetries.

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
        sides = [side for image in self.photographs.images for side in image.shape[:2]]
        if not 1 <= self.size <= max(map(min, zip(sides[::2], sides[1::2], strict=True)), default=0):
            raise ValueError(
                f"`crop` must be between 1 and the shorter side of a photograph of {self.name}. Received: {self.size}"
            )

    @property
    def name(self) -> str:
        """Name of the photographs."""
        return self.photographs.name

    def few(self, limit: int | None) -> "Crops":
        """Crops of the first `limit` photographs."""
        return replace(self, photographs=self.photographs.few(limit))

    @cached_property
    def _images(self) -> list[np.ndarray]:
        """The photographs with both sides of at least `size`."""
        return [image for image in self.photographs.images if min(image.shape[:2]) >= self.size]

    @cached_property
    def _flat(self) -> np.ndarray:
        """The pixels of all photographs, concatenated: uint8 (pixels, channels)."""
        return np.concatenate([image.reshape(-1, image.shape[2]) for image in self._images])

    @property
    def images(self) -> np.ndarray:
        """The center crop of each photograph, uint8 (n, size, size, channels)."""
        centers = []
        for image in self._images:
            top, left = ((side - self.size) // 2 for side in image.shape[:2])
            centers.append(image[top : top + self.size, left : left + self.size])
        return np.stack(centers)

    @property
    def epoch(self) -> int:
        """Number of crops per epoch: as many as cover the area of the photographs once."""
        return len(self._flat) // self.size**2

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

    def _pixels(self, seed: int, epoch: Any, positions: Any, take: Any, find: Any) -> Any:
        """Indices into `_flat` of the crops at some positions of an epoch, int64 (n, size, size).

        Args:
            seed, epoch, positions: As in `order`.
            take: `np.take` or `tf.gather`.
            find: `np.searchsorted` or `tf.searchsorted`, with side="right".
        """
        heights, widths = np.array([image.shape[:2] for image in self._images], np.int64).T
        columns = widths - self.size + 1
        counts = (heights - self.size + 1) * columns  # crops in each photograph
        ends, starts = np.cumsum(counts), np.concatenate([[0], np.cumsum(heights * widths)[:-1]])
        drawn = order(SYMMETRIES * int(ends[-1]), seed, epoch, positions)
        place, symmetry = drawn // SYMMETRIES, drawn % SYMMETRIES
        which = find(ends, place)
        place = place - take(ends - counts, which)
        y, x = place // take(columns, which), place % take(columns, which)
        width, first = take(widths, which), take(starts, which)
        here = np.arange(self.size, dtype=np.int64)
        rows, across = here[:, None], here[None, :]  # inside the crop

        def mirrored(index: Any, flip: Any) -> Any:
            flip = flip[:, None, None]
            return index + flip * (self.size - 1 - 2 * index)

        turned = (symmetry % 2)[:, None, None]
        rows, across = rows + turned * (across - rows), across + turned * (rows - across)  # transposed if `turned`
        rows, across = mirrored(rows, symmetry // 2 % 2), mirrored(across, symmetry // 4)
        return first[:, None, None] + (y[:, None, None] + rows) * width[:, None, None] + x[:, None, None] + across

    def stream(self, batch_size: int, seed: int, start_step: int = 0) -> Any:
        """Endless batches, starting at a step: a `tf.data.Dataset` of (uint8 (n, size, size, channels),)."""
        import tensorflow as tf

        per_epoch = self.steps_per_epoch(batch_size)
        with tf.init_scope():  # otherwise a surrounding graph would contain the pixels as a constant
            flat = tf.constant(self._flat)

        def find(ends: np.ndarray, place: Any) -> Any:
            return tf.searchsorted(tf.constant(ends), place, side="right")

        def batch(step: Any) -> Any:
            positions = step % per_epoch * batch_size + tf.range(batch_size, dtype=tf.int64)
            index = self._pixels(seed, step // per_epoch, positions, tf.gather, find)
            return (tf.gather(flat, index),)

        steps = tf.data.Dataset.counter(start=start_step, dtype=tf.int64)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray]]:
        """The batches of `stream` as NumPy arrays, for backends without TensorFlow."""
        per_epoch = self.steps_per_epoch(batch_size)
        step = start_step
        while True:
            positions = step % per_epoch * batch_size + np.arange(batch_size)
            index = self._pixels(
                seed, step // per_epoch, positions, np.take, lambda ends, at: np.searchsorted(ends, at, side="right")
            )
            yield (self._flat[index],)
            step += 1


def is_photographs(name: str | Path) -> bool:
    """Whether a name is a set of whole photographs, or several joined by "+"."""
    return all(part in TRAINING or part in TESTING for part in str(name).split("+"))


def photographs(name: str | Path, split: str = "train", channels: int | None = None) -> Photographs:
    """Loads and decodes whole photographs.

    Args:
        name: For training "t91" (Yang et al., 2010), "bsds500" (Arbelaez et al., 2011, the training part) and
            "train400" (Zhang et al., 2017), each without the photographs that test sets contain too
            (`DataSet.left_out`). For testing "set5", "set14", "bsd100" (the validation part of BSDS500), "bsd68" and
            "set12". Several joined by "+" are allowed. All are read from `CNNZOO_DATA_DIR`. Or a folder
            <folder>/<split>/<label>/<image>, or one with images only, as in `load`. Or a name with a prefix, as
            in `load`, or that of images given by a program.
        split: "train", "test", or a part of "train": "validation" is a fixed tenth of the photographs, and "fit" is the
            rest. All crops of a photograph are in the same part (see `cnnzoo.data.origins`).
        channels: 1 or 3 to convert to gray or color; None to keep the channels.

    Raises:
        DataNotFound: A set is not on this machine.
        ValueError: An unknown name or split, or an unreadable file.
    """
    if numbered := _without_files(str(name), split):
        return Photographs(str(name), split, tuple(_in(channels, numbered.values())), tuple(numbered))
    paths = photograph_files(name, split)
    images = tuple(_decoded(path) for path in paths)
    if channels is not None:
        images = tuple(to_channels(image[None], channels)[0] for image in images)
    return Photographs(str(name), split, images, tuple(path.stem for path in paths))


def photograph_files(name: str | Path, split: str) -> list[Path]:
    """The files of `photographs`, not decoded.

    Raises:
        DataNotFound: A set is not on this machine.
        ValueError: An unknown name or split.
    """
    parts = {"train": TRAINING, "fit": TRAINING, "validation": TRAINING, "test": TESTING}
    if split not in parts:
        raise ValueError(f"`split` must be one of {', '.join(parts)}. Received: {split!r}")
    if is_photographs(name):
        allowed = parts[split]
        if other := [part for part in str(name).split("+") if part not in allowed]:
            raise ValueError(f"Photographs for {split!r} must be of {', '.join(allowed)}. Received: {', '.join(other)}")
        found = [
            (path, origin(part, path.stem))
            for part in str(name).split("+")
            for path in _files(part, CATALOG[part].folder())
            if path.stem not in CATALOG[part].left_out
        ]
    else:
        found = [(path, ("", str(path))) for path in _of_folder(Path(name), "test" if split == "test" else "train")]
    if split in ("fit", "validation"):
        shown = list(dict.fromkeys(of for _, of in found))
        held = {shown[i] for i in order(len(shown), 0, 0, np.arange(max(1, len(shown) // 10)))}
        found = [(path, of) for path, of in found if (of in held) == (split == "validation")]
    return [path for path, _ in found]


def _in(channels: int | None, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Images in gray or color, or as they are for None."""
    return (image if channels is None else to_channels(image[None], channels)[0] for image in images)


def _without_files(name: str, split: str) -> dict[str, np.ndarray]:
    """The photographs of shards, or those that a program gave, by their numbers; none for the name of another set."""
    part = "test" if split == "test" else "train"
    image: Callable[[int], np.ndarray]
    if name.startswith(GIVEN):
        images = given_images(name, part).images
        n, image = len(images), images.__getitem__
    elif address_of(name) and (rows := rows_of(name, part)) is not None:
        n, image = len(rows), rows.image
    else:
        return {}
    kept = np.arange(n)
    if split in ("fit", "validation"):
        held_out = np.isin(kept, order(n, 0, 0, np.arange(max(1, n // 10))))
        kept = kept[held_out == (split == "validation")]
    if not len(kept):
        raise ValueError(f"{name} must have images. Received: none for {split!r}")
    return {str(i): image(int(i)) for i in kept}


def _files(name: str, folder: Path) -> list[Path]:
    """The images of a set in its folder.

    Raises:
        DataNotFound: There are none.
    """
    found = _pictures(folder)
    if not found:
        raise DataNotFound(
            f"{name} is not in {folder}. Fetch it by: cnnzoo data get {name}. Or put its photographs there as "
            f"{folder.name}/<any>/<image>, or name the folder that holds {folder.parent.name} in CNNZOO_DATA_DIR."
        )
    return found


def _of_folder(folder: Path, split: str) -> list[Path]:
    """The images of "train" or "test" in a folder of the user.

    Raises:
        ValueError: There are none, or they are packed.
    """
    if is_packed(folder):
        raise ValueError(
            "`data` must be a folder of pictures for a model of images of any size. "
            f"Received: {folder}, packed by cnnzoo data build"
        )
    if flat_root(folder):
        return [path for path, _ in files_of(folder, split).files]
    found = _pictures(folder / split)
    if not found:
        raise ValueError(
            f"`data` must be one of {', '.join((*TRAINING, *TESTING))}, several of them joined by +, or a folder with "
            f"{split}/<label>/<image>, or with pictures alone, of {', '.join(PICTURE_SUFFIXES)}. "
            f"Received: {str(folder)!r}"
        )
    return found


def _pictures(folder: Path) -> list[Path]:
    """The images in the subfolders of a folder, except hidden ones."""
    folders = sorted(each for each in folder.glob("*") if each.is_dir() and not is_hidden(each))
    return [path for each in folders for path in pictures_in(each).pictures]


@lru_cache(maxsize=1024)
def _decoded(path: Path) -> np.ndarray:
    """The pixels of an image file, cached."""
    return read_image(path)
