"""Atomic files: written aside in the same folder, synced and renamed."""

import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_dir() -> Path:
    """The folder of data prepared for the zoo: `CNNZOO_DATA_DIR`, or `~/.cache/cnnzoo`."""
    return Path(os.environ.get("CNNZOO_DATA_DIR") or "~/.cache/cnnzoo").expanduser()


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Writes a file atomically, also with concurrent writers or a power cut.

    A symbolic link is followed. A new file has the permissions of the umask; a replaced file keeps its own.

    Raises:
        OSError: It cannot be written; the error has its path, not that of the file aside.
    """
    try:
        _write_and_rename(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write_and_rename(path: Path, data: bytes | memoryview) -> None:
    aside = path.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        with suppress(FileNotFoundError):
            os.chmod(aside, path.stat().st_mode & 0o777)
        publish(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def unfinished(folder: Path) -> list[Path]:
    """The files in a folder that `write_bytes` has not renamed: being written, or left by a process that was killed."""
    return [path for path in folder.glob(".*.tmp") if re.fullmatch(r"\.[0-9a-f]{16}\.tmp", path.name)]


def publish(aside: Path, path: Path) -> None:
    """Syncs and renames a file or folder within its folder; after a power cut, the old or the new one is complete."""
    for part in (*aside.rglob("*"), aside):
        _sync(part)
    os.replace(aside, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Syncs a file, or the entries of a folder, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # which syncs only writable files
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Locks a folder against other processes; the system releases the lock when this process ends.

    Args:
        folder: Gets the file `.lock`.
        patience: Seconds to wait for another process.

    Raises:
        ValueError: Another process holds the lock.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"{folder} must be used by one process at a time. Received: a folder in use by another process"
        ) from None
    try:
        yield
    finally:
        lock.release()


def in_use(folder: Path) -> bool:
    """Whether a process holds the lock of a folder.

    Raises:
        OSError: The lock is not readable and writable for this user.
    """
    if not (folder / ".lock").exists():  # nothing is written to find out
        return False
    try:
        with locked(folder):
            return False
    except ValueError:
        return True


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file atomically; see `json_text`."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Any, ensure_ascii: bool = False) -> str:
    """Content as indented JSON; NaN and infinities become null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [finite(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(content), indent=1, ensure_ascii=ensure_ascii, allow_nan=False)
