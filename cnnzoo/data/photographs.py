"""Whole photographs of any size, and random crops of them to train on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data import DataNotFound
from cnnzoo.data.folders import files_of, flat_root
from cnnzoo.data.origins import origin
from cnnzoo.data.permutation import order
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.imaging.files import read_image
from cnnzoo.imaging.folders import PICTURE_SUFFIXES, is_hidden, pictures_in
from cnnzoo.utils.atomic_files import data_dir

# Where each set lies in `CNNZOO_DATA_DIR`.
TRAINING = {"t91": "t91/train", "bsds500": "bsds500/train", "train400": "train400/train"}
TESTING = {
    "set5": "set5/test",
    "set14": "set14/test",
    "bsd100": "bsds500/val",
    "bsd68": "bsd68/test",
    "set12": "set12/test",
}
# The first of each shows "04" of Set12, the second "woman" of Set5 at another size; see the test that compares all
# with all at every offset.
LEFT_OUT = {"bsds500": ("12003", "302003"), "train400": ("test_020", "test_135")}
SYMMETRIES = 8  # of the square: turned by quarters, and mirrored or not


@dataclass(frozen=True)
class Photographs:
    """Photographs in memory, each of its own size.

    Attributes:
        name: Of the set, or of several joined by "+".
        split: "train", "fit", "validation" or "test".
        images: uint8 (height, width, channels) each, the channels the same for all.
        names: Of their files, without suffix.
    """

    name: str
    split: str
    images: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    def few(self, limit: int | None) -> "Photographs":
        """The first so many, or all where there are fewer or for None.

        Raises:
            ValueError: For limit < 1.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"got limit={limit}; allowed: limit >= 1")
        return replace(self, images=self.images[:limit], names=self.names[:limit])


