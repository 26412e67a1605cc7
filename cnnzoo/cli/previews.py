"""Results shown in the terminal: as pixels by the protocols of kitty and sixel, else as half blocks of color."""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cnnzoo.utils.optional import require

WIDEST = 80  # characters


def check() -> None:
    """Checks that results can be shown.

    Raises:
        ValueError: stdout is no terminal, or one of unknown size.
        ModuleNotFoundError: The extra "preview" is not installed.
    """
    if not sys.stdout.isatty():
        raise ValueError("--preview must be given in a terminal. Received: a file or a pipe as stdout")
    require("--preview", "preview", "textual_image")
    if 0 in (size := os.get_terminal_size(sys.stdout.fileno())):
        shape = f"{size.columns}x{size.lines}"
        raise ValueError(f"--preview must be given in a terminal that knows its size. Received: {shape} characters")


def show(paths: Iterable[Path]) -> None:
    """Prints pictures with their names; of an animation, the first frame."""
    from PIL import Image as Pillow
    from rich.console import Console
    from textual_image.renderable import Image  # at the import, the terminal is asked for its protocols

    from cnnzoo.imaging.files import read_image

    logging.getLogger("textual_image").setLevel(logging.ERROR)  # it warns, with a traceback, of an unknown font size
    console = Console(highlight=False)
    for path in paths:
        console.print(str(path), markup=False)
        console.print(Image(Pillow.fromarray(read_image(path, 3)), width=min(console.width, WIDEST), height="auto"))
