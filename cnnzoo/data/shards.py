"""Sets of encoded pictures with random access: the files of a split, and its pictures and labels."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cnnzoo.data.addresses import OPTION, PATTERN, Address
from cnnzoo.data.folder_rows import sides_of
from cnnzoo.data.folders import part_of
from cnnzoo.data.image_set import DataNotFound
from cnnzoo.imaging.files import read_image
from cnnzoo.imaging.folders import is_hidden

LARGEST_PICTURE = 1 << 29  # bytes of an encoded picture
LARGEST_LABEL = 99_999
MOST_FILES = 100_000  # of a pattern
TESTS = ("test", "validation", "val", "valid")  # the first that exists is the test split
_SPLIT = re.compile(rf"(?:^|[-_.])(train|{'|'.join(TESTS)})(?=[-_.\d]|$)")
_SEQUENCE = re.compile(r"-(\d{5,})-of-(\d{5,})")


class Encoded(Protocol):
    """The encoded pictures of one split, in a fixed order; each is read when it is asked for, from any thread."""

    @property
    def labels(self) -> np.ndarray | None:
        """int64 (n,), or None."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, or () if the labels are numbers without names."""

    def __len__(self) -> int:
        """Number of pictures."""

    def encoded(self, i: int) -> tuple[bytes, str]:
        """The file of picture i, and its place for errors."""

    def stamp(self) -> str:
        """A hash that changes with the data, in general, and that is found without reading them."""


@dataclass(eq=False)
class EncodedRows:
    """The pictures of one split of a set, or of a part of it; see `cnnzoo.data.rows.Rows`.

    Attributes:
        name, labels, classes: As in `Rows`.
        whole: The pictures that these are among.
        index: The numbers of these.
        channels: 1 or 3 to convert all to gray or color; None for no conversion.
    """

    name: str
    labels: np.ndarray | None
    classes: tuple[str, ...]
    whole: Encoded
    index: np.ndarray
    channels: int | None = None

    def __len__(self) -> int:
        return len(self.index)

    def image(self, i: int) -> np.ndarray:
        """See `Rows`."""
        raw, place = self._encoded(i)
        return read_image(raw, self.channels, place)

    def sides(self, i: int) -> tuple[int, int] | None:
        """See `Rows`."""
        try:
            return sides_of(*self._encoded(i))
        except ValueError:
            return None

    def stamp(self) -> str:
        """See `Encoded.stamp`."""
        return self.whole.stamp()

    def _encoded(self, i: int) -> tuple[bytes, str]:
        try:
            raw, place = self.whole.encoded(int(self.index[i]))
        except OSError as error:
            raise ValueError(f"{self.name} cannot be read: {error}") from None
        check_size(len(raw), place)
        return raw, place


