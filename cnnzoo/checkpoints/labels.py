"""The class names of trained models."""

from pathlib import Path
from typing import Any

from cnnzoo.data import catalog


def class_names(model: Any, data: str | Path | None) -> list[str]:
    """The class names of a model, in the order of its outputs.

    Args:
        model: Has `classes`, and `class_names` if it was loaded from a training run.
        data: Name or folder of its training data; None if unknown.

    Returns:
        The names of the run, else those of the data, else "0", "1", … They are as many as `model.classes`.
    """
    names = list(getattr(model, "class_names", ()))
    if len(names) == model.classes:
        return names
    return catalog.class_names(data, model.classes)
