"""Frozen parts of a model: layers that fine-tuning leaves as they are, by name."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cnnzoo.registry import suggestion

if TYPE_CHECKING:
    import keras


def names_of(frozen: str | Iterable[str]) -> list[str]:
    """The names in an argument: a sequence of them, or a text with commas between them.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(frozen, str):
        return [name.strip() for name in frozen.split(",")]
    names = list(frozen) if isinstance(frozen, Iterable) else [None]
    if all(isinstance(name, str) for name in names):
        return names
    raise ValueError(f"`frozen` (--freeze) must be names of layers. Received: {frozen!r}")


def freeze(model: Any, names: Iterable[str]) -> None:
    """Makes layers constant in training: their weights, statistics and moving averages. Call it before `compile`.

    Args:
        model: A `PhasedModel`.
        names: Keys of `parts`, each with all layers inside, or shell patterns of them.

    Raises:
        ValueError: A name is of no layer, or nothing is left for a phase to train.
    """
    known = parts(model)
    for name in names:
        found = [part for part in known if part.startswith(f"{name}/") or fnmatchcase(part, name)]
        if not found:
            near = suggestion(name, known)
            near = f" {near}" if near.endswith("?") else ""
            raise ValueError(
                f"`frozen` (--freeze) must name layers of {model.architecture!r}.{near} Received: {name!r}; "
                f"there are {', '.join(known)}"
            )
        for part in found:
            known[part].trainable = False
    for phase in model.phases():
        if not phase.variables:
            raise ValueError(
                f"`frozen` (--freeze) must leave the phase {phase.name!r} something to train. "
                f"Received: {', '.join(names)}"
            )


def parts(model: Any) -> "dict[str, keras.Layer]":
    """The layers with weights that a model trains, by name: "encoder", "encoder/conv2d_2".

    A name begins with the attribute of the model. Layers that Keras has named, by counters of the process, are counted
    within their network, so that names are equal in every process.
    """
    trained = {id(v) for phase in model.phases() for layer in phase.layers for v in layer.weights}
    return {
        name: layer
        for attribute, value in vars(model).items()
        if not attribute.startswith("_")
        for name, layer in _layers(attribute, value)
        if any(id(v) in trained for v in layer.weights)
    }


def _layers(name: str, value: Any) -> "Iterator[tuple[str, keras.Layer]]":
    """A layer, or the layers of a list, and those inside, with their names."""
    import keras

    if isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from _layers(f"{name}/{i}", each)
    elif isinstance(value, keras.Layer):
        yield name, value
        counts: Counter[str] = Counter()
        for layer in value._flatten_layers(include_self=False, recursive=False):
            own = layer.name
            kind = re.sub(r"_\d+$", "", own)
            if kind.replace("_", "") == type(layer).__name__.lower():  # by Keras
                own = f"{kind}_{counts[kind]}" if counts[kind] else kind
                counts[kind] += 1
            yield from _layers(f"{name}/{own}", layer)
