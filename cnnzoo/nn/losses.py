"""Losses and style statistics as pure functions; likelihoods are in nats.

Each returns one float32 number per image, (n,), unless stated otherwise.
"""

import math
from typing import Any

from keras import ops


def _per_image(x: Any) -> Any:
    return ops.sum(ops.reshape(x, (ops.shape(x)[0], -1)), axis=1)  # (n, ...) -> (n,)


def cross_entropy(labels: Any, logits: Any) -> Any:
    """-log softmax(logits)[label] for integer labels (n,) and logits (n, classes)."""
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def squared_error(images: Any, reconstructions: Any) -> Any:
    """||x - x'||^2, the sum over pixels and channels."""
    return _per_image(ops.square(images - reconstructions))


def psnr(images: Any, reconstructions: Any) -> Any:
    """10 log10(1 / mean squared error) in dB: the peak signal-to-noise ratio of images in [0, 1]."""
    count = math.prod(images.shape[1:]) if None not in images.shape[1:] else ops.size(images[0])
    mean = squared_error(images, reconstructions) / ops.cast(count, "float32")
    return -10.0 * ops.log10(ops.maximum(mean, 1e-10))  # 100 dB for equal images


def bernoulli_log_likelihood(images: Any, logits: Any) -> Any:
    """sum of x log p + (1 - x) log(1 - p) with p = sigmoid(logits), for images in [0, 1]."""
    return _per_image(images * logits - ops.softplus(logits))


def gaussian_log_likelihood(images: Any, mean: Any, log_scale: Any) -> Any:
    """sum of log N(x; mean, exp(log_scale)^2), a density."""
    z = (images - mean) * ops.exp(-log_scale)
    return _per_image(-0.5 * ops.square(z) - log_scale - 0.5 * math.log(2 * math.pi))


def discretized_logistic_log_likelihood(images: Any, mean: Any, log_scale: Any) -> Any:
    """sum of log P(x) for a logistic distribution discretized to 256 gray values, the outer two bins open.

    Args:
        images: In [0, 1]; a gray value k stands at k / 255.
        mean: Of the shape of `images`.
        log_scale: The logarithm of the scale s; broadcasts to `images`.

    Source: Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", 2016, and Salimans et al.,
    "PixelCNN++", 2017, equation 2.
    """
    inverse_scale = ops.exp(-log_scale)
    upper = (images - mean + 0.5 / 255) * inverse_scale
    lower = (images - mean - 0.5 / 255) * inverse_scale
    # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log sigmoid(-l) + log(1 - exp(l - u)), exact without cancellation;
    # l - u as their difference would be 0 far from the mean
    inside = -ops.softplus(-upper) - ops.softplus(lower) + ops.log(-ops.expm1(-inverse_scale / 255))
    first, last = -ops.softplus(-upper), -ops.softplus(lower)
    return _per_image(ops.where(images < 0.5 / 255, first, ops.where(images > 254.5 / 255, last, inside)))


def normal_kl_by_latent(mean: Any, log_variance: Any) -> Any:
    """KL(N(mean, exp(log_variance)) || N(0, I)) per latent, in the shape of `mean`.

    Each term is 1/2 (exp(log_variance) + mean^2 - 1 - log_variance).

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B.
    """
    return 0.5 * (ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance)


def normal_log_density(x: Any, mean: float = 0.0, log_variance: float = 0.0) -> Any:
    """log N(x; mean, exp(log_variance)), summed over the last axis."""
    squared = ops.square(x - mean) * ops.exp(-log_variance)
    return -0.5 * ops.sum(squared + log_variance + math.log(2 * math.pi), axis=-1)


def normal_mixture_log_density(x: Any, means: Any, log_variances: Any) -> Any:
    """The log-density of an equal mixture of k diagonal normals at each row of x: (..., d) to (...).

    Args:
        x: (..., d).
        means: (k, d).
        log_variances: (k, d).
    """
    precisions = ops.exp(-log_variances)  # (k, d)
    # The square is expanded, to avoid a tensor (..., k, d).
    squared = ops.matmul(ops.square(x), ops.transpose(precisions))  # (..., k)
    squared = squared - ops.matmul(x, ops.transpose(2 * means * precisions))
    constant = ops.sum(ops.square(means) * precisions + log_variances + math.log(2 * math.pi), axis=1)  # (k,)
    return ops.logsumexp(-0.5 * (squared + constant), axis=-1) - math.log(means.shape[0])


def importance_weighted_bound(log_weights: Any) -> Any:
    """log mean exp(log_weights) over the k samples of each image, (n, k) to (n,).

    Source: Burda et al., "Importance Weighted Autoencoders", 2016, equation 8.
    """
    return ops.logsumexp(log_weights, axis=1) - math.log(log_weights.shape[1])


