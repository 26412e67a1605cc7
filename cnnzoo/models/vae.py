"""The variational autoencoder (VAE).

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, arXiv:1312.6114.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import ops

from cnnzoo.models.autoencoder import decoder, encoder
from cnnzoo.nn import losses
from cnnzoo.nn.layers import LogScale, ReplicaSeedGenerator, unit_range
from cnnzoo.nn.replicas import each_row
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.autoencoder import SIDES, Reconstructor, check_sides
from cnnzoo.utils.checks import check_integer

LIKELIHOODS = ("bernoulli", "gaussian", "logistic")
PRIORS = ("normal", "vampprior")


class VAEOutputs(NamedTuple):
    """The terms of the bound for n images, in nats."""

    log_likelihood: Any  # log p(x|z), (n, k), for k samples z from q(z|x)
    kl: Any  # KL(q(z|x) || p(z)) per latent, (n, latent_dim); or log q(z|x) - log p(z) of the samples, (n, k)
    kl_weight: Any  # of the KL in the loss


@register("vae")
class VAE(Reconstructor):
    """Maximizes ELBO = E[log p(x|z)] - KL(q(z|x) || p(z)), with p(z) = N(0, I) and q a diagonal Gaussian.

    Args:
        image_shape: (height, width, channels), sides multiples of 4.
        latent_dim: Dimension of z.
        likelihood: p(x|z): "bernoulli" for pixels in [0, 1]; "gaussian", a density with a trainable scale per channel;
            "logistic", a discretized distribution over 256 gray values with a trainable scale.
        binarize: Dynamic binarization: pixels are resampled as 0 or 1 with their value as probability at every step;
            only with "bernoulli".
        width: Filters of the first convolution.
        hidden: Units of the dense layers.
        beta: Weight of the KL in the loss (Higgins et al., "beta-VAE", 2017, equation 4).
        free_bits: Minimum KL per latent in the loss, as the batch mean on a device, in nats, against posterior collapse
            (Kingma et al., "Improved Variational Inference with Inverse Autoregressive
            Flow", 2016, equation 15); only with the normal prior.
        warmup: Training steps over which the weight of the KL rises linearly from 0 to `beta`.
        importance_samples: k, samples of z per image. k > 1 maximizes the tighter bound
            E[log 1/k sum of p(x, z_i) / q(z_i|x)] (Burda et al., "Importance Weighted Autoencoders", 2016,
            equation 8), without a separate KL term: `beta`, `free_bits` and `warmup` keep their defaults.
        prior: p(z): "normal", N(0, I); or "vampprior", the uniform mixture of q(z|u) over trainable pseudo-inputs u,
            with a KL estimated from the samples (Tomczak and Welling, "VAE with a VampPrior", 2018).
        pseudo_inputs: Number of pseudo-inputs.
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
    latent_layers, bound_samples = 1, 5000  # for the scores: layers of q(z|x), and draws of the tighter bound
    label_size = 0  # channels added by a label to the inputs of the networks

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (28, 28, 1),
        latent_dim: int = 32,
        likelihood: str = "bernoulli",
        binarize: bool = False,
        width: int = 16,
        hidden: int = 256,
        beta: float = 1.0,
        free_bits: float = 0.0,
        warmup: int = 0,
        importance_samples: int = 1,
        prior: str = "normal",
        pseudo_inputs: int = 500,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"`likelihood` must be one of {', '.join(LIKELIHOODS)}. Received: {likelihood!r}")
        if binarize and likelihood != "bernoulli":
            raise ValueError(
                f"`binarize` must be False with likelihood={likelihood!r}, and may be True with 'bernoulli' only. "
                "Received: binarize=True"
            )
        _check_objective(beta, free_bits, warmup, importance_samples, prior, pseudo_inputs)
        self.image_shape = check_sides(image_shape)
        self.latent_dim, self.likelihood, self.binarize = latent_dim, likelihood, binarize
        self.width, self.hidden = width, hidden
        self.beta, self.free_bits, self.warmup = beta, free_bits, warmup
        self.importance_samples, self.prior, self.pseudo_inputs = importance_samples, prior, pseudo_inputs
        seen = (*self.image_shape[:2], self.image_shape[2] + self.label_size)
        self.encoder = encoder(seen, width, hidden, 2 * latent_dim)
        self.decoder = decoder(self.image_shape, width, hidden, latent_dim + self.label_size)
        # Without a floor, the density of constant backgrounds is unbounded.
        floor, has_scale = math.log(0.5 / 255), likelihood != "bernoulli"
        self.scale: Any = LogScale(self.image_shape[-1], floor=floor) if has_scale else None
        self.pseudo: Any = PseudoInputs(pseudo_inputs, seen) if prior == "vampprior" else None
        self.rise = WarmUp(warmup) if warmup else None
        self.noise = ReplicaSeedGenerator()
        self.build()

    def phases(self) -> list[Phase]:
        layers = [layer for layer in (self.encoder, self.decoder, self.scale, self.pseudo) if layer is not None]
        return [Phase("elbo", layers, self.negative_elbo if self.importance_samples == 1 else self.negative_bound)]

    def forward(self, images: Any, labels: Any, training: bool) -> VAEOutputs:
        seeds = (self.noise, self.noise) if training else (0, 1)  # fixed seeds in evaluation
        if self.binarize:
            shape = self.image_shape
            drawn = each_row(lambda n, s: keras.random.uniform((n, *shape), seed=s), ops.shape(images)[0], seeds[0])
            images = ops.cast(drawn < images, "float32")
        mean, log_variance = self.posterior(images, labels, training)
        n, k = ops.shape(mean)[0], self.importance_samples
        noise = each_row(lambda n, s: keras.random.normal((n, k, self.latent_dim), seed=s), n, seeds[1])
        z = mean[:, None] + ops.exp(0.5 * log_variance[:, None]) * noise  # (n, k, latent_dim)
        if k == 1 and self.prior == "normal":
            kl = losses.normal_kl_by_latent(mean, log_variance)
        else:
            kl = losses.normal_log_density(z, mean[:, None], log_variance[:, None]) - self.log_prior(z, training)
        logits = self.logits(ops.reshape(z, (-1, self.latent_dim)), _each(labels, k), training)  # (n * k, ...)
        likelihood = ops.reshape(self.log_likelihood(_each(images, k), logits), (-1, k))
        return VAEOutputs(likelihood, kl, self.beta * self.rise(training=training) if self.rise else self.beta)

    def negative_elbo(self, outputs: VAEOutputs) -> Any:
        distortion, rate = -outputs.log_likelihood[:, 0], ops.sum(outputs.kl, axis=1)  # each (n,)
        logs = {"negative_log_likelihood": distortion, "kl": rate}
        if not self.free_bits:
            return distortion + outputs.kl_weight * rate, logs
        charged = ops.maximum(ops.mean(outputs.kl, axis=0), self.free_bits)  # (latent_dim,)
        return ops.mean(distortion) + outputs.kl_weight * ops.sum(charged), logs

    def negative_bound(self, outputs: VAEOutputs) -> Any:
        bound = losses.importance_weighted_bound(outputs.log_likelihood - outputs.kl)
        means = {"negative_log_likelihood": -outputs.log_likelihood, "kl": outputs.kl}  # each (n, k)
        return -bound, {name: ops.mean(value, axis=1) for name, value in means.items()}

    def with_labels(self, x: Any, labels: Any) -> Any:
        """The input of a network: x (n, ...), here without the label."""
        return x

    def posterior(self, images: Any, labels: Any = None, training: bool = False) -> Any:
        """Mean and log-variance of q(z|x), each (n, latent_dim)."""
        return ops.split(self.encoder(self.with_labels(images, labels), training=training), 2, axis=-1)

    def logits(self, z: Any, labels: Any = None, training: bool = False) -> Any:
        """The decoder logits, (n, height, width, channels), for latents (n, latent_dim)."""
        return self.decoder(self.with_labels(z, labels), training=training)

    def components(self, training: bool = False) -> Any:
        """Means and log-variances, each (pseudo_inputs, latent_dim), of the VampPrior mixture."""
        return ops.split(self.encoder(self.pseudo(), training=training), 2, axis=-1)

    def log_prior(self, z: Any, training: bool = False) -> Any:
        """log p(z) for latents (..., latent_dim): (...)."""
        if self.prior == "normal":
            return losses.normal_log_density(z)
        return losses.normal_mixture_log_density(z, *self.components(training))

    def log_likelihood(self, images: Any, logits: Any) -> Any:
        """log p(x|z) for each image, (n,), from the decoder's logits."""
        if self.likelihood == "bernoulli":
            return losses.bernoulli_log_likelihood(images, logits)
        mean, log_scale = ops.sigmoid(logits), self.scale()
        if self.likelihood == "gaussian":
            return losses.gaussian_log_likelihood(images, mean, log_scale)
        return losses.discretized_logistic_log_likelihood(images, mean, log_scale)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"elbo": keras.optimizers.Adam(1e-3)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to E[x|z] at the mean of q(z|x)."""
        return self.reconstructions(unit_range(images), None, training)

    def reconstructions(self, images: Any, labels: Any = None, training: bool = False) -> Any:
        """E[x|z] at the mean of q(z|x), for float32 images."""
        mean, _ = self.posterior(images, labels, training)
        return ops.sigmoid(self.logits(mean, labels, training))

    def encoded(self, images: Any, labels: Any = None) -> Any:
        """Images, uint8 or float32 in [0, 1], to the means (n, latent_dim) of q(z|x)."""
        return self.posterior(unit_range(images), labels)[0]

    def decoded(self, z: Any, labels: Any = None) -> Any:
        """Latents (n, latent_dim) to E[x|z], images in [0, 1]."""
        return ops.sigmoid(self.logits(z, labels))

    def draw(self, n: int, seed: int = 0) -> np.ndarray:
        """n latents from the prior, float32 (n, latent_dim), determined by the seed."""
        z = inference.noise(self, n, seed)
        if self.prior == "normal":
            return z
        means, log_variances = (ops.convert_to_numpy(part) for part in self.components())
        chosen = np.random.default_rng((seed, 1)).integers(self.pseudo_inputs, size=n)
        return means[chosen] + np.exp(0.5 * log_variances[chosen]) * z

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images, E[x|z] with z drawn from the prior; float32 in [0, 1], (n, height, width, channels)."""
        return self.decode(self.draw(n, seed))

    def log_weights(self, images: Any, samples: int = 1, seed: int = 0, labels: Any = None) -> np.ndarray:
        """log p(x, z) - log q(z|x) in nats, (samples, n), for z sampled from q(z|x).

        Their mean over samples is the ELBO; the log-mean-exp is the importance-weighted bound on log p(x) (Burda et
        al., "Importance Weighted Autoencoders", 2016, equation 8).

        Args:
            images: One image or n, uint8 or float32 in [0, 1], of the model's shape; already binarized for a model of
                binary images.
            samples: Samples per image, >= 1.
            seed: Of the samples.
            labels: One-hot (n, classes), for a conditional model; the bounds are then on log p(x|label).

        Raises:
            ValueError: For images of another shape, type or range, gray ones for a model of binary images, samples < 1,
                or labels for an unconditional model.
        """
        if labels is not None and not self.needs_labels:
            raise ValueError(f"`labels` must be None for the unconditional {self.architecture}. Received: labels")
        check_integer("samples", samples, 1)
        batch, _ = inference.checked(self, images)
        if self.binarize and not np.isin(batch, (0, 255 if batch.dtype == np.uint8 else 1)).all():
            raise ValueError("`images` must be binary, black and white alone, as the model is. Received: grays")
        images = unit_range(ops.convert_to_tensor(batch))
        mean, log_variance = self.posterior(images, labels)  # (n, d)
        shape = (samples, *mean.shape)
        z = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        z = mean + ops.exp(0.5 * log_variance) * z  # (samples, n, d)
        every = None if labels is None else np.tile(labels, (samples, 1))
        logits = self.logits(ops.reshape(z, (-1, self.latent_dim)), every)  # (samples * n, height, width, channels)
        likelihood = self.log_likelihood(ops.tile(images, (samples, 1, 1, 1)), logits)
        ratio = self.log_prior(z) - losses.normal_log_density(z, mean, log_variance)  # (samples, n)
        return ops.convert_to_numpy(ops.reshape(likelihood, (samples, -1)) + ratio)

    def elbo(self, images: Any, seed: int = 0, labels: Any = None) -> np.ndarray:
        """The bound on log p(x) for each image, (n,), in nats, with one sample of z; see `log_weights`."""
        return self.log_weights(images, 1, seed, labels)[0]


