"""Folders of images: their classes, and their division into a training and a test split."""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnzoo.data.permutation import order
from cnnzoo.imaging.folders import PICTURE_SUFFIXES, has_pictures, passed_over, pictures_in

Files = list[tuple[Path, int]]  # with the label; 0 without classes


class Found(NamedTuple):
    """The images of a split, sorted by name, the class names, and the number of images left for the other split."""

    files: Files
    classes: tuple[str, ...]
    left: int


def files_of(folder: Path, split: str) -> Found:
    """The images of "train" or "test", sorted by name.

    The images are in <folder>/<split>/<label>, and the classes are the subfolders of <folder>/train. A flat folder (see
    `flat_root`) has no classes. Without <folder>/test, a fixed fifth of the images is the test split. Other files are
    ignored with a warning.

    Raises:
        ValueError: The split does not exist, has a class that <folder>/train lacks, or has too few images.
    """
    files, classes = whole_files(folder, split)
    if not files or is_divided(folder):
        return Found(files, classes, 0)
    if split == "test" and len(files) < 5:
        raise ValueError(f"{folder} must have 5 pictures or more, or a `test` of its own. Received: {len(files)}")
    tests = len(files) // 5
    kept = [files[i] for i in part_of(len(files), tests, split)]
    return Found(kept, classes, len(files) - len(kept))


def is_divided(folder: Path) -> bool:
    """Whether a folder has its own test split."""
    return (folder / "test").is_dir()


def whole_files(folder: Path, split: str) -> tuple[Files, tuple[str, ...]]:
    """The images of a split, or of both where <folder>/test does not exist, and the class names; see `files_of`.

    Raises:
        ValueError: As `files_of`.
    """
    divided = is_divided(folder)
    classes: tuple[str, ...]
    if flat := flat_root(folder):
        root, classes = folder / "test" if divided and split == "test" else flat, ()
        files = [(path, 0) for path in pictures_of(root)]
    else:
        root = folder / (split if divided else "train")
        if not root.is_dir():
            have = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "none"
            raise ValueError(f"Images must be {layouts(folder)}. Received: no {root.name!r} (it has: {have})")
        here = class_folders(root)
        classes = class_folders(folder / "train") or here
        if unknown := [name for name in here if name not in classes]:
            raise ValueError(
                f"{root} must have only the classes of train, {', '.join(classes)}. Received: {', '.join(unknown)}"
            )
        files = [(path, classes.index(name)) for name in here for path in pictures_of(root / name)]
        if loose := pictures_in(root).pictures:
            warnings.warn(f"{root}: passed over {len(loose)} pictures that lie in no class folder", stacklevel=7)
    return files, classes


def files_quietly(folder: Path, split: str) -> Files:
    """The files of `files_of` without its warnings; an empty list if the split does not exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return files_of(folder, split).files
        except ValueError:
            return []


def flat_root(folder: Path) -> Path | None:
    """The folder that directly contains the images of a folder without labels: the folder itself or its `train`.

    Returns:
        None if there are class folders, or no images.
    """
    root = folder / "train" if (folder / "train").is_dir() else folder
    if not root.is_dir() or class_folders(root) or ((folder / "test").is_dir() and root == folder):
        return None
    return root if has_pictures(root) else None


def layouts(folder: Path) -> str:
    """The allowed layouts of a folder of images, for an error message."""
    suffixes = ", ".join(PICTURE_SUFFIXES)
    return f"{folder}/<split>/<label>/<image>, or {folder}/<image> without labels, of {suffixes}"


def class_folders(root: Path) -> tuple[str, ...]:
    """The names of the subfolders that are not hidden, sorted by number if all are numbers, else by name."""
    if not root.is_dir():
        return ()
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    numbers = all(name.isascii() and name.isdigit() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))


def pictures_of(folder: Path) -> list[Path]:
    """The images in a folder; warns of other files, and of a folder without images."""
    pictures, others = pictures_in(folder)
    if others:
        warnings.warn(f"{folder}: passed over {passed_over(others)}", stacklevel=8)
    if not pictures:
        warnings.warn(f"{folder} holds no pictures", stacklevel=8)
    return pictures


def part_of(n: int, tests: int, split: str) -> np.ndarray:
    """The indices of "train" or "test" among n images, with a fixed choice of `tests` test images."""
    test = np.zeros(n, bool)
    test[order(n, 0, 0, np.arange(tests))] = True
    return np.flatnonzero(test == (split == "test"))
