"""GAN losses and discriminator regularizers.

All are pure functions of logits (n, 1), before any sigmoid, or of gradients with the shape of images, and return a
scalar.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops


def logistic_discriminator_loss(real_logits: Any, fake_logits: Any, smoothing: float = 0.0) -> Any:
    """The mean of -(1 - s) log D(x) - s log(1 - D(x)) - log(1 - D(G(z))), with D = sigmoid(logit).

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, equation 1; with one-sided label smoothing s of
    Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.4.
    """
    return ops.mean(ops.softplus(-real_logits) + smoothing * real_logits) + ops.mean(ops.softplus(fake_logits))


def minimax_generator_loss(fake_logits: Any) -> Any:
    """The mean of log(1 - D(G(z))); it saturates for a confident discriminator (Goodfellow et al., equation 1)."""
    return -ops.mean(ops.softplus(fake_logits))


def non_saturating_generator_loss(fake_logits: Any) -> Any:
    """The mean of -log D(G(z)) (Goodfellow et al., section 3)."""
    return ops.mean(ops.softplus(-fake_logits))


def least_squares_discriminator_loss(real_logits: Any, fake_logits: Any, smoothing: float = 0.0) -> Any:
    """Half the mean of (D(x) - (1 - s))^2 + D(G(z))^2, with the logit D and label smoothing s.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return 0.5 * (ops.mean(ops.square(real_logits - (1.0 - smoothing))) + ops.mean(ops.square(fake_logits)))


def least_squares_generator_loss(fake_logits: Any) -> Any:
    """Half the mean of (D(G(z)) - 1)^2 (Mao et al., equation 9)."""
    return 0.5 * ops.mean(ops.square(fake_logits - 1.0))


def hinge_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """The mean of max(0, 1 - D(x)) + max(0, 1 + D(G(z))), with the logit D.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 16.
    """
    return ops.mean(ops.relu(1.0 - real_logits)) + ops.mean(ops.relu(1.0 + fake_logits))


def wasserstein_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """The mean of D(G(z)) - D(x), with the logit D, for a 1-Lipschitz critic.

    Source: Arjovsky et al., "Wasserstein GAN", 2017, equation 2.
    """
    return ops.mean(fake_logits) - ops.mean(real_logits)


def wasserstein_generator_loss(fake_logits: Any) -> Any:
    """The mean of -D(G(z)) (Arjovsky et al., equation 2; Miyato et al., equation 17, for the hinge loss)."""
    return -ops.mean(fake_logits)


def relativistic_discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """The mean of -log sigmoid(D(x) - D(G(z))) over pairs of an image and a fake, with the logit D.

    Source: Jolicoeur-Martineau, "The relativistic discriminator", 2019, equation 4, with the pairs of Huang et al.,
    "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, equation 2.
    """
    return ops.mean(ops.softplus(fake_logits - real_logits))


def relativistic_generator_loss(fake_logits: Any, real_logits: Any) -> Any:
    """The mean of -log sigmoid(D(G(z)) - D(x)) over the same pairs (Huang et al., section 2.1)."""
    return ops.mean(ops.softplus(real_logits - fake_logits))


class Objective(NamedTuple):
    """The losses of both networks of a GAN."""

    discriminator: Callable[..., Any]  # of real and fake logits
    generator: Callable[..., Any]  # of fake logits; of fake and real logits if paired
    has_labels: bool  # whether the discriminator has targets 1 and 0, open to smoothing
    # Whether the loss applies a sigmoid to the logits, which rules out gradient penalties with target norm 1.
    has_sigmoid: bool
    is_bounded: bool = True  # whether the discriminator's loss has a lower bound for any slope
    is_paired: bool = False  # whether the generator's loss compares each fake with an image


OBJECTIVES = {
    "non_saturating": Objective(
        logistic_discriminator_loss, non_saturating_generator_loss, has_labels=True, has_sigmoid=True
    ),
    "minimax": Objective(logistic_discriminator_loss, minimax_generator_loss, has_labels=True, has_sigmoid=True),
    "least_squares": Objective(
        least_squares_discriminator_loss, least_squares_generator_loss, has_labels=True, has_sigmoid=False
    ),
    "hinge": Objective(hinge_discriminator_loss, wasserstein_generator_loss, has_labels=False, has_sigmoid=False),
    "wasserstein": Objective(
        wasserstein_discriminator_loss,
        wasserstein_generator_loss,
        has_labels=False,
        has_sigmoid=False,
        is_bounded=False,
    ),
    "relativistic": Objective(
        relativistic_discriminator_loss,
        relativistic_generator_loss,
        has_labels=False,
        has_sigmoid=True,
        is_paired=True,
    ),
}


# -- regularizers -----------------------------------------------------------------------------------------------------


def _squared_norm(gradients: Any) -> Any:
    return ops.sum(ops.reshape(ops.square(gradients), (ops.shape(gradients)[0], -1)), axis=1)  # (n, ...) -> (n,)


def gradient_penalty(gradients: Any) -> Any:
    """The mean of (|g| - 1)^2, two-sided.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3.
    """
    norm = ops.sqrt(_squared_norm(gradients) + 1e-12)  # 1e-12: the root has no slope at 0
    return ops.mean(ops.square(norm - 1.0))


def one_sided_gradient_penalty(gradients: Any) -> Any:
    """The mean of max(0, |g| - 1)^2, one-sided.

    Source: Petzka et al., "On the Regularization of Wasserstein GANs", 2018, equation 8.
    """
    norm = ops.sqrt(_squared_norm(gradients) + 1e-12)
    return ops.mean(ops.square(ops.relu(norm - 1.0)))


def squared_gradient(gradients: Any) -> Any:
    """Half the mean of |g|^2: R1 for gradients at images, R2 for gradients at fakes.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018, equations 9 and 10; their
    sum: Huang et al., 2024, section 2.2.
    """
    return 0.5 * ops.mean(_squared_norm(gradients))


class Regularizer(NamedTuple):
    """A penalty on the input gradient of the discriminator."""

    points: tuple[str, ...]  # of the gradient: "images", "fakes" or "between" (interpolated)
    penalty: Callable[..., Any]  # of the gradients
    weight: float  # default: the published one; of the estimates, which have none, our own
    wants_distance: bool = False  # whether the target norm is 1, only for logits without a sigmoid
    estimated: bool = False  # along one random direction; see `AdversarialPass.estimated_slope`


REGULARIZERS = {
    "gradient_penalty": Regularizer(("between",), gradient_penalty, 10.0, wants_distance=True),
    "one_sided_gradient_penalty": Regularizer(("between",), one_sided_gradient_penalty, 10.0, wants_distance=True),
    "r1": Regularizer(("images",), squared_gradient, 10.0),
    "r2": Regularizer(("fakes",), squared_gradient, 10.0),
    "r1_r2": Regularizer(("images", "fakes"), squared_gradient, 1.0),
    "approximate_r1": Regularizer(("images",), squared_gradient, 0.5, estimated=True),
    "approximate_r1_r2": Regularizer(("images", "fakes"), squared_gradient, 0.5, estimated=True),
}
