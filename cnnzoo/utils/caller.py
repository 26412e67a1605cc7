"""Warnings at the line of the caller outside the package, so that Python shows each once per line."""

import sys
import warnings
from pathlib import Path

PACKAGE = str(Path(__file__).parents[1])


def warn(text: str) -> None:
    """Warns at the nearest line outside the package."""
    level = 2  # 1 is this function
    while (frame := sys._getframe(level - 1)).f_code.co_filename.startswith(PACKAGE) and frame.f_back is not None:
        level += 1
    warnings.warn(text, stacklevel=level)
