"""The golden of a checkpoint: a stored input, and the output of the weights for it."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.checkpoints.card import GOLDEN, Checkpoint, CheckpointError
from cnnzoo.data import load

TOLERANCE = 1e-4  # of an output in [0, 1]: other processors and runtimes round otherwise


def write_golden(model: Any, file: Path) -> None:
    """Writes the golden of a model as .npz."""
    x = _golden_input(model)
    np.savez_compressed(file, input=x, output=np.asarray(model(x), np.float32))


def _golden_input(model: Any) -> np.ndarray:
    """Latent vectors, or uint8 images; for inpainting with a hole in each, as the last channel."""
    if model.task == "generate":
        return np.random.default_rng(0).standard_normal((4, model.latent_dim), dtype=np.float32)
    images = sample_images(model)
    if model.task != "inpaint":
        return images
    hole = np.zeros_like(images[..., :1])
    hole[:, 10:22, 8:20] = 255
    return np.concatenate([images, hole], axis=-1)


def sample_images(model: Any) -> np.ndarray:
    """Four uint8 images (4, height, width, channels) in the image shape of a model, without a download.

    They are digits for gray models of a fixed size, else photographs; free sides are 48 pixels.
    """
    height, width, channels = model.image_shape
    source = "digits" if channels == 1 and height else "photos"
    return load(source, "test", shape=(height or 48, width or 48, channels)).images[:4]


def check_golden(checkpoint: Checkpoint, model: Any) -> float:
    """The largest absolute difference between the stored output and the output of `model` for the stored input.

    Raises:
        CheckpointError: The golden cannot be read.
    """
    file = checkpoint.path / GOLDEN
    try:
        with np.load(file, allow_pickle=False) as golden:
            x, expected = golden["input"], golden["output"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    return float(np.abs(np.asarray(model(x), np.float32) - expected).max())
