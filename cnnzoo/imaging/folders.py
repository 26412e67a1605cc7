"""The images in a folder, by their suffixes."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Lower-case suffixes of image files.
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")


class Listing(NamedTuple):
    """The entries of a folder, sorted by name; hidden ones are in neither list."""

    pictures: list[Path]
    others: list[Path]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is hidden: .DS_Store, ._photo.jpg, .ipynb_checkpoints."""
    return path.name.startswith(".")


def pictures_in(folder: Path) -> Listing:
    """The images in a folder, by `PICTURE_SUFFIXES`, and its other entries; not recursive.

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
    """A summary of ignored entries: "3 entries that are no pictures (2 .txt, 1 folder)"; "" for none."""
    if not others:
        return ""
    kinds = Counter("folder" if path.is_dir() else path.suffix.lower() or "without suffix" for path in others)
    noun = "entry that is no picture" if len(others) == 1 else "entries that are no pictures"
    counts = (f"{n} {kind}{'s' * (kind == 'folder' and n > 1)}" for kind, n in kinds.most_common())
    return f"{len(others)} {noun} ({', '.join(counts)})"
