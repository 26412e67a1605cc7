"""The Wasserstein GAN with gradient penalty (WGAN-GP), with small residual networks.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028.

The networks are those of appendix F: equal filters in all convolutions, and residual blocks of two 3x3 convolutions.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import layers

from cnnzoo.models.gan import GAN
from cnnzoo.nn.label_conditioning import discriminator_layers
from cnnzoo.nn.layers import BatchNormalization
from cnnzoo.registry import register
from cnnzoo.tasks.generator import FIRST_SIDES, check_square

MOMENTUM = 0.9  # of the moving means of batch normalization
BLOCKS = 4  # minimum number of discriminator blocks


@register("wgan_gp")
class WGANGP(GAN):
    """`GAN` with the published objective, penalty and networks.

    The critic has no batch normalization, since the penalty is defined for single images.

    The critic D minimizes the mean of D(G(z)) - D(x) + 10 (|grad D(m)| - 1)^2, with the
    interpolation m = x + u (G(z) - x), u uniform in [0, 1]; the generator G minimizes that of -D(G(z)).

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        latent_dim, loss, regularizer: See `GAN`.
        critic_steps: Critic updates per generator update (5 as published), each on its own part of the batch.
        width: Filters of all convolutions (128 as published).
        **config: See `GAN`.
    """

    sides = tuple(FIRST_SIDES)
    # Twice the rate for the critic takes the place of several updates (Heusel et al., "GANs Trained by a Two
    # Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017); see docs/scores.md.
    rates: ClassVar[dict] = {"discriminator": 1e-3, "generator": 5e-4}
    search_space: ClassVar[dict] = {
        "learning_rate": (3e-5, 1e-3),
        "batch_size": [64, 128, 256],
        "latent_dim": [64, 128],
        "critic_steps": [1, 2, 5],
        "width": [32, 64],
    }

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        latent_dim: int = 128,
        loss: str = "wasserstein",
        regularizer: str | None = "gradient_penalty",
        critic_steps: int = 1,
        width: int = 32,
        **config: Any,
    ) -> None:
        check_square(image_shape)
        self.width = width
        super().__init__(
            image_shape=image_shape,
            latent_dim=latent_dim,
            loss=loss,
            regularizer=regularizer,
            critic_steps=critic_steps,
            **config,
        )

    def make_generator(self, name: str) -> keras.Model:
        """Noise (n, latent_dim) to images (n, side, side, channels) in [-1, 1]."""
        side, channels = self.image_shape[0], self.image_shape[2]
        start = FIRST_SIDES[side]
        z, label = self.labels.inputs((self.latent_dim,))
        x = layers.Dense(start * start * self.width)(self.labels.append(z, label))
        x = layers.Reshape((start, start, self.width))(x)  # (n, 7, 7, width)
        while start < side:  # (n, 14, 14, width), (n, 28, 28, width)
            path = layers.UpSampling2D()(x)
            x = layers.ReLU()(self.labels.batch_norm(x, label, MOMENTUM))
            x = layers.Conv2D(self.width, 3, 1, "same")(layers.UpSampling2D()(x))
            x = layers.ReLU()(self.labels.batch_norm(x, label, MOMENTUM))
            x = layers.Add()([path, layers.Conv2D(self.width, 3, 1, "same")(x)])
            start *= 2
        x = layers.ReLU()(BatchNormalization(momentum=MOMENTUM)(x))
        x = layers.Conv2D(channels, 3, 1, "same", activation="tanh", dtype="float32")(x)  # (n, 28, 28, channels)
        return self.labels.network(z, label, x, name)

    def make_discriminator(self) -> keras.Model:
        """Images (n, side, side, channels) in [-1, 1] to one logit each, (n, 1)."""
        _, conv = discriminator_layers(self.spectral)
        image, label = self.labels.inputs(self.image_shape)
        x = self.labels.append(image, label)
        # The first block pools its shortcut before the convolution, to save computation, and starts without a ReLU.
        path = conv(self.width, 1)(layers.AveragePooling2D(2)(x))
        x = conv(self.width, 3, 1, "same", activation="relu")(x)
        x = layers.AveragePooling2D(2)(conv(self.width, 3, 1, "same")(x))
        x, side, blocks = layers.Add()([path, x]), self.image_shape[0] // 2, 1  # (n, 14, 14, width)
        while side > 8 or blocks < BLOCKS:
            path = x
            x = conv(self.width, 3, 1, "same", activation="relu")(layers.ReLU()(x))
            x = conv(self.width, 3, 1, "same")(x)
            if side > 8:
                path = layers.AveragePooling2D(2)(conv(self.width, 1)(path))
                x, side = layers.AveragePooling2D(2)(x), side // 2
            x, blocks = layers.Add()([path, x]), blocks + 1  # (n, 7, 7, width)
        x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))  # (n, width)
        return self.labels.network(image, label, self.logit(x, label), "discriminator")
