"""The convolutional GAN, for images of 28, 32 or 64 pixels a side.

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016.

The last layer of the generator is a sub-pixel convolution (Shi et al., 2016), so that nothing is computed at full
resolution with more than the image's own channels; that is several times faster on a CPU. The discriminator has no
batch normalisation, which would tie its opinion of an image to the others of the batch; `r1` steadies it instead.
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
        latent_dim, updates, r1: See `GAN`.
        width: Filters at half of the full resolution; each step down doubles them.
        hidden: Units of the dense layer at the noisy end of the generator and at the end of the discriminator.
        **config: See `GAN`: ema_decay.
    """

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=64,
        updates="simultaneous",
        r1=3.0,
        width=32,
        hidden=256,
        **config,
    ):
        height, breadth, _ = image_shape
        if height != breadth or height not in STARTS:
            raise ValueError(f"got image_shape={tuple(image_shape)}; allowed: (side, side, channels) of 28, 32 or 64")
        self.width, self.hidden = width, hidden
        super().__init__(image_shape=image_shape, latent_dim=latent_dim, updates=updates, r1=r1, **config)

    def _widths(self) -> list[int]:
        """Filters from the smallest feature map of the generator to half of the full resolution."""
        side = self.image_shape[0]
        steps = (side // STARTS[side]).bit_length() - 1  # 28: 2, 32: 3, 64: 4
        return [self.width * 2**i for i in reversed(range(steps))]

    def make_generator(self, name: str) -> keras.Sequential:
        start, channels = STARTS[self.image_shape[0]], self.image_shape[2]
        first, *rest = self._widths()
        network = keras.Sequential([keras.Input((self.latent_dim,))], name=name)

        def add(*parts):
            for part in (*parts, layers.BatchNormalization(momentum=0.9), layers.ReLU()):
                network.add(part)

        add(layers.Dense(self.hidden, use_bias=False))  # (n, hidden)
        add(layers.Dense(start * start * first, use_bias=False), layers.Reshape((start, start, first)))  # (n, 7, 7, 64)
        for filters in rest:
            add(layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=False))  # (n, 14, 14, 32)
        network.add(layers.Conv2D(4 * channels, 5, 1, "same", activation="tanh", dtype="float32"))
        network.add(DepthToSpace(2, dtype="float32"))  # (n, 28, 28, channels)
        return network

    def make_discriminator(self) -> keras.Sequential:
        network = keras.Sequential([keras.Input(self.image_shape)], name="discriminator")
        widths = [*reversed(self._widths())]
        for filters in widths:
            network.add(layers.Conv2D(filters, 5, 2, "same"))  # (n, 14, 14, 32), (n, 7, 7, 64)
            network.add(layers.LeakyReLU(0.2))
        network.add(layers.Conv2D(2 * widths[-1], 3, 2, "same"))  # (n, 4, 4, 128)
        network.add(layers.LeakyReLU(0.2))
        network.add(layers.Flatten())
        network.add(layers.Dense(self.hidden))  # (n, hidden)
        network.add(layers.LeakyReLU(0.2))
        network.add(layers.Dense(1, dtype="float32"))  # (n, 1)
        return network
