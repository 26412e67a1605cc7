"""The spectrally normalized GAN (SNGAN), with small residual networks, optionally class-conditional.

Sources: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957; Miyato and
Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637.
"""

from collections.abc import Sequence
from typing import Any

from cnnzoo.models.wgan_gp import WGANGP
from cnnzoo.registry import register


@register("sngan")
class SNGAN(WGANGP):
    """The networks of `WGANGP` with the hinge loss and spectral normalization instead of a penalty.

    D minimizes the mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z))), with kernels W / sigma(W) for the largest singular
    value sigma; G minimizes that of -D(G(z)).

    Args:
        image_shape, loss, regularizer, spectral: See `GAN` and `WGANGP`.
        conditioning: Label conditioning, with `classes`; see `GAN`.
        **config: See `GAN` and `WGANGP`.
    """

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (32, 32, 3),
        loss: str = "hinge",
        regularizer: str | None = None,
        spectral: bool = True,
        conditioning: str = "projection",
        **config: Any,
    ) -> None:
        super().__init__(
            image_shape=image_shape,
            loss=loss,
            regularizer=regularizer,
            spectral=spectral,
            conditioning=conditioning,
            **config,
        )
