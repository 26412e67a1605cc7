"""The graphs of a checkpoint in ONNX Runtime."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.checkpoints.card import CheckpointError


def available() -> bool:
    """Whether ONNX Runtime is installed."""
    return find_spec("onnxruntime") is not None


class Graph:
    """An ONNX file with one output, on the processor; call it with its inputs by name.

    Attributes:
        settings: The integers in its metadata, by name; see `cnnzoo.export.graphs`.
    """

    def __init__(self, file: Path) -> None:
        """Opens a file.

        Raises:
            CheckpointError: This version of ONNX Runtime cannot run it.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its classes have no parent but Exception
            version = onnxruntime.__version__
            raise CheckpointError(f"{file} cannot be run by onnxruntime {version}: {error}") from error
        found = self._session.get_modelmeta().custom_metadata_map
        self.settings = {key: int(value) for key, value in found.items()}

    def __call__(self, **inputs: np.ndarray) -> np.ndarray:
        """The output, for float32 inputs."""
        made: list[Any] = self._session.run(None, inputs)
        return made[0]