class PseudoInputs(keras.layers.Layer):
    """Trainable encoder inputs, (count, *shape), in [0, 1].

    Source: Tomczak and Welling, "VAE with a VampPrior", 2018.
    """

    def __init__(self, count: int, shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        start = keras.initializers.RandomNormal(-2.0, 1.0)  # dark, as most black-and-white images
        self.logits = self.add_weight((count, *shape), start, name="logits")
        self.built = True

    def call(self, _: Any = None) -> Any:
        return ops.sigmoid(self.logits)


class WarmUp(keras.layers.Layer):
    """t / steps at the training step t = 0, 1, 2, ..., and 1 from t = steps on; 1 outside training.

    Source: Bowman et al., "Generating Sentences from a Continuous Space", 2016, and Sønderby et al., "Ladder
    Variational Autoencoders", 2016.
    """

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.steps = steps
        # All replicas count the same steps, without aggregation.
        self.done = self.add_weight((), "zeros", trainable=False, name="done")
        self.built = True

    def call(self, _: Any = None, training: bool = False) -> Any:
        if not training:
            return 1.0
        now = self.done + 1.0  # a tensor, read before the assignment
        self.done.assign(ops.minimum(now, self.steps))
        return (now - 1.0) / self.steps


def _check_objective(
    beta: float, free_bits: float, warmup: int, importance_samples: int, prior: str, pseudo_inputs: int
) -> None:
    """Rejects values out of range and invalid combinations."""
    if prior not in PRIORS:
        raise ValueError(f"`prior` must be one of {', '.join(PRIORS)}. Received: {prior!r}")
    for name, value in (("beta", beta), ("free_bits", free_bits)):
        if not 0 <= value < math.inf:
            raise ValueError(f"`{name}` must be a number >= 0. Received: {value!r}")
    counts = (("warmup", warmup, 0), ("importance_samples", importance_samples, 1), ("pseudo_inputs", pseudo_inputs, 1))
    for name, value, least in counts:
        check_integer(name, value, least)
    if importance_samples > 1 and (beta, free_bits, warmup) != (1, 0, 0):
        raise ValueError(
            "`importance_samples` must be 1 unless beta=1, free_bits=0, warmup=0. Received: "
            f"importance_samples={importance_samples} with beta={beta}, free_bits={free_bits}, warmup={warmup}"
        )
    if free_bits and prior != "normal":
        raise ValueError(
            f"`free_bits` must be 0 with prior={prior!r}; other values need prior='normal'. Received: "
            f"free_bits={free_bits}"
        )


def _each(x: Any, k: int) -> Any:
    """Each row of x repeated k times, (n, ...) to (n * k, ...)."""
    return x if x is None or k == 1 else ops.repeat(x, k, axis=0)
