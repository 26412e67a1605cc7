"""Options of a run for the optimizers of all its phases: clipping and accumulation of gradients."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from cnnzoo.utils.checks import check_integer

SETTINGS = ("clip_norm", "accumulate")


def checked_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """`clip_norm` and `accumulate`, where they are given, in Python's types.

    Raises:
        ValueError: One is out of range.
    """
    settings = {key: given[key] for key in SETTINGS if key in given}
    norm = settings.get("clip_norm", 1.0)
    if isinstance(norm, bool) or not isinstance(norm, int | float) or not 0 < norm < math.inf:
        raise ValueError(f"`clip_norm` must be a finite number > 0. Received: {norm!r}")
    if "accumulate" in settings:
        settings["accumulate"] = check_integer("accumulate", settings["accumulate"], 1)
    return settings


def check_steps(accumulate: int, steps: int) -> None:
    """Checks that a run of so many steps has an update.

    Raises:
        ValueError: It has none.
    """
    if accumulate > steps:
        raise ValueError(f"`accumulate` must be at most {steps}, the steps of the run. Received: {accumulate}")


def configured(
    optimizer: keras.optimizers.Optimizer, clip_norm: float | None = None, accumulate: int | None = None
) -> keras.optimizers.Optimizer:
    """An optimizer with these settings added.

    Args:
        optimizer: The optimizer.
        clip_norm: Largest norm of the gradient of all variables of the phase together; a longer one is scaled down
            (Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, arXiv:1211.5063).
        accumulate: Number of gradients averaged for each update; None to keep that of the optimizer.

    Raises:
        ValueError: `clip_norm` with an optimizer that clips by itself already.
    """
    config = optimizer.get_config()
    if clip_norm is not None:
        if own := [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if config.get(key) is not None]:
            raise ValueError(
                f"`clip_norm` must not be given with an optimizer that clips by {own[0]}={config[own[0]]}. "
                f"Received: {clip_norm}"
            )
        config["global_clipnorm"] = float(clip_norm)
    if accumulate is not None:
        config["gradient_accumulation_steps"] = accumulate if accumulate > 1 else None
    return type(optimizer).from_config(config)
