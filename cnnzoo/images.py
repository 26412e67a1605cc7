"""Pictures at the border of the zoo: reading and checking what comes in, fitting it to a model, writing what goes out.

Outside a model an image is uint8 in [0, 255] or float32 in [0, 1], channels last.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnzoo.files import write_bytes

if TYPE_CHECKING:
    import PIL.Image

Shape = tuple[int | None, int | None, int | None]

# The files of a folder that are taken for pictures, by their lower-case suffixes.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


class Listing(NamedTuple):
    """The entries of a folder, sorted by name; hidden ones are in neither list."""

    pictures: list[Path]
    others: list[Path]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden: .DS_Store, ._photo.jpg, .ipynb_checkpoints."""
    return path.name.startswith(".")


def pictures_in(folder: Path) -> Listing:
    """The pictures in a folder, by `PICTURE_SUFFIXES`, and its other entries; not those of its subfolders.

    Raises:
        OSError: The folder cannot be listed.
    """
    found = Listing([], [])
    for path in sorted(folder.iterdir()):
        if not is_hidden(path):
            is_picture_file = path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
            (found.pictures if is_picture_file else found.others).append(path)
    return found


def passed_over(others: Sequence[Path]) -> str:
    """Says what was not taken: "3 entries that are no pictures (2 .txt, 1 folder)"; "" for none."""
    if not others:
        return ""
    kinds = Counter("folder" if path.is_dir() else path.suffix.lower() or "without suffix" for path in others)
    noun = "entry that is no picture" if len(others) == 1 else "entries that are no pictures"
    return f"{len(others)} {noun} ({', '.join(f'{n} {kind}' for kind, n in kinds.most_common())})"


def read_image(source: Any, channels: int | None = None) -> np.ndarray:
    """One image as an array (height, width, channels); pictures are turned upright by their EXIF and get 8 bits.

    Args:
        source: A path, the bytes of a file, a Pillow image or an array (height, width[, channels]).
        channels: 1 or 3 to convert to grey or colour; None to keep what is there.

    Raises:
        ValueError: The file is no image, cut short or damaged; the message names it.
        FileNotFoundError: There is no such file.
    """
    from PIL import Image, ImageOps

    if isinstance(source, (str, Path, bytes, bytearray)):
        source = open_image(*contents(source))
    if isinstance(source, Image.Image):
        source = ImageOps.exif_transpose(source)
        if source.mode.startswith("I;16"):  # Pillow would cut off all above 255
            array = np.rint(np.asarray(source) / 257).astype(np.uint8)
        else:
            grey = source.mode in ("1", "L", "LA", "I", "F")
            array = np.asarray(source.convert("L" if grey else "RGB"))
    else:
        array = np.asarray(source)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"got an array of shape {array.shape}; allowed: (height, width) or (height, width, channels)")
    return array if channels is None else to_channels(array[None], channels)[0]


def is_picture(x: Any) -> bool:
    """Whether something is a picture by itself, rather than an array: a path, the bytes of a file or a Pillow image."""
    from PIL import Image

    return isinstance(x, (str, Path, bytes, bytearray, Image.Image))


def as_array(x: Any, read: Callable[[Any], np.ndarray]) -> np.ndarray:
    """What NumPy makes of images: of arrays and tensors, and of pictures, alone or in a list, which `read` reads.

    Raises:
        ValueError: For what is no array, such as a symbolic tensor, or a list of images of several shapes.
    """
    if is_picture(x):
        return read(x)
    if isinstance(x, (list, tuple)) and any(map(is_picture, x)):
        x = [read(each) if is_picture(each) else each for each in x]
    try:
        return np.asarray(x)
    except (TypeError, ValueError, NotImplementedError):
        if not isinstance(x, (list, tuple)):
            what = f"{type(x).__name__}, which has no values to look at"
        else:
            what = f"images of the shapes {', '.join(sorted({str(np.shape(each)) for each in x}))} in one list"
        raise ValueError(
            f"got {what}; allowed: NumPy arrays, tensors, Pillow images or paths of pictures, several of one shape"
        ) from None


def contents(source: str | Path | bytes | bytearray) -> tuple[bytes, str]:
    """The bytes of a file, from its path or as they are, and what an error calls them."""
    if isinstance(source, (bytes, bytearray)):
        return bytes(source), "the bytes given"
    return Path(source).read_bytes(), str(source)