def gram_matrix(features: Any, weights: Any = None) -> Any:
    """sum of w f f^T over the positions of maps (n, height, width, c), with w = 1 / (height width): (n, c, c).

    Feature correlations without positions: a style statistic.

    Args:
        features: (n, height, width, c).
        weights: w, (n or 1, height, width, 1), for weighted positions.

    Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", 2016, equation 3; with weights
    Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", 2017, equation 5.
    """
    weighted = features / _positions(features) if weights is None else features * weights
    n, channels = ops.shape(features)[0], features.shape[3]
    rows, weighted = (ops.reshape(x, (n, -1, channels)) for x in (features, weighted))  # (n, height * width, c)
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), weighted)


def mean_and_deviation(features: Any, weights: Any = None) -> Any:
    """The mean and standard deviation of each feature over the positions, (n, 2 c); arguments of `gram_matrix`.

    Source: Huang and Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", 2017,
    section 3; as statistics of a style, equation 13.
    """
    weights = 1.0 / _positions(features) if weights is None else weights
    mean = ops.sum(weights * features, axis=(1, 2), keepdims=True)
    variance = ops.sum(weights * ops.square(features - mean), axis=(1, 2))
    return ops.concatenate([mean[:, 0, 0], ops.sqrt(variance + 1e-8)], axis=1)  # 1e-8: the root has no slope at 0


def spatial_consistency(images: Any, enhanced: Any, region: int = 4) -> Any:
    """The mean over regions i of the sum over their neighbors j of (|Y_i - Y_j| - |I_i - I_j|)^2: (n,).

    I and Y are mean gray values of `region` x `region` squares, before and after; each has four neighbors.

    Args:
        images, enhanced: (n, height, width, channels).

    Source: Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", 2020, section 3.3,
    also of the three functions below.
    """
    before, after = (ops.mean(_regions(x, region), axis=3) for x in (images, enhanced))  # (n, rows, columns)
    rows = ops.abs(after[:, 1:] - after[:, :-1]) - ops.abs(before[:, 1:] - before[:, :-1])
    columns = ops.abs(after[:, :, 1:] - after[:, :, :-1]) - ops.abs(before[:, :, 1:] - before[:, :, :-1])
    count = ops.cast(ops.shape(before)[1] * ops.shape(before)[2], "float32")
    return 2.0 * (_per_image(ops.square(rows)) + _per_image(ops.square(columns))) / count  # i and j, and j and i


def exposure_error(images: Any, level: float = 0.6, region: int = 16) -> Any:
    """The mean of |Y - level| over squares of `region` pixels a side with mean gray value Y: (n,)."""
    return ops.mean(ops.abs(ops.mean(_regions(images, region), axis=3) - level), axis=(1, 2))


def color_cast(images: Any) -> Any:
    """The sum over pairs of channels p, q of (J_p - J_q)^2, with channel means J: (n,).

    It is 0 for images that are gray on average (color constancy).
    """
    mean = ops.mean(images, axis=(1, 2))  # (n, 3)
    return ops.sum(ops.square(mean - ops.roll(mean, 1, axis=1)), axis=1)


def illumination_smoothness(curves: Any) -> Any:
    """The mean over curves and positions of the sum over channels of (|below - here| + |right - here|)^2: (n,).

    Args:
        curves: (n, height, width, iterations, channels).
    """
    down = ops.abs(curves[:, 1:, :-1] - curves[:, :-1, :-1])
    right = ops.abs(curves[:, :-1, 1:] - curves[:, :-1, :-1])
    return ops.mean(ops.sum(ops.square(down + right), axis=4), axis=(1, 2, 3))


def _regions(images: Any, region: int) -> Any:
    """The means of `region` x `region` squares, (n, rows, columns, channels), without incomplete squares."""
    return ops.average_pool(images, region, region)


def _positions(features: Any) -> Any:
    return ops.cast(ops.shape(features)[1] * ops.shape(features)[2], features.dtype)


def total_variation(images: Any, rounding: float = 0.03) -> Any:
    """The mean over pixels and channels of |below - here| and of |right - here|, of images (n, height, width, c): (n,).

    Each |d| is smoothed to sqrt(d^2 + r^2) - r, which is differentiable at 0.

    Source: Rudin et al., "Nonlinear Total Variation Based Noise Removal Algorithms", 1992; anisotropic.
    """
    steps = (images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1])
    return sum(ops.mean(ops.sqrt(ops.square(d) + rounding**2) - rounding, axis=(1, 2, 3)) for d in steps)
