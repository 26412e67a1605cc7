"""The options of an evaluation."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int], None]  # of (done, total)


@dataclass(frozen=True)
class Options:
    """The arguments of `cnnzoo.evaluate` with the same names, checked; a task reads the ones that it has."""

    limit: int | None = None
    samples: int = 5000
    images: int | None = None
    extractor: str | None = None
    inception: bool = False
    progress: Progress | None = None
