"""Trained models by name: checkpoints, those of the Hugging Face Hub, and the folders of checkpoints and runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnzoo.checkpoints import remote, shipped
from cnnzoo.checkpoints.card import CARD, open_checkpoint, read_plan
from cnnzoo.checkpoints.shipped import list_checkpoints
from cnnzoo.registry import UnknownName


def is_checkpoint(name: str) -> bool:
    """Whether a name is that of a shipped checkpoint, or of one of the Hub, which is not asked."""
    return remote.is_remote(name) or name in list_checkpoints()


def checkpoint_path(name: str) -> Path:
    """The folder of the checkpoint `arch.tag` or `hf://USER/NAME[@REVISION]`.

    Raises:
        UnknownName: There is no such shipped checkpoint.
        CheckpointError, ModuleNotFoundError, ValueError: As `cnnzoo.checkpoints.remote.fetched`.
    """
    return remote.fetched(name) if remote.is_remote(name) else shipped.checkpoint_path(name)


def folder_of(model: str | Path) -> Path:
    """The folder of a trained model.

    Args:
        model: "arch.tag", "hf://USER/NAME[@REVISION]", or a folder. Of a checkpoint and a folder of one name, the
            string is the checkpoint, and the `Path` is the folder.

    Raises:
        UnknownName: There is no trained model of that name.
        CheckpointError, ModuleNotFoundError, ValueError: As `checkpoint_path`.
    """
    if isinstance(model, str) and is_checkpoint(model):
        return checkpoint_path(model)
    if not Path(model).is_dir():
        name = str(model)
        raise UnknownName("checkpoint", name, list_checkpoints(name) or list_checkpoints())
    return Path(model)


def described(model: str | Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained model, and its card or the plan of its run.

    Args:
        model: As in `folder_of`.

    Raises:
        UnknownName, ModuleNotFoundError, ValueError: As `folder_of`.
        CheckpointError: As `folder_of`; or its card or plan cannot be read.
    """
    path = folder_of(model)
    return path, open_checkpoint(path).card if (path / CARD).exists() else read_plan(path)


def data_of(about: Mapping[str, Any]) -> str:
    """The name of the training data of a model, from its card or the plan of its run."""
    data = about["data"]
    return data if isinstance(data, str) else data["name"]
