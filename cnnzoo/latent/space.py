"""Latent space: interpolation, traversal, inversion, and nearest training images.

The model is a generator from Gaussian noise, or an autoencoder with one latent vector per image.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo import hub
from cnnzoo.data import load
from cnnzoo.imaging.batch import as_batch
from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.tasks import inference
from cnnzoo.utils.checks import check_integer

STARTS = 256  # candidate noise vectors for the start of an inversion
HELD_OUT = 1000  # test images for the reference distance


def interpolate(
    model: Any, a: Any, b: Any, steps: int = 9, spherical: bool = True, label: int | None = None
) -> np.ndarray:
    """Images along a path between two latent vectors.

    Args:
        model: A generator or autoencoder.
        a, b: Latent vectors (latent_dim,) of the first and the last image.
        steps: Number of images, >= 2.
        spherical: Along a great circle: the midpoint of a straight line between Gaussian vectors has an atypically
            small norm. False for a straight line.
        label: See `images_of`.

    Returns:
        float32 in [0, 1], (steps, height, width, channels).

    Raises:
        ValueError: For vectors of another shape, fewer than two steps, or a model without latent vectors.

    Source: Shoemake, "Animating Rotation with Quaternion Curves", 1985; White, "Sampling Generative Networks", 2016.
    """
    check_integer("steps", steps, 2)
    a, b = _vector(model, a), _vector(model, b)
    share = np.linspace(0.0, 1.0, steps)[:, None]  # (steps, 1)
    return images_of(model, _slerp(a, b, share) if spherical else (1 - share) * a + share * b, label)


def _vector(model: Any, z: Any) -> np.ndarray:
    """A latent vector, float32 (latent_dim,), checked."""
    z = np.asarray(z, np.float32)
    if z.shape != (model.latent_dim,):
        raise ValueError(f"A latent vector must be float32 ({model.latent_dim},). Received: {z.dtype} {z.shape}")
    return inference.latents(model, z[None])[0]


def _slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / lengths, -1.0, 1.0)) if lengths else 0.0
    if np.sin(angle) < 1e-6:  # parallel or opposite: no unique great circle
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def traverse(model: Any, z: Any, dimension: int, values: Sequence[float], label: int | None = None) -> np.ndarray:
    """Images of a latent vector with one coordinate varied.

    Args:
        model: A generator or autoencoder.
        z: A latent vector (latent_dim,).
        dimension: The coordinate, in [0, latent_dim).
        values: Its n values.
        label: See `images_of`.

    Returns:
        float32 in [0, 1], (n, height, width, channels).

    Raises:
        ValueError: For a vector of another shape, a dimension out of range, or no values.
    """
    if not 0 <= dimension < model.latent_dim:
        raise ValueError(f"`dimension` must be between 0 and {model.latent_dim - 1}. Received: {dimension}")
    moved = np.repeat(_vector(model, z)[None], len(values), axis=0)
    moved[:, dimension] = values
    return images_of(model, moved, label)


def images_of(model: Any, z: Any, label: int | None = None) -> np.ndarray:
    """The images of latent vectors (n, latent_dim): float32 in [0, 1], (n, height, width, channels).

    Args:
        model: A generator or autoencoder.
        z: Float (n, latent_dim).
        label: One class for all, in [0, classes), for a conditional model; by default the classes in turn.

    Raises:
        ValueError: For latent vectors of another shape, or a label for an unconditional model.
    """
    z = inference.latents(model, z)
    if label is None:
        return model.decode(z)
    _check_takes_labels(model, label)
    return model.decode(z, labels=label)


# -- inversion --------------------------------------------------------------------------------------------------------


class Inverted(NamedTuple):
    """The result of `invert` for n images."""

    z: np.ndarray  # latent vectors, float32 (n, latent_dim)
    error: np.ndarray  # the mean squared error of their images, (n,)


class _Search(PhasedModel):
    """Minimizes the mean squared error of the generated images over z; the network is frozen."""

    def __init__(self, network: Any, z: np.ndarray, image_shape: tuple[int | None, int | None, int]) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.network = network
        self.z = _Vectors(z)
        self.build()

    def phases(self) -> list[Phase]:
        return [Phase("z", [self.z], lambda errors: ops.sum(ops.mean(errors, axis=(1, 2, 3))))]

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        return ops.square(self.network(self.z()) - images)


class _Vectors(keras.layers.Layer):
    def __init__(self, start: np.ndarray) -> None:
        super().__init__(name="vectors", dtype="float32")
        self.vectors = self.add_weight(start.shape, "zeros", name="vectors")
        self.vectors.assign(start)
        self.built = True

    def call(self, _: Any = None) -> Any:
        return ops.convert_to_tensor(self.vectors)


def invert(
    model: Any, images: Any, steps: int = 300, rate: float = 0.05, seed: int = 0, label: int | None = None
) -> Inverted:
    """GAN inversion: latent vectors of given images, by gradient descent on the mean squared error.

    The search starts at `encode(images)` if available, otherwise at the best of 256 noise vectors, and never returns a
    worse vector than its start. Deterministic.

    Args:
        model: A generator, or an autoencoder with one latent vector per image.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        steps: Of Adam, with cosine decay of the learning rate from `rate` to 0.
        rate: Initial learning rate, >= 0.
        seed: Of the noise vectors.
        label: The class of all images, in [0, classes), for a conditional model.

    Raises:
        ValueError: For images of another shape, type or range, steps < 1, another model, or a label that is missing,
            unused or out of range.

    Source: Zhu et al., "Generative Visual Manipulation on the Natural Image Manifold", 2016, in pixels.
    """
    check_integer("steps", steps, 1)
    batch, _ = inference.checked(model, images)
    truth = np.asarray(ops.convert_to_numpy(unit_range(ops.convert_to_tensor(batch))))
    network = _network(model, len(batch), label)
    start = model.encode(batch) if hasattr(model, "encode") else _best_of_noise(model, truth, seed, label)
    search = _Search(network, start, model.image_shape)
    search.compile({"z": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))})
    search.fit(((truth,) for _ in range(steps)), steps_per_epoch=steps, shuffle=False, verbose=0)
    found = ops.convert_to_numpy(search.z.vectors)
    before, after = (_errors(images_of(model, z, label), truth) for z in (start, found))
    better = after < before
    return Inverted(np.where(better[:, None], found, start), np.where(better, after, before))


def _network(model: Any, n: int, label: int | None) -> Callable[[Any], Any]:
    """A differentiable function from n latent vectors to images in [0, 1]."""
    if not hasattr(model, "latent_dim") or hasattr(model, "codebook"):  # whose codes are integers
        raise ValueError(
            "`model` must be a generator, or an autoencoder with one latent vector for each image. Received: "
            f"{model.architecture}"
        )
    if label is None and model.needs_labels:
        raise ValueError(
            f"`label` must be the class of the images, in [0, {model.classes}), with a {model.architecture}. "
            "Received: None"
        )
    if label is None:
        return model.decoded
    _check_takes_labels(model, label)
    one_hot = inference.one_hot(model, n, label, "label")
    return lambda z: model.decoded(z, ops.convert_to_tensor(one_hot))


def _check_takes_labels(model: Any, label: int) -> None:
    if not model.needs_labels:
        raise ValueError(f"`label` must be None with a {model.architecture}, which takes none. Received: {label}")


def _best_of_noise(model: Any, truth: np.ndarray, seed: int, label: int | None) -> np.ndarray:
    z = model.draw(STARTS, seed)
    made = images_of(model, z, label)
    return np.stack([z[_errors(made, image).argmin()] for image in truth])


def _errors(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.mean(np.square(made - truth), axis=(1, 2, 3))


# -- nearest neighbors------------------------------------------------------------------------------------------------


class Neighbors(NamedTuple):
    """The nearest training images of n samples.

    `ratio` is the median distance of the samples to the training images over that of test images: about 1 for samples
    as new as test images, near 0 for copies.
    """

    indices: np.ndarray  # in the training split, (n,)
    distances: np.ndarray  # Euclidean, (n,)
    ratio: float


def nearest(samples: Any, data: str, extractor: str | None = None) -> Neighbors:
    """The nearest training image of each sample, to detect memorization.

    Args:
        samples: n images, uint8 or float32 in [0, 1], (n, height, width, channels).
        data: The training data set of the generator, as in `cnnzoo.data.load`.
        extractor: A classifier, "arch.tag", for distances in its features; by default pixels in [0, 1].

    Raises:
        UnknownName: For an unknown classifier.
        ValueError: For samples of another type or range, or missing data.
    """
    batch, _ = as_batch(samples, (None, None, None))
    train = load(data, "train", shape=batch.shape[1:])
    held_out = load(data, "test", shape=batch.shape[1:]).few(HELD_OUT)
    view = hub.build(extractor).features if extractor else _pixels
    known = view(train.images)
    indices, distances = _nearest_rows(view(batch), known)
    _, others = _nearest_rows(view(held_out.images), known)
    return Neighbors(indices, distances, float(np.median(distances) / np.median(others)))


def _pixels(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    return flat.astype(np.float32) / 255 if images.dtype == np.uint8 else flat


def _nearest_rows(rows: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import pairwise_distances_argmin_min

    return pairwise_distances_argmin_min(rows, known)
