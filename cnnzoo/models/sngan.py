"""The spectrally normalised GAN, of small residual networks, with labels if there are any.

Sources: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957; Miyato and
Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637.
"""

import keras

from cnnzoo.models.wgan_gp import WGANGP
from cnnzoo.registry import register


@register("sngan")
class SNGAN(WGANGP):
    """The networks of `WGANGP` with the hinge loss and spectral normalisation instead of a penalty.

    D minimises the mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z))), its kernels W being W / sigma(W) for their largest
    singular values sigma; G minimises that of -D(G(z)).

    Args:
        image_shape, latent_dim, loss, regularizer, spectral, critic_steps: See `GAN` and `WGANGP`.
        conditioning: With `classes`, how the networks are told them; see `GAN`.
        **config: See `GAN` and `WGANGP`.
    """

    def __init__(
        self,
        *,
        image_shape=(32, 32, 3),
        loss="hinge",
        regularizer=None,
        spectral=True,
        conditioning="projection",
        critic_steps=5,
        **config,
    ):
        own = {"image_shape": image_shape, "loss": loss, "regularizer": regularizer, "spectral": spectral}
        super().__init__(**own, conditioning=conditioning, critic_steps=critic_steps, **config)

    def published_optimizers(self):
        return {p.name: keras.optimizers.Adam(2e-4, beta_1=0.0, beta_2=0.9) for p in self.phases()}
