"""Names: what the zoo can build, and what it has trained.

`arch` is an architecture, the name of its file in `cnnzoo/models/`; `arch.tag` is a checkpoint, the name of its folder
in `saved_models/`. Listing either imports no network library.
"""

import difflib
import fnmatch
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

BACKENDS = ("tensorflow", "jax")

_classes: dict[str, type[Any]] = {}


FEW = 12  # names that an error still gives in full


class UnknownName(ValueError):
    """A name that the zoo does not have; the message gives the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        super().__init__(f"no {kind} is named {name!r}; {suggestion(name, known, 'cnnzoo list names all')}")


def suggestion(name: str, known: Iterable[str], where: str = "") -> str:
    """The end of an error about a name: the nearest known ones, else all.

    Args:
        name: What was given.
        known: What is allowed.
        where: Says what names all; given where there may be more than an error should list.
    """
    known = sorted(known)
    if near := difflib.get_close_matches(name, known, n=3, cutoff=0.5):
        return f"did you mean {' or '.join(near)}?"
    if where and len(known) > FEW:
        nearest = difflib.get_close_matches(name.strip("*?"), known, n=3, cutoff=0.0)
        return f"the nearest are {', '.join(nearest)}; {where}"
    return f"allowed: {', '.join(known) or 'none yet'}"


def register(name: str) -> Callable[[type], type]:
    """Class decorator: the class is the architecture `name`, and Keras can save and load it by that name."""

    def add(cls: type[Any]) -> type[Any]:
        import keras

        known = _classes.get(name)
        if known is not None and known.__module__ != cls.__module__:
            raise ValueError(f"the architecture {name!r} is {known.__module__}.{known.__name__} already")
        cls.architecture = name
        _classes[name] = keras.saving.register_keras_serializable("cnnzoo", name)(cls)
        return cls

    return add


def check_keras() -> None:
    """Raises a ValueError where Keras is set to something that no model of the zoo works with."""
    allowed = f"allowed: {', '.join(BACKENDS)}"
    wanted = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if "keras" not in sys.modules and wanted not in BACKENDS:  # which may not even be installed
        raise ValueError(f"got KERAS_BACKEND={wanted}; {allowed}")
    import keras

    if (backend := keras.config.backend()) not in BACKENDS:
        raise ValueError(f"got Keras's backend {backend!r}; {allowed}")
    if (layout := keras.config.image_data_format()) != "channels_last":
        raise ValueError(f"got Keras's image_data_format {layout!r}; allowed: 'channels_last'")


def own_architectures() -> list[str]:
    """The architectures that have a module in `cnnzoo/models/`."""
    from cnnzoo import models

    return [module.name for module in pkgutil.iter_modules(models.__path__) if not module.name.startswith("_")]


def list_models(pattern: str = "*") -> list[str]:
    """The architectures whose names match a shell pattern, sorted: `list_models("*gan*")`."""
    return sorted(fnmatch.filter({*own_architectures(), *_classes}, pattern))


def list_checkpoints(pattern: str = "*") -> list[str]:
    """The shipped checkpoints that match, sorted: a pattern of names, or an architecture for all of its own."""
    from cnnzoo.checkpoints import saved_models_dir

    names = [card.parent.name for card in saved_models_dir().glob("*/card.json")]
    return sorted(name for name in names if fnmatch.fnmatch(name, pattern) or name.split(".")[0] == pattern)


def split_name(name: str) -> tuple[str, str]:
    """`"arch.tag"` as `("arch", "tag")`, `"arch"` as `("arch", "")`."""
    arch, _, tag = name.partition(".")
    return arch, tag


def architecture(name: str) -> type[Any]:
    """The class of an architecture.

    Raises:
        UnknownName: There is none of that name.
        ValueError: Keras is set to a backend or an order of axes that no model works with.
    """
    if name not in _classes and name in own_architectures():
        check_keras()
        importlib.import_module(f"cnnzoo.models.{name}")
    if name not in _classes:
        raise UnknownName("architecture", name, list_models())
    return _classes[name]


def checkpoint_path(name: str) -> Path:
    """The folder of the shipped checkpoint `arch.tag`.

    Raises:
        UnknownName: There is none of that name.
    """
    from cnnzoo.checkpoints import saved_models_dir

    known = list_checkpoints()
    if name not in known:
        raise UnknownName("checkpoint", name, known)
    return saved_models_dir() / name


def card(name: str) -> dict[str, Any]:
    """The card of the checkpoint `arch.tag`: its data, recipe, scores with their protocol, sizes and licences.

    Raises:
        UnknownName: There is none of that name.
        CheckpointError: Its card cannot be read.
    """
    from cnnzoo.checkpoints import open_checkpoint

    return open_checkpoint(checkpoint_path(name)).card


def build(name: str, *, weights: str | Path | None = None, **config: Any) -> Any:
    """A model, built and ready for use.

    Args:
        name: `arch.tag` for a trained model, `arch` for one with fresh weights.
        weights: With `arch`: a checkpoint or run folder of your own, whose weights and configuration are taken.
        **config: With `arch`: fields of its configuration.

    Returns:
        A `cnnzoo.phases.PhasedModel`.

    Raises:
        UnknownName: No such architecture or checkpoint.
        CheckpointError: The files of the checkpoint are missing, cut short or altered.
        ValueError: A field that the architecture does not have, a value of another type than it takes, or a field
            beside trained weights.
    """
    arch, tag = split_name(name)
    if not tag and weights is None:
        return from_config(arch, config)
    if config:
        raise ValueError(
            f"got {', '.join(config)} beside trained weights, which come with their configuration; "
            f"allowed: build({arch!r}, {', '.join(f'{k}=…' for k in config)}) for fresh weights"
        )
    from cnnzoo import checkpoints

    if weights is not None and not tag:
        cls = architecture(arch)
        model = checkpoints.load(weights)
        if type(model) is not cls:
            raise ValueError(f"got weights of {type(model).architecture!r} in {weights}; allowed: those of {arch!r}")
        return model
    if weights is not None:
        raise ValueError(f"got weights beside {name!r}, which has its own; allowed: build({arch!r}, weights=…)")
    return checkpoints.load(checkpoint_path(name))


def from_config(arch: str, config: dict[str, Any]) -> Any:
    """A model with fresh weights; see `build`."""
    from cnnzoo.configuration import check, fields_of

    cls = architecture(arch)
    return cls(**check(arch, fields_of(cls), config))
