"""Loading a split of a data set: whole images, or crops of photographs for models of any image size."""

from pathlib import Path

import numpy as np

from cnnzoo.data.addresses import GIVEN, address_of
from cnnzoo.data.image_set import ImageSet
from cnnzoo.data.permutation import order
from cnnzoo.data.photographs import Crops, is_photographs, photographs
from cnnzoo.data.sources import read
from cnnzoo.imaging.arrays import fit_to, to_channels


def load(
    name: str | Path,
    split: str = "train",
    shape: tuple[int | None, int | None, int] | None = None,
    corrupt: str = "raise",
) -> ImageSet:
    """Loads and decodes a split of a data set.

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
            it or in its `train`, has no labels.
        split: "train", "test", or a part of "train": "validation" is a fixed choice of 5,000 images (a tenth of a
            smaller set), and "fit" is the rest.
        shape: (height, width, channels) of the returned images. They are cropped to the center, resized and converted
            between gray and color by `cnnzoo.imaging.arrays.fit_to`. With None for the sides the size is kept.
        corrupt: For unreadable pictures of a folder or of files with many pictures: "raise", or "skip" with a warning.

    Raises:
        DataNotFound: The data set is not on this machine and there is no network. Raised in less than a second; the
            message names the remedy.
        ValueError: An unknown name or split, or an unreadable file.
    """
    if split not in ("train", "test", "fit", "validation"):
        raise ValueError(f"`split` must be one of train, test, fit, validation. Received: {split!r}")
    if corrupt not in ("raise", "skip"):
        raise ValueError(f"`corrupt` must be one of raise, skip. Received: {corrupt!r}")
    if isinstance(name, Path) and name.is_dir():
        name = name.absolute()  # a path is never mistaken for the data set of the same name
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


def _may_be_photographs(name: str | Path) -> bool:
    """Whether images may be photographs of any size: those of a set of them, or any that the catalog does not have."""
    own = Path(name).is_dir() or str(name).startswith(GIVEN) or address_of(str(name)) is not None
    return own or is_photographs(name)


def training_images(
    name: str | Path,
    split: str,
    shape: tuple[int | None, int | None, int] | None,
    crop: int | None = None,
) -> ImageSet | Crops:
    """The training images of a model: crops of photographs if it takes images of any size, else whole images.

    Args:
        name, split: As in `load`, and as in `photographs` if the sides in `shape` are None.
        shape: Image shape of the model, as in `load`.
        crop: Side of the crops in pixels; 64 by default.

    Raises:
        DataNotFound, ValueError: As in `load` and `photographs`.
    """
    if shape is not None and None in shape and _may_be_photographs(name):
        return Crops(photographs(name, split, shape[2]), crop or 64)
    return load(name, split, shape)
