"""The task base of generators."""

from typing import Any

import numpy as np
from keras import ops

from cnnzoo.tasks import inference
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.sharing import Shared

FIRST_SIDES = {28: 7, 32: 4, 64: 4}  # side of the first feature map of a convolutional generator, by image side


def check_square(image_shape: Any) -> None:
    """Raises a ValueError for image sides other than 28, 32 or 64."""
    height, width, _ = image_shape
    if height != width or height not in FIRST_SIDES:
        raise ValueError(
            f"`image_shape` must be (side, side, channels) with sides of 28, 32 or 64. Received: {tuple(image_shape)}"
        )


class ImageGenerator(Shared):
    """Generates images from Gaussian noise, optionally class-conditional.

    A subclass has `image_shape`, `latent_dim`, `classes` (0 for none) and `average`, the generator
    network: noise (n, latent_dim), with one-hot labels if conditional, to images in [-1, 1].
    """

    task = "generate"
    latent_dim: int
    classes = 0

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        return self.classes > 0

    def with_labels(self, x: Any, labels: Any) -> Any:
        """The input of a network: x, with one-hot labels if conditional."""
        if not self.classes:
            return x
        return [ops.convert_to_tensor(x), ops.one_hot(labels, self.classes, dtype="float32")]

    def call(self, z: Any, training: bool = False) -> Any:
        """Noise (n, latent_dim) to images in [0, 1], (n, height, width, channels), of the classes in turn."""
        return self.generated(self.with_labels(z, ops.arange(ops.shape(z)[0]) % max(self.classes, 1)), training)

    def generated(self, inputs: Any, training: bool = False) -> Any:
        """Images in [0, 1] for the inputs of `with_labels`."""
        return 0.5 * (self.average(inputs, training=training) + 1.0)

    def decoded(self, z: Any, one_hot: Any = None) -> Any:
        """Noise (n, latent_dim), and labels (n, classes) if conditional, to images in [0, 1]."""
        return self.generated(z if one_hot is None else [z, one_hot])

    def draw(self, n: int, seed: int = 0, truncation: float | None = None) -> np.ndarray:
        """n noise vectors, float32 (n, latent_dim); see `generate`."""
        return inference.noise(self, n, seed, truncation)

    def decode(self, z: Any, labels: Any = None) -> np.ndarray:
        """The images, float32 in [0, 1], (n, height, width, channels), of noise vectors (n, latent_dim).

        Raises:
            ValueError: For noise of another shape or dtype, or for labels out of range; see `generate`.
        """
        z = inference.latents(self, z)
        if self.classes:
            return in_batches(self, type(self).decoded, z, inference.one_hot(self, len(z), labels))
        if labels is not None:
            raise ValueError(f"`labels` must be None with a {self.architecture} without classes. Received: labels")
        return in_batches(self, type(self).decoded, z)

    def generate(self, n: int, seed: int = 0, labels: Any = None, truncation: float | None = None) -> np.ndarray:
        """n images, determined by the arguments.

        Args:
            n: Number of images, >= 1.
            seed: Of the noise, >= 0.
            labels: n integers in [0, classes), or one for all; by default the classes in turn.
            truncation: Bound on the absolute value of the noise, > 0 (truncation trick): below about 2, images are more
                typical and less varied (Brock et al., "Large Scale GAN Training", 2019, section 3.1).

        Returns:
            float32 in [0, 1], (n, height, width, channels).

        Raises:
            ValueError: For an argument out of range, or labels for an unconditional model.
        """
        return self.decode(self.draw(n, seed, truncation), labels)
