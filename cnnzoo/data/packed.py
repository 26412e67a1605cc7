"""Pictures packed into shards of ArrayRecord, with a manifest; made by `cnnzoo.data.packing.build`.

manifest.json                class names; for each shard its records, bytes, labels and SHA-256
train-00000.array_record     a record is the file of a picture, such as JPEG or PNG
test-00000.array_record      if the folder had a test split
"""

import hashlib
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data.folder_rows import sides_of
from cnnzoo.data.folders import part_of
from cnnzoo.imaging.files import read_fitted, read_image
from cnnzoo.utils.atomic_files import sha256
from cnnzoo.utils.json_content import content

MANIFEST = "manifest.json"
FORMAT = "cnnzoo pictures 1"
SECONDS = 3.0  # for the hashes of shards, each time that a set is opened

_checked: set[tuple[str, int, int]] = set()  # path, bytes and time of the shards whose hashes were right


def check_installed() -> None:
    """Checks that ArrayRecord can be read and written.

    Raises:
        ModuleNotFoundError: Its package is not installed.
    """
    if find_spec("array_record") is None:  # tensorflow-datasets requires it on Linux only
        raise ModuleNotFoundError("Packed pictures need array_record; install it by: pip install array_record")


def is_packed(folder: Path) -> bool:
    """Whether a folder holds packed pictures, by its manifest."""
    try:
        return content(folder / MANIFEST, dict).get("format") == FORMAT
    except (OSError, ValueError):
        return False


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of packed pictures.

    Raises:
        ValueError: It cannot be read, lacks an entry, or has numbers out of range.
    """
    path = folder / MANIFEST
    try:
        manifest = content(path, dict)
        classes = [str(name) for name in manifest["classes"]]
        for shards in (manifest["splits"]["train"], *manifest["splits"].values()):
            for shard in shards:
                groups = [(int(label), int(n)) for label, n in shard["labels"]]
                wrong = any(n < 1 or not 0 <= label < max(1, len(classes)) for label, n in groups)
                wrong = wrong or int(shard["records"]) != sum(n for _, n in groups)
                wrong = wrong or Path(shard["file"]).name != shard["file"]
                if wrong or not {"bytes", "sha256"} <= shard.keys():
                    raise ValueError(f"a wrong entry for {shard['file']}")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a manifest written by cnnzoo data build. Received: {error}") from None
    return {**manifest, "classes": classes}


class PackedRows:
    """The pictures of "train" or "test", in the order of the folder they were packed from; see `cnnzoo.data.rows.Rows`.

    Without a split "test", it is the same fixed fifth as in that folder.

    Args:
        folder: See the first lines of this module.
        split: "train" or "test".
        is_shared: Whether a fixed fifth of "train" is "test", where there is no such split.

    Raises:
        ModuleNotFoundError: The package array_record is not installed.
        ValueError: The manifest cannot be read or has other counts, or a shard is missing or altered; see
            `check_shards`.
    """

    def __init__(self, folder: Path, split: str, is_shared: bool = True):
        check_installed()
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        manifest = read_manifest(folder)
        splits = manifest["splits"]
        shards = splits["test" if split == "test" and "test" in splits else "train"]
        check_shards(folder, shards, SECONDS)
        self.name, self.folder, self.classes = str(folder), folder, tuple(manifest["classes"])
        self._source = ArrayRecordDataSource([str(folder / shard["file"]) for shard in shards])
        counts, there = [int(shard["records"]) for shard in shards], len(self._source)
        if sum(counts) != there:
            raise ValueError(
                f"{folder / MANIFEST} must have the {there} records of its shards. Received: {sum(counts)}"
            )
        self._starts = np.cumsum([0, *counts])
        self._shards = shards
        labels = np.concatenate([np.repeat(*np.array(shard["labels"], np.int64).T) for shard in shards])
        whole = np.arange(len(labels))
        self.index = whole if "test" in splits or not is_shared else part_of(len(whole), len(whole) // 5, split)
        self.left = len(whole) - len(self.index)
        self.labels = labels[self.index] if self.classes else None
        self.is_divided = "test" in splits

    def __len__(self) -> int:
        return len(self.index)

    def image(self, i: int) -> np.ndarray:
        """See `Rows`."""
        return read_image(self._record(i), name=str(self.folder / self.place(i)))

    def fitted(self, i: int, shape: tuple[int, int, int]) -> np.ndarray:
        """`fit_to` of a picture, in less time."""
        return read_fitted(self._record(i), shape, str(self.folder / self.place(i)))

    def sides(self, i: int) -> tuple[int, int] | None:
        """The width and height of a picture, upright, from its header; None if it cannot be read."""
        try:
            return sides_of(self._record(i), self.place(i))
        except ValueError:
            return None

    def stamp(self) -> str:
        """A hash of those of the shards."""
        return hashlib.sha256("".join(shard["sha256"] for shard in self._shards).encode()).hexdigest()

    def place(self, i: int) -> str:
        """The shard and record of a picture, for messages."""
        row = int(self.index[i])
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        return f"{self._shards[number]['file']}: record {row - int(self._starts[number])}"

    def _record(self, i: int) -> bytes:
        """The file of a picture.

        Raises:
            ValueError: The shard is damaged.
        """
        try:
            return self._source[int(self.index[i])]
        except (RuntimeError, IndexError) as error:
            raise ValueError(f"{self.folder / self.place(i)} cannot be read: {error}") from None


def check_shards(folder: Path, shards: list[dict[str, Any]], seconds: float = float("inf")) -> None:
    """Checks that shards are those of the manifest: first the sizes of all, then the hashes as far as the time allows.

    A shard whose hash was not compared is still checked block by block while it is read, by ArrayRecord.

    Raises:
        ValueError: A shard is missing or altered; the message has its name and both hashes.
    """

    def altered(path: Path, expected: str) -> ValueError:
        found = sha256(path) if path.is_file() else "no file"
        return ValueError(f"{path} must be the shard that was packed, SHA-256 {expected}. Received: {found}")

    for shard in shards:
        path = folder / shard["file"]
        if not path.is_file() or path.stat().st_size != shard["bytes"]:
            raise altered(path, shard["sha256"])
    until = time.monotonic() + seconds
    for shard in shards:
        path = folder / shard["file"]
        key = (str(path.absolute()), shard["bytes"], path.stat().st_mtime_ns)
        if key not in _checked:
            if sha256(path) != shard["sha256"]:
                raise altered(path, shard["sha256"])
            _checked.add(key)
        if time.monotonic() > until:
            break
