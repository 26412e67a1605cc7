"""The variational autoencoder: a bound on log p(x), and a decoder that makes new images.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114.
"""

import math
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.models.autoencoder import decoder, encoder
from cnnzoo.nn import losses
from cnnzoo.nn.layers import LogScale, ReplicaSeedGenerator, unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.autoencoder import SIDES, Reconstructor, check_sides

LIKELIHOODS = ("bernoulli", "gaussian", "logistic")
PRIORS = ("normal", "vampprior")


class VAEOutputs(NamedTuple):
    """The terms of the bound for each of n images, in nats."""

    log_likelihood: object  # log p(x|z), (n, k), with k draws of z from q(z|x)
    kl: object  # KL(q(z|x) || p(z)) by latent, (n, latent_dim); or log q(z|x) - log p(z) of the draws, (n, k)
    kl_weight: object  # of the KL in the loss


@register("vae")
class VAE(Reconstructor):
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
        beta: The weight of the KL in the loss (Higgins et al., "beta-VAE", 2017, equation 4).
        free_bits: The least KL that each latent is charged with, as the mean over the batch of a device, in nats, so
            that none is given up early (Kingma et al., "Improved Variational Inference with Inverse Autoregressive
            Flow", 2016, equation 15); with the normal prior only.
        warmup: Training steps over which the weight of the KL rises linearly from 0 to `beta`.
        importance_samples: k, the draws of z for each image. More than one maximise the tighter bound
            E[log 1/k sum of p(x, z_i) / q(z_i|x)] (Burda et al., "Importance Weighted Autoencoders", 2016,
            equation 8), in which the KL is no term to be weighted: `beta`, `free_bits` and `warmup` stay as they are.
        prior: p(z): "normal", N(0, I); or "vampprior", the equal mixture of q(z|u) over trained pseudo-inputs u, whose
            KL is estimated from the draws (Tomczak and Welling, "VAE with a VampPrior", 2018).
        pseudo_inputs: How many of them.
    """

    sides, channels = SIDES, (1, 3)
    log_names = ("negative_log_likelihood", "kl")
    search_space: ClassVar[dict] = {
        "learning_rate": (3e-4, 1e-2),
        "batch_size": [32, 64, 128, 256],
        "latent_dim": [8, 16, 32, 64],
        "width": [8, 16, 32],
        "hidden": [128, 256, 512],
    }
    label_size = 0  # how much longer a label makes what the networks see

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=32,
        likelihood="bernoulli",
        binarize=False,
        width=16,
        hidden=256,
        beta=1.0,
        free_bits=0.0,
        warmup=0,
        importance_samples=1,
        prior="normal",
        pseudo_inputs=500,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"got likelihood={likelihood!r}; allowed: {', '.join(LIKELIHOODS)}")
        if binarize and likelihood != "bernoulli":
            raise ValueError(f"got binarize=True with likelihood={likelihood!r}; allowed: with 'bernoulli'")
        _check_objective(beta, free_bits, warmup, importance_samples, prior, pseudo_inputs)
        self.image_shape = check_sides(image_shape)
        self.latent_dim, self.likelihood, self.binarize = latent_dim, likelihood, binarize
        self.width, self.hidden = width, hidden
        self.beta, self.free_bits, self.warmup = beta, free_bits, warmup
        self.importance_samples, self.prior, self.pseudo_inputs = importance_samples, prior, pseudo_inputs
        seen = (*self.image_shape[:2], self.image_shape[2] + self.label_size)
        self.encoder = encoder(seen, width, hidden, 2 * latent_dim)
        self.decoder = decoder(self.image_shape, width, hidden, latent_dim + self.label_size)
        # Without a floor the density of a flat background would grow without bound.
        self.scale = None if likelihood == "bernoulli" else LogScale(self.image_shape[-1], floor=math.log(0.5 / 255))
        self.pseudo = PseudoInputs(pseudo_inputs, seen) if prior == "vampprior" else None
        self.rise = WarmUp(warmup) if warmup else None
        self.noise = ReplicaSeedGenerator()
        self.build()

    def phases(self):
        layers = [layer for layer in (self.encoder, self.decoder, self.scale, self.pseudo) if layer is not None]
        return [Phase("elbo", layers, self.negative_elbo if self.importance_samples == 1 else self.negative_bound)]

    def forward(self, images, labels, training):
        seeds = (self.noise, self.noise) if training else (0, 1)  # an evaluation repeats, and advances nothing
        if self.binarize:
            images = ops.cast(keras.random.uniform(ops.shape(images), seed=seeds[0]) < images, "float32")
        mean, log_variance = self.posterior(images, labels, training)
        n, k = ops.shape(mean)[0], self.importance_samples
        noise = keras.random.normal((n, k, self.latent_dim), seed=seeds[1])
        z = mean[:, None] + ops.exp(0.5 * log_variance[:, None]) * noise  # (n, k, latent_dim)
        if k == 1 and self.prior == "normal":
            kl = losses.normal_kl_by_latent(mean, log_variance)
        else:
            kl = losses.normal_log_density(z, mean[:, None], log_variance[:, None]) - self.log_prior(z, training)
        logits = self.logits(ops.reshape(z, (-1, self.latent_dim)), _each(labels, k), training)  # (n * k, ...)
        likelihood = ops.reshape(self.log_likelihood(_each(images, k), logits), (-1, k))
        return VAEOutputs(likelihood, kl, self.beta * self.rise(training=training) if self.rise else self.beta)

    def negative_elbo(self, outputs: VAEOutputs):
        distortion, rate = -outputs.log_likelihood[:, 0], ops.sum(outputs.kl, axis=1)  # each (n,)
        logs = {"negative_log_likelihood": distortion, "kl": rate}
        if not self.free_bits:
            return distortion + outputs.kl_weight * rate, logs
        charged = ops.maximum(ops.mean(outputs.kl, axis=0), self.free_bits)  # (latent_dim,)
        return ops.mean(distortion) + outputs.kl_weight * ops.sum(charged), logs

    def negative_bound(self, outputs: VAEOutputs):
        bound = losses.importance_weighted_bound(outputs.log_likelihood - outputs.kl)
        means = {"negative_log_likelihood": -outputs.log_likelihood, "kl": outputs.kl}  # each (n, k)
        return -bound, {name: ops.mean(value, axis=1) for name, value in means.items()}

    def labelled(self, x, labels):
        """What a network sees of x, (n, ...): here x alone."""
        return x

    def posterior(self, images, labels=None, training=False):
        """Mean and log-variance of q(z|x), each (n, latent_dim)."""
        return ops.split(self.encoder(self.labelled(images, labels), training=training), 2, axis=-1)

    def logits(self, z, labels=None, training=False):
        """What p(x|z) is made of, (n, height, width, channels), for latents (n, latent_dim)."""
        return self.decoder(self.labelled(z, labels), training=training)

    def components(self, training=False):
        """Means and log-variances, each (pseudo_inputs, latent_dim), of the mixture that a learned prior is."""
        return ops.split(self.encoder(self.pseudo(), training=training), 2, axis=-1)

    def log_prior(self, z, training=False):
        """log p(z) for latents (..., latent_dim): (...)."""
        if self.prior == "normal":
            return losses.normal_log_density(z)
        return losses.normal_mixture_log_density(z, *self.components(training))

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
        return self.reconstructions(unit_range(images), None, training)

    def reconstructions(self, images, labels=None, training=False):
        """E[x|z] at the mean of q(z|x), for float32 images."""
        mean, _ = self.posterior(images, labels, training)
        return ops.sigmoid(self.logits(mean, labels, training))

    def encoded(self, images, labels=None):
        """Images, uint8 or float32 in [0, 1], to the means (n, latent_dim) of q(z|x)."""
        return self.posterior(unit_range(images), labels)[0]

    def decoded(self, z, labels=None):
        """Latents (n, latent_dim) to E[x|z], images in [0, 1]."""
        return ops.sigmoid(self.logits(z, labels))

    def draw(self, n: int, seed: int = 0) -> np.ndarray:
        """n latents from the prior, float32 (n, latent_dim); the same seed gives the same ones."""
        z = inference.noise(self, n, seed)
        if self.prior == "normal":
            return z
        means, log_variances = (ops.convert_to_numpy(part) for part in self.components())
        chosen = np.random.default_rng((seed, 1)).integers(self.pseudo_inputs, size=n)
        return means[chosen] + np.exp(0.5 * log_variances[chosen]) * z

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images, E[x|z] with z drawn from the prior; float32 in [0, 1], (n, height, width, channels)."""
        return self.decode(self.draw(n, seed))

    def log_weights(self, images, samples: int = 1, seed: int = 0, labels=None) -> np.ndarray:
        """log p(x, z) - log q(z|x) in nats, (samples, n), for z drawn from q(z|x).

        Their mean over samples is the ELBO; the logarithm of the mean of their exponentials is the importance-weighted
        bound on log p(x) (Burda et al., "Importance Weighted Autoencoders", 2016, equation 8).

        Args:
            images: float32 (n, height, width, channels) in [0, 1], or uint8, binarised already where the model wants
                that.
            samples: Draws for each image, >= 1.
            seed: Of the draws.
            labels: One-hot (n, classes), of a conditional model; the bounds are then on log p(x|label).

        Raises:
            ValueError: For images of another dtype, samples < 1, or labels of a model that is told none.
        """
        if labels is not None and not self.needs_labels:
            raise ValueError(f"got labels for a {self.architecture}, which is told none; allowed: none")
        if samples < 1:
            raise ValueError(f"got samples={samples!r}; allowed: an integer >= 1")
        images = unit_range(ops.convert_to_tensor(images))
        mean, log_variance = self.posterior(images, labels)  # (n, d)
        shape = (samples, *mean.shape)
        z = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        z = mean + ops.exp(0.5 * log_variance) * z  # (samples, n, d)
        every = None if labels is None else np.tile(labels, (samples, 1))
        logits = self.logits(ops.reshape(z, (-1, self.latent_dim)), every)  # (samples * n, height, width, channels)
        likelihood = self.log_likelihood(ops.tile(images, (samples, 1, 1, 1)), logits)
        ratio = self.log_prior(z) - losses.normal_log_density(z, mean, log_variance)  # (samples, n)
        return ops.convert_to_numpy(ops.reshape(likelihood, (samples, -1)) + ratio)

    def elbo(self, images, seed: int = 0, labels=None) -> np.ndarray:
        """The bound on log p(x) for each image, (n,), in nats, with one draw of z; see `log_weights`."""
        return self.log_weights(images, 1, seed, labels)[0]


class PseudoInputs(keras.layers.Layer):
    """`count` trained inputs of an encoder, (count, *shape), in [0, 1].

    Source: Tomczak and Welling, "VAE with a VampPrior", 2018.
    """

    def __init__(self, count: int, shape: tuple[int, ...], **kwargs):
        super().__init__(dtype="float32", **kwargs)
        start = keras.initializers.RandomNormal(-2.0, 1.0)  # as dark as most pictures of black and white are
        self.logits = self.add_weight((count, *shape), start, name="logits")
        self.built = True

    def call(self, _=None):
        return ops.sigmoid(self.logits)


class WarmUp(keras.layers.Layer):
    """t / steps at the training step t = 0, 1, 2, ..., and 1 from t = steps on; 1 outside training.

    Source: Bowman et al., "Generating Sentences from a Continuous Space", 2016, and Sønderby et al., "Ladder
    Variational Autoencoders", 2016.
    """

    def __init__(self, steps: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.steps = steps
        # Every replica counts the same steps, so that nothing is to be aggregated.
        self.done = self.add_weight((), "zeros", trainable=False, name="done")
        self.built = True

    def call(self, _=None, training=False):
        if not training:
            return 1.0
        now = self.done + 1.0  # a tensor: the variable itself would be read after it is assigned
        self.done.assign(ops.minimum(now, self.steps))
        return (now - 1.0) / self.steps


def _check_objective(beta, free_bits, warmup, importance_samples, prior, pseudo_inputs) -> None:
    """Refuses what is out of range, and what does not go together."""
    if prior not in PRIORS:
        raise ValueError(f"got prior={prior!r}; allowed: {', '.join(PRIORS)}")
    for name, value in (("beta", beta), ("free_bits", free_bits)):
        if not 0 <= value < math.inf:
            raise ValueError(f"got {name}={value!r}; allowed: a number >= 0")
    counts = (("warmup", warmup, 0), ("importance_samples", importance_samples, 1), ("pseudo_inputs", pseudo_inputs, 1))
    for name, value, least in counts:
        if not isinstance(value, int) or value < least:
            raise ValueError(f"got {name}={value!r}; allowed: an integer >= {least}")
    if importance_samples > 1 and (beta, free_bits, warmup) != (1, 0, 0):
        raise ValueError(
            f"got beta={beta}, free_bits={free_bits}, warmup={warmup} with importance_samples={importance_samples}; "
            "allowed: beta=1, free_bits=0, warmup=0, or importance_samples=1"
        )
    if free_bits and prior != "normal":
        raise ValueError(f"got free_bits={free_bits} with prior={prior!r}; allowed: with 'normal'")


def _each(x, k: int):
    """Each row of x k times, (n, ...) to (n * k, ...)."""
    return x if x is None or k == 1 else ops.repeat(x, k, axis=0)
