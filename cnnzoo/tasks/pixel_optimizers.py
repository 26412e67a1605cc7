"""Searches for the picture in [0, 1] at which a loss is least, each in a number of evaluations of it."""

from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.gradients import value_and_gradient

MEMORY = 10  # steps that L-BFGS knows the curvature from
WALL = 1000.0  # so steep that what is clipped in the end changes no digit of the loss that matters
RATE = 0.02  # of Adam

Loss = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # a picture to the value there and the gradient


def lbfgs(loss: Loss, start: np.ndarray, steps: int) -> np.ndarray:
    """By SciPy's L-BFGS, from a float32 picture to another.

    It knows no bounds, so a steep wall stands around the pictures in [0, 1]: `WALL` times the mean squared distance to
    the nearest of them. That costs nothing, where the bounded search of L-BFGS-B takes longer than a small network.

    Source: Liu and Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989.
    """
    from scipy.optimize import minimize

    def walled(x):
        value, gradient = loss(x.reshape(start.shape).astype(np.float32))
        beyond = x - x.clip(0.0, 1.0)
        return float(value) + WALL * np.dot(beyond, beyond) / x.size, gradient.ravel() + 2.0 * WALL / x.size * beyond

    options = {"maxfun": steps, "maxiter": steps, "maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0}
    found = minimize(walled, start.ravel().astype(np.float64), jac=True, method="L-BFGS-B", options=options)
    return found.x.clip(0.0, 1.0).reshape(start.shape).astype(np.float32)


def adam(loss: Loss, start: np.ndarray, steps: int) -> np.ndarray:
    """By Adam, clipped to [0, 1] after each step, from a float32 picture to another."""
    optimizer, picture = keras.optimizers.Adam(RATE), keras.Variable(start)
    optimizer.build([picture])
    for _ in range(steps):
        _, gradient = loss(ops.convert_to_numpy(picture))
        optimizer.apply([ops.convert_to_tensor(gradient)])
        picture.assign(ops.clip(picture, 0.0, 1.0))
    return ops.convert_to_numpy(picture)


OPTIMIZERS: dict[str, Callable] = {"lbfgs": lbfgs, "adam": adam}


def coarse_to_fine(
    objective: Callable,
    image: np.ndarray,
    sizes: Iterable[tuple[int, int]],
    optimizer: str,
    steps: int,
    watch: Callable[[np.ndarray], None],
) -> np.ndarray:
    """The picture at which a loss is least, found from an image that is small at first and then larger.

    A larger search begins with the larger image, changed as the smaller one was; and so the image is in the end, if the
    last search was smaller.

    Args:
        objective: From the image at a size, (1, h, w, c), to the loss as a function of a picture of that shape.
        image: float32 in [0, 1], (1, height, width, c).
        sizes: (h, w) of each search.
        optimizer: One of `OPTIMIZERS`.
        steps: Evaluations of the loss in each search; L-BFGS may end its last line search with a few more.
        watch: Called with the picture at each evaluation.

    Source: Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, section 6.
    """
    change = np.zeros_like(image)
    for size in sizes:
        small = resized(image, size)
        evaluate = value_and_gradient(objective(ops.convert_to_tensor(small)))

        def loss(picture, evaluate=evaluate):
            watch(picture)
            return tuple(ops.convert_to_numpy(x) for x in evaluate(ops.convert_to_tensor(picture)))

        start = (small + resized(change, size)).clip(0.0, 1.0)
        change = OPTIMIZERS[optimizer](loss, start, steps) - small
    return image + resized(change, image.shape[1:3])


def resized(images, size: tuple[int, int], interpolation: str = "bicubic") -> np.ndarray:
    """Images (n, height, width, c) at another size, antialiased; they may leave their range by a little."""
    if tuple(images.shape[1:3]) == tuple(size):
        return images
    return ops.convert_to_numpy(ops.image.resize(images, size, interpolation=interpolation, antialias=True))
