"""The convolutional GAN, for images of 28, 32 or 64 pixels a side.

Source: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
2016, arXiv:1511.06434.

The discriminator has the minibatch standard deviation as one more feature, against mode collapse.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import layers

from cnnzoo.models.gan import GAN
from cnnzoo.nn import gan_losses
from cnnzoo.nn.label_conditioning import discriminator_layers
from cnnzoo.nn.layers import BatchNormalization, BatchSpread
from cnnzoo.registry import register
from cnnzoo.tasks.generator import FIRST_SIDES, check_square

SMALLEST = 4  # side of the last feature map of the discriminator
MOMENTUM = 0.9  # of the moving means of batch normalization


@register("dcgan")
class DCGAN(GAN):
    """`GAN` with convolutional networks.

    The discriminator has batch normalization, except with spectral normalization or a gradient norm penalty, which are
    defined for single images.

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        latent_dim, updates: See `GAN`.
        width: Filters at half the full resolution, doubled at each downsampling.
        hidden: Units of a dense layer between the noise and the first feature maps of the generator (Chen et al.,
            "InfoGAN", 2016, appendix C), which improves the global structure of samples; 0 for none, as published.
        **config: See `GAN`.

    Raises:
        ValueError: For an unknown setting or an invalid combination.
    """

    sides = tuple(FIRST_SIDES)
    search_space: ClassVar[dict] = {**GAN.search_space, "width": [16, 32, 64]}

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        latent_dim: int = 32,
        updates: str = "simultaneous",
        width: int = 32,
        hidden: int = 0,
        **config: Any,
    ) -> None:
        check_square(image_shape)
        self.width, self.hidden = width, hidden
        super().__init__(image_shape=image_shape, latent_dim=latent_dim, updates=updates, **config)

    def make_generator(self, name: str) -> keras.Model:
        side, channels = self.image_shape[0], self.image_shape[2]
        start = FIRST_SIDES[side]
        steps = (side // start).bit_length() - 1  # 28: 2, 32: 3, 64: 4
        first, *rest = (self.width * 2**i for i in reversed(range(steps)))
        z, label = self.labels.inputs((self.latent_dim,))
        x = self.labels.append(z, label)
        if self.hidden:
            x = layers.Dense(self.hidden, use_bias=False)(x)  # (n, hidden)
            x = layers.ReLU()(self.labels.batch_norm(x, label, MOMENTUM))
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
                x = BatchNormalization(momentum=MOMENTUM)(x)
            x = layers.LeakyReLU(0.2)(x)
            side, filters = (side + 1) // 2, 2 * filters
        x = layers.Flatten()(x)
        x = BatchSpread(dtype="float32")(x)
        logit = self.logit(x, label, kernel_initializer=published())  # (n, 1)
        return self.labels.network(image, label, logit, "discriminator")


def published() -> keras.initializers.Initializer:
    """The kernel initializer (section 3)."""
    return keras.initializers.RandomNormal(0.0, 0.02)


def upward(filters: int, **settings: Any) -> keras.layers.Layer:
    """A transposed convolution with stride 2."""
    return layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=published(), **settings)
