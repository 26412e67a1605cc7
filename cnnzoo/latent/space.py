"""Looking along the latent space of a model: lines through it, the way back into it, and what lies near in the data.

The model generates from Gaussian noise, or is an autoencoder with one latent vector for each image.
"""

from collections.abc import Sequence
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

STARTS = 256  # noise vectors among which the search for an image begins
HELD_OUT = 1000  # test images that show how far apart images are that were not copied


def interpolate(
    model: Any, a: Any, b: Any, steps: int = 9, spherical: bool = True, label: int | None = None
) -> np.ndarray:
    """The images along a line between two latent vectors.

    Args:
        model: Generates or decodes.
        a, b: Latent vectors (latent_dim,), which the first and the last image show.
        steps: How many images, >= 2.
        spherical: Along a great circle: half-way between two Gaussian vectors a straight line passes where hardly any
            lie. False for a straight line.
        label: See `images_of`.

    Returns:
        float32 in [0, 1], (steps, height, width, channels).

    Raises:
        ValueError: For vectors of another shape, fewer than two steps, or a model without latent vectors.

    Source: Shoemake, "Animating Rotation with Quaternion Curves", 1985; White, "Sampling Generative Networks", 2016.
    """
    if steps < 2:
        raise ValueError(f"got steps={steps}; allowed: steps >= 2")
    a, b = (inference.latents(model, np.asarray(end, np.float32)[None])[0] for end in (a, b))
    share = np.linspace(0.0, 1.0, steps)[:, None]  # (steps, 1)
    return images_of(model, _slerp(a, b, share) if spherical else (1 - share) * a + share * b, label)


def _slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / lengths, -1.0, 1.0)) if lengths else 0.0
    if np.sin(angle) < 1e-6:  # parallel or opposite, where the circle is a line or any
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def traverse(model: Any, z: Any, dimension: int, values: Sequence[float], label: int | None = None) -> np.ndarray:
    """The images of a latent vector with one of its numbers replaced by each of some values.

    Args:
        model: Generates or decodes.
        z: A latent vector (latent_dim,).
        dimension: Which number, in [0, latent_dim).
        values: n numbers.
        label: See `images_of`.

    Returns:
        float32 in [0, 1], (n, height, width, channels).

    Raises:
        ValueError: For a vector of another shape, a dimension that it does not have, or no values.
    """
    if not 0 <= dimension < model.latent_dim:
        raise ValueError(f"got dimension={dimension}; allowed: 0 to {model.latent_dim - 1}")
    moved = np.repeat(np.asarray(z, np.float32)[None], len(values), axis=0)
    moved[:, dimension] = values
    return images_of(model, moved, label)


def images_of(model: Any, z: Any, label: int | None = None) -> np.ndarray:
    """The images of latent vectors (n, latent_dim): float32 in [0, 1], (n, height, width, channels).

    Args:
        model: Generates or decodes.
        z: Float (n, latent_dim).
        label: The class of all of them, in [0, classes), of a model that takes labels; by default the classes in turn.

    Raises:
        ValueError: For latent vectors of another shape, or a label that the model does not take.
    """
    z = inference.latents(model, z)
    if label is None:
        return model.decode(z)
    if not model.needs_labels:
        raise ValueError(f"got label={label} for a {model.architecture}, which takes none")
    return model.decode(z, labels=label)


# -- the way back -----------------------------------------------------------------------------------------------------


class Inverted(NamedTuple):
    """What `invert` finds for n images."""

    z: np.ndarray  # latent vectors, float32 (n, latent_dim)
    error: np.ndarray  # the mean squared error of their images, (n,)


class _Search(PhasedModel):
    """The mean squared error of the images of z, lowered in z alone; the weights of the network stay as they are."""

    def __init__(self, network: Any, z: np.ndarray, image_shape: tuple[int | None, int | None, int]):
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
    def __init__(self, start: np.ndarray):
        super().__init__(name="vectors", dtype="float32")
        self.vectors = self.add_weight(start.shape, "zeros", name="vectors")
        self.vectors.assign(start)
        self.built = True

    def call(self, _: Any = None) -> Any:
        return ops.convert_to_tensor(self.vectors)


