"""Files that are whole or not there: written aside in the same folder, made durable and renamed."""

import hashlib
import json
import os
import secrets
from contextlib import suppress
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
    """Renames a file to one of the same folder; after a power cut there is the old file or the new one, whole."""
    _sync(aside)
    os.replace(aside, path)
    if os.name != "nt":  # Windows opens no folders
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows syncs what it may write
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8 as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file as `write_bytes` does."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
