"""Search spaces `{field: domain}`, in Python and on the command line.

A field is one of the configuration, `learning_rate` or `batch_size`. A domain is a list of values, or a tuple
`(low, high)` of numbers; two integers give integers. Numbers are drawn log-uniformly if low > 0, else uniformly.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

TRAINING = ("learning_rate", "batch_size")
# Not searched: another value changes the objective, so that trials do not compare.
FIXED = ("image_shape", "classes", "likelihood", "binarize", "scale", "sigma")
DIGITS = 3  # significant digits of a drawn number, for readable recipes

Space = Mapping[str, list | tuple]


def check_space(architecture: type[Any], space: Space) -> dict[str, list | tuple]:
    """The space with its domains as lists of values and pairs of numbers.

    Raises:
        ValueError: A field that the architecture does not have or that cannot be searched, or an impossible domain.
    """
    fields = [field for field in architecture.config_fields() if field not in FIXED]
    name, allowed = architecture.architecture, ", ".join([*TRAINING, *fields])
    if not space:
        raise ValueError(f"`space` must have at least one of {allowed} for {name}. Received: {space!r}")
    if unknown := sorted(set(space) - {*TRAINING, *fields}):
        raise ValueError(f"The fields in `space` must be of {allowed} for {name}. Received: {', '.join(unknown)}")
    return {field: _domain(field, domain) for field, domain in space.items()}


def _domain(field: str, domain: Any) -> list | tuple:
    if isinstance(domain, list) and domain:
        return domain
    pair = isinstance(domain, tuple) and len(domain) == 2 and not any(isinstance(end, bool) for end in domain)
    if pair and all(isinstance(end, int | float) for end in domain) and domain[0] < domain[1]:
        return domain
    raise ValueError(
        f"`{field}` must be a list of values, or a tuple (low, high) with low < high. Received: {domain!r}"
    )


def within(domain: list | tuple, value: Any) -> bool:
    """Whether a domain contains a value."""
    if isinstance(domain, list):
        return value in domain
    return isinstance(value, int | float) and domain[0] <= value <= domain[1]


def parse(text: str) -> tuple[str, list | tuple]:
    """Parses KEY=[…] or KEY=LOW..HIGH of the command line.

    Raises:
        ValueError: It is neither, or an impossible domain.
    """
    key, _, domain = text.partition("=")
    low, dots, high = domain.partition("..")
    found: Any = None
    with suppress(ValueError):
        found = (json.loads(low), json.loads(high)) if dots else json.loads(domain)
    if not isinstance(found, list | tuple) or not key.isidentifier():
        raise ValueError(f"`text` must be KEY=[16, 32, 64] or KEY=LOW..HIGH. Received: {text!r}")
    return key, _domain(key, found)


def to_json(space: Space) -> dict[str, Any]:
    """A space as JSON values: a range is the text "low..high"."""
    return {key: domain if isinstance(domain, list) else f"{domain[0]}..{domain[1]}" for key, domain in space.items()}


def to_hyperparameters(space: Space) -> "HyperParameters":
    """The space as keras-tuner's `HyperParameters`.

    Values of a list are encoded as JSON: keras-tuner takes neither None nor lists, and its messages between processes
    round numbers.
    """
    from keras_tuner import HyperParameters

    found = HyperParameters()
    for field, domain in space.items():
        if isinstance(domain, list):
            found.Choice(field, [json.dumps(value) for value in domain])
            continue
        low, high = domain
        draw = found.Int if isinstance(low, int) and isinstance(high, int) else found.Float
        draw(field, low, high, sampling="log" if low > 0 else "linear")
    return found


def encode(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of fields in the encoding of `to_hyperparameters`."""
    return {key: json.dumps(value) if isinstance(space[key], list) else value for key, value in values.items()}


def decode(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of fields from a draw of keras-tuner."""
    found = {}
    for field, domain in space.items():
        value = values[field]
        if isinstance(domain, list):
            value = json.loads(value)
        elif isinstance(value, float):
            value = float(f"{value:.{DIGITS}g}")
        found[field] = value
    return found
