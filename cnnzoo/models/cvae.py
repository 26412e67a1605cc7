"""The conditional VAE, with a class-conditional encoder and decoder.

Source: Sohn et al., "Learning Structured Output Representation using Deep Conditional Generative Models", 2015,
https://papers.nips.cc/paper/2015/hash/8d55a249e6baa5c06772297520da2051-Abstract.html.
"""

from typing import Any

import numpy as np
from keras import ops

from cnnzoo.models.vae import VAE
from cnnzoo.nn import losses
from cnnzoo.nn.layers import unit_range, with_label
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.compiled import in_batches
from cnnzoo.utils.checks import check_integer


@register("cvae")
class CVAE(VAE):
    """Maximizes a bound on log p(x|y), with the label y as input of both networks and a prior independent of y.

    Missing labels are inferred by maximum likelihood.

    Args:
        classes: Number of classes, >= 2.
        **config: See `VAE`.
    """

    needs_labels = True

    def __init__(self, *, classes: int = 10, **config: Any) -> None:
        check_integer("classes", classes, 2)
        self.classes = self.label_size = classes
        super().__init__(**config)

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        return super().forward(images, ops.one_hot(labels, self.classes), training)

    def with_labels(self, x: Any, labels: Any) -> Any:
        """x with the one-hot labels (n, classes) appended; see `with_label`."""
        return with_label(x, labels)

    def infer(self, images: Any) -> Any:
        """The most likely labels of float32 images, one-hot (n, classes).

        By the highest bound on log p(x|y), at the mean of q(z|x, y) instead of a sample.
        """
        n, k = ops.shape(images)[0], self.classes
        each = ops.repeat(images, k, axis=0)  # (n * k, height, width, channels)
        labels = ops.one_hot(ops.arange(n * k) % k, k)  # (n * k, k)
        z, log_variance = self.posterior(each, labels)
        bounds = self.log_likelihood(each, self.logits(z, labels)) + self.log_prior(z)
        bounds = bounds - losses.normal_log_density(z, z, log_variance)
        # Keras's argmax uses operations missing in LiteRT.
        return ops.one_hot(ops.top_k(ops.reshape(bounds, (n, k)), 1)[1][:, 0], k)

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to E[x|z, y] at the mean of q(z|x, y), with inferred labels y."""
        images = unit_range(images)
        return self.reconstructions(images, self.infer(images), training)

    def inferred(self, images: Any) -> Any:
        """As `infer`, for images in uint8 too."""
        return self.infer(unit_range(images))

    def reconstructed(self, images: Any, labels: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], reconstructed with their one-hot labels (n, classes)."""
        return self.reconstructions(unit_range(images), labels)

    def encoded(self, images: Any, labels: Any = None) -> Any:
        """As in `VAE`, with one-hot labels (n, classes), inferred by default."""
        return super().encoded(images, self.infer(unit_range(images)) if labels is None else labels)

    def encode(self, x: Any, labels: Any = None) -> np.ndarray:
        """The means (n, latent_dim) of q(z|x, y) for one image or a batch of n.

        Args:
            x: The images.
            labels: n integers in [0, classes), or one for all; by default they are inferred.

        Raises:
            ValueError: For invalid images or labels.
        """
        return inference.images_to_rows(self, type(self).encoded, x, self._known(x, labels))

    def decode(self, z: Any, labels: Any = None) -> np.ndarray:
        """E[x|z, y], float32 in [0, 1], (n, height, width, channels).

        Args:
            z: Latents (n, latent_dim).
            labels: n integers in [0, classes), or one for all; by default the classes in turn.

        Raises:
            ValueError: For invalid latents or labels.
        """
        z = inference.latents(self, z)
        labels = inference.one_hot(self, len(z), labels)
        return in_batches(self, type(self).decoded, z, labels)

    def reconstruct(self, x: Any, labels: Any = None) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the input dtype; arguments as in `encode`."""
        return inference.images_to_images(self, type(self).reconstructed, x, self._known(x, labels))

    def generate(self, n: int, seed: int = 0, labels: Any = None) -> np.ndarray:
        """n images of given classes, determined by seed and labels.

        Args:
            n: Number of images.
            seed: Of the samples from the prior.
            labels: n integers in [0, classes), or one for all; by default the classes in turn.

        Returns:
            float32 in [0, 1], (n, height, width, channels).

        Raises:
            ValueError: For n < 1, an invalid seed, or invalid labels.
        """
        return self.decode(self.draw(n, seed), labels)

    def log_weights(self, images: Any, samples: int = 1, seed: int = 0, labels: Any = None) -> np.ndarray:
        """As in `VAE`, with required labels: n integers in [0, classes), or one for all."""
        if labels is None:
            raise ValueError("`labels` must come with the images, as the bound is on log p(x|label). Received: None")
        batch, _ = inference.checked(self, images)
        return super().log_weights(batch, samples, seed, inference.one_hot(self, len(batch), labels))

    def _known(self, x: Any, labels: Any) -> np.ndarray:
        """The one-hot labels (n, classes) of images, inferred by default."""
        images, _ = inference.checked(self, x)
        if labels is None:
            return in_batches(self, type(self).inferred, images)
        return inference.one_hot(self, len(images), labels)
