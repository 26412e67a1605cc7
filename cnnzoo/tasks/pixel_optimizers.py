"""L-BFGS and Adam over the pixels of an image in [0, 1], and coarse-to-fine optimization."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.gradients import value_and_gradient

MEMORY = 10  # history size of L-BFGS
WALL = 1000.0  # steep enough for a negligible effect of the final clipping
RATE = 0.02  # learning rate of Adam

Loss = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # from an image to the loss and its gradient


def lbfgs(loss: Loss, start: np.ndarray, steps: int) -> np.ndarray:
    """Minimizes the loss by SciPy's L-BFGS, from a float32 image.

    The range [0, 1] is enforced by a penalty, `WALL` times the mean squared distance to it: the bounded search of
    L-BFGS-B would take longer than a small network.

    Source: Liu and Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989.
    """
    from scipy.optimize import minimize

    def walled(x: Any) -> Any:
        value, gradient = loss(x.reshape(start.shape).astype(np.float32))
        beyond = x - x.clip(0.0, 1.0)
        return float(value) + WALL * np.dot(beyond, beyond) / x.size, gradient.ravel() + 2.0 * WALL / x.size * beyond

    options = {"maxfun": steps, "maxiter": steps, "maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0}
    found = minimize(walled, start.ravel().astype(np.float64), jac=True, method="L-BFGS-B", options=options)
    return found.x.clip(0.0, 1.0).reshape(start.shape).astype(np.float32)


def adam(loss: Loss, start: np.ndarray, steps: int) -> np.ndarray:
    """Minimizes the loss by projected Adam (clipping to [0, 1] after each step), from a float32 image."""
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
    """Coarse-to-fine minimization of a loss over the pixels of an image.

    Each scale starts from the resized image plus the upsampled change of the previous scale; likewise the result, if
    the last scale is smaller than the image.

    Args:
        objective: From the image at a size, (1, h, w, c), to the loss as a function of an image of that shape.
        image: float32 in [0, 1], (1, height, width, c).
        sizes: (h, w) of each scale.
        optimizer: One of `OPTIMIZERS`.
        steps: Evaluations of the loss per scale; the last line search of L-BFGS may exceed it.
        watch: Called with the image at each evaluation.

    Source: Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, section 6.
    """
    change = np.zeros_like(image)
    for size in sizes:
        small = resized(image, size)
        evaluate = value_and_gradient(objective(ops.convert_to_tensor(small)))

        def loss(picture: Any, evaluate: Any = evaluate) -> Any:
            watch(picture)
            return tuple(ops.convert_to_numpy(x) for x in evaluate(ops.convert_to_tensor(picture)))

        start = (small + resized(change, size)).clip(0.0, 1.0)
        change = OPTIMIZERS[optimizer](loss, start, steps) - small
    return image + resized(change, image.shape[1:3])


def resized(images: Any, size: tuple[int, int], interpolation: str = "bicubic") -> np.ndarray:
    """Images (n, height, width, c) resized, antialiased; bicubic results may overshoot the range."""
    if tuple(images.shape[1:3]) == tuple(size):
        return images
    return ops.convert_to_numpy(ops.image.resize(images, size, interpolation=interpolation, antialias=True))
