"""WebDataset: tar files, in which files of the same name are a sample: 000.jpg, 000.cls, 000.json.

Source: https://github.com/webdataset/webdataset, "The WebDataset Format". The members of the tar files are indexed and
read in place; nothing is unpacked.
"""

import json
import re
import tarfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnzoo.data.addresses import OPTION, Address
from cnnzoo.data.shards import (
    Encoded,
    EncodedRows,
    bytes_at,
    check_size,
    files_of_splits,
    label_of,
    rows_of_split,
    stamp_of_files,
)

PICTURES = ("jpg", "jpeg", "png", "webp")
LABEL = "cls"
LARGEST_LABEL_FILE = 1 << 20  # bytes of a member with a label
BLOCK = 512  # bytes of a header, which precedes each member
_NAMES = re.compile(r"\.tar$")
_KEY = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")  # the extension begins at the first point of the file name


class Member(NamedTuple):
    """A file in a tar file: the place of its bytes and, for labels, the bytes."""

    name: str
    offset: int
    size: int
    content: bytes


def rows(address: Address, split: str) -> EncodedRows:
    """The pictures of "train" or "test"; see `cnnzoo.data.shards.files_of_splits` for their files.

    The image is the member of a sample with the extension in `address`, else the only one of jpg, jpeg, png and webp.
    The label is the integer in the member `cls`, in the member with the extension in `address`, or, for "json.KEY", in
    the field KEY of the JSON object in the member `json`. Without `cls` and such an extension there are no labels.

    Raises:
        DataNotFound, ValueError: As `files_of_splits` and `rows_of_split`; or a damaged file, a sample without its
            image or label, or several images; or a label too long or out of range.
    """
    files = files_of_splits(address, _NAMES, "train-{000..004}.tar")
    extension, point, field = address.label.partition(".")
    # Extensions ignore the case; the field of a JSON object does not.
    label = f"json.{field}" if point and extension.lower() == "json" else address.label.lower()
    splits: dict[str, Callable[[], Encoded]] = {
        each: partial(Tars, found, address.image.lower(), label) for each, found in files.items()
    }
    return rows_of_split(str(address), splits, split)


class Tars:
    """The pictures in tar files; see `cnnzoo.data.shards.Encoded`.

    Args:
        files: The tar files.
        image: The extension of the images, in lower case, or "".
        label: The extension of the labels, in lower case, or "json.KEY", or "".
    """

    labels: np.ndarray | None
    classes: tuple[str, ...] = ()

    def __init__(self, files: Sequence[Path], image: str, label: str):
        self.files = files
        found: list[tuple[int, int, int]] = []
        labels: list[int] = []
        unlabeled = ""
        for number, path in enumerate(files):
            for key, members in _samples(path, _member_of(label)):
                picture = _image_of(members, image, f"{path}: {key}")
                value = _label_of(members, label, f"{path}: {key}")
                if value is None:
                    unlabeled = unlabeled or f"{path}: {key}"
                else:
                    labels.append(value)
                found.append((number, picture.offset, picture.size))
        if labels and unlabeled:
            raise ValueError(f"All samples or none must have a member {LABEL}. Received: none in {unlabeled}")
        self._places = np.array(found, np.int64).reshape(-1, 3)
        self.labels = np.array(labels, np.int64) if labels else None

    def __len__(self) -> int:
        return len(self._places)

    def encoded(self, i: int) -> tuple[bytes, str]:
        number, offset, size = map(int, self._places[i])
        path = self.files[number]
        raw = bytes_at(path, offset - BLOCK, BLOCK + size)
        name = raw[:100].rstrip(b"\0").decode("utf-8", "replace")  # of long names the beginning
        return raw[BLOCK:], f"{path}: {name}"

    def stamp(self) -> str:
        return stamp_of_files(self.files)


def _member_of(label: str) -> str:
    """The extension of the member with the label: json for "json.KEY"."""
    return "json" if label.startswith("json.") else label or LABEL


def _samples(path: Path, label: str) -> Iterator[tuple[str, dict[str, Member]]]:
    """The samples of a tar file: their keys and members by extension."""
    key, others = "", 0
    members: dict[str, Member] = {}
    for member in _members(path, label):
        if not (parts := _KEY.fullmatch(member.name)):
            others += not Path(member.name).name.startswith(".")
            continue
        if parts[1] != key:
            if members:
                yield key, members
            key, members = parts[1], {}
        extension = parts[2].lower()
        if extension in members:
            raise ValueError(f"A sample must have one member {extension}. Received: two in {path}: {key}")
        members[extension] = member
    if members:
        yield key, members
    if others:
        warnings.warn(f"{path}: passed over {others} members whose names have no extension", stacklevel=2)


def _members(path: Path, label: str) -> Iterator[Member]:
    """The files in a tar file, with the content of those whose extension is `label`.

    Raises:
        ValueError: It is damaged, cut short or compressed.
    """
    wrong = f"{path} must be an uncompressed tar file, whole. Received"
    try:
        with tarfile.open(path, "r:") as tar:
            while member := tar.next():
                tar.members = []  # type: ignore[attr-defined]  # else all are kept, at a kilobyte each
                if member.isdir():
                    continue
                if not member.isreg() or member.sparse:
                    raise ValueError(f"Members must be plain files. Received: {member.name} in {path}")
                content = b""
                if member.name.lower().endswith(f".{label}") and member.size <= LARGEST_LABEL_FILE:
                    content = bytes_at(path, member.offset_data, member.size)
                yield Member(member.name, member.offset_data, member.size, content)
            end = tar.offset
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{wrong}: {error}") from None
    with path.open("rb") as file:  # tarfile takes a damaged header for the end
        file.seek(end)
        if file.read(BLOCK) != bytes(BLOCK):
            raise ValueError(f"{wrong}: no header and no end at byte {end}")


def _image_of(members: dict[str, Member], asked: str, place: str) -> Member:
    """The member with the image of a sample."""
    found = [each for each in members if (each == asked if asked else each in PICTURES)]
    have = ", ".join(members)
    if not found:
        wanted = asked or f"one of {', '.join(PICTURES)}"
        raise ValueError(
            f"A sample must have a member {wanted}, and its members must follow each other; {OPTION}. "
            f"Received: {have} in {place}"
        )
    if len(found) > 1:
        raise ValueError(f"A sample must have one image; {OPTION}. Received: {have} in {place}")
    picture = members[found[0]]
    check_size(picture.size, place)
    return picture


def _label_of(members: dict[str, Member], asked: str, place: str) -> int | None:
    """The label of a sample; None if it has no member `cls` and no other is asked for."""
    extension = _member_of(asked)
    if extension not in members:
        if not asked:
            return None
        raise ValueError(f"A sample must have a member {extension}. Received: {', '.join(members)} in {place}")
    size, raw = members[extension].size, members[extension].content
    if size > LARGEST_LABEL_FILE:
        raise ValueError(f"A label must have at most {LARGEST_LABEL_FILE} bytes. Received: {size} in {place}")
    if not asked.startswith("json."):
        return label_of(raw, place)
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError(f"A member json must be a JSON object. Received: another in {place}") from None
    field = asked.removeprefix("json.")
    return label_of(fields.get(field) if isinstance(fields, dict) else None, f"{place}, {field}")
