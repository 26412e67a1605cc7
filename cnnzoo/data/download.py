"""Downloads of public image sets, from fixed addresses and verified file by file.

The paths in an archive are not trusted: only the expected files are extracted, into a temporary folder, and the set
appears in its place only if all hashes match.
"""

import gzip
import hashlib
import os
import secrets
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile

from cnnzoo.data.catalog import PUBLIC_SETS
from cnnzoo.data.public import Archive, Packed, PublicSet, Single, listing
from cnnzoo.utils.atomic_files import data_dir, locked, publish

DOWNLOADS = "downloads"  # in `CNNZOO_DATA_DIR`; archives are kept there since one may contain several sets
PATIENCE = 30  # seconds without a byte
CHUNK = 2**16  # bytes

# Exceptions that the readers of archives raise for invalid bytes.
DAMAGED = (
    *(ValueError, EOFError, RuntimeError, NotImplementedError),
    *(BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error),
)

Progress = Callable[[int, int], None]


def get(name: str, progress: Progress | None = None) -> Path:
    """Downloads a public image set, unless it is on this machine.

    Archives stay in `CNNZOO_DATA_DIR`/downloads, where they may be deleted. An interrupted download starts over.

    Args:
        name: One of `cnnzoo.data.catalog.PUBLIC_SETS`, such as "t91".
        progress: Called with (bytes so far, approximate total).

    Returns:
        The folder of the images.

    Raises:
        ValueError: An unknown name, other files in the folder of the set, or a download with other bytes than expected.
        ConnectionError: The download failed; the message gives the steps to do it by hand.
    """
    if name not in PUBLIC_SETS:
        raise ValueError(f"`name` must be one of {', '.join(PUBLIC_SETS)}. Received: {name!r}")
    wanted = PUBLIC_SETS[name]
    folder = data_dir() / wanted.folder / wanted.label
    if (here := wanted.here()) >= wanted.files:
        return data_dir() / wanted.folder
    if here and isinstance(wanted.content, Packed):
        where = data_dir() / wanted.folder
        raise ValueError(f"{where} holds {here} of the {wanted.files} pictures of {name}; move it away to fetch it")
    downloads = data_dir() / DOWNLOADS
    downloads.mkdir(parents=True, exist_ok=True)
    with locked(downloads):
        aside = downloads / f"{secrets.token_hex(8)}.tmp"
        _sweep(downloads)
        aside.mkdir()
        try:
            tell = progress or (lambda done, total: None)
            if isinstance(wanted.content, Packed):
                _fetch_archive(wanted, wanted.content, aside, tell)
                folder.parent.mkdir(parents=True, exist_ok=True)
                if folder.is_dir():
                    _remove_empty(folder)
                publish(aside, folder)
            else:
                lacking = [each for each in wanted.content if not (folder / each.name).is_file()]
                _fetch_files(wanted, lacking, aside, tell)
                folder.mkdir(parents=True, exist_ok=True)
                for each in lacking:
                    publish(aside / each.name, folder / each.name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return data_dir() / wanted.folder


def _fetch_archive(wanted: PublicSet, packed: Packed, into: Path, progress: Progress) -> None:
    """Downloads an archive and extracts the files of a set into an empty folder."""
    archive = fetch(packed.archive, into.parent / packed.archive.name, _by_hand(wanted), progress)
    try:
        _unpack(packed, archive, into)
    except DAMAGED as error:
        archive.unlink()
        reason = f"{packed.archive.url} has changed: {error}"
        raise ValueError(f"{reason}. Try it once more, or {_by_hand(wanted)}") from None


def _fetch_files(wanted: PublicSet, files: Sequence[Single], into: Path, progress: Progress) -> None:
    """Downloads single files into an empty folder."""
    total = sum(each.bytes for each in files)
    before = 0

    def so_far(done: int, _: int) -> None:
        progress(before + done, total)

    for each in files:
        fetch(each, into / each.name, _by_hand(wanted), so_far)
        before += each.bytes


def fetch(source: Archive | Single, path: Path, by_hand: str, progress: Progress = lambda done, total: None) -> Path:
    """Downloads a file to `path`, unless it is there, and returns it; several processes may do so at a time.

    Args:
        source: Its address, size and, for a single file, SHA-256.
        path: The new file.
        by_hand: The instruction for a manual download, for errors.
        progress: Called with (bytes so far, approximate total).

    Raises:
        ValueError: Another hash, or far more bytes than expected.
        ConnectionError: The host cannot be reached or does not deliver the file.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # otherwise it prints every hash
    known = source.sha256 if isinstance(source, Single) else None
    bar: Any = _Bar(source.bytes, progress)
    fetcher = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=PATIENCE)
    host = urlsplit(source.url).hostname
    try:
        pooch.retrieve(source.url, known, fname=path.name, path=path.parent, downloader=fetcher)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        reason = f"{host} answers {status} for {source.url}"
        raise ConnectionError(f"{reason}. Try it later, or {by_hand}") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise ConnectionError(f"{host} broke off in the middle of {source.url}; try it once more") from None
    except requests.RequestException as error:
        reason = f"{host} cannot be reached ({type(error).__name__})"
        raise ConnectionError(f"{reason}. Try it with a network, or {by_hand}") from None
    except ValueError as error:  # another hash, or too long
        reason = str(error) if bar.done > bar.most else "other bytes"
        raise ValueError(f"{source.url} has changed: {reason}; {by_hand}") from None
    return path


class _Bar:
    """A progress bar for pooch that aborts a download of more than twice the expected size."""

    def __init__(self, expected: int, progress: Progress) -> None:
        self.expected, self.progress = expected, progress
        self.most = 2 * expected + CHUNK  # GitHub compresses archives again, perhaps less well
        self.total = self.done = 0

    def update(self, size: int) -> None:
        self.done += size
        if self.done > self.most:
            raise ValueError(f"more than {self.most} bytes")
        self.progress(min(self.done, self.total or self.expected), self.total or self.expected)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Does nothing; part of the interface that pooch expects."""


def _unpack(packed: Packed, archive: Path, into: Path) -> None:
    """Extracts the expected files of an archive, and only these, into a folder.

    Raises:
        ValueError: Their number, size or hash differs from the expected.
    """
    begin = f"{packed.archive.top}/{packed.folder}/"
    suffix = packed.ending[packed.ending.index(".") :]
    known = f"{packed.files} files of {packed.bytes} bytes"
    digests: dict[str, str] = {}
    found = 0  # bytes
    for path, size, read in (
        _zipped(archive) if archive.suffix == ".zip" else _tarred(archive, 2 * packed.archive.bytes)
    ):
        name = path[len(begin) : -len(packed.ending)] + suffix
        if not (path.startswith(begin) and path.endswith(packed.ending)) or name in packed.left_out:
            continue
        if not _is_plain(name):
            raise ValueError(f"it holds a file named {name!r}")
        found += size
        if found > packed.bytes or len(digests) == packed.files:
            raise ValueError(f"its {packed.folder} holds more than {known}")
        data = read()
        digests[name] = hashlib.sha256(data).hexdigest()
        (into / name).parent.mkdir(exist_ok=True)
        (into / name).write_bytes(data)
    if (len(digests), found) != (packed.files, packed.bytes):
        raise ValueError(f"its {packed.folder} holds {len(digests)} files of {found} bytes instead of {known}")
    if hashlib.sha256(listing(digests).encode()).hexdigest() != packed.sha256:
        raise ValueError(f"the files of its {packed.folder} have other bytes")


Entries = Iterator[tuple[str, int, Callable[[], bytes]]]  # path in the archive, size, and a function that reads it


def _zipped(archive: Path) -> Entries:
    """The files of a .zip archive."""
    with ZipFile(archive) as content:
        for member in content.infolist():
            yield member.filename, member.file_size, partial(content.read, member)


def _tarred(archive: Path, most: int) -> Entries:
    """The files of a .tgz archive of at most `most` bytes uncompressed.

    Some HTTP servers declare the compression as a content encoding, so that the file arrives uncompressed.
    """
    with archive.open("rb") as file:
        opened: Any = gzip.open if file.read(2) == b"\x1f\x8b" else open
    with opened(archive, "rb") as packed:
        limited: Any = _Limited(packed, most)
        with tarfile.open(fileobj=limited, mode="r|") as content:
            for member in content:
                if member.isreg() and (found := content.extractfile(member)):
                    yield member.name, member.size, found.read


class _Limited:
    """A stream that raises ValueError after a number of bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise ValueError("it unpacks to far more than it should")
        return self.stream.read(size)


def _is_plain(name: str) -> bool:
    """Whether a name is <file> or <folder>/<file>, without hidden parts, parent folders or separators of Windows."""
    parts = name.split("/")
    return len(parts) <= 2 and all(part and part[0] != "." and not set(part) & set("\\:\0") for part in parts)


def _by_hand(wanted: PublicSet) -> str:
    """The instruction for a manual download, for an error message."""
    content = wanted.content
    if isinstance(content, Packed):
        source = f"those of {content.folder} in {content.archive.url}"
    else:
        source = " ".join(single.url for single in content)
    return f"put its {wanted.files} pictures into {data_dir() / wanted.folder / wanted.label} yourself: {source}"


def _sweep(downloads: Path) -> None:
    """Removes temporary files of interrupted downloads; the caller must hold the lock."""
    archives = {each.content.archive.name for each in PUBLIC_SETS.values() if isinstance(each.content, Packed)}
    for path in downloads.iterdir():
        if path.is_dir() and path.suffix == ".tmp":
            shutil.rmtree(path)
        elif path.is_file() and path.name not in archives and path.name.startswith("tmp"):  # the names that pooch uses
            path.unlink()


def _remove_empty(folder: Path) -> None:
    """Removes a folder that contains only empty folders.

    Raises:
        ValueError: It contains files.
    """
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        os.rmdir(path) if not any(path.iterdir()) else None
    try:
        folder.rmdir()
    except OSError:
        raise ValueError(f"{folder} holds files that are no pictures; move it away to fetch them") from None
