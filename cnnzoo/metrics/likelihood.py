"""Importance-weighted bounds on log p(x)."""

from collections.abc import Iterable

import numpy as np
from scipy.special import logsumexp


def importance_weighted_bound(log_weights: Iterable[np.ndarray]) -> np.ndarray:
    """log of the mean of exp(log_weights) over all samples, for each image (n,), in nats.

    Args:
        log_weights: Arrays (samples, n) of log p(x, z) - log q(z|x), in chunks of any size.

    Source: Burda et al., "Importance Weighted Autoencoders", 2016, equation 8. A lower bound on log p(x) in
    expectation, tighter with more samples.
    """
    total, count = None, 0
    for chunk in log_weights:
        part = logsumexp(np.asarray(chunk, np.float64), axis=0)
        total = part if total is None else np.logaddexp(total, part)
        count += len(chunk)
    if total is None:
        raise ValueError("The log-weights must be at least one array (samples, n). Received: none")
    return total - np.log(count)
