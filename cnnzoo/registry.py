"""Architectures by name: the classes of `cnnzoo/models/`, imported on first use.

`arch` is an architecture, the name of its file in `cnnzoo/models/`. Listing architectures imports no network library.
"""

import difflib
import fnmatch
import importlib
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cnnzoo.utils.backend import check_keras
from cnnzoo.utils.configuration import check, fields_of

_classes: dict[str, type[Any]] = {}

FEW = 12  # names in an error message, at most


class UnknownName(ValueError):
    """An unknown name; the message has the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        super().__init__(kind, name, list(known))  # from which pickle makes it again

    def __str__(self) -> str:
        kind, name, known = self.args
        return f"Unknown {kind} {name!r}. {suggestion(name, known, 'cnnzoo list names all')}"


def suggestion(name: str, known: Iterable[str], where: str = "") -> str:
    """The last sentence of an error about a name: the nearest known names, else all.

    Args:
        name: The unknown name.
        known: The known names.
        where: Where to find all names, in case an error should not list them.
    """
    known = sorted(known)
    if near := difflib.get_close_matches(name, known, n=3, cutoff=0.5):
        return f"Did you mean {' or '.join(near)}?"
    if where and len(known) > FEW:
        nearest = difflib.get_close_matches(name.strip("*?"), known, n=3, cutoff=0.0)
        return f"The nearest are {', '.join(nearest)}; {where}"
    return f"Available: {', '.join(known) or 'none yet'}"


def register(name: str) -> Callable[[type], type]:
    """Class decorator that registers an architecture by name, in the zoo and in Keras.

    Raises:
        ValueError: Another module has registered that name.
    """

    def add(cls: type[Any]) -> type[Any]:
        import keras

        known = _classes.get(name)
        if known is not None and known.__module__ != cls.__module__:
            raise ValueError(
                f"`name` must be new. Received: {name!r}, which is {known.__module__}.{known.__name__} already"
            )
        cls.architecture = name
        _classes[name] = keras.saving.register_keras_serializable("cnnzoo", name)(cls)
        return cls

    return add


def own_architectures() -> list[str]:
    """The names of architectures with a module in `cnnzoo/models/`."""
    folder = Path(__file__).with_name("models")
    return [module.name for module in pkgutil.iter_modules([str(folder)]) if not module.name.startswith("_")]


def list_models(pattern: str = "*") -> list[str]:
    """The names of architectures that match a shell pattern, sorted: `list_models("*gan*")`."""
    return sorted(fnmatch.filter({*own_architectures(), *_classes}, pattern))


def split_name(name: str) -> tuple[str, str]:
    """`"arch.tag"` as `("arch", "tag")`, `"arch"` as `("arch", "")`."""
    arch, _, tag = name.partition(".")
    return arch, tag


def architecture(name: str) -> type[Any]:
    """The class of an architecture.

    Raises:
        UnknownName: There is no such architecture.
        ValueError: Keras has a backend or image data format that no model supports.
    """
    if name not in _classes and name in own_architectures():
        check_keras()
        importlib.import_module(f"cnnzoo.models.{name}")
    if name not in _classes:
        raise UnknownName("architecture", name, list_models())
    return _classes[name]


def from_config(arch: str, config: dict[str, Any]) -> Any:
    """A model with fresh weights; see `build`."""
    cls = architecture(arch)
    return cls(**check(arch, fields_of(cls), config))
