"""A SavedModel and the folder of its versions."""

import re
from pathlib import Path
from typing import Any

EXTRA, ABOUT, GOLDEN = "assets.extra", "export.json", "golden.npz"
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")  # of a model, in a path, in a URL and in models.config


def versions(folder: Path) -> list[int]:
    """The versions in the folder of a model, sorted."""
    names = (path.parent.name for path in folder.glob("*/saved_model.pb"))
    return sorted(int(name) for name in names if name.isdecimal())


def save(folder: Path, asked: dict) -> None:
    """Writes a SavedModel of signatures, with the weights that one of them uses and no others."""
    import tensorflow as tf

    functions = {verb: signature.function for verb, signature in asked.items()}
    module = tf.Module()
    module.weights = list({id(v): v for function in functions.values() for v in function.variables}.values())
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # else it tells where the files of an aside folder are
    try:
        tf.saved_model.save(module, str(folder), signatures=functions)
    finally:
        logger.setLevel(level)


def described(signature) -> dict[str, Any]:
    """A signature as JSON."""

    def tensors(named):
        return {k: {"dtype": t.dtype, "shape": list(t.shape), "description": t.about} for k, t in named.items()}

    return {
        "description": signature.about,
        "inputs": tensors(signature.inputs),
        "outputs": tensors(signature.outputs),
    }


def check_name(name: str | None) -> None:
    """Raises a ValueError for a name that a model cannot have in a path or a URL."""
    if name is not None and not NAME.fullmatch(name):
        raise ValueError(f"got name={name!r}; allowed: letters, digits, '_', '-' and '.', which is not the first")
