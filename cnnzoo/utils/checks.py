"""Checks of arguments."""

from numbers import Integral
from typing import Any


def check_integer(name: str, value: Any, least: int) -> int:
    """Checks an integer argument; a bool is none.

    Args:
        name: Of the argument, for the message.
        value: Received.
        least: Smallest allowed.

    Returns:
        The value, in Python's type.

    Raises:
        ValueError: For another type, or an integer below `least`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"`{name}` must be an integer >= {least}. Received: {value!r}")
    return int(value)
