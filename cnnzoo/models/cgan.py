"""The conditional GAN: a DCGAN whose two networks are told what the image is of.

Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784.
"""

from cnnzoo.models.dcgan import DCGAN
from cnnzoo.registry import register


@register("cgan")
class CGAN(DCGAN):
    """The game of `DCGAN` on pairs of image and label: fakes have the labels of the images they are judged beside.

    D minimises the mean of -log D(x, y) - log(1 - D(G(z, y), y)), G that of -log D(G(z, y), y).

    Args:
        classes: How many labels there are, >= 2.
        **config: See `DCGAN` and `GAN`.
    """

    def __init__(self, *, classes=10, **config):
        if classes < 2:
            raise ValueError(f"got classes={classes}; allowed: classes >= 2")
        super().__init__(classes=classes, **config)
