"""The convolutional GAN, for images of 28, 32 or 64 pixels a side.

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016. Its last layer is a sub-pixel convolution (Shi et al., 2016), so that nothing is computed at full resolution with
more than the image's own channels; that is several times faster on a CPU.
"""

import keras
from keras import layers

from cnnzoo.layers import DepthToSpace
from cnnzoo.models.gan import GAN
from cnnzoo.registry import register

STARTS = {28: 7, 32: 4, 64: 4}  # the side of the generator's first feature map


@register("dcgan")
class DCGAN(GAN):
    """The game of `GAN` between convolutional networks.

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        width: Filters at half of the full resolution; each step down doubles them.
        **config: See `GAN`: latent_dim, updates, ema_decay.
    """

    def __init__(self, *, image_shape=(28, 28, 1), latent_dim=64, width=32, **config):
        height, breadth, _ = image_shape
        if height != breadth or height not in STARTS:
            raise ValueError(f"got image_shape={tuple(image_shape)}; allowed: (side, side, channels) of 28, 32 or 64")
        self.width = width
        super().__init__(image_shape=image_shape, latent_dim=latent_dim, **config)

    def _widths(self) -> list[int]:
        """Filters from the smallest feature map to half of the full resolution."""
        side = self.image_shape[0]
        steps = (side // STARTS[side]).bit_length() - 1  # 28: 2, 32: 3, 64: 4
        return [self.width * 2**i for i in reversed(range(steps))]

    def make_generator(self, name: str) -> keras.Sequential:
        start, channels = STARTS[self.image_shape[0]], self.image_shape[2]
        first, *rest = self._widths()
        network = keras.Sequential([keras.Input((self.latent_dim,))], name=name)
        network.add(layers.Dense(start * start * first, use_bias=False))
        network.add(layers.Reshape((start, start, first)))  # 28: (n, 7, 7, 2 width)
        network.add(layers.BatchNormalization(momentum=0.9))
        network.add(layers.ReLU())
        for filters in rest:
            network.add(layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=False))  # (n, 14, 14, width)
            network.add(layers.BatchNormalization(momentum=0.9))
            network.add(layers.ReLU())
        network.add(layers.Conv2D(4 * channels, 5, 1, "same", activation="tanh", dtype="float32"))
        network.add(DepthToSpace(2, dtype="float32"))  # (n, 28, 28, channels)
        return network

    def make_discriminator(self) -> keras.Sequential:
        network = keras.Sequential([keras.Input(self.image_shape)], name="discriminator")
        for i, filters in enumerate(reversed(self._widths())):
            network.add(layers.Conv2D(filters, 5, 2, "same", use_bias=i == 0))  # (n, 14, 14, width), (n, 7, 7, 2 width)
            if i > 0:
                network.add(layers.BatchNormalization(momentum=0.9))
            network.add(layers.LeakyReLU(0.2))
        network.add(layers.Flatten())
        network.add(layers.Dense(1, dtype="float32"))  # (n, 1)
        return network
