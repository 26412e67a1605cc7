"""Masks from a user, as arrays or image files."""

from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.imaging.batch import as_array
from cnnzoo.imaging.decoding import LARGEST
from cnnzoo.imaging.files import read_photo


def as_missing(mask: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Validates a mask from a user.

    Args:
        mask: Booleans or numbers, nonzero for missing pixels: (height, width[, 1]) for all images, or
            (n, height, width[, 1]). uint8 and uint16 with more than two values are thresholded; see `painted`.
            Or a path, the bytes of a file or a Pillow image; see `read_mask`.
        shape: (n, height, width) of the images.

    Returns:
        Booleans (n, height, width, 1).

    Raises:
        ValueError: For another size or type, or for a mask with all or no pixels of an image missing.
    """
    array, (count, height, width) = as_array(mask, read_mask), shape
    sides = f"({height}, {width}[, 1]) or ({count}, {height}, {width}[, 1])"
    if array.shape not in ((*lead, height, width, *last) for lead in ((), (count,)) for last in ((), (1,))):
        raise ValueError(f"Masks must have shape {sides}. Received: {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Masks must be booleans or numbers. Received: {array.dtype}")
    missing = painted(array) if array.dtype in (np.uint8, np.uint16) else array != 0
    missing = np.broadcast_to(missing.reshape(-1, height, width, 1), (count, height, width, 1))
    for i, each in enumerate(missing):
        check_partly(each, f"the mask of image {i}")
    return missing


def check_partly(missing: np.ndarray, name: str) -> None:
    """Checks that some pixels of an image are missing and some are kept; the name of the mask is for errors.

    Raises:
        ValueError: All are missing, or none.
    """
    if not missing.any():
        raise ValueError(
            "Each mask must mark at least one pixel as missing, in a picture by half of white or more. Received: "
            f"{name}, by which nothing is missing"
        )
    if missing.all():
        raise ValueError(
            f"Each mask must be 0 for at least one pixel. Received: {name}, by which everything is missing"
        )


def painted(values: np.ndarray) -> np.ndarray:
    """Thresholds a uint8 or uint16 mask image: booleans, true for missing pixels.

    In a mask of 0 and one other value, that value is missing (0 and 1, 0 and 255). Otherwise the threshold is half of
    white, 128 or 32768, which excludes JPEG artifacts and the outer half of soft edges.
    """
    if ((values == 0) | (values == values.max(initial=0))).all():
        return values > 0
    return values > np.iinfo(values.dtype).max // 2


def read_mask(source: Any, largest: int = LARGEST) -> np.ndarray:
    """A mask from an image file, bool (height, width), true for pixels painted in any color.

    The brightest channel is thresholded by `painted`. In a mask with transparency, the opaque pixels (alpha of at least
    1/2) are missing, if they are all painted or all black.

    Args:
        source, largest: As in `cnnzoo.imaging.files.read_photo`, with the same errors.

    Raises:
        ValueError: For a mask with transparency and both painted and black opaque pixels, which is ambiguous.
    """
    photo = read_photo(source, largest)
    brightest = photo.pixels.max(axis=2)
    if photo.alpha is None or (opaque := photo.alpha > np.iinfo(photo.alpha.dtype).max // 2).all():
        return painted(brightest)
    if (seen := painted(brightest[opaque])).any() and not seen.all():
        what = f"the mask {source}" if isinstance(source, (str, Path)) else "a mask"
        raise ValueError(
            "A mask must be a picture without transparency, painted where pixels are missing, or one that is opaque "
            f"there alone. Received: {what} with transparent parts, whose opaque ones are both black and painted"
        )
    return opaque
