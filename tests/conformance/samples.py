"""A small batch for any architecture, and helpers to train on it."""

import hashlib
import random
from collections.abc import Sequence

import keras
import numpy as np
import pytest

import cnnzoo
from cnnzoo.registry import architecture

BATCH = 8
SIDE = 24  # of images for models of any size: a multiple of all scales and strides

# Upper limits of configuration fields: as small as possible with every part of a model in use.
AT_MOST = {
    "active": 4, "blocks": 1, "codes": 16, "critic_steps": 1, "depth": 2, "expansion": 16, "hidden": 32,
    "judge_width": 8, "latent_dim": 8, "prior_depth": 1, "prior_width": 8, "pseudo_inputs": 8, "width": 8,
}  # fmt: skip


def shape(model) -> tuple[int, int, int]:
    """Returns the image shape of the model, with small sides where the model accepts any."""
    height, width, channels = model.image_shape
    return height or SIDE, width or SIDE, channels


def images(model, n: int = BATCH) -> np.ndarray:
    """Returns n random uint8 images of the model's shape, coarse and not quite flat; n is even, each occurs twice."""
    height, width, channels = shape(model)
    rng = np.random.default_rng(0)
    coarse = rng.integers(8, 248, (n // 2, height // 4, width // 4, channels)).repeat(4, axis=1).repeat(4, axis=2)
    return np.tile(coarse + rng.integers(-8, 8, coarse.shape), (2, 1, 1, 1)).astype(np.uint8)


def batch(model, n: int = BATCH) -> tuple:
    """Returns the arguments of `fit`: (images,) or (images, labels)."""
    x = images(model, n)
    return (x, np.tile(np.arange(n // 2) % 10, 2)) if model.needs_labels else (x,)


def distinct_batch(model) -> tuple:
    """Like `batch`, without repeated images."""
    return tuple(array[:BATCH] for array in batch(model, 2 * BATCH))


def few(*names: str, of: Sequence[str] = tuple(cnnzoo.list_models())) -> pytest.MarkDecorator:
    """Parametrizes a test with the architectures `of`; all except `names` are marked as slow."""
    every = [pytest.param(name, marks=() if name in names else pytest.mark.slow) for name in of]
    return pytest.mark.parametrize("name", every, scope="module")


def asked_for(request) -> list[str]:
    """Returns the architectures of the selected tests that use a fixture, in the module of the fixture."""
    of_module = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    names = {item.callspec.params.get("name") for item in of_module if request.fixturename in item.fixturenames}
    return [name for name in cnnzoo.list_models() if name in names]


def steps(model, count: int) -> dict[str, list[float]]:
    """Runs `count` training steps on one batch; returns their logs."""
    return model.fit(*batch(model), batch_size=BATCH, epochs=count, shuffle=False, verbose=0).history


def fresh(name: str, seed: int = 0, **config):
    """Returns a small model of an architecture; its weights depend on the seed only."""
    random.seed(seed)  # source of all Keras seeds not set explicitly
    fields = architecture(name).config_fields()
    small = {field: most for field, most in AT_MOST.items() if fields.get(field, 0) > most}
    if "network" in fields:
        small["network"] = "lenet.cifar10"  # the smallest trained network
    return cnnzoo.build(name, **{**small, **config})


def repeating(name: str, seed: int = 0):
    """Like `fresh`, with a repeated phase if the architecture supports it."""
    repeats = architecture(name).config_fields().get("updates") == "alternating"
    return fresh(name, seed, **({"critic_steps": 2} if repeats else {}))


def optimizers(model, make, only: str | None = None) -> dict[str, keras.optimizers.Optimizer]:
    """Returns `make()` for each phase, or for the phase `only`, with learning rate 0 for the others."""
    still = keras.optimizers.SGD
    return {p.name: make() if only in (None, p.name) else still(0.0) for p in model.phases()}


def inputs(model, n: int = BATCH) -> np.ndarray:
    """Returns inputs of the model call: images, images with masks for inpainting, or latent vectors for a generator."""
    if model.task == "generate":
        return np.random.default_rng(0).standard_normal((n, model.latent_dim)).astype(np.float32)
    if model.task == "inpaint":
        hole = np.zeros((n, *shape(model)[:2], 1), np.uint8)
        hole[:, 8:16, 4:12] = 255
        return np.concatenate([images(model, n), hole], axis=-1)
    return images(model, n)


def beside(model, images: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns the arguments after the images for the verb of the model's task: a mask, a style image or none."""
    if model.task == "inpaint":
        return (images[..., :1],)
    return (np.zeros((SIDE, SIDE, 3), np.uint8),) if model.task == "stylize" and not hasattr(model, "styles") else ()


def outputs_shape(model) -> tuple[int, ...]:
    """Returns the shape of the model output for one input."""
    if model.task == "classify":
        return (model.classes,)
    height, width, channels = shape(model)
    scale = model.scale if model.task == "upscale" else 1
    return height * scale, width * scale, channels


def digest(array: np.ndarray) -> str:
    """Returns a short hash of the bits of an array."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
