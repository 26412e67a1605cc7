"""The Wasserstein GAN with a gradient penalty, of small residual networks.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.
"""

from typing import ClassVar

import keras

from cnnzoo.models import _residual
from cnnzoo.models.dcgan import STARTS, check_square
from cnnzoo.models.gan import GAN
from cnnzoo.registry import register


@register("wgan_gp")
class WGANGP(GAN):
    """The game of `GAN` with the published objective, penalty and networks, which have no batch normalisation in the
    critic, since the penalty is on each image alone.

    The critic D minimises the mean of D(G(z)) - D(x) + 10 (|grad D(m)| - 1)^2, where m = x + u (G(z) - x) lies between
    the two, u being uniform in [0, 1]; the generator G minimises that of -D(G(z)).

    Args:
        image_shape: (side, side, channels) with a side of 28, 32 or 64.
        latent_dim, loss, regularizer: See `GAN`.
        critic_steps: Updates of the critic before one of the generator. A batch is divided among them.
        width: Filters of all convolutions (128 as published).
        **config: See `GAN`.
    """

    sides = tuple(STARTS)
    search_space: ClassVar[dict] = {
        "learning_rate": (3e-5, 1e-3),
        "batch_size": [64, 128, 256],
        "latent_dim": [64, 128],
        "critic_steps": [2, 3, 5],
        "width": [32, 64],
    }

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=128,
        loss="wasserstein",
        regularizer="gradient_penalty",
        critic_steps=5,
        width=64,
        **config,
    ):
        check_square(image_shape)
        self.width = width
        own = {"image_shape": image_shape, "latent_dim": latent_dim, "loss": loss, "regularizer": regularizer}
        super().__init__(**own, critic_steps=critic_steps, **config)

    def make_generator(self, name: str) -> keras.Model:
        return _residual.generator(self, name)

    def make_discriminator(self) -> keras.Model:
        return _residual.discriminator(self)

    def published_optimizers(self):
        return {p.name: keras.optimizers.Adam(1e-4, beta_1=0.0, beta_2=0.9) for p in self.phases()}
