"""The variational autoencoder: a bound on log p(x), and a decoder that makes new images.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo import losses
from cnnzoo.layers import LogScale, ReplicaSeedGenerator
from cnnzoo.models import _encoding, _verbs
from cnnzoo.registry import register
from cnnzoo.training.phases import Phase, PhasedModel, unit_range

LIKELIHOODS = ("bernoulli", "gaussian", "logistic")


class Bounded(NamedTuple):
    """The two terms of the bound for each image of a batch, (n,), in nats."""

    log_likelihood: object  # log p(x|z) with one z drawn from q(z|x)
    kl: object  # KL(q(z|x) || p(z)), in closed form


@register("vae")
class VAE(PhasedModel):
    """Maximises ELBO = E[log p(x|z)] - KL(q(z|x) || p(z)), with p(z) = N(0, I) and q a diagonal Gaussian.

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        latent_dim: The length of z.
        likelihood: p(x|z): "bernoulli" for each pixel in [0, 1]; "gaussian", a density with a trained scale for each
            channel; "logistic", a distribution over 256 grey values, discretised, with a trained scale.
        binarize: Whether each pixel is drawn as 0 or 1 with its brightness as the chance, anew at every step
            ("dynamic binarisation"); with "bernoulli" only.
        width: Filters of the first convolution.
        hidden: Units of the dense layers.
    """

    task = "reconstruct"
    log_names = ("negative_log_likelihood", "kl")

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=32,
        likelihood="bernoulli",
        binarize=False,
        width=16,
        hidden=256,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"got likelihood={likelihood!r}; allowed: {', '.join(LIKELIHOODS)}")
        if binarize and likelihood != "bernoulli":
            raise ValueError(f"got binarize=True with likelihood={likelihood!r}; allowed: with 'bernoulli'")
        self.image_shape = _encoding.check_shape(image_shape)
        self.latent_dim, self.likelihood, self.binarize = latent_dim, likelihood, binarize
        self.width, self.hidden = width, hidden
        self.encoder = _encoding.encoder(self.image_shape, width, hidden, 2 * latent_dim)
        self.decoder = _encoding.decoder(self.image_shape, width, hidden, latent_dim)
        # Without a floor the density of a flat background would grow without bound.
        self.scale = None if likelihood == "bernoulli" else LogScale(self.image_shape[-1], floor=math.log(0.5 / 255))
        self.noise = ReplicaSeedGenerator()
        self.build()

    def phases(self):
        layers = [self.encoder, self.decoder]
        return [Phase("elbo", layers if self.scale is None else [*layers, self.scale], self.negative_elbo)]

    def forward(self, images, labels, training):
        seeds = (self.noise, self.noise) if training else (0, 1)  # an evaluation repeats, and advances nothing
        if self.binarize:
            images = ops.cast(keras.random.uniform(ops.shape(images), seed=seeds[0]) < images, "float32")
        mean, log_variance = self.posterior(images, training)
        z = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=seeds[1])
        likelihood = self.log_likelihood(images, self.decoder(z, training=training))
        return Bounded(likelihood, losses.normal_kl(mean, log_variance))

    def negative_elbo(self, bounded: Bounded):
        distortion, rate = -ops.mean(bounded.log_likelihood), ops.mean(bounded.kl)
        return distortion + rate, {"negative_log_likelihood": distortion, "kl": rate}

    def posterior(self, images, training=False):
        """Mean and log-variance of q(z|x), each (n, latent_dim)."""
        return ops.split(self.encoder(images, training=training), 2, axis=-1)

    def log_likelihood(self, images, logits):
        """log p(x|z) for each image, (n,), from the decoder's logits."""
        if self.likelihood == "bernoulli":
            return losses.bernoulli_log_likelihood(images, logits)
        mean, log_scale = ops.sigmoid(logits), self.scale()
        if self.likelihood == "gaussian":
            return losses.gaussian_log_likelihood(images, mean, log_scale)
        return losses.discretized_logistic_log_likelihood(images, mean, log_scale)

    def published_optimizers(self):
        return {"elbo": keras.optimizers.Adam(1e-3)}

    def call(self, images, training=False):
        """Images, uint8 or float32 in [0, 1], to E[x|z] at the mean of q(z|x)."""
        mean, _ = self.posterior(unit_range(images), training)
        return ops.sigmoid(self.decoder(mean, training=training))

    def encode(self, x) -> np.ndarray:
        """The means (n, latent_dim) of q(z|x) for one image or a batch of n."""
        return _verbs.images_to_rows(self, lambda images: self.posterior(unit_range(images))[0], x)

    def decode(self, z) -> np.ndarray:
        """E[x|z], float32 in [0, 1], (n, height, width, channels), for latents (n, latent_dim)."""
        return _verbs.in_batches(lambda z: ops.sigmoid(self.decoder(z)), _verbs.latents(self, z))

    def reconstruct(self, x) -> np.ndarray:
        """decode(encode(x)) for one image or a batch, in the type that came in."""
        return _verbs.images_to_images(self, self, x)

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images, E[x|z] with z drawn from N(0, I); float32 in [0, 1], (n, height, width, channels)."""
        return self.decode(_verbs.noise(self, n, seed))

    def log_weights(self, images, samples: int = 1, seed: int = 0) -> np.ndarray:
        """log p(x, z) - log q(z|x) in nats, (samples, n), for z drawn from q(z|x).

        Their mean over samples is the ELBO; the logarithm of the mean of their exponentials is the importance-weighted
        bound on log p(x) (Burda et al., "Importance Weighted Autoencoders", 2016, equation 8).

        Args:
            images: float32 (n, height, width, channels) in [0, 1], binarised already where the model wants that.
            samples: Draws for each image.
            seed: Of the draws.
        """
        images = ops.convert_to_tensor(images, "float32")
        mean, log_variance = self.posterior(images)  # (n, d)
        shape = (samples, *mean.shape)
        z = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        z = mean + ops.exp(0.5 * log_variance) * z  # (samples, n, d)
        logits = self.decoder(ops.reshape(z, (-1, self.latent_dim)))  # (samples * n, height, width, channels)
        likelihood = self.log_likelihood(ops.tile(images, (samples, 1, 1, 1)), logits)
        ratio = losses.normal_log_density(z) - losses.normal_log_density(z, mean, log_variance)  # (samples, n)
        return ops.convert_to_numpy(ops.reshape(likelihood, (samples, -1)) + ratio)

    def elbo(self, images, seed: int = 0) -> np.ndarray:
        """The bound on log p(x) for each image, (n,), in nats, with one draw of z; see `log_weights`."""
        return self.log_weights(images, 1, seed)[0]
