"""The task base of autoencoders."""

from typing import Any

import numpy as np

from cnnzoo.tasks import inference
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.tasks.sharing import Shared

SIDES = range(8, 65, 4)  # for images of a folder; other multiples of 4 may be configured


def check_sides(image_shape: Any) -> tuple[int, int, int]:
    """`image_shape` as a tuple.

    Raises:
        ValueError: Unless it is (height, width, channels) with sides that are multiples of 4.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or shape[0] % 4 or shape[1] % 4 or min(shape) < 1:
        raise ValueError(
            f"`image_shape` must be (height, width, channels) with sides that are multiples of 4. Received: {shape}"
        )
    return shape


class Reconstructor(Shared):
    """Encodes images, decodes codes and reconstructs images.

    A subclass has `image_shape` and `latent_dim`, and defines `encoded`, from images to codes (n, latent_dim), and
    `decoded`, from codes to images in [0, 1]. Its `call` reconstructs.
    """

    task = "reconstruct"
    latent_dim: int

    def encoded(self, images: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], to their codes (n, latent_dim)."""
        raise NotImplementedError

    def decoded(self, codes: Any) -> Any:
        """Codes (n, latent_dim) to images in [0, 1]."""
        raise NotImplementedError

    def encode(self, x: Any) -> np.ndarray:
        """The codes (n, latent_dim) of one image or a batch of n; for a VAE, the means of q(z|x)."""
        return inference.images_to_rows(self, type(self).encoded, x)

    def decode(self, z: Any) -> np.ndarray:
        """float32 images in [0, 1], (n, height, width, channels), from codes (n, latent_dim)."""
        return in_batches(self, type(self).decoded, inference.latents(self, z))

    def reconstruct(self, x: Any) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the input dtype."""
        return inference.images_to_images(self, inference.called, x)
