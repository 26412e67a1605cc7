"""Whole photographs on the disk: those of a set, a folder, a packed folder or shards, in a fixed order."""

from functools import lru_cache
from os.path import commonpath
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnzoo.data.addresses import address_of
from cnnzoo.data.catalog import CATALOG, TESTING, TRAINING
from cnnzoo.data.folder_rows import FileRows
from cnnzoo.data.folders import files_of, flat_root
from cnnzoo.data.image_set import DataNotFound
from cnnzoo.data.origins import origin
from cnnzoo.data.packed import PackedRows, is_packed
from cnnzoo.data.permutation import order
from cnnzoo.data.rows import Rows
from cnnzoo.data.sources import rows_of
from cnnzoo.imaging.files import read_image
from cnnzoo.imaging.folders import PICTURE_SUFFIXES, is_hidden, pictures_in

PARTS = {"train": TRAINING, "fit": TRAINING, "validation": TRAINING, "test": TESTING}


class Found(NamedTuple):
    """Some pictures of a set: their numbers in `rows`, and their names."""

    rows: Rows
    numbers: np.ndarray
    names: tuple[str, ...]


def is_photographs(name: str | Path) -> bool:
    """Whether a name is a set of whole photographs, or several joined by "+"."""
    return all(part in TRAINING or part in TESTING for part in str(name).split("+"))


def check_split(split: str) -> None:
    """Checks that there is such a split.

    Raises:
        ValueError: There is not.
    """
    if split not in PARTS:
        raise ValueError(f"`split` must be one of {', '.join(PARTS)}. Received: {split!r}")


def held_out(n: int, split: str) -> np.ndarray:
    """The numbers of the photographs of a split, among n of "train"; "validation" is a fixed tenth of them."""
    if split not in ("fit", "validation"):
        return np.arange(n)
    held = np.isin(np.arange(n), order(n, 0, 0, np.arange(max(1, n // 10))))
    return np.flatnonzero(held == (split == "validation"))


def find(name: str | Path, split: str) -> Found:
    """The photographs of a split, not decoded.

    Args:
        name, split: As in `cnnzoo.data.photographs.photographs`.

    Raises:
        DataNotFound: A set is not on this machine.
        ValueError: An unknown name or split, or no photographs.
    """
    check_split(split)
    if is_photographs(name):
        return _known(str(name), split)
    part, folder = "test" if split == "test" else "train", Path(name)
    rows: Rows | None
    if is_packed(folder):
        rows, index = _packed(folder, part)
    else:
        rows = rows_of(str(name), part) if address_of(str(name)) else None
        rows = FileRows(str(name), folder, _of_folder(folder, part)) if rows is None else rows
        index = np.arange(len(rows))
    index = index[held_out(len(index), split)]
    if not len(index):
        raise ValueError(f"{name} must have images. Received: none for {split!r}")
    if isinstance(rows, FileRows):
        return Found(rows, index, tuple(rows.files[i].stem for i in index))
    return Found(rows, index, tuple(map(str, index)))


class _Known(FileRows):
    """Files of the catalog, which are few: their pixels are kept."""

    def image(self, i: int) -> np.ndarray:
        return _decoded(self.files[i])


@lru_cache(maxsize=1024)
def _decoded(path: Path) -> np.ndarray:
    image = read_image(path)
    image.setflags(write=False)  # a caller who wrote into it would change the data of the whole process
    return image


def _known(name: str, split: str) -> Found:
    """The photographs of sets of the catalog, without those that are left out."""
    parts, allowed = name.split("+"), PARTS[split]
    if other := [part for part in parts if part not in allowed]:
        raise ValueError(f"Photographs for {split!r} must be of {', '.join(allowed)}. Received: {', '.join(other)}")
    found = [
        (path, origin(part, path.stem))
        for part in parts
        for path in _files(part, CATALOG[part].folder())
        if path.stem not in CATALOG[part].left_out
    ]
    if split in ("fit", "validation"):
        shown = list(dict.fromkeys(of for _, of in found))
        kept = {shown[i] for i in held_out(len(shown), split)}
        found = [(path, of) for path, of in found if of in kept]
    files = [path for path, _ in found]
    rows = _Known(name, Path(commonpath([path.parent for path in files])), files)
    return Found(rows, np.arange(len(files)), tuple(path.stem for path in files))


def _files(name: str, folder: Path) -> list[Path]:
    """The images of a set in its folder.

    Raises:
        DataNotFound: There are none.
    """
    found = _pictures(folder)
    if not found:
        raise DataNotFound(
            f"{name} is not in {folder}. Fetch it by: cnnzoo data get {name}. Or put its photographs there as "
            f"{folder.name}/<any>/<image>, or name the folder that holds {folder.parent.name} in CNNZOO_DATA_DIR."
        )
    return found


def _of_folder(folder: Path, split: str) -> list[Path]:
    """The images of "train" or "test" in a folder of the user.

    Raises:
        ValueError: There are none.
    """
    if flat_root(folder):
        return [path for path, _ in files_of(folder, split).files]
    found = _pictures(folder / split)
    if not found:
        raise _missing(folder, split)
    return found


def _packed(folder: Path, split: str) -> tuple[PackedRows, np.ndarray]:
    """Packed pictures of "train" or "test", and their numbers in the order of the folder that they were packed from.

    Raises:
        ValueError: There are none.
    """
    rows = PackedRows(folder, split, is_shared=False)
    if rows.labels is None:
        rows = PackedRows(folder, split)
        return rows, np.arange(len(rows))
    if split == "test" and not rows.is_divided:
        raise _missing(folder, split)
    rank = np.argsort(np.argsort(rows.classes))  # of a class among the folders, which are sorted by name
    return rows, np.argsort(rank[rows.labels], kind="stable")


def _missing(folder: Path, split: str) -> ValueError:
    return ValueError(
        f"`data` must be one of {', '.join((*TRAINING, *TESTING))}, several of them joined by +, or a folder with "
        f"{split}/<label>/<image>, or with pictures alone, of {', '.join(PICTURE_SUFFIXES)}. Received: {str(folder)!r}"
    )


def _pictures(folder: Path) -> list[Path]:
    """The images in the subfolders of a folder, except hidden ones."""
    folders = sorted(each for each in folder.glob("*") if each.is_dir() and not is_hidden(each))
    return [path for each in folders for path in pictures_in(each).pictures]
