"""Pictures at the border of the zoo: reading and checking what comes in, fitting it to a model, writing what goes out.

Outside a model an image is uint8 in [0, 255] or float32 in [0, 1], channels last.
"""

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnzoo.imaging.transparency import flattened
from cnnzoo.utils.atomic_files import write_bytes

if TYPE_CHECKING:
    import PIL.Image

Shape = tuple[int | None, int | None, int | None]

# The files of a folder that are taken for pictures, by their lower-case suffixes.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")

LARGEST = 178_000_000  # pixels of a picture: a small file can claim more than there is memory for; Pillow's is as large

ORIENTATION = 0x0112  # the tag, CIPA DC-008 (EXIF 2.32), 4.6.4
# What makes a picture upright: whether to flip it left to right first, and the quarter turns to the left after that.
_UPRIGHT = {2: (True, 0), 3: (False, 2), 4: (True, 2), 5: (True, 1), 6: (False, 3), 7: (True, 3), 8: (False, 1)}


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
    counts = (f"{n} {kind}{'s' * (kind == 'folder' and n > 1)}" for kind, n in kinds.most_common())
    return f"{len(others)} {noun} ({', '.join(counts)})"


def read_image(source: Any, channels: int | None = None) -> np.ndarray:
    """One image as an array (height, width, channels); pictures are turned upright and get 8 bits.

    Transparent pictures are laid on white, or on black if what they show is lighter than middle gray; see
    `cnnzoo.imaging.transparency.flattened`. Of an animation the first frame is read.

    Args:
        source: A path, the bytes of a file, a Pillow image or an array (height, width[, channels]).
        channels: 1 or 3 to convert to grey or colour; None to keep what is there.

    Raises:
        ValueError: The file is no image, cut short, damaged, of more than `LARGEST` pixels, or has 32-bit numbers or
            CIELAB for pixels; the message names it.
        FileNotFoundError: There is no such file.
    """
    if is_picture(source):
        image, name = opened(source)
        array = upright(pixels_of(image, name), image)
        if array.dtype == np.uint16:
            array = np.rint(array / 257).astype(np.uint8)
        array = flattened(*split(array))
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


def opened(source: "str | Path | bytes | bytearray | PIL.Image.Image") -> "tuple[PIL.Image.Image, str]":
    """The decoded picture of a source, and what an error calls it; see `open_image`."""
    from PIL import Image

    if isinstance(source, Image.Image):
        return source, "the Pillow image"
    raw, name = contents(source)
    return open_image(raw, name), name


def open_image(raw: bytes, name: str) -> "PIL.Image.Image":
    """The decoded picture in the bytes of a file.

    Raises:
        ValueError: They are no image, cut short, damaged, or claim more than `LARGEST` pixels, before these are
            decoded; the message gives the name.
    """
    from PIL import Image

    with decoding(name):
        image = Image.open(io.BytesIO(raw))
    if image.width * image.height > LARGEST:
        raise ValueError(
            f"{name} has {image.width}x{image.height} pixels; allowed: at most {LARGEST / 1e6:g} megapixels"
        )
    with decoding(name):
        image.load()
    return image


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Makes a ValueError with the name of whatever a decoder raises inside, which for damaged bytes may be anything.

    What Pillow warns of is not shown: large pictures, which are limited here, and metadata that is damaged.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
            yield
    except UnidentifiedImageError:
        raise ValueError(f"{name} cannot be read as an image: no known format") from None
    except Image.DecompressionBombError:
        most = min(LARGEST, 2 * (Image.MAX_IMAGE_PIXELS or LARGEST)) / 1e6
        raise ValueError(f"{name} has too many pixels; allowed: at most {most:g} megapixels") from None
    except Exception as error:
        raise ValueError(f"{name} cannot be read as an image: {error}") from error


