"""Random access to the pictures of a data set that are not in memory."""

from typing import Protocol

import numpy as np


class Rows(Protocol):
    """The pictures of one split, in a fixed order; each is read when it is asked for, from any thread.

    Attributes:
        name: Name of the data set, or the path of the folder.
        labels: int64 (n,), or None.
        classes: Class names, in the order of the labels.
    """

    name: str
    labels: np.ndarray | None
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of pictures."""

    def image(self, i: int) -> np.ndarray:
        """Picture i, uint8 (height, width, channels) with 1 or 3 channels, of its own size.

        Raises:
            ValueError: It cannot be read; the message names it.
        """

    def sides(self, i: int) -> tuple[int, int] | None:
        """The width and height of picture i, upright, from its header; None if it cannot be read."""

    def stamp(self) -> str:
        """A hash that changes with the data, in general, and that is found without reading them."""
