"""The images in a folder, by their suffixes."""

import os
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
    with os.scandir(folder) as entries:  # it knows files from folders without asking for each
        for entry in sorted(entries, key=lambda entry: entry.name):
            if not entry.name.startswith("."):
                (found.pictures if _is_picture_file(entry) else found.others).append(folder / entry.name)
    return found


def has_pictures(folder: Path) -> bool:
    """Whether `pictures_in` finds an image; it stops at the first.

    Raises:
        OSError: The folder cannot be listed.
    """
    with os.scandir(folder) as entries:
        return any(not entry.name.startswith(".") and _is_picture_file(entry) for entry in entries)


def _is_picture_file(entry: os.DirEntry) -> bool:
    return os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES and entry.is_file()


def passed_over(others: Sequence[Path]) -> str:
    """A summary of ignored entries: "3 entries that are no pictures (2 .txt, 1 folder)"; "" for none."""
    if not others:
        return ""
    kinds = Counter("folder" if path.is_dir() else path.suffix.lower() or "without suffix" for path in others)
    noun = "entry that is no picture" if len(others) == 1 else "entries that are no pictures"
    counts = (f"{n} {kind}{'s' * (kind == 'folder' and n > 1)}" for kind, n in kinds.most_common())
    return f"{len(others)} {noun} ({', '.join(counts)})"
