"""Loading a split of a data set: whole images, or crops of photographs for models of any image size."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data.addresses import GIVEN, address_of, as_name
from cnnzoo.data.image_set import ImageSet
from cnnzoo.data.memory import in_words, limit
from cnnzoo.data.permutation import order
from cnnzoo.data.photograph_rows import is_photographs
from cnnzoo.data.photographs import Crops, photographs
from cnnzoo.data.pictures import Pictures, attempted
from cnnzoo.data.rows import Rows
from cnnzoo.data.sources import NAMES, read, rows_of
from cnnzoo.data.streamed import StreamedSet
from cnnzoo.imaging.arrays import fit_to, to_channels


def load(
    name: str | Path,
    split: str = "train",
    shape: tuple[int | None, int | None, int] | None = None,
    corrupt: str = "raise",
    memory: int | None = None,
) -> ImageSet:
    """Loads a split of a data set.

    Args:
        name: One of these, or a folder:
            "mnist", "fashion_mnist", "cifar10", "cmaterdb", "cmaterdb/devanagari" and "cmaterdb/telugu" come from
            tensorflow-datasets.
            "mnist/static" is statically binarized MNIST: each pixel is 255 with its brightness as the probability, else
            0, drawn once with a fixed NumPy seed. The draw differs from that of other publications.
            "digits" is the 1,797 scans inside scikit-learn.
            "photos" is crops of the photographs inside scikit-image and scikit-learn.
            "signs" is photographs of hand signs in `CNNZOO_DATA_DIR`.
            "tfds:NAME" or "tfds:NAME/CONFIG" is any other set of images of tensorflow-datasets. Its features are found
            by their types; where there are several, "tfds:NAME#IMAGE" or "tfds:NAME#IMAGE,LABEL" names them. Without a
            split "test", "validation" is the test split, or else a fixed fifth of "train".
            "hf:NAME", "hf:NAME/CONFIG" or "hf:./FOLDER" is any set of images of the Hugging Face Hub, or a folder in
            one of its formats, in the same way; it needs the extra `hf`. Labels may be integers if they are named.
            "wds:PATH" is tar files of WebDataset: one, a folder of them, or a pattern such as
            "wds:shards/train-{000..004}.tar". A sample has one image (jpg, jpeg, png or webp) and, for labels, an
            integer in `cls`; "wds:PATH#IMAGE,LABEL" names other extensions, or "json.KEY" for the label. The files of a
            split have its name, or are in a folder of that name; else a fixed fifth of all is the test split.
            "tfrecord:PATH" and "arrayrecord:PATH" are files of `tf.train.Example` records, in the same way. The image
            is the feature "image/encoded" or "image", encoded; the label, an integer, is "image/class/label" or
            "label".
            A folder contains <split>/<label>/<image>. Its classes are the subfolders of `train`, sorted by name, or by
            number if all names are numbers. Without <folder>/test, a fixed fifth of <folder>/train is the test split.
            Hidden files and folders are ignored, and so are other files, with a warning. A folder with images only, in
            it or in its `train`, has no labels. A folder made by `cnnzoo data build` has the images of its source.
        split: "train", "test", or a part of "train": "validation" is a fixed choice of 5,000 images (a tenth of a
            smaller set), and "fit" is the rest.
        shape: (height, width, channels) of the returned images. They are cropped to the center, resized and converted
            between gray and color by `cnnzoo.imaging.arrays.fit_to`. With None for the sides the size is kept.
        corrupt: For unreadable pictures of a folder or of shards: "raise", or "skip" with a warning.
        memory: The most bytes of decoded images in memory. Pictures of a folder or of shards that need more are read
            from the disk whenever they are used: the set is a `StreamedSet`, with the same pixels in the same order,
            and `images` decodes only what is asked for. None for no limit.

    Raises:
        DataNotFound: The data set is not on this machine and there is no network. Raised in less than a second; the
            message names the remedy.
        ValueError: An unknown name or split, or an unreadable file.
    """
    if split not in ("train", "test", "fit", "validation"):
        raise ValueError(f"`split` must be one of train, test, fit, validation. Received: {split!r}")
    if corrupt not in ("raise", "skip"):
        raise ValueError(f"`corrupt` must be one of raise, skip. Received: {corrupt!r}")
    name = as_name(name)
    whole = split if split == "test" else "train"
    height, width, channels = shape or (None, None, None)
    size = None if height is None or width is None or channels is None else (height, width, channels)
    if (rows := rows_of(name, whole)) is not None:
        of_part = _readable(rows) if corrupt == "skip" else np.arange(len(rows))
        of_part = of_part[part(len(of_part), split)]
        pictures = Pictures(rows, of_part, _default_shape(name) if shape is None else shape)
        labels = None if rows.labels is None else rows.labels[of_part]
        found = StreamedSet(name, split, pictures, labels, rows.classes)
        return found if memory is not None and pictures.nbytes > memory else found.in_memory()
    images, labels, classes = read(name, whole, size)
    kept = part(len(images), split)
    images, labels = images[kept], None if labels is None else labels[kept]
    if channels is not None:
        images = to_channels(images, channels) if size is None else fit_to(images, size)
    return ImageSet(name, split, images, labels, classes)


def _may_be_photographs(name: str) -> bool:
    """Whether images may be photographs of any size: those of a set of them, or any that the catalog does not have."""
    own = Path(name).is_dir() or name.startswith(GIVEN) or address_of(name) is not None
    return own or is_photographs(name)


def part(n: int, split: str) -> np.ndarray | slice:
    """The indices of a split, as in `load`, among the n images of "test" for that split, else of "train"."""
    if split in ("train", "test"):
        return slice(None)
    held_out = np.zeros(n, bool)
    held_out[order(n, 0, 0, np.arange(min(5000, n // 10)))] = True
    return np.flatnonzero(held_out == (split == "validation"))


def _default_shape(name: str) -> tuple[int | None, int | None, int | None]:
    """The shape of the images if none is asked for: that of a set of the catalog, or their own."""
    return (64, 64, 3) if name in NAMES else (None, None, None)


def _readable(rows: Rows) -> np.ndarray:
    """The numbers of the pictures that can be read; warns of each of the others.

    Raises:
        ValueError: There are none.
    """
    errors = attempted(rows.image, len(rows))
    for i in sorted(errors):
        warnings.warn(f"left out: {errors[i]}", stacklevel=3)
    if len(errors) == len(rows):
        raise ValueError(f"{rows.name} must have images that can be read. Received: {len(rows)} that cannot be")
    return np.array([i for i in range(len(rows)) if i not in errors], np.int64)


def training_images(
    name: str | Path,
    split: str,
    shape: tuple[int | None, int | None, int] | None,
    crop: int | None = None,
    memory: int | None = None,
) -> ImageSet | Crops:
    """The training images of a model: crops of photographs if it takes images of any size, else whole images.

    Pictures that need too much memory are streamed from the disk.

    Args:
        name, split: As in `load`, and as in `photographs` if the sides in `shape` are None.
        shape: Image shape of the model, as in `load`.
        crop: Side of the crops in pixels; 64 by default.
        memory: As in `load`; None for half of the free memory.

    Raises:
        DataNotFound, ValueError: As in `load` and `photographs`.
    """
    name = as_name(name)
    if shape is not None and None in shape and _may_be_photographs(name):
        return Crops(photographs(name, split, shape[2], limit(memory)[0]), crop or 64)
    return load(name, split, shape, memory=limit(memory)[0])


def why_streamed(images: Any, memory: int | None = None) -> str:
    """The line that says that images are streamed, and the reason; "" if they are in memory.

    Args:
        images: From `training_images`.
        memory: As given there.
    """
    if images.on_disk is None:
        return ""
    most, reason = limit(memory)
    return (
        f"pictures are read from the disk while training: decoded they take {in_words(images.on_disk.nbytes)}, more "
        f"than {in_words(most)}, {reason} (to choose: --memory 4GB)"
    )
