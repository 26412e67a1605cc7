"""Trained models by name: shipped checkpoints, those of the Hugging Face Hub, and folders of checkpoints and runs."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from cnnzoo import hub, registry

VERBS_WITH_GRAPHS = ("upscale", "restore", "enhance", "stylize")


def resolve(name: str) -> tuple[Path, str]:
    """The folder of a trained model and the name of its training data.

    Raises:
        ValueError: There is no trained model of that name.
        CheckpointError: Its card cannot be read.
    """
    from cnnzoo.checkpoints.trained import data_of

    path, about = _described(name)
    return path, data_of(about)


def _described(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained model, and its card or the plan of its run."""
    from cnnzoo.checkpoints.remote import is_remote
    from cnnzoo.checkpoints.trained import described

    return described(_fetched(name) if is_remote(name) else name)


@cache
def _fetched(name: str) -> Path:
    """The folder of a checkpoint of the Hub, which is asked once in a command."""
    return hub.checkpoint_path(name)


def config(name: str) -> dict[str, Any]:
    """The configuration of a trained model."""
    return _described(name)[1]["config"]


def architecture(name: str) -> str:
    """The architecture of a trained model."""
    return _described(name)[1]["architecture"]


def accepts(name: str, verb: str, option: str) -> bool:
    """Whether a method of a trained model has a parameter, by its source code."""
    from cnnzoo.utils import source

    arch = _described(name)[1]["architecture"]
    return option in (source.parameters(source.lineage(arch), verb) or ())


def check(name: str, verb: str = "") -> None:
    """Checks by source code that a trained model exists and has a method, before a network library is imported.

    Raises:
        ValueError: It does not exist, or has no such method.
    """
    _check_method(name, _described(name)[1]["architecture"], verb)


def _check_method(name: str, arch: str, verb: str) -> None:
    from cnnzoo.utils import source

    if arch in registry.own_architectures():
        lineage = source.lineage(arch)
        if verb and source.parameters(lineage, verb) is None:
            task = source.value(lineage, "task")
            raise ValueError(f"The model must be one that can {verb}. Received: {name!r}, whose task is {task!r}")


def load_with_method(name: str, verb: str = "") -> Any:
    """Loads a trained model that has a method.

    A verb of photographs is run by ONNX Runtime where the checkpoint has graphs, since importing TensorFlow takes most
    of the time of a command. If `KERAS_BACKEND` is set, it is run by Keras.

    Raises:
        ValueError: As `check`.
        CheckpointError: Its files are missing, truncated or altered.
    """
    path, about = _described(name)
    _check_method(name, about["architecture"], verb)
    if verb in VERBS_WITH_GRAPHS and not os.environ.get("KERAS_BACKEND"):
        from cnnzoo.runtime import open_model

        if (model := open_model(path)) is not None:
            return model
    return _by_keras(path)


def load_by_keras(name: str) -> Any:
    """Loads a trained model as a Keras model.

    Raises:
        ValueError: There is no trained model of that name.
        CheckpointError: Its files are missing, truncated or altered.
    """
    return _by_keras(_described(name)[0])


def _by_keras(path: Path) -> Any:
    from cnnzoo.checkpoints import load

    return load(path)
