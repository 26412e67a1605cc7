"""The convolutional GAN, for images of 28, 32 or 64 pixels a side.

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016.

Two things are added to the discriminator: the penalty on its gradient (see `r1` of `GAN`), which keeps it from running
ahead of the generator, and the spread of the batch as a feature, which keeps the samples from being too much alike.
"""

import keras
from keras import layers

from cnnzoo.layers import BatchSpread
from cnnzoo.models.gan import GAN
from cnnzoo.registry import register

STARTS = {28: 7, 32: 4, 64: 4}  # the side of the generator's first feature map
SMALLEST = 4  # the side at which the discriminator stops to halve


@register("dcgan")
class DCGAN(GAN):
    """The game of `GAN` between convolutional networks.

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        latent_dim, updates, r1: See `GAN`.
        width: Filters at half of the full resolution; each step down doubles them.
        **config: See `GAN`: ema_decay.
    """

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=32,
        updates="simultaneous",
        r1=0.5,
        width=32,
        **config,
    ):
        height, breadth, _ = image_shape
        if height != breadth or height not in STARTS:
            raise ValueError(f"got image_shape={tuple(image_shape)}; allowed: (side, side, channels) of 28, 32 or 64")
        self.width = width
        super().__init__(image_shape=image_shape, latent_dim=latent_dim, updates=updates, r1=r1, **config)

    classes = 0  # of the labels that both networks see

    def make_generator(self, name: str) -> keras.Sequential:
        side, channels = self.image_shape[0], self.image_shape[2]
        start = STARTS[side]
        steps = (side // start).bit_length() - 1  # 28: 2, 32: 3, 64: 4
        first, *rest = (self.width * 2**i for i in reversed(range(steps)))
        network = keras.Sequential([keras.Input((self.latent_dim + self.classes,))], name=name)
        network.add(layers.Dense(start * start * first, use_bias=False, kernel_initializer=published()))
        network.add(layers.Reshape((start, start, first)))  # (n, 7, 7, 64)
        for filters in rest:
            activate(network)
            network.add(upward(filters, use_bias=False))  # (n, 14, 14, 32)
        activate(network)
        network.add(upward(channels, activation="tanh", dtype="float32"))  # (n, 28, 28, channels)
        return network

    def make_discriminator(self) -> keras.Sequential:
        height, breadth, channels = self.image_shape
        network = keras.Sequential([keras.Input((height, breadth, channels + self.classes))], name="discriminator")
        side, filters = self.image_shape[0], self.width
        while side > SMALLEST:  # (n, 14, 14, 32), (n, 7, 7, 64), (n, 4, 4, 128)
            first = side == self.image_shape[0]
            network.add(layers.Conv2D(filters, 4, 2, "same", use_bias=first, kernel_initializer=published()))
            if not first:
                network.add(layers.BatchNormalization(momentum=0.9))
            network.add(layers.LeakyReLU(0.2))
            side, filters = (side + 1) // 2, 2 * filters
        network.add(layers.Flatten())
        network.add(BatchSpread(dtype="float32"))
        network.add(layers.Dense(1, kernel_initializer=published(), dtype="float32"))  # (n, 1)
        return network


def published() -> keras.initializers.Initializer:
    """Where all kernels start (section 3)."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def activate(network: keras.Sequential) -> None:
    network.add(layers.BatchNormalization(momentum=0.9))
    network.add(layers.ReLU())


def upward(filters: int, **settings) -> keras.layers.Layer:
    """A convolution that doubles both sides."""
    return layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=published(), **settings)