@dataclass(frozen=True)
class Crops:
    """Square crops of photographs, at any place and in any of the eight symmetries of the square.

    An epoch takes as many crops as would cover the photographs once. Like the order of an `ImageSet`, they are a pure
    function of (seed, step): of all crops in all symmetries, `order` says which comes next.

    Args:
        photographs: Those of which both sides are at least `size` are cropped.
        size: The side, in pixels.

    Raises:
        ValueError: For size < 1, or if no photograph is as large.
    """

    photographs: Photographs
    size: int
    labels = None
    classes = ()

    def __post_init__(self):
        sides = [side for image in self.photographs.images for side in image.shape[:2]]
        if not 1 <= self.size <= max(map(min, zip(sides[::2], sides[1::2], strict=True)), default=0):
            raise ValueError(f"got crop={self.size}; allowed: 1 to the shorter side of a photograph of {self.name}")

    @property
    def name(self) -> str:
        return self.photographs.name

    def few(self, limit: int | None) -> "Crops":
        """Crops of the first so many photographs."""
        return replace(self, photographs=self.photographs.few(limit))

    @cached_property
    def _images(self) -> list[np.ndarray]:
        return [image for image in self.photographs.images if min(image.shape[:2]) >= self.size]

    @cached_property
    def _flat(self) -> np.ndarray:
        """The pixels of all photographs one after the other, (pixels, channels)."""
        return np.concatenate([image.reshape(-1, image.shape[2]) for image in self._images])

    @property
    def images(self) -> np.ndarray:
        """The middle of each photograph, uint8 (n, size, size, channels): the same at every call."""
        middles = []
        for image in self._images:
            top, left = ((side - self.size) // 2 for side in image.shape[:2])
            middles.append(image[top : top + self.size, left : left + self.size])
        return np.stack(middles)

    @property
    def epoch(self) -> int:
        """The crops of an epoch: as many as would cover the photographs once."""
        return len(self._flat) // self.size**2

    def steps_per_epoch(self, batch_size: int) -> int:
        """Whole batches in an epoch.

        Raises:
            ValueError: The batch is larger than an epoch.
        """
        if not 1 <= batch_size <= self.epoch:
            raise ValueError(
                f"got batch_size={batch_size}; allowed: 1 to {self.epoch}, the crops that cover {self.name}"
            )
        return self.epoch // batch_size

    def _pixels(self, seed: int, epoch: Any, positions: Any, take: Any, find: Any) -> Any:
        """Which of the flat pixels the crops at some positions of an epoch are made of: (n, size, size).

        Args:
            seed, epoch, positions: As for `order`.
            take: NumPy's or TensorFlow's way of taking entries of an array.
            find: The same for searching in sorted numbers, from the right.
        """
        heights, widths = np.array([image.shape[:2] for image in self._images], np.int64).T
        columns = widths - self.size + 1
        counts = (heights - self.size + 1) * columns  # places for a crop in each photograph
        ends, starts = np.cumsum(counts), np.concatenate([[0], np.cumsum(heights * widths)[:-1]])
        drawn = order(SYMMETRIES * int(ends[-1]), seed, epoch, positions)
        place, symmetry = drawn // SYMMETRIES, drawn % SYMMETRIES
        which = find(ends, place)
        place = place - take(ends - counts, which)
        y, x = place // take(columns, which), place % take(columns, which)
        width, first = take(widths, which), take(starts, which)
        here = np.arange(self.size, dtype=np.int64)
        rows, across = here[:, None], here[None, :]  # of the crop that is made

        def mirrored(index, flip):
            flip = flip[:, None, None]
            return index + flip * (self.size - 1 - 2 * index)

        turned = (symmetry % 2)[:, None, None]
        rows, across = rows + turned * (across - rows), across + turned * (rows - across)  # transposed or not
        rows, across = mirrored(rows, symmetry // 2 % 2), mirrored(across, symmetry // 4)
        return first[:, None, None] + (y[:, None, None] + rows) * width[:, None, None] + x[:, None, None] + across

    def stream(self, batch_size: int, seed: int, start_step: int = 0):
        """Endless batches from a step on, as a `tf.data.Dataset` of (uint8 (n, size, size, channels),)."""
        import tensorflow as tf

        per_epoch = self.steps_per_epoch(batch_size)
        with tf.init_scope():  # else it would become a part of the graph wherever this is called in one
            flat = tf.constant(self._flat)

        def find(ends, place):
            return tf.searchsorted(tf.constant(ends), place, side="right")

        def batch(step):
            positions = step % per_epoch * batch_size + tf.range(batch_size, dtype=tf.int64)
            index = self._pixels(seed, step // per_epoch, positions, tf.gather, find)
            return (tf.gather(flat, index),)

        steps = tf.data.Dataset.counter(start=start_step, dtype=tf.int64)
        return steps.map(batch, num_parallel_calls=2, deterministic=True).prefetch(2)

    def batches(self, batch_size: int, seed: int, start_step: int = 0) -> Iterator[tuple[np.ndarray]]:
        """The same batches as `stream`, in NumPy, for backends without TensorFlow."""
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
    """Whether the name is that of a set of whole photographs, or of several joined by "+"."""
    return all(part in TRAINING or part in TESTING for part in str(name).split("+"))


def photographs(name: str | Path, split: str = "train", channels: int | None = None) -> Photographs:
    """Whole photographs, decoded.

    Args:
        name: "t91" (Yang et al., 2010), "bsds500" (Arbelaez et al., 2011; its training part) and "train400" (Zhang et
            al., 2017) to train on, without the two photographs of each of the last two that sets to test on show too
            (`LEFT_OUT`); "set5", "set14", "bsd100" (the validation part of BSDS500), "bsd68" and "set12" to test on;
            several of these joined by "+"; or a folder <folder>/<split>/<label>/<image> or a flat one, as in `load`.
            The sets are looked for in `CNNZOO_DATA_DIR`.
        split: "train", "test", or a part of "train": "validation", always the same tenth of its photographs, and "fit",
            the rest. All crops of a photograph go with it (see `cnnzoo.data.origins`).
        channels: 1 or 3 to convert to grey or colour; None to keep what is there.

    Raises:
        DataNotFound: A set is not on this machine.
        ValueError: An unknown name or split, or an unreadable file.
    """
    parts = {"train": TRAINING, "fit": TRAINING, "validation": TRAINING, "test": TESTING}
    if split not in parts:
        raise ValueError(f"got split={split!r}; allowed: {', '.join(parts)}")
    if is_photographs(name):
        allowed = parts[split]
        if other := [part for part in str(name).split("+") if part not in allowed]:
            raise ValueError(f"{', '.join(other)} has no photographs for {split!r}; allowed: {', '.join(allowed)}")
        found = [
            (path, origin(part, path.stem))
            for part in str(name).split("+")
            for path in _files(part, data_dir() / allowed[part])
            if path.stem not in LEFT_OUT.get(part, ())
        ]
    else:
        found = [(path, ("", str(path))) for path in _of_folder(Path(name), "test" if split == "test" else "train")]
    if split in ("fit", "validation"):
        shown = list(dict.fromkeys(of for _, of in found))
        held = {shown[i] for i in order(len(shown), 0, 0, np.arange(max(1, len(shown) // 10)))}
        found = [(path, of) for path, of in found if (of in held) == (split == "validation")]
    paths = [path for path, _ in found]
    images = tuple(_decoded(path) for path in paths)
    if channels is not None:
        images = tuple(to_channels(image[None], channels)[0] for image in images)
    return Photographs(str(name), split, images, tuple(path.stem for path in paths))


def _files(name: str, folder: Path) -> list[Path]:
    found = _pictures(folder)
    if not found:
        raise DataNotFound(
            f"{name} is not in {folder}. Fetch it by: cnnzoo data get {name}. Or put its photographs there as "
            f"{folder.name}/<any>/<image>, or name the folder that holds {folder.parent.name} in CNNZOO_DATA_DIR."
        )
    return found


def _of_folder(folder: Path, split: str) -> list[Path]:
    if flat_root(folder):
        return [path for path, _ in files_of(folder, split)[0]]
    found = _pictures(folder / split)
    if not found:
        raise ValueError(
            f"got data {str(folder)!r}; allowed: {', '.join((*TRAINING, *TESTING))}, several of them joined by +, or a "
            f"folder with {split}/<label>/<image>, or with pictures alone, of {', '.join(PICTURE_SUFFIXES)}"
        )
    return found


def _pictures(folder: Path) -> list[Path]:
    """The pictures in the folders of a folder, hidden ones left out."""
    folders = sorted(each for each in folder.glob("*") if each.is_dir() and not is_hidden(each))
    return [path for each in folders for path in pictures_in(each).pictures]


@lru_cache(maxsize=1024)
def _decoded(path: Path) -> np.ndarray:
    return read_image(path)
