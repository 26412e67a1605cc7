"""Input images of commands, and their output images and contact sheets."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LONG_SIDE = 900  # pixels of the long side of enlarged images, about


def read(paths: Sequence[Path], model: Any, invert: bool = False) -> "np.ndarray":
    """Image files as one uint8 batch (n, height, width, channels) in the image shape of the model."""
    import numpy as np

    from cnnzoo.imaging.arrays import fit_to
    from cnnzoo.imaging.files import read_image

    images = np.concatenate([fit_to(read_image(path)[None], model.image_shape) for path in paths])
    return 255 - images if invert else images


def check_sheet(path: Path, n: int, columns: int, model: Any) -> None:
    """Checks that a file can hold a contact sheet of n images of a model.

    Raises:
        ValueError: Its format cannot, or the sheet has more than `cnnzoo.imaging.decoding.LARGEST` pixels.
    """
    from cnnzoo.imaging.arrays import sheet_sides
    from cnnzoo.imaging.decoding import LARGEST
    from cnnzoo.imaging.files import format_for

    height, width = model.image_shape[:2]
    if n > 0 and height and width:
        sides = sheet_sides(n, height, width, columns)
        format_for(path, sides)
        if prod(sides) > LARGEST:
            raise ValueError(
                f"A sheet must have at most {LARGEST / 1e6:g} megapixels. Received: {n} images, of "
                f"{prod(sides) / 1e6:.0f} megapixels"
            )


def save_sheet(path: Path, images: "np.ndarray", columns: int, pixels: bool = False, quiet: bool = False) -> None:
    """Writes a contact sheet in the format of the file name, and prints the path.

    Args:
        path: The file.
        images: See `cnnzoo.imaging.arrays.contact_sheet`.
        columns: Images per row.
        pixels: Whether to keep the resolution.
        quiet: Whether to print nothing.
    """
    from cnnzoo.imaging.arrays import contact_sheet

    made = contact_sheet(images, columns)
    save(path, made if pixels else enlarged(made))
    if not quiet:
        print(path)


def enlarged(picture: "np.ndarray") -> "np.ndarray":
    """A small image (height, width, channels) enlarged by an integer factor, to about `LONG_SIDE`."""
    from cnnzoo.imaging import arrays

    return arrays.enlarged(picture, LONG_SIDE)


def save(path: Path, picture: "np.ndarray") -> None:
    """Writes an image (height, width, 1 or 3), uint8 or in [0, 1], in the format of the file name."""
    from cnnzoo.imaging.arrays import to_uint8
    from cnnzoo.imaging.files import Photo, save_photo

    picture = to_uint8(picture)
    save_photo(path, picture, Photo(picture))
