"""The conditional VAE: both networks are told what the image is of.

Source: Sohn et al., "Learning Structured Output Representation using Deep Conditional Generative Models", 2015,
https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html.
"""

import numpy as np
from keras import ops

from cnnzoo.models.vae import VAE
from cnnzoo.nn import losses
from cnnzoo.nn.layers import unit_range, with_label
from cnnzoo.registry import register
from cnnzoo.tasks import inference


@register("cvae")
class CVAE(VAE):
    """Maximises a bound on log p(x|y) with the label y beside x and z; z itself does not depend on y.

    Where an image comes without its label, the label is inferred: the one under which the image is most likely.

    Args:
        classes: How many labels there are, >= 2.
        **config: See `VAE`.
    """

    needs_labels = True

    def __init__(self, *, classes=10, **config):
        if classes < 2:
            raise ValueError(f"got classes={classes}; allowed: classes >= 2")
        self.classes = self.label_size = classes
        super().__init__(**config)

    def forward(self, images, labels, training):
        return super().forward(images, ops.one_hot(labels, self.classes), training)

    def labelled(self, x, labels):
        """x with the one-hot labels (n, classes) appended; see `with_label`."""
        return with_label(x, labels)

    def infer(self, images):
        """The most likely labels of float32 images, one-hot (n, classes).

        They are those with the highest bound on log p(x|y), at the mean of q(z|x, y) in place of a draw.
        """
        n, k = ops.shape(images)[0], self.classes
        each = ops.repeat(images, k, axis=0)  # (n * k, height, width, channels)
        labels = ops.one_hot(ops.arange(n * k) % k, k)  # (n * k, k)
        z, log_variance = self.posterior(each, labels)
        bounds = self.log_likelihood(each, self.logits(z, labels)) + self.log_prior(z)
        bounds = bounds - losses.normal_log_density(z, z, log_variance)
        # Keras's argmax is made of operations that LiteRT lacks.
        return ops.one_hot(ops.top_k(ops.reshape(bounds, (n, k)), 1)[1][:, 0], k)

    def call(self, images, training=False):
        """Images, uint8 or float32 in [0, 1], to E[x|z, y] at the mean of q(z|x, y), with inferred labels y."""
        images = unit_range(images)
        return self.reconstructions(images, self.infer(images), training)

    def encoded(self, images, labels=None):
        """As that of `VAE`, given one-hot labels (n, classes), or else those inferred."""
        return super().encoded(images, self.infer(unit_range(images)) if labels is None else labels)

    def encode(self, x, labels=None) -> np.ndarray:
        """The means (n, latent_dim) of q(z|x, y) for one image or a batch of n.

        Args:
            x: The images.
            labels: n integers in [0, classes), or one for all; by default they are inferred.

        Raises:
            ValueError: For images or labels that are none.
        """
        return inference.images_to_rows(self, self.encoded, x, self._known(x, labels))

    def decode(self, z, labels=None) -> np.ndarray:
        """E[x|z, y], float32 in [0, 1], (n, height, width, channels).

        Args:
            z: Latents (n, latent_dim).
            labels: n integers in [0, classes), or one for all; by default the classes in turn.

        Raises:
            ValueError: For latents or labels that are none.
        """
        z = inference.latents(self, z)
        labels = inference.one_hot(self, len(z), labels)
        return inference.in_batches(self.decoded, z, labels)

    def reconstruct(self, x, labels=None) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the type that came in; the arguments are those of `encode`."""

        def made(images, labels):
            return self.reconstructions(unit_range(images), labels)

        return inference.images_to_images(self, made, x, self._known(x, labels))

    def generate(self, n: int, seed: int = 0, labels=None) -> np.ndarray:
        """n images of the classes asked for; the same seed and labels give the same ones.

        Args:
            n: How many.
            seed: Of the draws from the prior.
            labels: n integers in [0, classes), or one for all; by default the classes in turn.

        Returns:
            float32 in [0, 1], (n, height, width, channels).

        Raises:
            ValueError: For n < 1, a seed that is none, or labels that are none.
        """
        return self.decode(self.draw(n, seed), labels)

    def log_weights(self, images, samples: int = 1, seed: int = 0, labels=None) -> np.ndarray:
        """As that of `VAE`, given labels, which are required: n integers in [0, classes), or one for all."""
        if labels is None:
            raise ValueError("got images without labels; allowed: labels, as the bound is on log p(x|label)")
        return super().log_weights(images, samples, seed, inference.one_hot(self, len(images), labels))

    def _known(self, x, labels) -> np.ndarray:
        """The one-hot labels (n, classes) of images: those given, or else those inferred."""
        images, _ = inference.checked(self, x)
        if labels is None:
            return inference.in_batches(lambda images: self.infer(unit_range(images)), images)
        return inference.one_hot(self, len(images), labels)
