"""ESPCN as published: three convolutions, the last with one channel per sub-pixel.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", 2016, arXiv:1609.05158, section 4.1.
"""

from typing import Any

import keras
from keras import ops

from cnnzoo.registry import register
from cnnzoo.tasks.upscaler import SubPixelModel


@register("espcn_classic")
class ESPCNClassic(SubPixelModel):
    """Minimizes the mean of (x - x')^2; 64 filters of 5x5 and 32 of 3x3, each with tanh, and 3x3 to scale^2.

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

    def distance(self, images: Any, enlarged: Any) -> Any:
        return ops.mean(ops.square(images - enlarged), (1, 2, 3))

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"pixels": keras.optimizers.Adam(1e-3)}
