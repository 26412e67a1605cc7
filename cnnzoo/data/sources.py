"""Readers of data sets: tensorflow-datasets, images inside scikit-learn and scikit-image, shards, and folders."""

import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnzoo.data import huggingface, records, webdataset
from cnnzoo.data.addresses import GIVEN, Address, address_of, check_prefix, prefixes_in_words
from cnnzoo.data.builders import Arrays, builder_rows, opened, rows
from cnnzoo.data.catalog import CATALOG, NAMES, DataSet
from cnnzoo.data.folders import files_of, layouts, part_of
from cnnzoo.data.given import given_images
from cnnzoo.data.image_set import DataNotFound, stacked
from cnnzoo.data.rows import Rows
from cnnzoo.imaging.arrays import fit_to, resized, to_channels
from cnnzoo.imaging.files import read_image

PACKAGED = tuple(name for name in NAMES if CATALOG[name].source == "package")
NEAR = f"{', '.join(PACKAGED)}, or a folder"  # data without a download

Shape = tuple[int, int, int]  # height, width, channels


def read(name: str, split: str, shape: Shape | None, corrupt: str) -> Arrays:
    """The images, labels and class names of "train" or "test"; see `cnnzoo.data.load`."""
    known = CATALOG[name] if name in NAMES else None
    if known and known.source == "tfds":
        return _from_builder(name, split)
    if known and known.source == "folder":
        return _public_folder(known, split, shape or (64, 64, 3))
    if known:
        return _READERS[name](split, shape or (64, 64, 3))
    if name.startswith(GIVEN):
        return _given(name, split, shape)
    if Path(name).is_dir():
        return _folder(Path(name), split, shape, corrupt)
    if (found := rows_of(name, split)) is not None:
        return _in_memory(found, shape, corrupt)
    check_prefix(name)
    raise ValueError(
        f"`data` must be one of {', '.join(NAMES)}, or {prefixes_in_words()}, or an existing folder. Received: {name!r}"
    )


def rows_of(name: str, split: str) -> Rows | None:
    """Random access to the pictures of a data set with a prefix, without decoding them; None for other sets.

    Args:
        name: As in `cnnzoo.data.load`.
        split: "train" or "test".

    Raises:
        DataNotFound, ValueError: As in `cnnzoo.data.load`.
    """
    address = address_of(name)
    return _ROWS[address.prefix](address, split) if address else None


_ROWS: dict[str, Callable[[Address, str], Rows]] = {
    "tfds:": lambda address, split: builder_rows(address, split, NEAR),
    "hf:": lambda address, split: huggingface.rows(address, split, NEAR),
    "wds:": webdataset.rows,
    "tfrecord:": records.tfrecord_rows,
    "arrayrecord:": records.array_record_rows,
}


def _given(name: str, split: str, shape: Shape | None) -> Arrays:
    """The images that a program gave.

    Raises:
        ValueError: As `given_images`, or they have several shapes and `shape` is None.
    """
    found = given_images(name, split)
    images = [image if shape is None else fit_to(image[None], shape)[0] for image in found.images]
    return stacked(images, f"of {name}"), found.labels, found.classes


def _in_memory(pictures: Rows, shape: Shape | None, corrupt: str) -> Arrays:
    """All pictures of a set, decoded; see `_decoded`."""
    images, kept = _decoded(pictures.image, len(pictures), shape, corrupt)
    if not images:
        raise ValueError(f"{pictures.name} must have images that can be read. Received: none")
    labels = None if pictures.labels is None else pictures.labels[kept]
    return stacked(images, f"of {pictures.name}"), labels, pictures.classes


def _decoded(
    image: Callable[[int], np.ndarray], n: int, shape: Shape | None, corrupt: str
) -> tuple[list[np.ndarray], list[int]]:
    """The pictures 0 to n - 1 that can be read, fitted to a shape, and their numbers.

    Raises:
        ValueError: One cannot be read and `corrupt` is "raise".
    """
    images, kept, unreadable = [], [], []
    for i in range(n):
        try:
            picture = image(i)
        except ValueError as error:
            unreadable.append(str(error))
            continue
        images.append(picture if shape is None else fit_to(picture[None], shape)[0])
        kept.append(i)
    if unreadable and corrupt == "raise":
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        raise ValueError(f"{unreadable[0]}{more}; move such files away, or load with corrupt='skip'")
    for message in unreadable:
        warnings.warn(f"left out: {message}", stacklevel=5)
    return images, kept


