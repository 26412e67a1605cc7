"""ESPCN as it was published: three convolutions, of which the last has a channel for each sub-pixel.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", 2016, arXiv:1609.05158, section 4.1.
"""

import keras
from keras import ops

from cnnzoo.registry import register
from cnnzoo.tasks.upscaler import SubPixelModel


@register("espcn_classic")
class ESPCNClassic(SubPixelModel):
    """Minimises the mean of (x - x')^2; 64 filters of 5x5 and 32 of 3x3, tanh behind each, and 3x3 to scale^2.

    Args:
        **config: See `cnnzoo.tasks.upscaler.SubPixelModel`.
    """

    def make_network(self) -> keras.Sequential:
        return keras.Sequential(
            [
                keras.Input(self.image_shape),
                keras.layers.Conv2D(64, 5, padding="same", activation="tanh"),  # (n, height, width, 64)
                keras.layers.Conv2D(32, 3, padding="same", activation="tanh"),
                keras.layers.Conv2D(self.scale**2, 3, padding="same", dtype="float32"),
            ],
            name="network",
        )

    def distance(self, images, enlarged):
        return ops.mean(ops.square(images - enlarged), (1, 2, 3))

    def published_optimizers(self):
        return {"pixels": keras.optimizers.Adam(1e-3)}
