"""How often a classifier is right."""

import numpy as np

Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The fraction of rows of (n, classes) whose largest entry is at the label, in [0, 1]."""
    return float(np.mean(np.argmax(probabilities, axis=1) == labels))


def wilson_interval(rate: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a success rate that was seen in n independent trials.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    centre = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n**2))
    return float(centre - half), float(centre + half)
