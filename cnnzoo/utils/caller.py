"""Warnings at the line outside of the package that made the call, so that Python shows each of them once a line."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])


def warn(text: str) -> None:
    """Warns as if at the nearest line that is not the package's."""
    level = 2  # 1 is this function
    while (frame := sys._getframe(level - 1)).f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
        level += 1
    warnings.warn(text, stacklevel=level)