@lru_cache(maxsize=4)
def _from_builder(name: str, split: str) -> Arrays:
    """A split of a data set of the catalog from tensorflow-datasets, as one batch."""
    builder = opened(CATALOG[name].builder, NEAR)
    whole = rows(builder, split, batch_size=-1)
    labels = builder.info.features["label"]
    return whole["image"].numpy(), whole["label"].numpy().astype(np.int64), tuple(labels.names)


@lru_cache(maxsize=2)
def _static_mnist(split: str) -> Arrays:
    """Statically binarized MNIST: each pixel is 255 with its brightness as the probability, else 0."""
    images, labels, classes = _from_builder("mnist", split)
    seed = {"train": 1, "test": 2}[split]
    below = np.random.default_rng(seed).integers(255, size=images.shape, dtype=np.uint8)  # uniform over 0 to 254
    return 255 * (below < images).astype(np.uint8), labels, classes


@lru_cache(maxsize=2)
def _digits(split: str) -> Arrays:
    """scikit-learn's 1,797 scans of 8x8 pixels; the test split is a fixed choice of 360."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    chosen = part_of(len(scans.images), 360, split)
    images = np.rint(scans.images[chosen] * (255 / 16)).astype(np.uint8)[..., None]
    return _framed(images), scans.target[chosen].astype(np.int64), CATALOG["digits"].classes


def _framed(scans: np.ndarray) -> np.ndarray:
    """8x8 scans as 28x28 images with the margin of MNIST: resized to 20x20 and padded."""
    large = resized(scans, 20, 20)
    return np.pad(large, ((0, 0), (4, 4), (4, 4), (0, 0)))


# Photographs inside the installed packages; the suffix tells those of scikit-learn from those of scikit-image.
_PHOTOS = {
    "train": ("astronaut", "camera", "coffee", "grass", "gravel", "brick", "china.jpg"),
    "test": ("cat", "rocket", "flower.jpg"),
}


def shipped_photographs(split: str) -> dict[str, np.ndarray]:
    """Whole photographs that need no download: {name: uint8 image (height, width, channels)}."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    found = {}
    for name in _PHOTOS[split]:
        picture = load_sample_image(name) if name.endswith(".jpg") else getattr(data, name)()
        found[name.removesuffix(".jpg")] = picture if picture.ndim == 3 else picture[..., None]
    return found


def _photos(split: str, shape: Shape) -> Arrays:
    """Disjoint crops of one shape, four rows per photograph, of photographs reduced so that a crop shows an object."""
    height, width, channels = shape
    crops, labels, names = [], [], []
    for label, (name, picture) in enumerate(shipped_photographs(split).items()):
        names.append(name)
        rows, columns = 4, round(4 * picture.shape[1] / picture.shape[0] * height / width)
        small = resized(to_channels(picture[None], channels), rows * height, columns * width)[0]
        for r in range(rows):
            for c in range(columns):
                crops.append(small[r * height : (r + 1) * height, c * width : (c + 1) * width])
                labels.append(label)
    return np.stack(crops), np.array(labels, np.int64), tuple(names)


# Data sets that are neither of tensorflow-datasets nor a folder.
_READERS: dict[str, Callable[[str, Shape], Arrays]] = {
    "mnist/static": lambda split, _: _static_mnist(split),
    "digits": lambda split, _: _digits(split),
    "photos": _photos,
}


def _public_folder(known: DataSet, split: str, shape: Shape) -> Arrays:
    """A data set in `CNNZOO_DATA_DIR` with one subfolder per class; a fifth of it is the test split.

    Raises:
        DataNotFound: It is not on this machine.
    """
    folder = known.folder()
    if not folder.is_dir():
        raise DataNotFound(
            f"{known.name} is not in {folder}. Fetch it by: cnnzoo data get {known.name}. Or name the folder that "
            f"holds {folder.name} in CNNZOO_DATA_DIR. Without a download: {NEAR}."
        )
    return _folder(folder, split, shape, "raise")


def _folder(folder: Path, split: str, shape: Shape | None, corrupt: str) -> Arrays:
    """The images of a folder, sorted by file name; without `shape` all must have the same size."""
    files, classes = files_of(folder, split)
    images, kept = _decoded(lambda i: read_image(files[i][0], shape and shape[2]), len(files), shape, corrupt)
    if not images:
        raise ValueError(f"Images must be {layouts(folder)}. Received: none for {split!r}")
    labels = np.array([files[i][1] for i in kept], np.int64) if classes else None
    return stacked(images, f"in {folder}"), labels, classes
