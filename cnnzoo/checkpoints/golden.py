"""The golden of a checkpoint: a stored input, and the output that the weights must give for it."""

import zipfile
from pathlib import Path

import numpy as np

from cnnzoo.checkpoints.card import GOLDEN, Checkpoint, CheckpointError
from cnnzoo.data import load


def write_golden(model, file: Path) -> None:
    x = _golden_input(model)
    np.savez_compressed(file, input=x, output=np.asarray(model(x), np.float32))


def _golden_input(model):
    """Latents, or uint8 pictures; for a model that fills holes with a hole in each, as the last channel."""
    if model.task == "generate":
        return np.random.default_rng(0).standard_normal((4, model.latent_dim), dtype=np.float32)
    images = sample_images(model)
    if model.task != "inpaint":
        return images
    hole = np.zeros_like(images[..., :1])
    hole[:, 10:22, 8:20] = 255
    return np.concatenate([images, hole], axis=-1)


def sample_images(model):
    """Four uint8 pictures of the shape that a model takes, or small ones where it takes any, that need no download.

    They are digits for grey models, photographs for colour ones and for those of images of any size.
    """
    height, width, channels = model.image_shape
    source = "digits" if channels == 1 and height else "photos"
    return load(source, "test", shape=(height or 48, width or 48, channels)).images[:4]


def check_golden(checkpoint: Checkpoint, model) -> float:
    """The largest absolute difference between the stored output and what `model` gives for the stored input.

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
