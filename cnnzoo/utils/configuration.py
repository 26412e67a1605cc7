"""The configuration of an architecture: its fields, and checks of the types of values.

The type of a field is the annotation of the constructor's keyword, or else the type of its default.
"""

import difflib
import inspect
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

# By the name of a type: the accepted types of a value, and their description.
_ACCEPTED: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "true or false"),
    "int": ((Integral,), "an integer"),
    "float": ((Real,), "a number"),
    "str": ((str,), "a word"),
    "Sequence": ((tuple, list), "a list"),
    "dict": ((Mapping,), "an object"),
    "None": ((type(None),), "null"),
}
# Lower bounds by name. A size is at least 1, or 0 if its default is 0, without that part.
_SIZES = ("classes", "code_dim", "hidden", "judge_width", "latent_dim", "prior_width", "width")
_AMOUNTS = ("adversarial_weight", "blocks", "content_weight", "depth", "l1", "l2", "prior_depth", "style_weight",
            "variation_weight")  # fmt: skip
_SAME = {"tuple": "Sequence", "list": "Sequence", "Mapping": "dict"}


class Field(NamedTuple):
    """A keyword of an architecture.

    Attributes:
        default: Its default value.
        annotation: The type in the source, such as "float | None"; "" for the type of the default.
    """

    default: Any
    annotation: str = ""


def fields_of(cls: type) -> dict[str, Field]:
    """The fields of the class of an architecture, with those of its parents."""
    found = {name: Field(default) for name, default in cls.config_fields().items()}  # type: ignore[attr-defined]
    for name, annotation in _annotations(cls):
        if name in found and not found[name].annotation:
            found[name] = Field(found[name].default, annotation)
    return found


def _annotations(cls: type) -> Iterator[tuple[str, str]]:
    for parent in cls.__mro__:
        if "__init__" in vars(parent):
            for name, parameter in inspect.signature(parent.__init__).parameters.items():  # type: ignore[misc]
                if parameter.annotation is not parameter.empty:
                    yield name, re.sub(r"\w+\.", "", inspect.formatannotation(parameter.annotation))


def check(arch: str, fields: Mapping[str, Field], config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, checked, with Python numbers in place of NumPy's.

    Raises:
        ValueError: An unknown field, or a value of another type or out of range.
    """
    for name in sorted(set(config) - set(fields)):
        near = difflib.get_close_matches(name, fields, n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Available: {_shown(fields)}"
        raise ValueError(f"Unknown configuration field {name!r} of {arch}. {hint}")
    for name, value in config.items():
        kinds = _kinds(fields[name])
        if kinds and not any(_suits(value, kind, fields[name].default) for kind in kinds):
            words = " or ".join(_in_words(kind, fields[name].default) for kind in kinds)
            default = fields[name].default
            such = f", such as {default!r}" if default not in (None, (), "") else ""
            raise ValueError(f"`{name}` must be {words}{such}. Received: {value!r}")
        _check_range(name, value, fields[name].default)
    return {name: value.item() if _is_numpy_scalar(value) else value for name, value in config.items()}


def _check_range(name: str, value: Any, default: Any) -> None:
    if name == "image_shape" and not (len(value) == 3 and all(side is None or side >= 1 for side in value)):
        raise ValueError(f"`image_shape` must be (height, width, channels), each >= 1. Received: {value!r}")
    least = int(default != 0) if name in _SIZES else 0
    is_bounded = name in (*_SIZES, *_AMOUNTS) and isinstance(value, Real)
    if is_bounded and not value >= least:  # negated, so that NaN is rejected
        number = "an integer" if isinstance(default, Integral) else "a number"
        raise ValueError(f"`{name}` must be {number} >= {least}. Received: {value!r}")


def _is_numpy_scalar(value: Any) -> bool:
    return type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0


def _shown(fields: Mapping[str, Field]) -> str:
    return ", ".join(f"{name}={field.default!r}" for name, field in fields.items())


def _kinds(field: Field) -> list[str]:
    """The names of the accepted types of a field; empty if unknown."""
    if field.annotation:
        kinds = [part.strip().partition("[")[0] for part in field.annotation.split("|")]
    else:
        kinds = [type(field.default).__name__]
    kinds = [_SAME.get(kind, kind) for kind in kinds]
    return kinds if set(kinds) <= set(_ACCEPTED) else []


def _suits(value: Any, kind: str, default: Any) -> bool:
    if type(value).__name__.startswith("bool"):  # Python's and NumPy's; Python's is an integer too
        return kind == "bool"
    if kind == "Sequence" and isinstance(value, (tuple, list)):
        wanted = _elements(default)
        return not wanted or all(any(_suits(each, inner, None) for inner in wanted) for each in value)
    return isinstance(value, _ACCEPTED[kind][0])


def _elements(default: Any) -> list[str]:
    """The types of the elements of a list, from its default."""
    if not isinstance(default, tuple):
        return []
    return sorted({"None" if each is None else type(each).__name__ for each in default} & set(_ACCEPTED))


def _in_words(kind: str, default: Any) -> str:
    word = _ACCEPTED[kind][1]
    inside = [_ACCEPTED[inner][1].removeprefix("a ").removeprefix("an ") for inner in _elements(default)]
    return (
        f"{word} of {' or '.join(each if each == 'null' else each + 's' for each in inside)}"
        if (kind == "Sequence" and inside)
        else word
    )
