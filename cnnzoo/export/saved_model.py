"""SavedModels and the folders of their versions."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo.utils.json_content import content

if TYPE_CHECKING:
    from cnnzoo.export.signatures import Signature, Tensor

EXTRA, ABOUT, GOLDEN = "assets.extra", "export.json", "golden.npz"
READ = {"model": str, "config": dict, "signatures": dict}  # what is read from it
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")  # of a model, valid in a path, in a URL and in models.config


def versions(folder: Path) -> list[int]:
    """The versions in the folder of a model, sorted."""
    names = (path.parent.name for path in folder.glob("*/saved_model.pb"))
    return sorted(int(name) for name in names if name.isdecimal())


def save(folder: Path, signatures: Mapping[str, "Signature"]) -> None:
    """Writes a SavedModel of signatures by name, with the weights that they use and no others."""
    import tensorflow as tf

    functions: dict[str, Any] = {name: signature.function for name, signature in signatures.items()}
    module = tf.Module()
    module.weights = list({id(v): v for function in functions.values() for v in function.variables}.values())
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # otherwise it logs the path of the temporary folder
    try:
        tf.saved_model.save(module, str(folder), signatures=functions)
    finally:
        logger.setLevel(level)


def described(signature: "Signature") -> dict[str, Any]:
    """A signature as JSON values."""

    def tensors(named: Mapping[str, "Tensor"]) -> dict[str, Any]:
        return {k: {"dtype": t.dtype, "shape": list(t.shape), "description": t.about} for k, t in named.items()}

    return {
        "description": signature.about,
        "inputs": tensors(signature.inputs),
        "outputs": tensors(signature.outputs),
    }


def read_about(version: Path) -> dict[str, Any]:
    """The `export.json` of a version.

    Raises:
        ValueError: It cannot be read, or has no model, configuration or signatures.
    """
    file = version / EXTRA / ABOUT
    try:
        about = content(file, dict)
        if missing := [key for key, kind in READ.items() if not isinstance(about.get(key), kind)]:
            raise ValueError(f"no {', '.join(missing)}")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} must be a file that cnnzoo export wrote. Received: {error}") from None
    return about


def check_name(name: str | None) -> None:
    """Checks a name for use in a path and a URL.

    Raises:
        ValueError: It has other characters.
    """
    if name is not None and not NAME.fullmatch(name):
        raise ValueError(
            f"`name` must be of letters, digits, '_', '-' and '.', which is not the first. Received: {name!r}"
        )