def pixels_of(image: "PIL.Image.Image", name: str) -> np.ndarray:
    """A Pillow image as an array (height, width, channels), uint8 or uint16: grey, grey and alpha, RGB or RGBA.

    Palettes become colour, and a transparent colour becomes alpha. Black and white becomes grey, 0 and 255. CMYK
    becomes RGB by Pillow's formula without a profile.

    Raises:
        ValueError: For pixels that are no photograph's, such as 32-bit numbers, whose scale nobody knows.
    """
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16)[..., None]
        if not isinstance(clear := image.info.get("transparency"), int):
            return grey
        return np.concatenate([grey, np.where(grey == clear, 0, 65535).astype(np.uint16)], axis=2)
    if image.mode in ("I", "F", "LAB"):
        raise ValueError(f"{name} has pixels of Pillow's mode {image.mode!r}; allowed: 8 or 16 bits, grey, RGB or CMYK")
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    with decoding(name):
        array = np.asarray(image if image.mode == mode else image.convert(mode))  # which copies, needed or not
    return array if array.ndim == 3 else array[..., None]


def split(array: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels (height, width, 1 or 3), and their alpha (height, width) if there is one, of what `pixels_of` gives."""
    channels = 1 if array.shape[2] < 3 else 3
    return array[..., :channels], array[..., -1] if array.shape[2] > channels else None


def exif_tag(image: "PIL.Image.Image", tag: int) -> Any:
    """A tag in the EXIF of a picture, in a TIFF or, of the orientation, in XMP; None if it is in none or damaged."""
    try:
        with decoding(""):
            return image.getexif().get(tag)
    except ValueError:
        return None


def orientation(image: "PIL.Image.Image") -> int:
    """How a picture lies, 1 to 8, as its EXIF or else its XMP says; 1, upright, if they do not."""
    value = exif_tag(image, ORIENTATION)
    return value if value in _UPRIGHT else 1


def upright(array: np.ndarray, image: "PIL.Image.Image") -> np.ndarray:
    """The pixels (height, width, channels) of an image turned as it says."""
    if (value := orientation(image)) == 1:
        return array
    flip, turns = _UPRIGHT[value]
    return np.ascontiguousarray(np.rot90(array[:, ::-1] if flip else array, turns))


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
    """uint8 images (n, height, width, c) brought to `shape`: the middle of each, as large as it goes, resized.

    All pictures are fitted to a model by this function: those of folders, commands, verbs, explanations and the demo.
    Channels are converted, what the proportions of `shape` leave over is cut off evenly on both sides, and the rest is
    resized (bicubic).
    """
    height, width, channels = shape
    return resized(to_channels(middle(images, height, width), channels), height, width)


def middle(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of images (n, h, w, c), as large as it goes, in the proportions of `height` to `width`."""
    have = images.shape[1:3]
    # Rounded in whole numbers, so that the exports cut at the same pixels.
    sides = (
        min(have[0], max(1, (2 * have[1] * height + width) // (2 * width))),
        min(have[1], max(1, (2 * have[0] * width + height) // (2 * height))),
    )
    top, left = ((side - kept) // 2 for side, kept in zip(have, sides, strict=True))
    return images[:, top : top + sides[0], left : left + sides[1]]


def resized(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """uint8 images (n, h, w, 1 or 3) brought to other sides, whatever their proportions (bicubic, antialiased)."""
    from PIL import Image

    n, *sides, channels = images.shape
    if sides == [height, width]:
        return images
    made = np.empty((n, height, width, channels), np.uint8)
    for image, target in zip(images, made, strict=True):
        picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
        target[:] = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC)).reshape(target.shape)
    return made


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
    """A picture as the image of a shape: fitted to its sides and its colours converted, as needed."""
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
    sheet = np.full((*sheet_sides(n, height, width, columns, gap), channels), 128, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def sheet_sides(n: int, height: int, width: int, columns: int, gap: int = 2) -> tuple[int, int]:
    """Height and width of the contact sheet of n images."""
    return -(-n // columns) * (height + gap) + gap, columns * (width + gap) + gap


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
