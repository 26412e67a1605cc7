"""Folders of pictures: which files are for training and which for testing, and what their labels are."""

import warnings
from pathlib import Path

import numpy as np

from cnnzoo.data.permutation import order
from cnnzoo.imaging.folders import PICTURE_SUFFIXES, is_hidden, passed_over, pictures_in

Files = list[tuple[Path, int]]  # with the number of the class; 0 where there are none


def files_of(folder: Path, split: str) -> tuple[Files, tuple[str, ...]]:
    """The pictures of "train" or "test" in the order of their names, and the classes, those of <folder>/train.

    They lie in <folder>/<split>/<label>. In a flat folder (see `flat_root`) there are no classes. Where there is no
    <folder>/test, a fifth stands for it and is left out of "train". What else is there is passed over, with a warning.

    Raises:
        ValueError: There is no such split, or a class of it is not among those of <folder>/train.
    """
    divided = (folder / "test").is_dir()
    if flat := flat_root(folder):
        root, classes = folder / "test" if divided and split == "test" else flat, ()
        files = [(path, 0) for path in pictures_of(root)]
    else:
        root = folder / (split if divided else "train")
        if not root.is_dir():
            have = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "none"
            raise ValueError(f"{folder} has no {root.name!r} (it has: {have}); {layouts(folder)}")
        here = class_folders(root)
        classes = class_folders(folder / "train") or here
        if unknown := [name for name in here if name not in classes]:
            raise ValueError(
                f"{root} has the classes {', '.join(unknown)}; allowed: those of train, {', '.join(classes)}"
            )
        files = [(path, classes.index(name)) for name in here for path in pictures_of(root / name)]
        if loose := pictures_in(root).pictures:
            warnings.warn(f"{root}: passed over {len(loose)} pictures that lie in no class folder", stacklevel=5)
    if files and not divided:
        files = [files[i] for i in part_of(len(files), len(files) // 5, split)]
    return files, classes


def files_quietly(folder: Path, split: str) -> Files:
    """Those of `files_of`, where its warnings come at another place; none where there are none of the split."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return files_of(folder, split)[0]
        except ValueError:
            return []


def flat_root(folder: Path) -> Path | None:
    """Where the pictures of a folder without labels lie: in it or in its `train`, with no folders beside them.

    None where pictures lie in class folders, or nowhere.
    """
    root = folder / "train" if (folder / "train").is_dir() else folder
    if not root.is_dir() or class_folders(root) or ((folder / "test").is_dir() and root == folder):
        return None
    return root if pictures_in(root).pictures else None


def layouts(folder: Path) -> str:
    """What a folder of pictures may look like, for an error."""
    suffixes = ", ".join(PICTURE_SUFFIXES)
    return f"allowed: {folder}/<split>/<label>/<image>, or {folder}/<image> without labels, of {suffixes}"


def class_folders(root: Path) -> tuple[str, ...]:
    """The names of the classes in a folder, its folders that are not hidden; by number where all are numbers."""
    names = [path.name for path in root.glob("*") if path.is_dir() and not is_hidden(path)]
    numbers = all(name.isascii() and name.isdigit() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))


def pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder, with a warning that names what else is there, or that there are none."""
    pictures, others = pictures_in(folder)
    if others:
        warnings.warn(f"{folder}: passed over {passed_over(others)}", stacklevel=6)
    if not pictures:
        warnings.warn(f"{folder} holds no pictures", stacklevel=6)
    return pictures


def part_of(n: int, tests: int, split: str) -> np.ndarray:
    """The indices of "train" or "test" of n images, of which always the same `tests` are for testing."""
    test = np.zeros(n, bool)
    test[order(n, 0, 0, np.arange(tests))] = True
    return np.flatnonzero(test == (split == "test"))
