"""The checkpoints in the package, by name."""

import fnmatch
from pathlib import Path
from typing import Any

from cnnzoo.checkpoints.card import open_checkpoint
from cnnzoo.registry import UnknownName


def saved_models_dir() -> Path:
    """The folder of the shipped checkpoints: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "saved_models"
    return inside if inside.is_dir() else package.parent / "saved_models"


def list_checkpoints(pattern: str = "*") -> list[str]:
    """The names of shipped checkpoints that match a shell pattern or are of an architecture, sorted."""
    names = [card.parent.name for card in saved_models_dir().glob("*/card.json")]
    return sorted(name for name in names if fnmatch.fnmatch(name, pattern) or name.split(".")[0] == pattern)


def checkpoint_path(name: str) -> Path:
    """The folder of the shipped checkpoint `arch.tag`.

    Raises:
        UnknownName: There is no such checkpoint.
    """
    known = list_checkpoints()
    if name not in known:
        raise UnknownName("checkpoint", name, known)
    return saved_models_dir() / name


def card(name: str) -> dict[str, Any]:
    """The card of the checkpoint `arch.tag`: data, recipe, scores with their protocol, sizes and licenses.

    Raises:
        UnknownName: There is no such checkpoint.
        CheckpointError: Its card cannot be read.
    """
    return open_checkpoint(checkpoint_path(name)).card


def cards(pattern: str = "*") -> list[dict[str, Any]]:
    """The cards of shipped checkpoints, in the order of `list_checkpoints`.

    Raises:
        CheckpointError: A card cannot be read.
    """
    return [card(name) for name in list_checkpoints(pattern)]
