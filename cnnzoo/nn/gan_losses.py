"""The adversarial games: what the two sides minimise, and what keeps the discriminator's slope in bounds.

All are pure functions of logits (n, 1) or of gradients of the shape of images, and give one number. A logit is what the
discriminator says before any sigmoid.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops


def logistic_discriminator_loss(real_logits, fake_logits, smoothing=0.0):
    """The mean of -(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z))), with D = sigmoid(logit).

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1; with one-sided label smoothing s of
    Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.4.
    """
    return ops.mean(ops.softplus(-real_logits) + smoothing * real_logits) + ops.mean(ops.softplus(fake_logits))


def minimax_generator_loss(fake_logits):
    """The mean of log(1 - D(G(z))), which is flat where the discriminator is sure (Goodfellow et al., equation 1)."""
    return -ops.mean(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits):
    """The mean of -log D(G(z)) (Goodfellow et al., section 3)."""
    return ops.mean(ops.softplus(-fake_logits))


def least_squares_discriminator_loss(real_logits, fake_logits, smoothing=0.0):
    """Half the mean of (D(x) - (1 - s))^2 + D(G(z))^2, with D the logit itself and s the smoothing of labels.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return 0.5 * (ops.mean(ops.square(real_logits - (1.0 - smoothing))) + ops.mean(ops.square(fake_logits)))


def least_squares_generator_loss(fake_logits):
    """Half the mean of (D(G(z)) - 1)^2 (Mao et al., equation 9)."""
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


def hinge_discriminator_loss(real_logits, fake_logits):
    """The mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z))), with D the logit itself.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 16.
    """
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))


def wasserstein_discriminator_loss(real_logits, fake_logits):
    """The mean of D(G(z)) - D(x), with D the logit itself, which is to be kept 1-Lipschitz.

    Source: Arjovsky et al., "Wasserstein GAN", 2017, equation 2.
    """
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits):
    """The mean of -D(G(z)) (Arjovsky et al., equation 2; Miyato et al., equation 17, beside the hinge)."""
    return -ops.mean(fake_logits)


class Objective(NamedTuple):
    """The two sides of an adversarial game."""

    discriminator: Callable[..., Any]  # of the logits of images and of fakes
    generator: Callable[..., Any]  # of the logits of fakes
    has_labels: bool  # whether the discriminator is told 1 and 0, which can be smoothed
    has_sigmoid: bool  # whether a sigmoid follows the logits, so that they say nothing about a distance
    is_bounded: bool = True  # whether the discriminator's loss has a minimum whatever its slope


OBJECTIVES = {
    "non_saturating": Objective(logistic_discriminator_loss, non_saturating_generator_loss, True, True),
    "minimax": Objective(logistic_discriminator_loss, minimax_generator_loss, True, True),
    "least_squares": Objective(least_squares_discriminator_loss, least_squares_generator_loss, True, False),
    "hinge": Objective(hinge_discriminator_loss, wasserstein_generator_loss, False, False),
    "wasserstein": Objective(wasserstein_discriminator_loss, wasserstein_generator_loss, False, False, False),
}


# -- regularisers -----------------------------------------------------------------------------------------------------


def _squared_norm(gradients):
    return ops.sum(ops.reshape(ops.square(gradients), (ops.shape(gradients)[0], -1)), axis=1)  # (n, ...) -> (n,)


def gradient_penalty(gradients):
    """The mean of (|g| - 1)^2: slopes other than 1 are punished.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3.
    """
    norm = ops.sqrt(_squared_norm(gradients) + 1e-12)  # 1e-12: the root has no slope at 0
    return ops.mean(ops.square(norm - 1.0))


def one_sided_gradient_penalty(gradients):
    """The mean of max(0, |g| - 1)^2: only slopes above 1 are punished.

    Source: Petzka et al., "On the Regularization of Wasserstein GANs", 2018, equation 8.
    """
    norm = ops.sqrt(_squared_norm(gradients) + 1e-12)
    return ops.mean(ops.square(ops.relu(norm - 1.0)))


def squared_gradient(gradients):
    """Half the mean of |g|^2: R1 where the gradients are taken at images, R2 where they are taken at fakes.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, equations 9 and 10.
    """
    return 0.5 * ops.mean(_squared_norm(gradients))


class Regularizer(NamedTuple):
    """A penalty on the slope of the discriminator."""

    points: str  # where the slope is taken: at "images", at "fakes" or "between" them
    penalty: Callable[..., Any]  # of the gradients there
    weight: float  # by default: the published one, but for approximate_r1, whose is the zoo's own
    wants_distance: bool = False  # whether it holds the slope at 1, which only logits without a sigmoid can use
    estimated: bool = False  # whether it is taken along one random direction; see `AdversarialPass.estimated_slope`


REGULARIZERS = {
    "gradient_penalty": Regularizer("between", gradient_penalty, 10.0, wants_distance=True),
    "one_sided_gradient_penalty": Regularizer("between", one_sided_gradient_penalty, 10.0, wants_distance=True),
    "r1": Regularizer("images", squared_gradient, 10.0),
    "r2": Regularizer("fakes", squared_gradient, 10.0),
    "approximate_r1": Regularizer("images", squared_gradient, 0.5, estimated=True),
}
