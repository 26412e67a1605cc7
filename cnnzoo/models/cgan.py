"""The conditional GAN: a class-conditional DCGAN.

Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784.
"""

from typing import Any

from cnnzoo.models.dcgan import DCGAN
from cnnzoo.registry import register
from cnnzoo.utils.checks import check_integer


@register("cgan")
class CGAN(DCGAN):
    """`DCGAN` on pairs of image and label; fakes share the labels of the images in the batch.

    D minimizes the mean of -log D(x, y) - log(1 - D(G(z, y), y)), G that of -log D(G(z, y), y).

    Args:
        classes: Number of classes, >= 2.
        **config: See `DCGAN` and `GAN`.
    """

    def __init__(self, *, classes: int = 10, **config: Any) -> None:
        check_integer("classes", classes, 2)
        super().__init__(classes=classes, **config)
