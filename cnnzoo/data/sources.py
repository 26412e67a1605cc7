"""Where images come from: tensorflow-datasets, what scikit-learn and scikit-image ship, and folders."""

import socket
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnzoo.data import DataNotFound
from cnnzoo.data.folders import files_of, layouts, part_of
from cnnzoo.imaging.arrays import fit_to, resized, to_channels
from cnnzoo.imaging.files import read_image
from cnnzoo.utils.atomic_files import data_dir

BUILDERS = ("mnist", "fashion_mnist", "cifar10", "cmaterdb", "cmaterdb/devanagari", "cmaterdb/telugu")
STATIC = "mnist/static"
SHIPPED = ("digits", "photos")
NAMES = (*BUILDERS, STATIC, "signs", *SHIPPED)

Arrays = tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]  # images, labels, class names


def read(name: str, split: str, shape: tuple[int, int, int] | None, corrupt: str) -> Arrays:
    """The images of "train" or "test"; see `cnnzoo.data.load`."""
    if name in BUILDERS:
        return _from_builder(name, split)
    if name == STATIC:
        return _static_mnist(split)
    if name == "digits":
        return _digits(split)
    if name == "photos":
        return _photos(split, shape or (64, 64, 3))
    if name == "signs":
        return _signs(split, shape or (64, 64, 3))
    if Path(name).is_dir():
        return _folder(Path(name), split, shape, corrupt)
    raise ValueError(f"got data {name!r}; allowed: {', '.join(NAMES)}, or an existing folder")


@lru_cache(maxsize=4)
def _from_builder(name: str, split: str) -> Arrays:
    import tensorflow_datasets as tfds

    builder = tfds.builder(name)
    if not Path(builder.data_dir).exists():
        _check_network(name, builder)
        builder.download_and_prepare()
    # One shard after the other: TFDS's own order, the same at every read.
    options = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    rows = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False, read_config=options)
    labels = builder.info.features["label"]
    return rows["image"].numpy(), rows["label"].numpy().astype(np.int64), tuple(labels.names)


@lru_cache(maxsize=2)
def _static_mnist(split: str) -> Arrays:
    """MNIST with each pixel drawn once: white with its brightness as the chance, else black."""
    images, labels, classes = _from_builder("mnist", split)
    seed = {"train": 1, "test": 2}[split]
    below = np.random.default_rng(seed).integers(255, size=images.shape, dtype=np.uint8)  # 0 to 254, equally often
    return 255 * (below < images).astype(np.uint8), labels, classes


def _check_network(name: str, builder) -> None:
    """Fails at once where a download would retry for minutes.

    Raises:
        DataNotFound: The host of the downloads cannot be reached.
    """
    cached = Path(builder._data_dir_root) / "downloads" / builder.name
    if cached.exists():  # already fetched, only not prepared
        return
    try:
        socket.create_connection(("storage.googleapis.com", 443), timeout=0.5).close()
    except OSError:
        raise DataNotFound(
            f"{name} is not prepared in {builder._data_dir_root}, and there is no network to fetch it. Prepare it "
            f"where there is one (python -c \"import tensorflow_datasets as tfds; tfds.load('{name}')\") and copy that "
            f"folder here, or name its place in TFDS_DATA_DIR. Without a download: {', '.join(SHIPPED)}, or a folder."
        ) from None


@lru_cache(maxsize=2)
def _digits(split: str) -> Arrays:
    """scikit-learn's 1,797 scans of 8x8 pixels, of which always the same 360 are for testing."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    chosen = part_of(len(scans.images), 360, split)
    images = np.rint(scans.images[chosen] * (255 / 16)).astype(np.uint8)[..., None]
    return _framed(images), scans.target[chosen].astype(np.int64), tuple(str(i) for i in range(10))


def _framed(scans: np.ndarray) -> np.ndarray:
    """8x8 scans as 28x28 images with the margin that MNIST leaves: the scan enlarged to 20x20."""
    large = resized(scans, 20, 20)
    return np.pad(large, ((0, 0), (4, 4), (4, 4), (0, 0)))


# The photographs that lie inside the installed packages; those of the second line are for testing.
_PHOTOS = {
    "train": ("astronaut", "camera", "coffee", "grass", "gravel", "brick", "china.jpg"),
    "test": ("cat", "rocket", "flower.jpg"),
}


def shipped_photographs(split: str) -> dict[str, np.ndarray]:
    """`{name: uint8 image (height, width, channels)}` of whole photographs that need no download."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    found = {}
    for name in _PHOTOS[split]:
        picture = load_sample_image(name) if name.endswith(".jpg") else getattr(data, name)()
        found[name.removesuffix(".jpg")] = picture if picture.ndim == 3 else picture[..., None]
    return found


def _photos(split: str, shape: tuple[int, int, int]) -> Arrays:
    """Crops that do not overlap, of photographs halved until a crop shows something, all of one shape."""
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


def _signs(split: str, shape: tuple[int, int, int]) -> Arrays:
    """The 2,059 photographs of hand signs for the digits, 100x100 in colour, of which a fifth is for testing.

    Source: Mavi, "A New Dataset and Proposed Convolutional Neural Network Architecture for Classification of
    American Sign Language Digits", 2020.
    """
    folder = data_dir() / "sign_digits"
    if not folder.is_dir():
        raise DataNotFound(
            f"signs is not in {folder}. Fetch it by: cnnzoo data get signs. Or name the folder that holds sign_digits "
            f"in CNNZOO_DATA_DIR. Without a download: {', '.join(SHIPPED)}, or a folder."
        )
    return _folder(folder, split, shape, "raise")


def _folder(folder: Path, split: str, shape: tuple[int, int, int] | None, corrupt: str) -> Arrays:
    """The pictures of a folder in the order of their names; without `shape` all must be of one size."""
    files, classes = files_of(folder, split)
    images, labels, unreadable = [], [], []
    for path, label in files:
        try:
            image = read_image(path, shape and shape[2])
        except ValueError as error:
            unreadable.append(str(error))
            continue
        images.append(image if shape is None else fit_to(image[None], shape)[0])
        labels.append(label)
    if unreadable and corrupt == "raise":
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        raise ValueError(f"{unreadable[0]}{more}; move such files away, or load with corrupt='skip'")
    for told in unreadable:
        warnings.warn(f"left out: {told}", stacklevel=4)
    if not images:
        raise ValueError(f"{folder} holds no images for {split!r}; {layouts(folder)}")
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise ValueError(f"{folder} holds images of {len(shapes)} shapes, {sorted(shapes)[:2]}…; give load a shape")
    return np.stack(images), np.array(labels, np.int64) if classes else None, classes
