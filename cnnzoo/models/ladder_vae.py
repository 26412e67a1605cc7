"""The ladder VAE: a VAE with latents at three scales, each inferred from the image and from the coarser ones.

Sources: Sønderby et al., "Ladder Variational Autoencoders", 2016, arXiv:1602.02282; the residual blocks of Child, "Very
Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", 2021, arXiv:2011.10650.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.models.vae import VAEOutputs, WarmUp
from cnnzoo.nn import losses
from cnnzoo.nn.layers import DepthToSpace, ReplicaSeedGenerator, unit_range
from cnnzoo.nn.replicas import each_row
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks import inference
from cnnzoo.tasks.autoencoder import Reconstructor, check_sides
from cnnzoo.utils.checks import check_integer

SCALES = 3  # of latents: images reduced 8, 4 and 2 times
FLOOR = math.log(0.5 / 255)  # of the log-scale of a value; without it, the density of constant areas is unbounded
START = -2.0  # of the log-scale


@register("ladder_vae")
class LadderVAE(Reconstructor):
    """Maximizes ELBO = E[log p(x|z)] - KL(q(z|x) || p(z)), with p(z) = N(0, I) and z = (z_1, ..., z_L), coarse to fine.

    q(z|x) is the product of the q(z_l | z_1, ..., z_(l-1), x), diagonal Gaussians with variances below 1. The decoder
    turns white noise z into a hierarchy: a standard normal prior of all z_l loses nothing against learned ones.

    p(x|z) is a discretized logistic distribution of each value with its own mean and scale. Inside a pixel, green
    depends linearly on red, and blue on both (Salimans et al., "PixelCNN++", 2017, section 2.2).

    Args:
        image_shape: (height, width, channels), sides multiples of 8.
        width: Filters at half the resolution; twice and three times as many at a quarter and an eighth.
        latent_channels: Channels of each group of latents.
        depth: Groups of latents per scale, with a residual block each; as many blocks per scale in the encoder.
        warmup: Training steps over which the weight of the KL rises linearly from 0 to 1.
    """

    sides, channels = range(8, 65, 8), (1, 3)
    log_names = ("negative_log_likelihood", "kl")
    search_space: ClassVar[dict] = {
        "learning_rate": (3e-4, 3e-3),
        "batch_size": [32, 64, 128],
        "width": [32, 48, 64],
        "latent_channels": [4, 8, 16],
    }
    likelihood, binarize = "logistic", False
    bound_samples = 100  # of the scores; a draw runs most of the network

    def __init__(
        self,
        *,
        image_shape: Sequence[Any] = (32, 32, 3),
        width: int = 48,
        latent_channels: int = 8,
        depth: int = 2,
        warmup: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_shape = check_sides(image_shape)
        if any(side % 2**SCALES for side in self.image_shape[:2]):
            raise ValueError(f"`image_shape` must have sides that are multiples of 8. Received: {self.image_shape}")
        for name, value, least in (("latent_channels", latent_channels, 1), ("depth", depth, 1), ("warmup", warmup, 0)):
            check_integer(name, value, least)
        self.width, self.latent_channels, self.depth, self.warmup = width, latent_channels, depth, warmup
        self.grids = list(self._grids())
        self.latent_dim = sum(math.prod(grid) for grid in self.grids)
        self.encoder = self.make_encoder()
        self.posteriors = [self.make_posterior(i) for i in range(len(self.grids))]
        self.decoders = [self.make_decoder(i) for i in range(len(self.grids))]
        self.rise = WarmUp(warmup) if warmup else None
        self.noise = ReplicaSeedGenerator()
        self.build()

    @property
    def latent_layers(self) -> int:
        """Number of groups of latents."""
        return len(self.grids)

    def _grids(self) -> Iterator[tuple[int, int, int]]:
        """The shape of each group of latents, coarse to fine."""
        for scale in reversed(range(SCALES)):
            for _ in range(self.depth):
                yield (*self.maps(scale)[:2], self.latent_channels)

    def maps(self, scale: int) -> tuple[int, int, int]:
        """The shape of the feature maps at a scale: 0 at half the resolution, 1 at a quarter, 2 at an eighth."""
        height, width, _ = self.image_shape
        return height >> (scale + 1), width >> (scale + 1), self.width * (scale + 1)

    def make_encoder(self) -> keras.Model:
        """Images (n, height, width, channels) to features at each scale, fine to coarse."""
        image = keras.Input(self.image_shape)
        x, features = 2.0 * image - 1.0, []
        for scale in range(SCALES):  # (n, 16, 16, width), (n, 8, 8, 2 width), (n, 4, 4, 3 width)
            x = layers.Conv2D(self.maps(scale)[2], 4, 2, "same")(x)
            for _ in range(self.depth):
                x = residual(x)
            features.append(x)
        return keras.Model(image, features, name="encoder")

    def make_posterior(self, i: int) -> keras.Model:
        """Features of the image, and those of the decoder after the first group, to 2 numbers per latent of group i."""
        shape = self.maps(self.scale_of(i))
        inputs = [keras.Input(shape) for _ in range(1 if i == 0 else 2)]
        x = inputs[0] if i == 0 else layers.Concatenate()(inputs)
        x = layers.Conv2D(shape[2], 3, 1, "same")(layers.ReLU()(x))
        x = layers.Conv2D(2 * self.latent_channels, 1, kernel_initializer=small(), dtype="float32")(layers.ReLU()(x))
        return keras.Model(inputs, x, name=f"posterior_{i}")

    def make_decoder(self, i: int) -> keras.Model:
        """Latents of group i, and the features before after the first group, to the next; the last to logits.

        Logits are (n, height, width, p), with p numbers per pixel: a mean and a scale per channel, and the dependence
        of each channel on those before.
        """
        scale, channels = self.scale_of(i), self.image_shape[2]
        latents = keras.Input(self.grids[i])
        x, before = layers.Conv2D(self.maps(scale)[2], 3, 1, "same")(latents), []
        if i > 0:
            before = [keras.Input(self.maps(scale))]
            x = layers.Add()([before[0], x])
        x = residual(x)
        if i + 1 == len(self.grids):  # (n, 32, 32, p)
            p = 2 * channels + channels * (channels - 1) // 2
            x = layers.Conv2D(4 * p, 3, 1, "same", dtype="float32")(layers.ReLU()(x))
            x = DepthToSpace(2, dtype="float32")(x)
        elif (finer := self.scale_of(i + 1)) != scale:  # (n, 8, 8, 2 width), (n, 16, 16, width)
            x = DepthToSpace(2)(layers.Conv2D(4 * self.maps(finer)[2], 1)(x))
        return keras.Model([latents, *before], x, name=f"decoder_{i}")

    def scale_of(self, i: int) -> int:
        """The scale of group i; see `maps`."""
        return SCALES - 1 - i // self.depth

    def phases(self) -> list[Phase]:
        return [Phase("elbo", [self.encoder, *self.posteriors, *self.decoders], self.negative_elbo)]

    def forward(self, images: Any, labels: Any, training: bool) -> VAEOutputs:
        n = ops.shape(images)[0]
        noise = each_row(
            lambda n, s: keras.random.normal((n, self.latent_dim), seed=s), n, self.noise if training else 0
        )
        _, mean, log_variance, logits = self.passed(images, noise, training)
        return VAEOutputs(
            self.log_likelihood(images, logits)[:, None],
            losses.normal_kl_by_latent(mean, log_variance),
            self.rise(training=training) if self.rise else 1.0,
        )

    def negative_elbo(self, outputs: VAEOutputs) -> Any:
        distortion, rate = -outputs.log_likelihood[:, 0], ops.sum(outputs.kl, axis=1)  # each (n,)
        return distortion + outputs.kl_weight * rate, {"negative_log_likelihood": distortion, "kl": rate}

    def passed(self, images: Any, noise: Any, training: bool = False) -> tuple[Any, Any, Any, Any]:
        """z, the mean and log-variance of q(z|x) along it, each (n, latent_dim), and the logits.

        Args:
            images: float32 (n, height, width, channels).
            noise: (n, latent_dim); z = mean + deviation * noise, group by group.
            training: Of the layers.
        """
        features = self.encoder(images, training=training)
        groups, x = [], None
        for i, part in enumerate(self.split(noise)):
            seen = features[self.scale_of(i)]
            known = self.posteriors[i]([seen] if x is None else [seen, x], training=training)
            mean, raw = ops.split(known, 2, axis=-1)
            log_variance = -ops.softplus(raw)
            z = mean + ops.exp(0.5 * log_variance) * part
            groups.append([z, mean, log_variance])
            x = self.decoders[i]([z] if x is None else [z, x], training=training)
        n = ops.shape(noise)[0]
        kinds = zip(*groups, strict=True)
        z, mean, log_variance = (ops.concatenate([ops.reshape(g, (n, -1)) for g in kind], axis=1) for kind in kinds)
        return z, mean, log_variance, x

    def split(self, z: Any) -> list[Any]:
        """Latents (n, latent_dim) as one grid (n, height, width, latent_channels) per group."""
        parts, start = [], 0
        for grid in self.grids:
            stop = start + math.prod(grid)
            parts.append(ops.reshape(z[:, start:stop], (-1, *grid)))
            start = stop
        return parts

    def logits(self, z: Any) -> Any:
        """The logits, (n, height, width, p), of latents (n, latent_dim)."""
        x = None
        for decoder, part in zip(self.decoders, self.split(z), strict=True):
            x = decoder([part] if x is None else [part, x])
        return x

    def log_likelihood(self, images: Any, logits: Any) -> Any:
        """log p(x|z) for each image, (n,)."""
        channels = self.image_shape[2]
        mean, raw = ops.sigmoid(logits[..., :channels]), logits[..., channels : 2 * channels]
        log_scale = FLOOR + ops.softplus(raw + START - FLOOR)
        error, k = images - mean, 2 * channels
        means = [mean[..., :1]]
        for c in range(1, channels):
            shift = ops.sum(logits[..., k : k + c] * error[..., :c], axis=-1, keepdims=True)
            means.append(mean[..., c : c + 1] + shift)
            k += c
        return losses.discretized_logistic_log_likelihood(images, ops.concatenate(means, axis=-1), log_scale)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"elbo": keras.optimizers.Adamax(2e-3)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Images, uint8 or float32 in [0, 1], to E[x|z] at the means of the q(z_l|...)."""
        *_, logits = self._at_means(unit_range(images), training)
        return self._mean(logits)

    def encoded(self, images: Any) -> Any:
        """Images, uint8 or float32 in [0, 1], to the means of the q(z_l|...), (n, latent_dim)."""
        return self._at_means(unit_range(images))[0]

    def decoded(self, z: Any) -> Any:
        """Latents (n, latent_dim) to E[x|z], images in [0, 1]."""
        return self._mean(self.logits(z))

    def _at_means(self, images: Any, training: bool = False) -> tuple[Any, Any, Any, Any]:
        return self.passed(images, ops.zeros((ops.shape(images)[0], self.latent_dim)), training)

    def _mean(self, logits: Any) -> Any:
        return ops.sigmoid(logits[..., : self.image_shape[2]])

    def draw(self, n: int, seed: int = 0) -> np.ndarray:
        """n latents from the prior, float32 (n, latent_dim), determined by the seed."""
        return inference.noise(self, n, seed)

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images, E[x|z] with z drawn from the prior; float32 in [0, 1], (n, height, width, channels)."""
        return self.decode(self.draw(n, seed))

    def log_weights(self, images: Any, samples: int = 1, seed: int = 0) -> np.ndarray:
        """log p(x, z) - log q(z|x) in nats, (samples, n), for z sampled from q(z|x); see `VAE.log_weights`."""
        check_integer("samples", samples, 1)
        batch, _ = inference.checked(self, images)
        images = unit_range(ops.convert_to_tensor(batch))
        rng, found = np.random.default_rng(seed), []
        for _ in range(samples):
            noise = rng.standard_normal((images.shape[0], self.latent_dim), dtype=np.float32)
            z, mean, log_variance, logits = self.passed(images, noise)
            ratio = losses.normal_log_density(z) - losses.normal_log_density(z, mean, log_variance)
            found.append(ops.convert_to_numpy(self.log_likelihood(images, logits) + ratio))
        return np.stack(found)

    def elbo(self, images: Any, seed: int = 0) -> np.ndarray:
        """The bound on log p(x) for each image, (n,), in nats, with one sample of z; see `log_weights`."""
        return self.log_weights(images, 1, seed)[0]


def residual(x: Any) -> Any:
    """x plus a bottleneck of two 1x1 convolutions around a 3x3 one, small at the start; in the shape of x."""
    filters = x.shape[-1]
    y = layers.Conv2D(filters // 2, 1)(layers.ReLU()(x))
    y = layers.Conv2D(filters // 2, 3, 1, "same")(layers.ReLU()(y))
    y = layers.Conv2D(filters, 1, kernel_initializer=small())(layers.ReLU()(y))
    return layers.Add()([x, y])


def small() -> keras.initializers.Initializer:
    """A kernel initializer with a hundredth of the usual variance: a block starts close to the identity."""
    return keras.initializers.VarianceScaling(0.01)
