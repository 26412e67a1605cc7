"""The denoising autoencoder: reconstructs images from corrupted inputs.

Source: Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008,
doi:10.1145/1390156.1390294.
"""

from typing import Any, ClassVar

import keras
from keras import ops

from cnnzoo.models.autoencoder import Autoencoder
from cnnzoo.nn.layers import PACKAGE, ReplicaSeedGenerator
from cnnzoo.nn.replicas import each_row
from cnnzoo.registry import register

CORRUPTIONS = ("masking", "gaussian")


@keras.saving.register_keras_serializable(PACKAGE)
class Damage(keras.layers.Layer):
    """Random corruption of images (n, height, width, channels), in training only.

    Args:
        corruption: "masking" or "gaussian"; the latter may leave [0, 1].
        level: See `DenoisingAutoencoder`.
    """

    def __init__(self, corruption: str, level: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if corruption not in CORRUPTIONS:
            raise ValueError(f"`corruption` must be one of {', '.join(CORRUPTIONS)}. Received: {corruption!r}")
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"`level` must be between 0 and 1. Received: {level}")
        self.corruption, self.level = corruption, level
        self.noise = ReplicaSeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        n, height, width, channels = ops.shape(images)
        if self.corruption == "gaussian":
            noise = each_row(
                lambda n, s: keras.random.normal((n, height, width, channels), dtype=images.dtype, seed=s),
                n,
                self.noise,
            )
            return images + self.level * noise
        # One number for all channels of a pixel.
        chances = each_row(lambda n, s: keras.random.uniform((n, height, width, 1), seed=s), n, self.noise)
        return ops.where(chances < self.level, ops.zeros_like(images), images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "corruption": self.corruption, "level": self.level}


@register("denoising_autoencoder")
class DenoisingAutoencoder(Autoencoder):
    """Minimizes ||x - x'||^2 with x' = decode(encode(corrupted x)); no corruption outside training.

    Args:
        corruption: "masking" sets pixels to 0; "gaussian" adds noise to each number (Vincent et al., "Stacked Denoising
            Autoencoders", 2010).
        level: Fraction of masked pixels, or standard deviation of the noise.
        **config: See `cnnzoo.models.autoencoder.Autoencoder`.
    """

    search_space: ClassVar[dict] = {**Autoencoder.search_space, "level": (0.05, 0.5)}

    def __init__(self, *, corruption: str = "masking", level: float = 0.25, **config: Any) -> None:
        self.corruption, self.level = corruption, level
        super().__init__(**config)

    def make_encoder(self) -> keras.Sequential:
        damage = Damage(self.corruption, self.level)
        return keras.Sequential([keras.Input(self.image_shape), damage, *super().make_encoder().layers], name="encoder")
