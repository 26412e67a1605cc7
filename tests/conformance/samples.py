"""One small batch for any architecture, and the ways to train on it."""

import hashlib
import random

import keras
import numpy as np

import cnnzoo
from cnnzoo.registry import architecture

BATCH = 8
WIDTH = 16  # of the convolutions at most
SIDE = 24  # of the images for a model that takes any: a multiple of all scales and strides


def shape(model) -> tuple[int, int, int]:
    """Of the images here: the model's own, or small ones where it takes any."""
    height, width, channels = model.image_shape
    return height or SIDE, width or SIDE, channels


def images(model, n: int = BATCH) -> np.ndarray:
    """n smooth random uint8 images of the model's shape; half as many distinct ones, each twice, where n is even."""
    height, width, channels = shape(model)
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (n // 2, height // 4, width // 4, channels))
    return np.tile(np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.uint8), (2, 1, 1, 1))


def batch(model, n: int = BATCH) -> tuple:
    """What `fit` takes: (images,) or (images, labels)."""
    x = images(model, n)
    return (x, np.tile(np.arange(n // 2) % 10, 2)) if model.needs_labels else (x,)


def steps(model, count: int) -> dict[str, list[float]]:
    """`count` training steps on one batch; gives their logs."""
    return model.fit(*batch(model), batch_size=BATCH, epochs=count, shuffle=False, verbose=0).history


def fresh(name: str, seed: int = 0, **config):
    """An architecture with weights that depend on the seed alone."""
    random.seed(seed)  # where Keras takes the seeds that it is not given
    fields = architecture(name).config_fields()
    if "critic_steps" in fields:
        config.setdefault("critic_steps", 1)  # each is as large as the last, and takes its time to compile
    if "network" in fields:
        config.setdefault("network", "lenet.cifar10")  # a small one
    if fields.get("width", 0) > WIDTH:
        config.setdefault("width", WIDTH)
    return cnnzoo.build(name, **config)


def repeating(name: str, seed: int = 0):
    """Like `fresh`, but with phases that repeat where they do by default."""
    repeats = architecture(name).config_fields().get("critic_steps", 1) > 1
    return fresh(name, seed, **({"critic_steps": 2} if repeats else {}))


def optimizers(model, make, only: str | None = None) -> dict[str, keras.optimizers.Optimizer]:
    """`make()` for each phase, or for `only` one while the others stand still."""
    still = keras.optimizers.SGD
    return {p.name: make() if only in (None, p.name) else still(0.0) for p in model.phases()}


def inputs(model, n: int = BATCH) -> np.ndarray:
    """What the model's main function takes: images, those with holes marked, or latents for one that generates."""
    if model.task == "generate":
        return np.random.default_rng(0).standard_normal((n, model.latent_dim)).astype(np.float32)
    if model.task == "inpaint":
        hole = np.zeros((n, *shape(model)[:2], 1), np.uint8)
        hole[:, 8:16, 4:12] = 255
        return np.concatenate([images(model, n), hole], axis=-1)
    return images(model, n)


def beside(model, images: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the verb of the model's task takes beside images."""
    if model.task == "inpaint":
        return (images[..., :1],)
    return (np.zeros((SIDE, SIDE, 3), np.uint8),) if model.task == "stylize" and not hasattr(model, "styles") else ()


def outputs_shape(model) -> tuple[int, ...]:
    """What the model's main function gives for one input."""
    if model.task == "classify":
        return (model.classes,)
    height, width, channels = shape(model)
    scale = model.scale if model.task == "upscale" else 1
    return height * scale, width * scale, channels


def digest(array: np.ndarray) -> str:
    """A short name for the bits of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