def rows_of_split(name: str, splits: Mapping[str, Callable[[], Encoded]], split: str) -> EncodedRows:
    """The pictures of a split. Without a split "test", it is a fixed fifth of "train".

    The classes are those of "train", as names or as the numbers up to the largest.

    Args:
        name: Name of the set.
        splits: Reads "train" and, if there is one, "test".
        split: "train" or "test".

    Raises:
        ValueError: There are no pictures, or labels out of range.
    """
    if "train" not in splits:
        if split == "train":
            raise ValueError(f"{name} must have a split train. Received: test alone")
        splits = {**splits, "train": splits["test"]}
    train = splits["train"]()
    whole = splits["test"]() if split == "test" and "test" in splits else train
    for part in (train, whole):
        if not len(part):
            raise ValueError(f"{name} must have images. Received: none for {'train' if part is train else 'test'!r}")
    classes = train.classes
    if not classes and train.labels is not None:
        classes = tuple(map(str, range(1 + int(np.clip(train.labels.max(), 0, LARGEST_LABEL)))))
    for labels in [whole.labels] if train.classes else [train.labels, whole.labels]:
        if labels is not None and not 0 <= labels.min() <= labels.max() < len(classes):
            wrong = labels.min() if labels.min() < 0 else labels.max()
            most = len(classes) - 1
            raise ValueError(f"Labels of {name} must be in [0, {most}], as those of train. Received: {wrong}")
    index = np.arange(len(whole))
    if "test" not in splits:
        index = part_of(len(whole), len(whole) // 5, split)
        if not len(index):
            raise ValueError(f"{name} must have at least five images for a split test. Received: {len(whole)}")
    return EncodedRows(name, None if whole.labels is None else whole.labels[index], classes, whole, index)


def check_size(size: int, place: str) -> None:
    """Checks the bytes of an encoded picture.

    Raises:
        ValueError: There are more than `LARGEST_PICTURE`; the message has the place.
    """
    if size > LARGEST_PICTURE:
        raise ValueError(f"An image must have at most {LARGEST_PICTURE} bytes. Received: {size} in {place}")


def label_of(value: Any, place: str) -> int:
    """A label from an integer, or from the bytes of its text.

    Raises:
        ValueError: It is no integer in [0, `LARGEST_LABEL`]; the message has the place.
    """
    shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    number = None
    if isinstance(value, int | bytes) and not isinstance(value, bool):
        with suppress(ValueError):
            number = int(value)
    if number is None:
        raise ValueError(f"Labels must be integers; {OPTION}. Received: {shown!r:.40} in {place}")
    if not 0 <= number <= LARGEST_LABEL:
        raise ValueError(f"Labels must be in [0, {LARGEST_LABEL}]. Received: {shown!r:.40} in {place}")
    return number


def stamp_of_files(files: Sequence[Path]) -> str:
    """A BLAKE2b hash of the names and sizes of files."""
    found = hashlib.blake2b(digest_size=16)
    for path in files:
        found.update(f"{path.name}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def bytes_at(path: Path, offset: int, size: int) -> bytes:
    """A piece of a file.

    Raises:
        ValueError: The file has become shorter.
    """
    with path.open("rb") as file:
        file.seek(offset)
        raw = file.read(size)
    if len(raw) < size:
        raise ValueError(f"{path} must not change while it is read. Received: a shorter file")
    return raw


def files_of_splits(address: Address, names: re.Pattern[str], example: str) -> dict[str, list[Path]]:
    """The files of "train" and of "test", sorted by name; without the latter if the set is not divided.

    A file belongs to the split in the name of its folder or in its own name: test/000.tar, test-000.tar. If there is no
    "test", "validation" is taken.

    Args:
        address: With the path of a file, a pattern such as `train-{000..004}.tar` or `*.tar`, or a folder.
        names: Pattern of the files in a folder; others are ignored.
        example: A file name, for errors.

    Raises:
        DataNotFound: There are none, or one of a numbered sequence is missing.
        ValueError: Only some of the names have a split, or files are compressed.
    """
    root, files = _files(address, names, example)
    if packed := [path for path in files if _is_packed(path)]:
        raise ValueError(f"{packed[0]} must be uncompressed, for random access. Received: {packed[0].suffix}")
    if len(files) > 1:
        _check_sequences(files)
    of = {path: _split_of(path.relative_to(root)) for path in files}
    found = {split: [path for path in files if of[path] == split] for split in dict.fromkeys(of.values())}
    if "" in found:
        if len(found) > 1:
            named = next(path for path in files if of[path])
            raise ValueError(
                f"All files of {address} or none must have a split in their names. Received: {named} and {found[''][0]}"
            )
        return {"train": files}
    if tests := next((each for each in TESTS if each in found), None):
        found["test"] = found[tests]
    return {split: found[split] for split in ("train", "test") if split in found}


def _files(address: Address, names: re.Pattern[str], example: str) -> tuple[Path, list[Path]]:
    """The folder below which names may have a split, and the files."""
    if "://" in address.place:
        raise ValueError(f"The path of {address.prefix} must be on this machine. Received: {address.place}")
    place = Path(address.place).expanduser()
    usage = f"{address.prefix} takes a file, a folder or a pattern: {example}"
    if place.is_file():
        return place.parent, [place]
    root, found = place, []
    if place.is_dir():
        folders = [place, *(place / split for split in ("train", *TESTS) if (place / split).is_dir())]
        entries = [path for folder in folders for path in sorted(folder.iterdir())]
        found = [path for path in entries if not is_hidden(path) and path.is_file() and _is_named(path, names)]
    elif PATTERN.search(str(place)):
        root = Path(PATTERN.split(str(place))[0] + "x").parent  # the folder before the first pattern
        for each in _expanded(str(place)):
            if PATTERN.search(each):
                found += sorted(path for path in map(Path, glob(each)) if path.is_file())
            elif not Path(each).is_file():
                raise DataNotFound(f"{each} is missing, which {address} names")
            else:
                found.append(Path(each))
    if not found:
        raise DataNotFound(f"{address} must have files; {usage}. Received: none there")
    return root, found


def _is_named(path: Path, names: re.Pattern[str]) -> bool:
    """Whether a file has the name of a shard, or would have without compression."""
    name = path.name.replace(".tgz", ".tar.gz")
    return bool(names.search(name.removesuffix(Path(name).suffix) if _is_packed(path) else name))


def _is_packed(path: Path) -> bool:
    return path.suffix in (".gz", ".tgz", ".bz2", ".xz", ".zst")


def _expanded(pattern: str) -> list[str]:
    """The paths of a pattern with braces, as in bash: {000..004} and {train,val}.

    Raises:
        ValueError: There are too many.
    """
    made = [pattern]
    while brace := re.search(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}", made[0]):
        first, last, words = brace.groups()
        if first is None:
            values: Sequence[str] = words.split(",")
        else:
            low, high = int(first), int(last)
            if high < low or high - low >= MOST_FILES:
                raise ValueError(f"{brace.group()} must count up, over at most {MOST_FILES} files. Received: {pattern}")
            values = [str(value).zfill(len(first)) for value in range(low, high + 1)]
        if len(made) * len(values) > MOST_FILES:
            raise ValueError(f"A pattern must name at most {MOST_FILES} files. Received: {pattern}")
        made = [each.replace(brace.group(), value, 1) for each in made for value in values]
    return made


def _split_of(path: Path) -> str:
    """The split in the name of the folder of a file, else in its own name, else ""; the last word counts."""
    if path.parent.name in ("train", *TESTS):
        return path.parent.name
    found = _SPLIT.findall(path.name)
    return found[-1] if found else ""


def _check_sequences(files: Sequence[Path]) -> None:
    """Checks that of files named -00000-of-00004 all four are there.

    Raises:
        DataNotFound: One is missing.
    """
    have = set(files)
    sequences = set()
    for path in files:
        if numbered := _SEQUENCE.search(path.name):
            before, after = path.name[: numbered.start()], path.name[numbered.end() :]
            sequences.add((path.parent, before, after, numbered[2]))
    for folder, before, after, total in sorted(sequences):
        names = (f"{before}-{i:0{len(total)}d}-of-{total}{after}" for i in range(int(total)))
        if missing := next((name for name in names if folder / name not in have), None):
            raise DataNotFound(f"{folder / missing} is missing, of {int(total)} files")
