"""Checks of the pictures of a folder, before they are trained on."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data.folders import is_divided, layouts, whole_files
from cnnzoo.data.packed import PackedRows, check_shards, is_packed, read_manifest
from cnnzoo.data.pictures import attempted
from cnnzoo.imaging.files import read_image

Readers = list[tuple[str, Callable[[], np.ndarray]]]  # the name and the reader of each picture
Progress = Callable[[int, int], None]  # of (done, total)
PART = 256  # pictures between two calls of `Progress`


@dataclass(frozen=True)
class Findings:
    """The pictures of a folder that are not as they should be; names are relative to the folder.

    Attributes:
        pictures: Number of all pictures.
        size: The (width, height) of most of them, if more than half have one size; else None.
        unreadable: {name: error}.
        duplicates: Groups of names of pictures with equal pixels.
        off_size: {name: (width, height)} of those of another size than `size`.
    """

    pictures: int
    size: tuple[int, int] | None
    unreadable: dict[str, str]
    duplicates: list[list[str]]
    off_size: dict[str, tuple[int, int]]

    @property
    def is_clean(self) -> bool:
        """Whether there are none."""
        return not (self.unreadable or self.duplicates or self.off_size)

    def to_json(self) -> dict[str, Any]:
        """The findings as plain JSON values."""
        return {**vars(self), "is_clean": self.is_clean}


def check(folder: str | Path, progress: Progress | None = None) -> Findings:
    """Decodes all pictures of a folder, of all its splits, and compares their pixels and sizes.

    Args:
        folder: As in `cnnzoo.data.load`; of a folder made by `cnnzoo data build`, the hashes are compared too.
        progress: Called with (done, total) pictures.

    Raises:
        ValueError: There are no pictures, or a shard is missing or altered.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"The folder must hold pictures. Received: {folder}, which is no folder")
    readers = _of_shards(folder) if is_packed(folder) else _of_files(folder)
    unreadable: dict[str, str] = {}
    seen: dict[bytes, list[str]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for start in range(0, len(readers), PART):
        part = readers[start : start + PART]
        found: dict[int, tuple[bytes, tuple[int, int]]] = {}

        def look(i: int, part: Readers = part, found: dict = found) -> None:
            image = part[i][1]()
            digest = hashlib.blake2b(f"{image.shape}".encode(), digest_size=16)
            digest.update(image.tobytes())
            found[i] = digest.digest(), image.shape[1::-1]

        errors = attempted(look, len(part))
        for i, (name, _) in enumerate(part):
            if i in errors:
                unreadable[name] = errors[i]
            else:
                pixels, sizes[name] = found[i]
                seen.setdefault(pixels, []).append(name)
        if progress is not None:
            progress(start + len(part), len(readers))
    most = Counter(sizes.values()).most_common(1)
    size = most[0][0] if most and 2 * most[0][1] > len(sizes) else None
    off = {name: each for name, each in sorted(sizes.items()) if size is not None and each != size}
    duplicates = sorted(sorted(names) for names in seen.values() if len(names) > 1)
    return Findings(len(readers), size, dict(sorted(unreadable.items())), duplicates, off)


def _of_files(folder: Path) -> Readers:
    splits = ("train", "test") if is_divided(folder) else ("train",)
    files = [path for split in splits for path, _ in whole_files(folder, split)[0]]
    if not files:
        raise ValueError(f"Images must be {layouts(folder)}. Received: none")
    return [(str(path.relative_to(folder)), partial(read_image, path)) for path in files]


def _of_shards(folder: Path) -> Readers:
    for shards in read_manifest(folder)["splits"].values():
        check_shards(folder, shards)
    parts = [PackedRows(folder, split) for split in ("train", "test")]
    return [(rows.place(i), partial(rows.image, i)) for rows in parts for i in range(len(rows))]
