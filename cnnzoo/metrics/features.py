"""Distances between two sets of images in a feature space, (n, d) each: Fréchet, kernel, density and coverage."""

from typing import Any

import numpy as np

NEIGHBORS = 5  # default k of density and coverage


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The Fréchet distance between the Gaussians with the means and covariances of two sets of features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), from eigenvalues of symmetric matrices in float64, without
    imaginary parts. Covariances are unbiased.

    Source: Dowson and Landau, "The Fréchet Distance between Multivariate Normal Distributions", 1982. It is an "FID"
    only with features of the Inception network of 2015.
    """
    first, second = (_checked(features) for features in (first, second))
    covariance_1, covariance_2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance_1))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ np.atleast_2d(covariance_2) @ root)
    shift = np.sum(np.square(first.mean(axis=0) - second.mean(axis=0)))
    spread = np.trace(np.atleast_2d(covariance_1 + covariance_2)) - 2 * np.sum(np.sqrt(np.maximum(cross, 0.0)))
    return float(max(shift + spread, 0.0))


def kernel_distance(first: np.ndarray, second: np.ndarray, block: int = 1000) -> float:
    """The unbiased squared maximum mean discrepancy with the kernel (x y / d + 1)^3, over all pairs.

    Unlike the Fréchet distance it is unbiased in n; slightly negative values are possible.

    Source: Bińkowski et al., "Demystifying MMD GANs", 2018, equation 4 (there over subsets, "KID" with Inception).
    """
    first, second = (_checked(features) for features in (first, second))

    def total(x: Any, y: Any) -> Any:
        sums = (np.sum((x[i : i + block] @ y.T / x.shape[1] + 1.0) ** 3) for i in range(0, len(x), block))
        return sum(sums)

    def within(x: Any) -> Any:
        own = np.sum((np.sum(x * x, axis=1) / x.shape[1] + 1.0) ** 3)
        return (total(x, x) - own) / (len(x) * (len(x) - 1))

    return float(within(first) + within(second) - 2 * total(first, second) / (len(first) * len(second)))


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBORS) -> tuple[float, float]:
    """Density and coverage of fakes, with a ball around each real image up to its k-th nearest neighbor.

    Density is the mean number of balls containing a fake, divided by k (1 for a perfect generator; more is possible);
    coverage is the fraction of balls with at least one fake, in [0, 1].

    Source: Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", 2020, equations 5 and 6.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    real, fake = (_checked(features) for features in (real, fake))
    if len(real) <= k:
        raise ValueError(f"There must be more real images than k = {k}. Received: {len(real)}")
    radii = NearestNeighbors(n_neighbors=k + 1).fit(real).kneighbors(real)[0][:, -1]  # the first is the image itself
    inside, covered = 0, 0
    start = 0
    for distances in pairwise_distances_chunked(real, fake):  # (some reals, fakes)
        within = distances <= radii[start : start + len(distances), None]
        inside += int(within.sum())
        covered += int(within.any(axis=1).sum())
        start += len(distances)
    return inside / (k * len(fake)), covered / len(real)


def inception_score(chances: np.ndarray, splits: int = 10) -> float:
    """exp(E[KL(p(y|x) || p(y))]) for class probabilities p(y|x) (n, classes), averaged over consecutive splits.

    p(y) is the mean of a split. From 1 (a single class, or uncertain predictions) to the number of classes.

    Source: Salimans et al., "Improved Techniques for Training GANs", 2016, section 4; it is an "IS" only with
    the Inception network of 2015.
    """
    from scipy.special import rel_entr

    if len(chances) < splits:
        raise ValueError(
            f"There must be at least one image for each of {splits} parts. Received: the chances of {len(chances)} "
            "images"
        )
    parts = np.array_split(np.asarray(chances, np.float64), splits)
    divergences = [rel_entr(part, part.mean(axis=0)).sum(axis=1).mean() for part in parts]
    return float(np.mean(np.exp(divergences)))


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise ValueError(f"Features must be finite numbers (n, d) with n >= 2. Received: shape {features.shape}")
    return features
