"""Paintings to take styles from."""

from dataclasses import replace
from pathlib import Path

from cnnzoo.imaging.files import Photo, read_photo
from cnnzoo.imaging.folders import pictures_in
from cnnzoo.imaging.transparency import flattened
from cnnzoo.utils.atomic_files import data_dir


def paintings() -> dict[str, Path]:
    """The files of the paintings on this machine, in `CNNZOO_DATA_DIR`/style/train/style, by their names."""
    folder = data_dir() / "style" / "train" / "style"
    return {path.stem: path for path in pictures_in(folder).pictures} if folder.is_dir() else {}


def painting(name: str | Path) -> Photo:
    """A painting by its name, or a picture of one's own by its path; transparent ones are laid on paper.

    Raises:
        ValueError: There is neither, or the file is no image; the message gives the names.
    """
    known = paintings()
    names = ", ".join(known) or "the names of paintings, which cnnzoo data get paintings fetches"
    allowed = f"allowed: {names}, or the path of a picture"
    path = known.get(str(name), Path(name))
    if not path.is_file():
        raise ValueError(f"got the style {str(name)!r}; {allowed}")
    try:
        photo = read_photo(path)
    except ValueError as error:
        raise ValueError(f"got a style that is no picture: {error}; {allowed}") from None
    return replace(photo, pixels=flattened(photo.pixels, photo.alpha), alpha=None)