def open_image(raw: bytes, name: str) -> "PIL.Image.Image":
    """The decoded picture in the bytes of a file.

    Raises:
        ValueError: They are no image, cut short, damaged or too large for Pillow; the message gives the name.
    """
    from PIL import Image

    with decoding(name):
        image = Image.open(io.BytesIO(raw))
        image.load()
    return image


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Makes a ValueError with the name of whatever a decoder raises inside, which for damaged bytes may be anything."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise ValueError(f"{name} cannot be read as an image: no known format") from None
    except Exception as error:
        raise ValueError(f"{name} cannot be read as an image: {error}") from error


def to_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images (n, height, width, c) with `channels` channels: grey repeated, colour weighed to grey (ITU-R BT.601)."""
    have = images.shape[-1]
    if have == channels:
        return images
    if have == 1 and channels == 3:
        return np.repeat(images, 3, axis=-1)
    if have == 3 and channels == 1:
        grey = images @ np.array([0.299, 0.587, 0.114])
        grey = np.rint(grey) if np.issubdtype(images.dtype, np.integer) else grey
        return grey[..., None].astype(images.dtype)
    raise ValueError(f"got images with {have} channels where the model takes {channels}; allowed: 1 or 3 on both sides")


def fit_to(images: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 images (n, height, width, c) brought to `shape`: channels converted, sides resized (bicubic)."""
    from PIL import Image

    height, width, channels = shape
    images = to_channels(images, channels)
    if images.shape[1:3] == (height, width):
        return images
    resized = np.empty((len(images), height, width, channels), np.uint8)
    for image, target in zip(images, resized, strict=True):
        picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
        target[:] = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)).reshape(target.shape)
    return resized


def fits(shape: Sequence[int | None], wanted: Shape) -> bool:
    """Whether images of one shape are of another, where None stands for any side."""
    return len(shape) == len(wanted) and all(want in (None, have) for have, want in zip(shape, wanted, strict=True))


def in_words(shape: Shape) -> str:
    """A shape for an error: "any, any, 3"."""
    return ", ".join("any" if side is None else str(side) for side in shape)


def as_batch(x: Any, shape: Shape) -> tuple[np.ndarray, bool]:
    """Checks images for a model.

    Args:
        x: uint8 in [0, 255] or floats in [0, 1]: one image (height, width, channels), one grey image (height, width),
            or a batch (n, height, width, channels) with n >= 1. Anything that NumPy can view as an array. A path, the
            bytes of a file, a Pillow image, or a list of them is read as uint8 and fitted to the shape.
        shape: (height, width, channels) that the model takes; None stands for any.

    Returns:
        The batch, uint8 or float32 (n, height, width, channels), and whether it was a single image.

    Raises:
        ValueError: What came and what is allowed.
    """
    sides = in_words(shape)
    allowed = f"allowed: uint8 in [0, 255] or float32 in [0, 1], ({sides}) or (n, {sides})"
    array = as_array(x, partial(_read_as, shape))
    if array.ndim == 2 and shape[2] == 1:
        array = array[:, :, None]
    single = array.ndim == 3
    batch = array[None] if single else array
    if batch.ndim != 4 or not fits(batch.shape[1:], shape):
        raise ValueError(f"got images of shape {array.shape}; {allowed}")
    if batch.size == 0:
        raise ValueError(f"got an empty batch of shape {batch.shape}; {allowed} with n >= 1")
    if batch.dtype == np.uint8:
        return batch, single
    if batch.dtype not in (np.float32, np.float64):
        raise ValueError(f"got images of dtype {batch.dtype}; {allowed}")
    low, high = batch.min(), batch.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # so written, NaN fails it too
        raise ValueError(f"got images with values in [{low:g}, {high:g}]; {allowed}")
    return batch.astype(np.float32, copy=False), single


def _read_as(shape: Shape, source: Any) -> np.ndarray:
    """A picture as the image of a shape: resized and its colours converted, as needed."""
    image = read_image(source)
    height, width, channels = (want or have for want, have in zip(shape, image.shape, strict=True))
    return fit_to(image[None], (height, width, channels))[0]


def to_uint8(images: Any) -> np.ndarray:
    """uint8 images from uint8 or from floats in [0, 1], which are clipped and rounded to the nearest grey value."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def contact_sheet(images: Any, columns: int, gap: int = 2) -> np.ndarray:
    """Images (n, height, width, channels) side by side, row by row, on mid-grey: one uint8 array (H, W, channels)."""
    images = to_uint8(images)
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def png_bytes(image: Any) -> bytes:
    """One image (height, width, 1 or 3) as the bytes of a PNG file."""
    from PIL import Image

    image = to_uint8(image)
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def save_png(path: str | Path, image: Any) -> None:
    """Writes one image (height, width, 1 or 3) as a PNG, whole or not at all; makes the folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, png_bytes(image))
