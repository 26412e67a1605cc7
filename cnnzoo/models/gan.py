"""The generative adversarial network, of dense layers.

Source: Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.nn import gan_losses
from cnnzoo.nn.gradients import input_gradient
from cnnzoo.nn.label_conditioning import WAYS, LabelConditioning, discriminator_layers
from cnnzoo.nn.layers import DifferentiableAugmentation, ReplicaSeedGenerator
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.generator import ImageGenerator

SMOOTHING = 0.1  # of labels, as published by Salimans et al., "Improved Techniques for Training GANs", 2016
NUDGE = 0.05  # the step of the finite difference, in grey values of [-1, 1]


class AdversarialPass:
    """One pass through both networks. Each quantity is computed when a loss asks for it, and once."""

    def __init__(self, game: "GAN", images, labels, training: bool):
        self.game, self.images, self.labels, self.training = game, images, labels, training

    def judge(self, images):
        """The discriminator's opinion of images in [-1, 1], (n, 1)."""
        return self.game.discriminator(self.game.with_labels(images, self.labels), training=self.training)

    @cached_property
    def fakes(self):
        """G(z), as many as there are images, in [-1, 1], as the discriminator sees them."""
        z = self.game.random((ops.shape(self.images)[0], self.game.latent_dim), self.training)
        made = self.game.generator(self.game.with_labels(z, self.labels), training=self.training)
        return self.game.augment(made, training=self.training)

    @cached_property
    def fake_logits(self):
        return self.judge(self.fakes)

    @cached_property
    def reals(self):
        """The images, in [-1, 1], as the discriminator sees them."""
        return self.game.augment(2.0 * self.images - 1.0, training=self.training)

    @cached_property
    def real_logits(self):
        return self.judge(self.reals)

    def slope(self, points: str):
        """The gradient of the sum of the logits by each image, at "images", "fakes" or "between" them, (n, ...)."""
        # The penalty is the discriminator's alone: none of it is to reach the generator.
        x = self.reals if points == "images" else ops.stop_gradient(self.fakes)
        if points == "between":
            share = self.game.random((ops.shape(self.images)[0], 1, 1, 1), self.training, "uniform")
            x = x + share * (self.reals - x)
        return input_gradient(self.game, self.judge, x)

    def estimated_slope(self):
        """The slope of each logit along a random direction u of all images at once, (n, 1).

        For Gaussian u, the mean of its square is the sum of |gradient|^2 over the images that the logit depends on.
        That is its own image alone where the discriminator looks at each by itself, and then this estimates what
        `slope` gives. With batch normalisation or `BatchSpread` a logit depends on the whole batch, and the two differ:
        here the squares of these dependences are added, there the square of their sum is taken.

        It is a finite difference, which needs no derivative of a derivative (Lin et al., "Diffusion Adversarial
        Post-Training", 2025, equation 4).
        """
        u = self.game.random(ops.shape(self.images), self.training)
        return (self.judge(self.reals + NUDGE * u) - self.real_logits) / NUDGE


