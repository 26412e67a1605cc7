"""The conditional GAN: a DCGAN whose two networks are told what the image is of.

Source: Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014.
"""

import numpy as np
from keras import ops

from cnnzoo.models import _verbs
from cnnzoo.models.dcgan import DCGAN
from cnnzoo.registry import register


@register("cgan")
class CGAN(DCGAN):
    """The game of `DCGAN` on pairs of image and label: fakes have the labels of the images they are judged beside.

    Args:
        classes: How many labels there are, >= 2.
        **config: See `DCGAN`.
    """

    needs_labels = True

    def __init__(self, *, classes=10, **config):
        if classes < 2:
            raise ValueError(f"got classes={classes}; allowed: classes >= 2")
        self.classes = classes
        super().__init__(**config)

    def labelled(self, x, labels):
        """x with the one-hot label appended to its last axis, at every pixel where x is images."""
        one_hot = ops.one_hot(labels, self.classes, dtype=x.dtype)  # (n, classes)
        if len(x.shape) == 4:
            n, height, width, _ = ops.shape(x)
            one_hot = ops.broadcast_to(one_hot[:, None, None, :], (n, height, width, self.classes))
        return ops.concatenate([x, one_hot], axis=-1)

    def call(self, z, training=False):
        """Noise (n, latent_dim) to images in [0, 1], (n, height, width, channels), of the classes in turn."""
        in_turn = ops.arange(ops.shape(z)[0]) % self.classes
        return super().call(self.labelled(z, in_turn), training=training)

    def generate(self, n: int, seed: int = 0, labels=None) -> np.ndarray:
        """n images of the classes asked for; the same seed and labels give the same ones.

        Args:
            n: How many.
            seed: Of the noise.
            labels: n integers in [0, classes), or one for all; by default the classes in turn.

        Returns:
            float32 in [0, 1], (n, height, width, channels).

        Raises:
            ValueError: For n < 1, or labels that are none.
        """
        z = _verbs.noise(self, n, seed)
        return _verbs.in_batches(super().call, np.concatenate([z, _verbs.one_hot(self, n, labels)], axis=1))
