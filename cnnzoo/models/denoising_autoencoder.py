"""The denoising autoencoder: learns to undo damage, and so what images are like.

Source: Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008.
"""

import keras
from keras import ops

from cnnzoo.layers import ReplicaSeedGenerator
from cnnzoo.models.autoencoder import Autoencoder
from cnnzoo.registry import register

CORRUPTIONS = ("masking", "gaussian")


@register("denoising_autoencoder")
class DenoisingAutoencoder(Autoencoder):
    """Minimises ||x - x'||^2 with x' = decode(encode(damaged x)). Outside training nothing is damaged.

    Args:
        corruption: "masking" sets pixels to 0; "gaussian" adds noise to each number (Vincent et al., "Stacked Denoising
            Autoencoders", 2010).
        level: The share of the pixels that are masked, or the standard deviation of the noise.
        **config: See `cnnzoo.models.autoencoder.Autoencoder`.
    """

    def __init__(self, *, corruption="masking", level=0.25, **config):
        super().__init__(**config)
        if corruption not in CORRUPTIONS:
            raise ValueError(f"got corruption={corruption!r}; allowed: {', '.join(CORRUPTIONS)}")
        if not 0.0 <= level <= 1.0:
            raise ValueError(f"got level={level}; allowed: 0 to 1")
        self.corruption, self.level = corruption, level
        self.noise = ReplicaSeedGenerator()

    def forward(self, images, labels, training):
        seen = self.damaged(images) if training else images
        return super().forward(seen, labels, training)._replace(images=images)

    def damaged(self, images):
        """Images (n, height, width, channels) with new damage; Gaussian noise may take them out of [0, 1]."""
        if self.corruption == "gaussian":
            return images + self.level * keras.random.normal(ops.shape(images), seed=self.noise)
        chances = keras.random.uniform((*ops.shape(images)[:3], 1), seed=self.noise)  # all channels of a pixel at once
        return ops.where(chances < self.level, 0.0, images)
