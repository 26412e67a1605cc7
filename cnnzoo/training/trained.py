"""Trained models by name: checkpoints, those of the Hugging Face Hub, and the folders of checkpoints and runs."""

from pathlib import Path
from typing import Any

from cnnzoo import hub
from cnnzoo.checkpoints import CARD, open_checkpoint
from cnnzoo.registry import UnknownName, list_models
from cnnzoo.training.run_dir import Run


def described(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained model, and its card or the plan of its run.

    Args:
        name: "arch.tag", "hf://USER/NAME[@REVISION]", or a folder.

    Raises:
        UnknownName: There is no trained model of that name.
        ValueError: It is the name of an architecture, or a folder without a run.
        CheckpointError, ModuleNotFoundError: As `hub.checkpoint_path`; or its card cannot be read.
    """
    path = hub.checkpoint_path(name) if hub.is_checkpoint(name) else Path(name)
    if (path / CARD).exists():
        return path, open_checkpoint(path).card
    if path.is_dir():
        run = Run.open(path)
        return run.path, run.plan
    if name in list_models():
        trained = ", ".join([*hub.list_checkpoints(name), "the folder of a run"])
        raise ValueError(f"The model must be one of {trained}. Received: the architecture {name!r}")
    raise UnknownName("checkpoint", name, hub.list_checkpoints())
