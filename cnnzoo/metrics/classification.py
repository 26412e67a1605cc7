"""Classification accuracy and its confidence interval."""

import numpy as np

Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy of probabilities (n, classes), n >= 1, in [0, 1]."""
    if len(probabilities) == 0:
        raise ValueError("`probabilities` must be of one image or more. Received: none")
    return float(np.mean(np.argmax(probabilities, axis=1) == labels))


def wilson_interval(rate: float, n: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a success rate in n independent trials.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    center = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n**2))
    return float(center - half), float(center + half)
