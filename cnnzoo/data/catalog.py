"""The catalog of data sets: one `DataSet` each, with everything that the package knows about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnzoo.data import public
from cnnzoo.data.folders import class_folders
from cnnzoo.utils.atomic_files import data_dir

Source = Literal["tfds", "derived", "folder", "package", "photographs", "paintings"]
Split = Literal["train", "test"]


@dataclass(frozen=True)
class DataSet:
    """A data set and its uses.

    Attributes:
        name: Name in `load`, `photographs` and recipes.
        source: "tfds": a builder of tensorflow-datasets. "derived": computed from another set. "package": images in the
            installed scikit-learn and scikit-image. The others are in `CNNZOO_DATA_DIR`: "folder" with one subfolder
            per class, "photographs" of any size, and "paintings", the style images.
        homepage: Address of the data set or of its paper.
        license: Terms of use, as stated by the authors or maintainers.
        classes: Class names in the order of their labels.
        channels: 1 for gray images, 3 for color.
        splits: The splits that exist.
        builder: Name of the tensorflow-datasets builder, with its configuration.
        files: Files to download.
        left_out: Photographs that are never read, by file name without suffix, since a test set shows the same scene.
        ground: Background of gray images, "dark" or "light"; see `cnnzoo.data.ground`.
        judge: Checkpoint of the classifier whose features score generated images. None: chosen by the shape of the
            images. "": no shipped classifier is suitable.
        test_for: Tasks whose models, if trained on photographs, are tested on this set by default. Denoisers are tested
            on the sets with as many channels as the model.
        stand_in: Set of source "package" with similar images, for demonstrations where this one is not installed.
    """

    name: str
    source: Source
    homepage: str
    license: str = "not known"
    classes: tuple[str, ...] = ()
    channels: int = 3
    splits: tuple[Split, ...] = ("train", "test")
    builder: str = ""
    files: public.PublicSet | None = None
    left_out: tuple[str, ...] = ()
    ground: str = ""
    judge: str | None = None
    test_for: tuple[str, ...] = ()
    stand_in: str = ""

    def folder(self) -> Path:
        """The folder of the images on this machine; for source "folder", the one that contains `train`.

        Raises:
            ValueError: The set has no files in `CNNZOO_DATA_DIR`.
        """
        if self.files is None:
            raise ValueError(f"The data set must have files in CNNZOO_DATA_DIR. Received: {self.name!r}")
        images = data_dir() / self.files.folder
        return images.parent if self.source == "folder" else images


_DIGITS = tuple("0123456789")
_RESEARCH = "for non-commercial research and education"
_CMATERDB_PAGE, _CMATERDB_LICENSE = (
    "https://code.google.com/archive/p/cmaterdb/",
    "Apache-2.0, for non-commercial use",
)
_MNIST_PAGE, _MNIST_LICENSE = "https://www.tensorflow.org/datasets/catalog/mnist", "CC BY-SA 3.0"

# The order is that of lists and error messages, and of the scores on several test sets.
_ALL = (
    DataSet(
        "mnist",
        "tfds",
        _MNIST_PAGE,
        _MNIST_LICENSE,
        classes=_DIGITS,
        channels=1,
        builder="mnist",
        ground="dark",
    ),
    DataSet(
        "fashion_mnist",
        "tfds",
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT",
        classes=(
            *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
            *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
        ),
        channels=1,
        builder="fashion_mnist",
        ground="dark",
        judge="cnn.fashion_mnist",
    ),
    DataSet(
        "cifar10",
        "tfds",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "none stated",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        builder="cifar10",
        judge="lenet.cifar10",
        stand_in="photos",
    ),
    DataSet(
        "cmaterdb",
        "tfds",
        _CMATERDB_PAGE,
        _CMATERDB_LICENSE,
        classes=_DIGITS,
        builder="cmaterdb/bangla",
    ),
    DataSet(
        "cmaterdb/devanagari",
        "tfds",
        _CMATERDB_PAGE,
        _CMATERDB_LICENSE,
        classes=_DIGITS,
        builder="cmaterdb/devanagari",
    ),
    DataSet(
        "cmaterdb/telugu",
        "tfds",
        _CMATERDB_PAGE,
        _CMATERDB_LICENSE,
        classes=_DIGITS,
        builder="cmaterdb/telugu",
    ),
    DataSet(
        "mnist/static",
        "derived",
        _MNIST_PAGE,
        _MNIST_LICENSE,
        classes=_DIGITS,
        channels=1,
        ground="dark",
        judge="",  # its images are black and white, while decoders return gray means
    ),
    DataSet(
        "signs",
        "folder",
        "https://github.com/ardamavi/Sign-Language-Digits-Dataset",
        "Apache-2.0",
        classes=_DIGITS,
        files=public.SIGNS,
        judge="cnn.signs",
    ),
    DataSet(
        "digits",
        "package",
        "https://scikit-learn.org/stable/datasets/toy_dataset.html",
        "CC BY 4.0",
        classes=_DIGITS,
        channels=1,
        ground="dark",
    ),
    DataSet("photos", "package", "https://scikit-image.org/docs/stable/api/skimage.data.html"),
    DataSet(
        "t91",
        "photographs",
        "https://doi.org/10.1109/TIP.2010.2050625",
        "none stated",
        splits=("train",),
        files=public.T91,
    ),
    # The photographs left out show "04" of Set12 and "woman" of Set5, at another size. A test compares all photographs
    # with all at every offset.
    DataSet(
        "bsds500",
        "photographs",
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        _RESEARCH,
        splits=("train",),
        files=public.BSDS500,
        left_out=("12003", "302003"),
    ),
    DataSet(
        "train400",
        "photographs",
        "https://github.com/cszn/DnCNN",
        _RESEARCH,
        channels=1,
        splits=("train",),
        files=public.TRAIN400,
        left_out=("test_020", "test_135"),
    ),
    DataSet(
        "set5",
        "photographs",
        "https://doi.org/10.5244/C.26.135",
        "none stated",
        splits=("test",),
        files=public.SET5,
        test_for=("upscale",),
    ),
    DataSet(
        "set14",
        "photographs",
        "https://doi.org/10.1007/978-3-642-27413-8_47",
        "none stated",
        splits=("test",),
        files=public.SET14,
        test_for=("upscale",),
    ),
    DataSet(
        "bsd100",
        "photographs",
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
        _RESEARCH,
        splits=("test",),
        files=public.BSD100,
        test_for=("upscale", "restore", "enhance", "inpaint", "stylize"),
    ),
    DataSet(
        "bsd68",
        "photographs",
        "https://github.com/cszn/DnCNN",
        _RESEARCH,
        channels=1,
        splits=("test",),
        files=public.BSD68,
        test_for=("restore",),
    ),
    DataSet(
        "set12",
        "photographs",
        "https://github.com/cszn/DnCNN",
        "none stated",
        channels=1,
        splits=("test",),
        files=public.SET12,
        test_for=("restore",),
    ),
    DataSet(
        "paintings",
        "paintings",
        "https://github.com/jcjohnson/fast-neural-style/tree/master/images/styles",
        "public domain",
        splits=("train",),
        files=public.PAINTINGS,
    ),
)
CATALOG = {each.name: each for each in _ALL}

# The names that `load` takes, and those of photographs for training and for testing.
NAMES = tuple(each.name for each in _ALL if each.source not in ("photographs", "paintings"))
TRAINING, TESTING = (
    tuple(each.name for each in _ALL if each.source == "photographs" and split in each.splits)
    for split in ("train", "test")
)
# The sets that can be downloaded, photographs first.
PUBLIC_SETS = {
    each.name: each.files
    for each in sorted(_ALL, key=lambda each: each.source != "photographs")
    if each.files is not None
}


def class_names(data: str | Path | None, classes: int) -> list[str]:
    """The class names of a data set, in the order of their labels.

    Args:
        data: Name of a data set, or a folder <folder>/train/<class>/<image>; None if unknown.
        classes: Number of classes.

    Returns:
        The names, or "0", "1", … where the names are unknown or not as many as `classes`.
    """
    names: Sequence[str] = ()
    if str(data) in CATALOG:
        names = CATALOG[str(data)].classes
    elif data:
        names = class_folders(Path(data) / "train")
    if len(names) == classes:
        return list(names)
    return [str(i) for i in range(classes)]


def license_of(data: str) -> str:
    """The license of a data set, or the licenses of several joined by "+", separated by semicolons."""
    known = [CATALOG[part].license if part in CATALOG else "not known" for part in data.split("+")]
    return "; ".join(dict.fromkeys(known))


def default_test_sets(task: str, channels: int) -> tuple[str, ...]:
    """The sets of photographs that models of a task are tested on by default; see `DataSet.test_for`."""
    usual = [each for each in _ALL if task in each.test_for]
    return tuple(each.name for each in usual if task != "restore" or each.channels == channels)
