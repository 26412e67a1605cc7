"""What the verbs of all models do before and after the network: check what came in, and work through it in batches."""

from collections.abc import Callable

import numpy as np
from keras import ops

from cnnzoo.data.ground import hint
from cnnzoo.imaging.batch import as_batch
from cnnzoo.utils.caller import warn

BATCH = 256  # images a pass: large enough for full speed, small enough for any machine


def in_batches(function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """`function` over the rows of arrays of one length, a batch at a time, as one float32 array."""
    starts = range(0, len(arrays[0]), BATCH)
    parts = [ops.convert_to_numpy(function(*(x[i : i + BATCH] for x in arrays))) for i in starts]
    return np.concatenate(parts).astype(np.float32, copy=False)


def checked(model, x) -> tuple[np.ndarray, bool]:
    """`as_batch` of what came in for a model; warns where it is dark on light for a model of light on dark."""
    batch, single = as_batch(x, model.image_shape)
    ground = getattr(model, "ground", "")  # a model of one's own class may have none
    if ground and (told := hint(batch, ground, model.architecture)):
        warn(told)
    return batch, single


def images_to_rows(model, function: Callable, x, *beside: np.ndarray) -> np.ndarray:
    """`function` over one image or a batch, checked against the model's image shape, and what lies beside: (n, ...)."""
    batch, _ = checked(model, x)
    return in_batches(function, batch, *beside)


def images_to_images(model, function: Callable, x, *beside: np.ndarray) -> np.ndarray:
    """Like `images_to_rows` for a function that gives images in [0, 1]; what comes in is what goes out."""
    batch, single = checked(model, x)
    images = like(in_batches(function, batch, *beside), batch)
    return images[0] if single else images


def like(images: np.ndarray, model_of: np.ndarray) -> np.ndarray:
    """float32 images in [0, 1] in the dtype of `model_of`: uint8 in [0, 255] or float32."""
    if model_of.dtype == np.uint8:
        return np.rint(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
    return images


def latents(model, z) -> np.ndarray:
    """Latent vectors as float32 (n, latent_dim).

    Raises:
        ValueError: For another shape, no rows or numbers that are not finite.
    """
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] != model.latent_dim or len(z) == 0 or not np.issubdtype(z.dtype, np.floating):
        raise ValueError(f"got latents {z.dtype} {z.shape}; allowed: float32 (n, {model.latent_dim}) with n >= 1")
    if not np.isfinite(z).all():
        raise ValueError("got latents with NaN or infinity; allowed: finite numbers")
    return z.astype(np.float32)


def noise(model, n: int, seed: int, truncation: float | None = None) -> np.ndarray:
    """n standard normal latent vectors; the same seed gives the same ones on every backend.

    Args:
        model: Has `latent_dim`.
        n: How many.
        seed: Of the draws.
        truncation: Where given, each number is drawn given that its absolute value is at most this.

    Raises:
        ValueError: For n < 1, a seed that is no integer >= 0, or a truncation that is not above 0.
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(f"got {name}={value!r}; allowed: an integer >= {least}")
    generator, shape = np.random.default_rng(seed), (n, model.latent_dim)
    if truncation is None:
        return generator.standard_normal(shape, dtype=np.float32)
    if not truncation > 0:
        raise ValueError(f"got truncation={truncation!r}; allowed: a number above 0, or None")
    from scipy.stats import truncnorm

    return truncnorm(-truncation, truncation).rvs(shape, random_state=generator).astype(np.float32)


def one_hot(model, n: int, labels=None) -> np.ndarray:
    """The classes that n images are to be of, float32 (n, classes).

    Args:
        model: Has `classes`.
        n: How many images.
        labels: n integers in [0, classes), or one for all; by default the classes in turn.

    Raises:
        ValueError: For labels that are none.
    """
    labels = np.arange(n) % model.classes if labels is None else np.asarray(labels)
    whole = np.issubdtype(labels.dtype, np.integer) and labels.shape in ((), (n,))
    if not whole or labels.min() < 0 or labels.max() >= model.classes:
        raise ValueError(f"got labels {labels.tolist()}; allowed: {n} integers in [0, {model.classes}), or one")
    return np.eye(model.classes, dtype=np.float32)[np.broadcast_to(labels, n)]
