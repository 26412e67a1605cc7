"""Files of `tf.train.Example` records with encoded images: TFRecord and ArrayRecord.

Sources: https://www.tensorflow.org/tutorials/load_data/tfrecord, https://github.com/google/array_record. A record is
read at its place, without those before it. The lengths in a TFRecord are checked by their CRC, its contents by the
decoder of the images alone. The reader of ArrayRecord checks the hashes of its blocks.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cnnzoo.data.addresses import OPTION, Address
from cnnzoo.data.shards import (
    LARGEST_PICTURE,
    Encoded,
    EncodedRows,
    bytes_at,
    files_of_splits,
    rows_of_split,
    stamp_of_files,
)

IMAGES = ("image/encoded", "image")  # features of TensorFlow's own sets, and of tensorflow-datasets
LABELS = ("image/class/label", "label")
_NUMBERED = r"^[^.]*-\d{5,}-of-\d{5,}$"
_TFRECORD = re.compile(rf"\.tfrec(ords?)?(?=[-.]|$)|{_NUMBERED}")
_ARRAY_RECORD = re.compile(rf"\.array_?records?(?=[-.]|$)|{_NUMBERED}")
HEADER, FOOTER = 12, 4  # bytes of a length and its CRC before a record, and of a CRC after it
BLOCK = 4096  # headers of records that are checked at a time


class Records(Protocol):
    """The records of several files, by their number."""

    files: Sequence[Path]

    def __len__(self) -> int:
        """Number of records."""

    def read(self, i: int) -> tuple[bytes, str]:
        """Record i, and its place for errors."""


def tfrecord_rows(address: Address, split: str) -> EncodedRows:
    """The pictures of "train" or "test" in TFRecord files; see `_rows`."""
    return _rows(address, split, TFRecords, _TFRECORD, "train.tfrecord-{00000..00004}-of-00005")


def array_record_rows(address: Address, split: str) -> EncodedRows:
    """The pictures of "train" or "test" in ArrayRecord files; see `_rows`.

    Raises:
        ModuleNotFoundError: The package array_record is not installed.
    """
    if find_spec("array_record") is None:  # tensorflow-datasets requires it on Linux only
        raise ModuleNotFoundError("arrayrecord: needs array_record; install it by: pip install array_record")
    return _rows(address, split, ArrayRecords, _ARRAY_RECORD, "train-{00000..00004}-of-00005.array_record")


def _rows(
    address: Address, split: str, reader: Callable[[Sequence[Path]], Records], names: re.Pattern[str], example: str
) -> EncodedRows:
    """The pictures of a split; see `cnnzoo.data.shards.files_of_splits` for their files.

    The features are those in `address`, else the first of `IMAGES` and, for labels, of `LABELS`.

    Raises:
        DataNotFound, ValueError: As `files_of_splits` and `rows_of_split`; or a damaged file, or a record without its
            feature or with one of another type.
    """

    def read(files: Sequence[Path]) -> Encoded:
        return Examples(reader(files), address)

    files = files_of_splits(address, names, example)
    return rows_of_split(str(address), {each: partial(read, found) for each, found in files.items()}, split)


class Examples:
    """The pictures in records of `tf.train.Example`; see `cnnzoo.data.shards.Encoded`.

    All records are read once when the labels are first asked for, if there are any.

    Args:
        records: The records.
        address: The features, or "" for the first of `IMAGES` and of `usual`.
        classes: Class names, or () without.
        usual: Features that may be the labels.
    """

    def __init__(
        self, records: Records, address: Address, classes: tuple[str, ...] = (), usual: Sequence[str] = LABELS
    ):
        self._records, self.classes = records, classes
        self._label_key = ""
        if not len(records):
            return
        features, place = self._features(0)
        self._image = _key(features, address.image, IMAGES, place)
        if not self._image:
            raise ValueError(
                f"A record must have a feature {' or '.join(IMAGES)}; {OPTION}. Received: {_in_words(features)} in "
                f"{place}"
            )
        self._label_key = _key(features, address.label, usual, place)

    @cached_property
    def labels(self) -> np.ndarray | None:
        """int64 (n,), or None."""
        if not self._label_key:
            return None
        return np.array([self._label(i, self._label_key) for i in range(len(self))], np.int64)

    def __len__(self) -> int:
        return len(self._records)

    def encoded(self, i: int) -> tuple[bytes, str]:
        features, place = self._features(i)
        return _value(features, self._image, "bytes_list", place), place

    def stamp(self) -> str:
        return stamp_of_files(self._records.files)

    def _label(self, i: int, key: str) -> int:
        features, place = self._features(i)
        return _value(features, key, "int64_list", place)

    def _features(self, i: int) -> tuple[Any, str]:
        """The features of a record by name, and its place."""
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        raw, place = self._records.read(i)
        try:
            return tf.train.Example.FromString(raw).features.feature, place
        except DecodeError:
            raise ValueError(f"{place} must be a tf.train.Example. Received: other bytes") from None


def _key(features: Any, asked: str, usual: Sequence[str], place: str) -> str:
    """The name of a feature: the one asked for, else the first usual one, else "".

    Raises:
        ValueError: There is none of the name asked for.
    """
    if asked and asked not in features:
        raise ValueError(f"A record must have the feature {asked}. Received: {_in_words(features)} in {place}")
    return asked or next((key for key in usual if key in features), "")


def _value(features: Any, key: str, kind: str, place: str) -> Any:
    """The only value of a feature.

    Raises:
        ValueError: It has another type, or none or several values.
    """
    if key not in features:  # asking a map of protobuf for a key would add it
        raise ValueError(f"A record must have the feature {key}. Received: {_in_words(features)} in {place}")
    have = features[key].WhichOneof("kind")
    values = getattr(features[key], kind).value
    if have != kind or len(values) != 1:
        what = "an encoded image as bytes" if kind == "bytes_list" else "an integer"
        raise ValueError(f"The feature {key} must be {what}; {OPTION}. Received: {_in_words(features, key)} in {place}")
    return values[0]


def _in_words(features: Any, *keys: str) -> str:
    """Features with their types: "height (1 int64), name (1 bytes)"."""
    shown = []
    for key in keys or sorted(features):
        kind = features[key].WhichOneof("kind")
        count = len(getattr(features[key], kind).value) if kind else 0
        shown.append(f"{key} ({count} {(kind or 'values').removesuffix('_list')})")
    return ", ".join(shown) or "none"


class TFRecords:
    """The records of TFRecord files: for each its length, a CRC of the length, its bytes and a CRC of these."""

    def __init__(self, files: Sequence[Path]):
        self.files = files
        found = [_places(path) for path in files]
        self._places = np.concatenate(found)
        self._starts = np.cumsum([0, *map(len, found)])

    def __len__(self) -> int:
        return len(self._places)

    def read(self, i: int) -> tuple[bytes, str]:
        number = int(np.searchsorted(self._starts, i, "right")) - 1
        offset, size = map(int, self._places[i])
        path = self.files[number]
        return bytes_at(path, offset, size), f"{path}: record {i - self._starts[number]}"


def _places(path: Path) -> np.ndarray:
    """The offset and the size of each record of a TFRecord file, int64 (n, 2).

    Raises:
        ValueError: It is damaged, cut short or compressed.
    """
    found, number, at = [np.zeros((0, 2), np.int64)], 0, 0
    end = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while at < end:
            headers: list[bytes] = []
            offsets: list[int] = []
            while at < end and len(headers) < (BLOCK if number else 1):  # the first alone shows most other files
                file.seek(at)
                headers.append(file.read(HEADER).ljust(HEADER, b"\0"))
                offsets.append(at + HEADER)
                at += HEADER + int.from_bytes(headers[-1][:8], "little") + FOOTER
            sizes = _sizes(b"".join(headers), path, number, cut=at > end)
            found.append(np.stack([np.array(offsets, np.int64), sizes], axis=1))
            number += len(sizes)
    return np.concatenate(found)


def _sizes(headers: bytes, path: Path, first: int, cut: bool) -> np.ndarray:
    """The sizes in the headers of successive records, int64 (n,).

    Args:
        headers: `HEADER` bytes for each record.
        path: The file, for errors.
        first: The number of the first record.
        cut: Whether the last record goes beyond the end of the file.

    Raises:
        ValueError: A wrong CRC, a record that is cut short, or one that is too large.
    """
    raw = np.frombuffer(headers, np.uint8).reshape(-1, HEADER)
    wrong = np.flatnonzero(masked_crc32c(raw[:, :8]) != raw[:, 8:].copy().view("<u4").reshape(-1))
    if len(wrong) or cut:
        number = first + (int(wrong[0]) if len(wrong) else len(raw) - 1)
        what = "a length with a wrong CRC" if len(wrong) else "the end of the file"
        raise ValueError(f"{path} must be an uncompressed TFRecord file, whole. Received: {what} in record {number}")
    sizes = raw[:, :8].copy().view("<i8").reshape(-1)
    if large := [int(size) for size in sizes if size > LARGEST_PICTURE]:
        raise ValueError(f"A record must have at most {LARGEST_PICTURE} bytes. Received: {large[0]} in {path}")
    return sizes


def _table() -> np.ndarray:
    """The CRC of each byte, by the polynomial of Castagnoli (RFC 3720, B.4)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


def masked_crc32c(rows: np.ndarray) -> np.ndarray:
    """The CRC-32C of each row of bytes (n, length), masked as in a TFRecord; uint32 (n,)."""
    table = _table()
    crc = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in rows.T:
        crc = table[(crc ^ column) & 0xFF] ^ (crc >> 8)
    crc = ~crc
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)


class ArrayRecords:
    """The records of ArrayRecord files."""

    def __init__(self, files: Sequence[Path]):
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        self.files = files
        self._sources = []
        for path in files:
            try:
                self._sources.append(ArrayRecordDataSource([str(path)]))
            except (RuntimeError, ValueError) as error:
                raise ValueError(f"{path} must be an ArrayRecord file, whole. Received: {error}") from None
        self._starts = np.cumsum([0, *map(len, self._sources)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, i: int) -> tuple[bytes, str]:
        number = int(np.searchsorted(self._starts, i, "right")) - 1
        place = int(i - self._starts[number])
        try:
            return self._sources[number][place], f"{self.files[number]}: record {place}"
        except RuntimeError as error:
            raise ValueError(f"{self.files[number]} must be an ArrayRecord file, whole. Received: {error}") from None
