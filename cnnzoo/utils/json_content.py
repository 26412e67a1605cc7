"""JSON from files that others may have written or damaged."""

import json
from pathlib import Path
from typing import Any

LARGEST = 64 * 2**20  # bytes of a file that is read


def content(file: Path, kind: type) -> Any:
    """The JSON in a file, at most 64 MB.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, not JSON, or of another kind; the message has the name of the file.
    """
    if not file.is_file():  # a pipe would never end
        raise ValueError(f"{file.name} is not a file")
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{file.name} is larger than {LARGEST // 2**20} MB")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file.name} is not JSON: {error}") from None
    if not isinstance(found, kind):
        raise ValueError(f"{file.name} holds a {type(found).__name__}, not a {kind.__name__}")
    return found