@register("gan")
class GAN(ImageGenerator):
    """A generator of 256, 512 and 1024 units against a discriminator of 1024, 512 and 256.

    The discriminator D minimises the mean of -log D(x) - log(1 - D(G(z))) and so tells images from fakes; the generator
    G minimises that of -log D(G(z)), so that its fakes pass; other objectives can be asked for. Images are made by a
    moving average of the generator. Networks, objective, regulariser, conditioning and augmentation are independent:
    the fields below belong to every architecture that is such a game.

    Args:
        image_shape: (height, width, channels).
        latent_dim: The length of the noise z, drawn from N(0, I).
        classes: How many labels the networks are told; 0 for none.
        conditioning: How they are told: "concatenation" or "projection" (see `cnnzoo.nn.label_conditioning`).
        loss: The objective: "non_saturating", "minimax", "least_squares", "hinge" or "wasserstein" (see
            `cnnzoo.nn.gan_losses`).
        regularizer: What keeps the discriminator from running ahead: "gradient_penalty", "one_sided_gradient_penalty",
            "r1", "r2", "approximate_r1" (by the slope along one random direction, which needs no second derivative; it
            is another penalty than "r1" where a logit depends on the whole batch, see
            `AdversarialPass.estimated_slope`) or None.
        regularizer_weight: Its weight; by default that of `cnnzoo.nn.gan_losses.REGULARIZERS`.
        spectral: Whether all layers of the discriminator have spectral normalisation.
        label_smoothing: How far below 1 the target of images is, in [0, 0.5); for objectives with targets, where it is
            0.1 by default, with which dense networks cover more of a small set (see docs/scores.md).
        augmentation: What is done at random to images and fakes before they are judged: any of "color", "translation"
            and "cutout" (see `cnnzoo.nn.layers.DifferentiableAugmentation`).
        updates: "alternating": the generator answers the discriminator of the same step; "simultaneous": both are
            updated from one pass, which is faster.
        critic_steps: Updates of the discriminator in a step, each on its own share of the batch, before one of the
            generator on as many images as one share has.
        ema_decay: The share that the averaged generator keeps at each step.

    Raises:
        ValueError: For a setting that does not exist, or a pair that makes no sense.
    """

    sides: Sequence[int] = range(8, 65)
    channels = (1, 3)
    search_space: ClassVar[dict] = {
        "learning_rate": (5e-5, 2e-3),  # of both networks
        "batch_size": [32, 64, 128],
        "latent_dim": [32, 64, 100, 128],
        "loss": ["non_saturating", "least_squares", "hinge"],
    }

    def __init__(
        self,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        classes=0,
        conditioning="concatenation",
        loss="non_saturating",
        regularizer: str | None = None,
        regularizer_weight: float | None = None,
        spectral=False,
        label_smoothing: float | None = None,
        augmentation=(),
        updates="alternating",
        critic_steps=1,
        ema_decay=0.999,
        **config,
    ):
        super().__init__(**config)
        if regularizer_weight is None and regularizer in gan_losses.REGULARIZERS:
            regularizer_weight = gan_losses.REGULARIZERS[regularizer].weight
        if label_smoothing is None:
            has_labels = loss in gan_losses.OBJECTIVES and gan_losses.OBJECTIVES[loss].has_labels
            label_smoothing = SMOOTHING if has_labels else 0.0
        self.image_shape = tuple(image_shape)
        self.latent_dim, self.classes, self.conditioning = latent_dim, classes, conditioning
        self.loss, self.regularizer, self.regularizer_weight = loss, regularizer, regularizer_weight
        self.spectral, self.label_smoothing, self.augmentation = spectral, label_smoothing, tuple(augmentation)
        self.updates, self.critic_steps, self.ema_decay = updates, critic_steps, ema_decay
        self._check()
        self.labels = LabelConditioning(classes, conditioning)
        self.noise = ReplicaSeedGenerator()
        self.augment = DifferentiableAugmentation(self.augmentation, dtype="float32")
        self.generator = self.make_generator("generator")
        self.average = self.make_generator("average")
        self.discriminator = self.make_discriminator()
        self.build()

    def _check(self) -> None:
        def refuse(field: str, allowed: str):
            raise ValueError(f"got {field}={getattr(self, field)!r}; allowed: {allowed}")

        if self.classes != 0 and self.classes < 2:
            refuse("classes", "0 for none, or at least 2")
        if self.conditioning not in WAYS:
            refuse("conditioning", ", ".join(WAYS))
        if self.loss not in gan_losses.OBJECTIVES:
            refuse("loss", ", ".join(gan_losses.OBJECTIVES))
        if self.regularizer not in (None, *gan_losses.REGULARIZERS):
            refuse("regularizer", f"None, {', '.join(gan_losses.REGULARIZERS)}")
        if self.updates not in ("alternating", "simultaneous"):
            refuse("updates", "alternating, simultaneous")
        if self.critic_steps < 1 or (self.critic_steps > 1 and self.updates == "simultaneous"):
            refuse("critic_steps", "1, or more with updates='alternating'")
        if not 0.0 <= self.ema_decay < 1.0:
            refuse("ema_decay", "0 <= ema_decay < 1")
        objective, regularizer = gan_losses.OBJECTIVES[self.loss], gan_losses.REGULARIZERS.get(self.regularizer)
        if self.regularizer_weight is not None and (regularizer is None or self.regularizer_weight <= 0):
            refuse("regularizer_weight", "a number above 0, with a regularizer")
        if not 0.0 <= self.label_smoothing < 0.5 or (self.label_smoothing and not objective.has_labels):
            smooth = [name for name, o in gan_losses.OBJECTIVES.items() if o.has_labels]
            refuse("label_smoothing", f"0 <= label_smoothing < 0.5, above 0 with loss {', '.join(smooth)}")
        if regularizer and regularizer.wants_distance and objective.has_sigmoid:
            free = [name for name, o in gan_losses.OBJECTIVES.items() if not o.has_sigmoid]
            refuse("regularizer", f"with loss={self.loss!r}, whose critic ends in a sigmoid: None, r1, r2, "
                   f"approximate_r1; or a loss of {', '.join(free)}")  # fmt: skip
        if not (objective.is_bounded or regularizer or self.spectral):
            refuse("loss", "with a regularizer or spectral=True, since nothing else bounds the critic's slope")

    def make_generator(self, name: str) -> keras.Model:
        """Noise (n, latent_dim) to images (n, height, width, channels) in [-1, 1]."""
        z, label = self.labels.inputs((self.latent_dim,))
        x = self.labels.append(z, label)
        for units in (256, 512, 1024):
            x = layers.Dense(units)(x)  # (n, units)
            x = layers.LeakyReLU(0.2)(x)
            x = self.labels.batch_norm(x, label, 0.8)
        x = layers.Dense(int(np.prod(self.image_shape)), activation="tanh", dtype="float32")(x)
        x = layers.Reshape(self.image_shape, dtype="float32")(x)  # (n, height, width, channels)
        return self.labels.network(z, label, x, name)

    def make_discriminator(self) -> keras.Model:
        """Images (n, height, width, channels) in [-1, 1] to one logit each, (n, 1)."""
        dense, _ = discriminator_layers(self.spectral)
        image, label = self.labels.inputs(self.image_shape)
        x = layers.Flatten()(image)
        x = self.labels.append(x, label)
        for units in (1024, 512, 256):
            x = dense(units)(x)  # (n, units)
            x = layers.LeakyReLU(0.2)(x)
        return self.labels.network(image, label, self.logit(x, label), "discriminator")

    def logit(self, features, label, **settings):
        """One float32 logit, (n, 1), from features (n, d)."""
        dense, _ = discriminator_layers(self.spectral)
        # An objective without targets hardly sees a shift of all logits, and a Wasserstein distance not at all.
        use_bias = gan_losses.OBJECTIVES[self.loss].has_labels
        return self.labels.logit(features, label, dense, use_bias, **settings)

    def phases(self):
        return [
            Phase("discriminator", [self.discriminator], self.discriminator_loss, self.critic_steps),
            Phase("generator", [self.generator], self.generator_loss),
        ]

    def forward(self, images, labels, training):
        return AdversarialPass(self, images, labels, training)

    def discriminator_loss(self, game: AdversarialPass):
        smoothing = {"smoothing": self.label_smoothing} if self.label_smoothing else {}
        loss = gan_losses.OBJECTIVES[self.loss].discriminator(game.real_logits, game.fake_logits, **smoothing)
        if self.regularizer is None:
            return loss
        regularizer = gan_losses.REGULARIZERS[self.regularizer]
        slope = game.estimated_slope() if regularizer.estimated else game.slope(regularizer.points)
        return loss + self.regularizer_weight * regularizer.penalty(slope)

    def generator_loss(self, game: AdversarialPass):
        return gan_losses.OBJECTIVES[self.loss].generator(game.fake_logits)

    def random(self, shape, training: bool, distribution: str = "normal"):
        """Random numbers of N(0, 1), or "uniform" in [0, 1); outside training always the same."""
        return getattr(keras.random, distribution)(shape, seed=self.noise if training else 0)

    def averages(self):
        return [(self.generator, self.average)]

    def published_optimizers(self):
        return {name: keras.optimizers.Adam(2e-4, beta_1=0.5) for name in ("discriminator", "generator")}
