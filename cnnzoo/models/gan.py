"""The generative adversarial network, of dense layers.

Source: Goodfellow et al., "Generative Adversarial Nets", 2014.
"""

from functools import cached_property

import keras
import numpy as np
from keras import layers, ops

from cnnzoo import losses
from cnnzoo.layers import ReplicaSeedGenerator
from cnnzoo.models import _verbs
from cnnzoo.registry import register
from cnnzoo.training.phases import Phase, PhasedModel

NUDGE = 0.05  # the step of the finite difference, in grey values of [-1, 1]


class Round:
    """One round of the game. Each quantity is computed when a loss asks for it, and once."""

    def __init__(self, game: "GAN", images, labels, training: bool):
        self.game, self.images, self.labels, self.training = game, images, labels, training

    def judge(self, images):
        """The discriminator's opinion of images in [-1, 1], (n, 1)."""
        return self.game.discriminator(self.game.labelled(images, self.labels), training=self.training)

    @cached_property
    def fakes(self):
        """G(z), as many as there are images, in [-1, 1]."""
        z = self.game.draw((ops.shape(self.images)[0], self.game.latent_dim), self.training)
        return self.game.generator(self.game.labelled(z, self.labels), training=self.training)

    @cached_property
    def fake_logits(self):
        return self.judge(self.fakes)

    @cached_property
    def reals(self):
        """The images, in [-1, 1]."""
        return 2.0 * self.images - 1.0

    @cached_property
    def real_logits(self):
        return self.judge(self.reals)

    @cached_property
    def steepness(self):
        """An estimate of the squared gradient of the discriminator at each image, (n, 1).

        For Gaussian u, E[(u . gradient)^2] = |gradient|^2; the slope along one u is taken as a finite difference, which
        needs no derivative of a derivative.
        """
        u = self.game.draw(ops.shape(self.images), self.training)
        return ops.square((self.judge(self.reals + NUDGE * u) - self.real_logits) / NUDGE)


@register("gan")
class GAN(PhasedModel):
    """A generator of 256, 512 and 1024 units against a discriminator of 1024, 512 and 256.

    The discriminator learns to tell images from fakes, the generator to make fakes that pass. Images are made by a
    moving average of the generator.

    Args:
        image_shape: (height, width, channels).
        latent_dim: The length of the noise z, drawn from N(0, I).
        loss: The objective: "non_saturating", "minimax", "least_squares", "hinge" or "wasserstein" (see
            `cnnzoo.losses.OBJECTIVES`).
        updates: "alternating": the generator answers the discriminator of the same step; "simultaneous": both are
            updated from one pass, which is faster.
        ema_decay: The share that the averaged generator keeps at each step.
        r1: The weight of the squared gradient of the discriminator at the images, halved; it keeps the discriminator
            from running ahead (Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018,
            equation 9). 0 leaves it out.
    """

    task = "generate"

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        loss="non_saturating",
        updates="alternating",
        ema_decay=0.999,
        r1=0.0,
        **config,
    ):
        super().__init__(**config)
        if r1 < 0:
            raise ValueError(f"got r1={r1}; allowed: r1 >= 0")
        if loss not in losses.OBJECTIVES:
            raise ValueError(f"got loss={loss!r}; allowed: {', '.join(losses.OBJECTIVES)}")
        if updates not in ("alternating", "simultaneous"):
            raise ValueError(f"got updates={updates!r}; allowed: alternating, simultaneous")
        self.image_shape = tuple(image_shape)
        self.latent_dim, self.loss, self.updates = latent_dim, loss, updates
        self.ema_decay, self.r1 = ema_decay, r1
        self.noise = ReplicaSeedGenerator()
        self.generator = self.make_generator("generator")
        self.average = self.make_generator("average")
        self.discriminator = self.make_discriminator()
        self.build()

    def make_generator(self, name: str) -> keras.Sequential:
        """z (n, latent_dim) to images (n, height, width, channels) in [-1, 1]."""
        network = keras.Sequential([keras.Input((self.latent_dim,))], name=name)
        for units in (256, 512, 1024):
            network.add(layers.Dense(units))  # (n, units)
            network.add(layers.LeakyReLU(0.2))
            network.add(layers.BatchNormalization(momentum=0.8))
        network.add(layers.Dense(int(np.prod(self.image_shape)), activation="tanh", dtype="float32"))
        network.add(layers.Reshape(self.image_shape, dtype="float32"))  # (n, height, width, channels)
        return network

    def make_discriminator(self) -> keras.Sequential:
        """Images (n, height, width, channels) in [-1, 1] to one logit each, (n, 1)."""
        network = keras.Sequential([keras.Input(self.image_shape), layers.Flatten()], name="discriminator")
        for units in (1024, 512, 256):
            network.add(layers.Dense(units))  # (n, units)
            network.add(layers.LeakyReLU(0.2))
        network.add(layers.Dense(1, dtype="float32"))  # (n, 1)
        return network

    def phases(self):
        return [
            Phase("discriminator", [self.discriminator], self.discriminator_loss),
            Phase("generator", [self.generator], self.generator_loss),
        ]

    def forward(self, images, labels, training):
        return Round(self, images, labels, training)

    def discriminator_loss(self, game: Round):
        loss = losses.OBJECTIVES[self.loss].discriminator(game.real_logits, game.fake_logits)
        return loss + 0.5 * self.r1 * ops.mean(game.steepness) if self.r1 else loss

    def generator_loss(self, game: Round):
        return losses.OBJECTIVES[self.loss].generator(game.fake_logits)

    def labelled(self, x, labels):
        """What a network sees of x, (n, ...): here x alone."""
        return x

    def draw(self, shape, training: bool):
        """Gaussian noise; outside training always the same."""
        return keras.random.normal(shape, seed=self.noise if training else 0)

    def averages(self):
        return [(self.generator, self.average)]

    def published_optimizers(self):
        return {name: keras.optimizers.Adam(2e-4, beta_1=0.5) for name in ("discriminator", "generator")}

    def call(self, z, training=False):
        """Noise (n, latent_dim) to images in [0, 1], (n, height, width, channels)."""
        return 0.5 * (self.average(z, training=training) + 1.0)

    def generate(self, n: int, seed: int = 0) -> np.ndarray:
        """n images, float32 in [0, 1], (n, height, width, channels); the same seed gives the same ones."""
        return _verbs.in_batches(self, _verbs.noise(self, n, seed))
