"""Pictures on the disk, decoded and fitted to one shape when they are asked for, in parallel."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any

import numpy as np

from cnnzoo.data.image_set import one_shape
from cnnzoo.data.rows import Rows
from cnnzoo.imaging.arrays import fit_to, to_channels

Shape = tuple[int | None, int | None, int | None]
PART = 8  # pictures that a thread decodes at a time
MOVE_AWAY = "; cnnzoo data check names all such files: move them away"
REMEDY = "; move such files away, or load with corrupt='skip'"


class Pictures:
    """Pictures that are indexed like an array uint8 (n, height, width, channels), and are not kept in memory.

    A part of them, or all by `np.asarray`, has the pixels that `fit_to` makes of each picture.

    Args:
        rows: The pictures of a split, each of its own size.
        index: Their numbers in `rows`, int64 (n,).
        shape: (height, width, channels) to fit them to. Without sides they must have one size; without channels they
            keep their own.

    Raises:
        ValueError: The first one cannot be read, if its size is needed.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, rows: Rows, index: np.ndarray, shape: Shape = (None, None, None)):
        self.rows, self.index = rows, index
        self._asked, self._is_fitted = shape, None not in shape
        self.shape: tuple[int, ...] = (len(index), *self._one_shape())
        # The last error, for callers that see only TensorFlow's text of it.
        self.error: ValueError | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures, decoded."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, at: Any) -> np.ndarray:
        """The picture at an index, or those of a slice or an array of indices.

        Raises:
            ValueError: One cannot be read, or they have several sizes and are not fitted.
        """
        if isinstance(at, (int, np.integer)):
            return self._decoded(self.index[at : at + 1 or None])[0]
        return self._decoded(self.index[at])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._decoded(self.index).astype(dtype or np.uint8, copy=False)

    def take(self, chosen: np.ndarray) -> "Pictures":
        """Those at some indices, not decoded."""
        taken = copy(self)
        taken.index, taken.shape = self.index[chosen], (len(chosen), *self.shape[1:])
        return taken

    def _one_shape(self) -> tuple[int, int, int]:
        """The shape that is asked for, or else that of the first picture."""
        height, width, channels = self._asked
        if height is not None and width is not None and channels is not None:
            return height, width, channels
        try:
            first = self.rows.image(int(self.index[0]) if len(self.index) else 0).shape
        except ValueError as error:
            raise ValueError(f"{error}{REMEDY}") from None
        return first[0], first[1], channels or first[2]

    def _decoded(self, rows: np.ndarray) -> np.ndarray:
        made = np.empty((len(rows), *self.shape[1:]), np.uint8)
        shapes = {self.shape[1:]}

        def decode(i: int) -> None:
            image = self._picture(int(rows[i]))
            if image.shape == self.shape[1:]:
                made[i] = image
            else:
                shapes.add(image.shape)

        try:
            check_none(attempted(decode, len(rows)), REMEDY)
            one_shape(shapes, f"in {self.rows.name}")
        except ValueError as error:
            self.error = error
            raise
        return made

    def _picture(self, row: int) -> np.ndarray:
        _, height, width, channels = self.shape
        if self._is_fitted and hasattr(self.rows, "fitted"):  # the rows have a faster way to the same pixels
            return self.rows.fitted(row, (height, width, channels))
        image = self.rows.image(row)
        if self._is_fitted:
            return fit_to(image[None], (height, width, channels))[0]
        return image if self._asked[2] is None else to_channels(image[None], channels)[0]


def attempted(function: Callable[[int], Any], n: int) -> dict[int, str]:
    """Calls a function with 0 to n - 1, on several threads; returns its ValueErrors, by number."""
    errors: dict[int, str] = {}

    def part(start: int) -> None:
        for i in range(start, min(start + PART, n)):
            try:
                function(i)
            except ValueError as error:
                errors[i] = str(error)

    with ThreadPoolExecutor(min(cpus(), max(1, -(-n // PART)))) as threads:
        for _ in threads.map(part, range(0, n, PART)):
            pass
    return errors


def check_none(errors: dict[int, str], remedy: str) -> None:
    """Checks that there are no errors.

    Args:
        errors: From `attempted`.
        remedy: The end of the message.

    Raises:
        ValueError: There are; with the first one and the number of the others.
    """
    if errors:
        first, *others = (errors[i] for i in sorted(errors))
        more = f" (and {len(others)} more)" if others else ""
        raise ValueError(f"{first}{more}{remedy}")


def cpus() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
