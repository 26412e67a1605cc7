"""Picture files, and those of a folder, read one at a time."""

import hashlib
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnzoo.data.folders import files_of, layouts
from cnnzoo.imaging.decoding import READ, decoding
from cnnzoo.imaging.exif import orientation
from cnnzoo.imaging.files import read_fitted, read_image


class FileRows:
    """Picture files in a given order, without labels; a `cnnzoo.data.rows.Rows`.

    Attributes:
        folder: The folder that they are in, directly or not.
        files: The picture files.
    """

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    def __init__(self, name: str, folder: Path, files: Sequence[Path]):
        self.name, self.folder, self.files = name, folder, files

    def __len__(self) -> int:
        return len(self.files)

    def image(self, i: int) -> np.ndarray:
        """See `Rows`."""
        return read_image(self.files[i])

    def fitted(self, i: int, shape: tuple[int, int, int]) -> np.ndarray:
        """`fit_to` of a picture, in less time."""
        return read_fitted(self.files[i], shape)

    def sides(self, i: int) -> tuple[int, int] | None:
        """The width and height of a picture, upright, from its header; None if it cannot be read."""
        return sides_of(self.files[i], str(self.files[i]))

    def stamp(self) -> str:
        """A hash of the names and sizes of the files, which are not opened."""
        return stamp_of(self.files, self.folder)


class FolderRows(FileRows):
    """The pictures of "train" or "test" in a folder, in the order of `files_of`.

    Attributes:
        left: Number of pictures for the other split, where the folder has no `test`.

    Raises:
        ValueError: There are none, or as in `files_of`.
    """

    def __init__(self, folder: Path, split: str):
        files, self.classes, self.left = files_of(folder, split)
        if not files:
            raise ValueError(f"Images must be {layouts(folder)}. Received: none for {split!r}")
        super().__init__(str(folder), folder, [path for path, _ in files])
        if self.classes:
            self.labels = np.array([label for _, label in files], np.int64)


def stamp_of(files: Sequence[Path], folder: Path) -> str:
    """A BLAKE2b hash of the names, relative to a folder, and the sizes of files."""
    found, above = hashlib.blake2b(digest_size=16), len(str(folder)) + 1
    for path in files:
        found.update(f"{str(path)[above:]}\0{os.stat(path).st_size}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def sides_of(source: Path | bytes, name: str) -> tuple[int, int] | None:
    """The width and height of a picture, upright, from its header; None if it cannot be read."""
    from PIL import Image

    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with decoding(name), Image.open(file, formats=READ) as image:
            return image.size[::-1] if orientation(image) > 4 else image.size
    except ValueError:
        return None
