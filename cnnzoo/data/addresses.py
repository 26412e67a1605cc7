"""Names of data sets outside the catalog: `PREFIX:PLACE`, `PREFIX:PLACE#IMAGE` or `PREFIX:PLACE#IMAGE,LABEL`."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

OPTION = "name one by #IMAGE or #IMAGE,LABEL at the end of the name"
# What follows a prefix, for error messages.
PREFIXES = {"tfds:": "NAME", "hf:": "NAME", "wds:": "PATH", "tfrecord:": "PATH", "arrayrecord:": "PATH"}
ON_DISK = ("wds:", "tfrecord:", "arrayrecord:")  # prefixes of paths
_OF_TIMM = {"tfds/": "tfds:", "hfds/": "hf:", "wds/": "wds:"}
GIVEN = "given:"  # prefix of images that a program gave, which are not kept
PATTERN = re.compile(r"[*?\[{]")  # what makes a path a pattern


class Address(NamedTuple):
    """The parts of a name.

    Attributes:
        prefix: One of `PREFIXES`.
        place: NAME[/CONFIG], or a path.
        image: The feature with the images, or "" to find it by its type.
        label: The feature with the labels, or "".
    """

    prefix: str
    place: str
    image: str
    label: str

    def __str__(self) -> str:
        """The name without the features."""
        return self.prefix + self.place


def address_of(name: str) -> Address | None:
    """The parts of a name; None for a name without a known prefix."""
    prefix, colon, rest = name.partition(":")
    if prefix + colon not in PREFIXES:
        return None
    place, _, keys = rest.partition("#")
    image, _, label = keys.partition(",")
    return Address(prefix + colon, place, image, label)


def of_type(name: str, noun: str, columns: Mapping[str, Any], kind: type, asked: str) -> str | None:
    """The key of the column of a type: the one asked for, else the only one, else None.

    Args:
        name: Of the data set, for errors.
        noun: What a column is called there.
        columns: The columns of all types, by key.
        kind: The type.
        asked: A key, or "".

    Raises:
        ValueError: The one asked for is not of that type, or there are several and none is asked for.
    """
    fitting = [key for key, column in columns.items() if isinstance(column, kind)]
    have = ", ".join(fitting) or "none"
    if asked and asked not in fitting:
        raise ValueError(f"{name} must name a {noun} of type {kind.__name__} ({have}). Received: {asked}")
    if not asked and len(fitting) > 1:
        raise ValueError(f"{name} must have one {noun} of type {kind.__name__}; {OPTION}. Received: {have}")
    return asked or (fitting[0] if fitting else None)


def as_name(data: str | Path) -> str:
    """The name of a data set as it is; a `Path` as an absolute one, never mistaken for a data set of the same name."""
    return str(data.absolute()) if isinstance(data, Path) else data


def absolute(name: str) -> str:
    """A name whose path, if it has one, is absolute, so that it is valid in every directory."""
    address = address_of(name)
    if address is None:
        return name
    place = os.path.abspath(os.path.expanduser(address.place))
    named = address.prefix == "hf:" and not address.place.startswith((".", "~")) and not os.path.isdir(place)
    if named or address.prefix == "tfds:":
        return name
    return address.prefix + place + name.removeprefix(str(address))


def folder_name(name: str) -> str:
    """The last part of a name as the name of a folder: "train" for "wds:shards/train-{000..004}.tar"."""
    address = address_of(name)
    if address is None:
        return GIVEN.strip(":") if name.startswith(GIVEN) else os.path.basename(name)
    last = os.path.basename(address.place.rstrip("/"))
    if address.prefix not in ON_DISK:
        return last
    return PATTERN.split(last.partition(".")[0])[0].strip("-_") or address.prefix.strip(":")


def prefixes_in_words() -> str:
    """The names with a prefix, for error messages: "tfds:NAME, wds:PATH"."""
    return ", ".join(prefix + what for prefix, what in PREFIXES.items())


def check_prefix(name: str) -> None:
    """Checks that a name has no prefix of timm.

    Raises:
        ValueError: It has one; the message has the name here.
    """
    for other, prefix in _OF_TIMM.items():
        if name.startswith(other):
            raise ValueError(f"Unknown data set {name!r}. Did you mean {prefix}{name.removeprefix(other)}?")
