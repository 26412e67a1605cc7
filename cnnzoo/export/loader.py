"""Loads exports, and verifies them against their goldens in a process without this package."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.export.saved_model import ABOUT, EXTRA, read_about, versions

# The tolerated difference between a runtime and the model; None: not checked, see `quantization_loss`.
TOLERANCES = {
    "litert/float32.tflite": 1e-4,
    "onnx/model.onnx": 1e-4,
    "litert/float16.tflite": None,
    "litert/int8.tflite": None,
}


@dataclass(frozen=True)
class Export:
    """A loaded export; call it with the name of a signature.

    Attributes:
        path: The folder of its version.
        about: `export.json`: name, model, and signatures with their inputs and outputs.
    """

    path: Path
    about: Mapping[str, Any]
    _loaded: Any = field(repr=False)

    @classmethod
    def open(cls, folder: str | Path) -> "Export":
        """Loads the highest version in the folder of a model, or the version in a folder.

        Raises:
            ValueError: There is no export, or its `export.json` is damaged.
        """
        import tensorflow as tf

        path = version_of(folder)
        return cls(path, read_about(path), tf.saved_model.load(str(path)))

    @property
    def signatures(self) -> list[str]:
        """The names of the signatures, sorted."""
        return sorted(self.about["signatures"])

    def __call__(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """The outputs of a signature by name, for its inputs by name.

        Raises:
            ValueError: An unknown signature, or other inputs than it has.
        """
        import tensorflow as tf

        if signature not in self.about["signatures"]:
            raise ValueError(f"`signature` must be one of {', '.join(self.signatures)}. Received: {signature!r}")
        wanted = self.about["signatures"][signature]["inputs"]
        if set(inputs) != set(wanted):
            raise ValueError(f"The inputs must be {', '.join(wanted)}. Received: {', '.join(sorted(inputs)) or 'none'}")
        given = {key: tf.constant(value, wanted[key]["dtype"]) for key, value in inputs.items()}
        return {key: value.numpy() for key, value in self._loaded.signatures[signature](**given).items()}


def version_of(folder: str | Path) -> Path:
    """The folder of the highest version of a model; a folder of a version is returned as it is.

    Raises:
        ValueError: There is no export.
    """
    folder = Path(folder)
    path = folder if (folder / "saved_model.pb").exists() else folder / str(max(versions(folder), default=0))
    if not (path / EXTRA / ABOUT).exists():
        raise ValueError(
            f"{folder} must be a folder that cnnzoo export wrote, of a model or a version. Received: no {EXTRA}/{ABOUT}"
        )
    return path


def last_words(ended: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed: the last line of its stderr, or its exit code if it was killed before it wrote one."""
    lines = ended.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {ended.returncode}"


def verify(*folders: str | Path) -> dict[str, dict[str, float]]:
    """Compares exports with their goldens, in a process that can import neither cnnzoo nor Keras.

    Returns:
        The largest absolute difference by version folder, and by signature or file. For image files and strings: 1 if
        a pixel differs by more than one gray value or a string differs, else 0.

    Raises:
        ValueError: There is no export, it cannot be loaded, or a difference is above 1e-5, or 1e-4 for ONNX and
            float32 LiteRT; float16 and int8 have no limit.
    """
    paths = [str(version_of(folder)) for folder in folders]
    script = Path(__file__).with_name("isolated_runner.py")
    done = subprocess.run([sys.executable, "-I", str(script), *paths], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{', '.join(paths)} cannot be loaded: {last_words(done)}")
    found = json.loads(done.stdout.splitlines()[-1])
    wrong = [
        f"{path}: {name} is off by {value:.2g}"
        for path, by_name in found.items()
        for name, value in by_name.items()
        if (limit := TOLERANCES.get(name, 1e-5)) is not None and not value <= limit
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return found
