"""The convolutional GAN, for images of 28, 32 or 64 pixels a side.

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016, arXiv:1511.06434.

Two things are added to the discriminator: a penalty on its slope (see `approximate_r1` of `GAN`), which keeps it from
running ahead of the generator, and the spread of the batch as a feature, which keeps the samples from being too much
alike.
"""

from typing import ClassVar

import keras
from keras import layers

from cnnzoo.models.gan import GAN
from cnnzoo.nn import gan_losses
from cnnzoo.nn.label_conditioning import discriminator_layers
from cnnzoo.nn.layers import BatchSpread
from cnnzoo.registry import register
from cnnzoo.tasks.generator import FIRST_SIDES, check_square

SMALLEST = 4  # the side at which the discriminator stops to halve
MOMENTUM = 0.9  # of the moving means of batch normalisation


@register("dcgan")
class DCGAN(GAN):
    """The game of `GAN` between convolutional networks.

    D minimises the mean of -log D(x) - log(1 - D(G(z))) + w s^2 / 2, where s is the slope of what D says of x before
    its sigmoid, along a random direction of the whole batch, and w the weight of the penalty; G minimises the mean of
    -log D(G(z)).

    The discriminator has batch normalisation unless it has spectral normalisation or a penalty that holds its slope at
    1: both are meant for each image alone.

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        latent_dim, updates, regularizer, label_smoothing: See `GAN`.
        width: Filters at half of the full resolution; each step down doubles them.
        **config: See `GAN`.
    """

    sides = tuple(FIRST_SIDES)
    search_space: ClassVar[dict] = {**GAN.search_space, "width": [16, 32, 64]}

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=32,
        updates="simultaneous",
        regularizer="approximate_r1",
        label_smoothing=0.0,
        width=32,
        **config,
    ):
        check_square(image_shape)
        self.width = width
        own = {"image_shape": image_shape, "latent_dim": latent_dim, "updates": updates, "regularizer": regularizer}
        super().__init__(**own, label_smoothing=label_smoothing, **config)

    def make_generator(self, name: str) -> keras.Model:
        side, channels = self.image_shape[0], self.image_shape[2]
        start = FIRST_SIDES[side]
        steps = (side // start).bit_length() - 1  # 28: 2, 32: 3, 64: 4
        first, *rest = (self.width * 2**i for i in reversed(range(steps)))
        z, label = self.labels.inputs((self.latent_dim,))
        x = self.labels.append(z, label)
        x = layers.Dense(start * start * first, use_bias=False, kernel_initializer=published())(x)
        x = layers.Reshape((start, start, first))(x)  # (n, 7, 7, 64)
        for filters in rest:
            x = layers.ReLU()(self.labels.batch_norm(x, label, MOMENTUM))
            x = upward(filters, use_bias=False)(x)  # (n, 14, 14, 32)
        x = layers.ReLU()(self.labels.batch_norm(x, label, MOMENTUM))
        x = upward(channels, activation="tanh", dtype="float32")(x)  # (n, 28, 28, channels)
        return self.labels.network(z, label, x, name)

    def make_discriminator(self) -> keras.Model:
        _, conv = discriminator_layers(self.spectral)
        alone = self.spectral or (self.regularizer and gan_losses.REGULARIZERS[self.regularizer].wants_distance)
        image, label = self.labels.inputs(self.image_shape)
        x = self.labels.append(image, label)
        side, filters = self.image_shape[0], self.width
        while side > SMALLEST:  # (n, 14, 14, 32), (n, 7, 7, 64), (n, 4, 4, 128)
            normalize = not alone and side < self.image_shape[0]
            x = conv(filters, 4, 2, "same", use_bias=not normalize, kernel_initializer=published())(x)
            if normalize:
                x = layers.BatchNormalization(momentum=MOMENTUM)(x)
            x = layers.LeakyReLU(0.2)(x)
            side, filters = (side + 1) // 2, 2 * filters
        x = layers.Flatten()(x)
        x = BatchSpread(dtype="float32")(x)
        logit = self.logit(x, label, kernel_initializer=published())  # (n, 1)
        return self.labels.network(image, label, logit, "discriminator")


def published() -> keras.initializers.Initializer:
    """Where all kernels start (section 3)."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def upward(filters: int, **settings) -> keras.layers.Layer:
    """A convolution that doubles both sides."""
    return layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=published(), **settings)
