"""Files that are whole or not there: written aside in the same folder, made durable and renamed."""

import hashlib
import json
import math
import os
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
    """Where what the zoo itself looks for on this machine lies: `CNNZOO_DATA_DIR`, or `~/.cache/cnnzoo`."""
    return Path(os.environ.get("CNNZOO_DATA_DIR") or "~/.cache/cnnzoo").expanduser()


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Writes a file, whole or not at all, even where several write it at once or the power fails.

    A symbolic link is followed. A new file has the permissions that the umask leaves, one that is replaced keeps its
    own.
    """
    path = Path(os.path.realpath(path))
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


def publish(aside: Path, path: Path) -> None:
    """Renames a file, or a folder of files, within its folder; a power cut leaves the old one or the new one, whole."""
    for part in (*aside.rglob("*"), aside):
        _sync(part)
    os.replace(aside, path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Has the system write a file, or the list of files in a folder, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # and syncs what it may write
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Keeps other processes out of a folder, by a lock that the system releases when this process ends.

    Args:
        folder: Gets the file `.lock`.
        patience: Seconds to wait for another process.

    Raises:
        ValueError: Another process is in it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"{folder} is in use by another process; allowed: one process at a time") from None
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file as `write_bytes` does; see `json_text`."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Any, ensure_ascii: bool = False) -> str:
    """Content as indented JSON. A number that JSON cannot hold, NaN or an infinite one, becomes null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [finite(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(content), indent=1, ensure_ascii=ensure_ascii, allow_nan=False)
