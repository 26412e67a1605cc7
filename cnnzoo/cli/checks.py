"""Checks of names, files, fields and data, before any work and before a network library is imported."""

import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cnnzoo import hub, registry


def exists(path: Path) -> None:
    """A file or folder.

    Raises:
        FileNotFoundError: There is none.
    """
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def pictures(*paths: Path) -> None:
    """Image files, by their headers alone.

    Raises:
        OSError: One is missing or unreadable.
        ValueError: One is not an image, or too large.
    """
    from cnnzoo.imaging.decoding import contents, open_header

    for path in paths:
        exists(path)
        open_header(*contents(path))


def folder(path: Path, argument: str) -> None:
    """A folder to write to, new or not.

    Raises:
        ValueError: A file is in the way; the message has the name of the `argument`.
    """
    above = next((each for each in (path, *path.parents) if each.exists()), None)
    if above is not None and not above.is_dir():
        inside = "" if above == path else f"{path} in "
        raise ValueError(f"{argument} must be a folder, new or not. Received: {inside}the file {above}")


def data(name: str | None) -> None:
    """The name of a data set, or a folder.

    Raises:
        ValueError: It is neither.
    """
    from cnnzoo.data.addresses import address_of, check_prefix, prefixes_in_words
    from cnnzoo.data.catalog import TESTING, TRAINING
    from cnnzoo.data.photograph_rows import is_photographs
    from cnnzoo.data.sources import NAMES

    if name is None or address_of(name):  # it is looked up when it is read
        return
    if name not in NAMES and not is_photographs(name) and not Path(name).is_dir():
        check_prefix(name)
        sets = (*NAMES, *TRAINING, *TESTING)
        hint = registry.suggestion(name, sets)
        if hint.endswith("?"):
            raise ValueError(f"Unknown data set {name!r}. {hint}")
        raise ValueError(
            f"--data must be one of {', '.join(sets)}, or {prefixes_in_words()}, or an existing folder. "
            f"Received: {name!r}"
        )


def architecture(name: str) -> None:
    """The name of an architecture.

    Raises:
        UnknownName: There is no such architecture.
    """
    if name not in registry.list_models():
        raise registry.UnknownName("architecture", name, registry.list_models())


def config(arch: str, given: Mapping[str, Any]) -> None:
    """The fields of one of the zoo's own architectures, and the types of their values.

    Raises:
        ValueError: An unknown field, or a value of another type.
    """
    from cnnzoo.utils import source
    from cnnzoo.utils.configuration import check

    if arch in registry.own_architectures():
        check(arch, source.fields(source.lineage(arch)), given)


def classifier(name: str | None) -> None:
    """The name of a shipped classifier, or None.

    Raises:
        ValueError: It has another task.
    """
    if name is not None and (task := hub.card(name)["task"]) != "classify":
        raise ValueError(f"--extractor must be a classifier. Received: {name!r}, whose task is {task!r}")


def fields(arch: str, names: Iterable[str]) -> None:
    """The names of fields of one of the zoo's own architectures.

    Raises:
        ValueError: An unknown field.
    """
    from cnnzoo.utils import source

    if arch in registry.own_architectures():
        known = source.fields(source.lineage(arch))
        for name in names:
            if name not in known:
                raise ValueError(f"Unknown field {name!r} of {arch}. {registry.suggestion(name, known)}")
