"""Attributes that are computed on first use."""

from collections.abc import Callable
from typing import Any


class lazy:  # noqa: N801  (a decorator)
    """As `functools.cached_property`, but without the lock that it has before Python 3.12.

    Replicas build their steps in threads that wait for each other, which a lock of all instances would stop.
    """

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        value = instance.__dict__[self.compute.__name__] = self.compute(instance)
        return value
