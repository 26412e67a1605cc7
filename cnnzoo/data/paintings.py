"""Paintings as style images."""

from dataclasses import replace
from pathlib import Path

from cnnzoo.data.catalog import CATALOG
from cnnzoo.imaging.files import Photo, read_photo
from cnnzoo.imaging.folders import pictures_in
from cnnzoo.imaging.transparency import flattened


def paintings() -> dict[str, Path]:
    """The paintings in `CNNZOO_DATA_DIR`: {name: file}."""
    folder = CATALOG["paintings"].folder()
    return {path.stem: path for path in pictures_in(folder).pictures} if folder.is_dir() else {}


def painting(name: str | Path) -> Photo:
    """Reads a painting by name, or any image by path; transparent pixels are composited on black or white.

    Raises:
        ValueError: Neither exists, or the file is not an image; the message lists the names.
    """
    known = paintings()
    names = ", ".join(known) or "the names of paintings, which cnnzoo data get paintings fetches"
    rule = f"The style must be one of {names}, or the path of a picture"
    path = known.get(str(name), Path(name))
    if not path.is_file():
        raise ValueError(f"{rule}. Received: {str(name)!r}")
    try:
        photo = read_photo(path)
    except ValueError as error:
        raise ValueError(f"{rule}. Received: no picture: {error}") from None
    return replace(photo, pixels=flattened(photo.pixels, photo.alpha), alpha=None)