def invert(model: Any, images: Any, steps: int = 300, rate: float = 0.05, seed: int = 0) -> Inverted:
    """The latent vectors whose images come nearest to given ones, by gradient descent on the mean squared error.

    The search begins at `encode(images)` where the model has it, else at the best of 256 noise vectors, and ends no
    farther from an image than it began. Equal arguments give equal vectors.

    Args:
        model: Generates from noise alone, or decodes such vectors alone.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        steps: Of Adam, whose rate falls from `rate` to 0 along half a cosine.
        rate: >= 0.
        seed: Of the noise vectors.

    Raises:
        ValueError: For images of another shape, type or range, steps < 1, or another model.

    Source: Zhu et al., "Generative Visual Manipulation on the Natural Image Manifold", 2016, in pixels.
    """
    if steps < 1:
        raise ValueError(f"got steps={steps}; allowed: steps >= 1")
    batch, _ = inference.checked(model, images)
    truth, network = np.asarray(ops.convert_to_numpy(unit_range(ops.convert_to_tensor(batch)))), _network(model)
    start = model.encode(batch) if hasattr(model, "encode") else _best_of_noise(model, truth, seed)
    search = _Search(network, start, model.image_shape)
    search.compile({"z": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))})
    search.fit(((truth,) for _ in range(steps)), steps_per_epoch=steps, shuffle=False, verbose=0)
    found = ops.convert_to_numpy(search.z.vectors)
    before, after = (_errors(images_of(model, z), truth) for z in (start, found))
    better = after < before
    return Inverted(np.where(better[:, None], found, start), np.where(better, after, before))


def _network(model: Any) -> Any:
    """Latent vectors to images in [0, 1], as a function that can be differentiated."""
    if model.task == "generate" and not model.needs_labels:
        return model
    decoder = getattr(model, "decoder", None)
    if decoder is None or decoder.input_shape[1:] != (model.latent_dim,):
        raise ValueError(
            f"got a {model.architecture}; allowed: a generator that takes no labels, or an autoencoder with one latent "
            "vector for each image"
        )
    return lambda z: ops.sigmoid(decoder(z))


def _best_of_noise(model: Any, truth: np.ndarray, seed: int) -> np.ndarray:
    z = model.draw(STARTS, seed)
    made = images_of(model, z)
    return np.stack([z[_errors(made, image).argmin()] for image in truth])


def _errors(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.mean(np.square(made - truth), axis=(1, 2, 3))


# -- what lies near ---------------------------------------------------------------------------------------------------


class Neighbours(NamedTuple):
    """The training images that are nearest to n samples.

    `ratio` is the median of the distances over that of test images to their nearest training images. About 1 says that
    the samples are as far from the training images as new images are; near 0, that they are copies.
    """

    indices: np.ndarray  # in the training split, (n,)
    distances: np.ndarray  # Euclidean, (n,)
    ratio: float


def nearest(samples: Any, data: str, extractor: str | None = None) -> Neighbours:
    """The nearest training image of each sample, to see whether a generator remembers rather than makes up.

    Args:
        samples: n images, uint8 or float32 in [0, 1], (n, height, width, channels).
        data: The data set that their generator was trained on, as in `cnnzoo.data.load`.
        extractor: A classifier, "arch.tag", in whose features distances are taken; by default in pixels in [0, 1].

    Raises:
        UnknownName: No such classifier.
        ValueError: For samples of another type or range, or data that are not at hand.
    """
    batch, _ = as_batch(samples, (None, None, None))
    train = load(data, "train", shape=batch.shape[1:])
    held_out = load(data, "test", shape=batch.shape[1:]).few(HELD_OUT)
    view = hub.build(extractor).features if extractor else _pixels
    known = view(train.images)
    indices, distances = _nearest_rows(view(batch), known)
    _, others = _nearest_rows(view(held_out.images), known)
    return Neighbours(indices, distances, float(np.median(distances) / np.median(others)))


def _pixels(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    return flat.astype(np.float32) / 255 if images.dtype == np.uint8 else flat


def _nearest_rows(rows: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import pairwise_distances_argmin_min

    return pairwise_distances_argmin_min(rows, known)
