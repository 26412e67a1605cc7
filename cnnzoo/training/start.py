"""Fine-tuning: a run that begins with the weights of a trained model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from cnnzoo import checkpoints
from cnnzoo.checkpoints.remote import is_remote, pinned
from cnnzoo.checkpoints.trained import described, folder_of, is_checkpoint
from cnnzoo.recipes import Recipe

GENTLER = 0.1  # share of the learning rates of the first training


def address(start: str | Path) -> str:
    """The name of a checkpoint, with its commit if it is of the Hub; a folder as an absolute path.

    A run thus resumes from any directory, and with the same weights.

    Raises:
        UnknownName: There is neither.
        CheckpointError: As `cnnzoo.checkpoints.trained.checkpoint_path`.
    """
    if is_remote(start):
        return pinned(str(start))
    if isinstance(start, str) and is_checkpoint(start):
        return start
    return str(folder_of(start).resolve())


def model_of(start: str) -> Any:
    """The trained model at an address.

    Raises:
        CheckpointError: Its files are missing, truncated or altered, or its run is not finished.
    """
    return checkpoints.load(described(start)[0])


def recipe_of(start: str) -> Recipe:
    """The settings of the training of a model, for 10 epochs at a tenth of its learning rates, which decay to zero."""
    folder, about = described(start)
    training = about["recipe"] if (folder / checkpoints.CARD).exists() else about

    def optimizers(updates: Mapping[str, int]) -> dict[str, Any]:
        return {phase: _gentler(training["optimizers"][phase], count) for phase, count in updates.items()}

    return Recipe(
        checkpoint=about["architecture"],
        data="",
        epochs=10,
        expects="",
        batch_size=training["batch_size"],
        crop=training.get("crop") or Recipe.crop,
        start=start,
        precision="float32" if training.get("precision") == "float32" else Recipe.precision,
        config=about["config"],
        optimizers=optimizers,
    )


def _gentler(config: dict[str, Any], updates: int) -> Any:
    """The optimizer of a configuration, at a share of its rate and with cosine decay over a number of updates.

    Clipping and accumulation were options of the first run. The second one sets its own.
    """
    settings = dict(config["config"])
    for option in ("global_clipnorm", "gradient_accumulation_steps"):
        settings.pop(option, None)
    rate = settings.pop("learning_rate")
    if isinstance(rate, dict):
        schedule = rate["config"]
        rate = max(schedule["initial_learning_rate"], schedule.get("warmup_target") or 0.0)
    # Numbers and words alone, since a card of the Hub could name any object that Keras can make.
    plain = all(isinstance(value, bool | int | float | str | None) for value in settings.values())
    if config["module"] != "keras.optimizers" or not plain:
        raise ValueError(f"The optimizers of the model to begin with must be of Keras. Received: {config}")
    decay = keras.optimizers.schedules.CosineDecay(GENTLER * rate, updates)
    return keras.optimizers.get(config["class_name"]).from_config({**settings, "learning_rate": decay})
