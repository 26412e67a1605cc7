"""Input validation and batched inference."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cnnzoo.data.ground import hint
from cnnzoo.imaging.batch import as_batch
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.photo_inference import levels
from cnnzoo.utils.caller import warn
from cnnzoo.utils.checks import check_integer


def called(model: Any, images: Any) -> Any:
    """The main function of a model."""
    return model(images)


def checked(model: Any, x: Any) -> tuple[np.ndarray, bool]:
    """`as_batch` for the input of a model; warns of a polarity mismatch (dark on light, light on dark)."""
    batch, single = as_batch(x, model.image_shape)
    ground = getattr(model, "ground", "")  # user-defined models may lack it
    if ground and (message := hint(batch, ground, model.architecture)):
        warn(message)
    return batch, single


def images_to_rows(model: Any, function: Callable, x: Any, *others: np.ndarray) -> np.ndarray:
    """`function(model, ...)` of one image or a batch, validated, and further inputs of equal length: (n, ...)."""
    batch, _ = checked(model, x)
    return in_batches(model, function, batch, *others)


def images_to_images(model: Any, function: Callable, x: Any, *others: np.ndarray) -> np.ndarray:
    """Like `images_to_rows` for a function to images in [0, 1]; the result has the input dtype and rank."""
    batch, single = checked(model, x)
    images = in_batches(model, _same_type, batch, *others, function=function)
    return images[0] if single else images


def _same_type(model: Any, images: Any, *others: Any, function: Callable) -> Any:
    """The images that a function makes of images, in their dtype."""
    made, dtype = function(model, images, *others), keras.backend.standardize_dtype(images.dtype)
    return made if dtype == "float32" else levels(made, dtype)


def latents(model: Any, z: Any) -> np.ndarray:
    """Latent vectors as float32 (n, latent_dim).

    Raises:
        ValueError: For another shape, no rows, or non-finite numbers.
    """
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] != model.latent_dim or len(z) == 0 or not np.issubdtype(z.dtype, np.floating):
        raise ValueError(f"Latents must be float32 (n, {model.latent_dim}) with n >= 1. Received: {z.dtype} {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError("Latents must be finite numbers. Received: NaN or infinity")
    return z.astype(np.float32)


def noise(model: Any, n: int, seed: int, truncation: float | None = None) -> np.ndarray:
    """n standard normal latent vectors, determined by the seed on every backend.

    Args:
        model: With `latent_dim`.
        n: Number of vectors.
        seed: Of the random generator.
        truncation: Bound on the absolute values (truncated normal), or None.

    Raises:
        ValueError: For n < 1, a seed other than an integer >= 0, or a truncation <= 0.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        check_integer(name, value, least)
    z = np.random.default_rng(seed).standard_normal((n, model.latent_dim), dtype=np.float32)
    if truncation is None:
        return z
    if not truncation > 0:
        raise ValueError(f"`truncation` must be a number > 0, or None. Received: {truncation!r}")
    from scipy.special import ndtr, ndtri

    # By the quantiles of both distributions, so that a large bound leaves the vectors of a seed as they are.
    least, most = ndtr([-truncation, truncation])
    return ndtri(least + (most - least) * ndtr(z.astype(np.float64))).astype(np.float32)


def one_hot_in_turn(n: int, classes: int) -> np.ndarray:
    """One-hot rows of the classes 0, 1, … in turn, float32 (n, classes)."""
    return np.eye(classes, dtype=np.float32)[np.arange(n) % classes]


def one_hot(model: Any, n: int, labels: Any = None, name: str = "labels") -> np.ndarray:
    """One-hot labels for n images, float32 (n, classes).

    Args:
        model: With `classes`.
        n: Number of images.
        labels: n integers in [0, classes), or one for all; by default the classes in turn.
        name: Of the argument with the labels, for errors.

    Raises:
        ValueError: For invalid labels.
    """
    labels = np.arange(n) % model.classes if labels is None else np.asarray(labels)
    whole = np.issubdtype(labels.dtype, np.integer) and labels.shape in ((), (n,))
    if not whole or labels.min() < 0 or labels.max() >= model.classes:
        count, or_one = ("one integer", "") if n == 1 else (f"{n} integers", ", or one")
        raise ValueError(f"`{name}` must be {count} in [0, {model.classes}){or_one}. Received: {labels.tolist()}")
    return np.eye(model.classes, dtype=np.float32)[np.broadcast_to(labels, n)]
