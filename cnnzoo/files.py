"""Files that are whole or not there: written aside in the same folder and renamed."""

import hashlib
import json
import os
import tempfile
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
    """Writes a file, whole or not at all, even where several write it at once."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file aside and renames it."""
    aside = path.with_name(f".{path.name}")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file aside and renames it."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
