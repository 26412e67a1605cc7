"""Readers of data sets: tensorflow-datasets, images inside scikit-learn and scikit-image, shards, and folders."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnzoo.data import huggingface, records, webdataset
from cnnzoo.data.addresses import GIVEN, Address, address_of, check_prefix, prefixes_in_words
from cnnzoo.data.builders import Arrays, builder_rows, opened, rows
from cnnzoo.data.catalog import CATALOG, NAMES, DataSet
from cnnzoo.data.folder_rows import FolderRows
from cnnzoo.data.folders import part_of
from cnnzoo.data.given import given_images
from cnnzoo.data.image_set import DataNotFound, stacked
from cnnzoo.data.packed import PackedRows, is_packed
from cnnzoo.data.rows import Rows
from cnnzoo.imaging.arrays import fit_to, resized, to_channels

PACKAGED = tuple(name for name in NAMES if CATALOG[name].source == "package")
NEAR = f"{', '.join(PACKAGED)}, or a folder"  # data without a download

Shape = tuple[int, int, int]  # height, width, channels


def rows_of(name: str, split: str) -> Rows | None:
    """Random access to the pictures of "train" or "test", without decoding them; None for a set that has none.

    Raises:
        DataNotFound, ValueError: As `cnnzoo.data.load`.
    """
    known = CATALOG[name] if name in NAMES else None
    if known:
        return FolderRows(_public_folder(known), split) if known.source == "folder" else None
    if (folder := Path(name)).is_dir():
        return PackedRows(folder, split) if is_packed(folder) else FolderRows(folder, split)
    address = address_of(name)
    return _ROWS[address.prefix](address, split) if address else None


def read(name: str, split: str, shape: Shape | None) -> Arrays:
    """The images, labels and class names of "train" or "test" of a set without `rows_of`; see `cnnzoo.data.load`."""
    known = CATALOG[name] if name in NAMES else None
    if known and known.source == "tfds":
        return _from_builder(name, split)
    if known:
        return _READERS[name](split, shape or (64, 64, 3))
    if name.startswith(GIVEN):
        return _given(name, split, shape)
    check_prefix(name)
    raise ValueError(
        f"`data` must be one of {', '.join(NAMES)}, or {prefixes_in_words()}, or an existing folder. Received: {name!r}"
    )


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


@lru_cache(maxsize=4)
def _from_builder(name: str, split: str) -> Arrays:
    """A split of a data set of the catalog from tensorflow-datasets, as one batch."""
    builder = opened(CATALOG[name].builder, NEAR)
    whole = rows(builder, split, batch_size=-1)
    labels = builder.info.features["label"]
    return _constant(whole["image"].numpy(), whole["label"].numpy().astype(np.int64), tuple(labels.names))


@lru_cache(maxsize=2)
def _static_mnist(split: str) -> Arrays:
    """Statically binarized MNIST: each pixel is 255 with its brightness as the probability, else 0."""
    images, labels, classes = _from_builder("mnist", split)
    seed = {"train": 1, "test": 2}[split]
    below = np.random.default_rng(seed).integers(255, size=images.shape, dtype=np.uint8)  # uniform over 0 to 254
    return _constant(255 * (below < images).astype(np.uint8), labels, classes)


@lru_cache(maxsize=2)
def _digits(split: str) -> Arrays:
    """scikit-learn's 1,797 scans of 8x8 pixels; the test split is a fixed choice of 360."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    chosen = part_of(len(scans.images), 360, split)
    images = np.rint(scans.images[chosen] * (255 / 16)).astype(np.uint8)[..., None]
    return _constant(_framed(images), scans.target[chosen].astype(np.int64), CATALOG["digits"].classes)


def _constant(images: np.ndarray, labels: np.ndarray | None, classes: tuple[str, ...]) -> Arrays:
    """Read-only arrays: a caller who wrote into cached ones would change the data of the whole process."""
    for array in (images, labels):
        if array is not None:
            array.setflags(write=False)
    return images, labels, classes


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


def _public_folder(known: DataSet) -> Path:
    """The folder of a data set in `CNNZOO_DATA_DIR` with one subfolder per class.

    Raises:
        DataNotFound: It is not on this machine.
    """
    folder = known.folder()
    if not folder.is_dir():
        raise DataNotFound(
            f"{known.name} is not in {folder}. Fetch it by: cnnzoo data get {known.name}. Or name the folder that "
            f"holds {folder.name} in CNNZOO_DATA_DIR. Without a download: {NEAR}."
        )
    return folder
