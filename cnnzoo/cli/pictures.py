"""The pictures that commands read and write: single ones and contact sheets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LONG_SIDE = 900  # pixels, about which the pictures of small images are enlarged to


def read(paths: Sequence[Path], model: Any, invert: bool = False) -> "np.ndarray":
    """Image files as one uint8 batch of the shape that the model takes, dark for light if `invert`."""
    import numpy as np

    from cnnzoo.imaging.arrays import fit_to
    from cnnzoo.imaging.files import read_image

    images = np.concatenate([fit_to(read_image(path)[None], model.image_shape) for path in paths])
    return 255 - images if invert else images


def check_sheet(path: Path, n: int, columns: int, model: Any) -> None:
    """Refuses a contact sheet of n images of a model that the format of its file cannot hold, before they are made."""
    from cnnzoo.imaging.arrays import sheet_sides
    from cnnzoo.imaging.files import format_for

    height, width = model.image_shape[:2]
    if n > 0 and height and width:
        format_for(path, sheet_sides(n, height, width, columns))


def save_sheet(path: Path, images: "np.ndarray", columns: int, pixels: bool = False, quiet: bool = False) -> None:
    """Writes a contact sheet, in the format that the name says, and says where.

    Args:
        path: The file.
        images: As `cnnzoo.imaging.arrays.contact_sheet` takes them.
        columns: Images side by side.
        pixels: Whether it stays as small as it is.
        quiet: Whether to say nothing.
    """
    from cnnzoo.imaging.arrays import contact_sheet

    made = contact_sheet(images, columns)
    save(path, made if pixels else enlarged(made))
    if not quiet:
        print(path)


def enlarged(picture: "np.ndarray") -> "np.ndarray":
    """A small picture (height, width, channels) with each pixel as a square of pixels, to about `LONG_SIDE`."""
    times = max(1, round(LONG_SIDE / max(picture.shape[:2])))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def save(path: Path, picture: "np.ndarray") -> None:
    """Writes a picture (height, width, 1 or 3), uint8 or in [0, 1], in the format that the name says."""
    from cnnzoo.imaging.arrays import to_uint8
    from cnnzoo.imaging.files import Photo, save_photo

    picture = to_uint8(picture)
    save_photo(path, picture, Photo(picture))
