"""Scores of classifiers: accuracy."""

from typing import Any

from cnnzoo.evaluation.options import Options, labeled_images
from cnnzoo.metrics import classification
from cnnzoo.metrics.scores import Score


def measure(model: Any, data: str, split: str, options: Options) -> list[Score]:
    """The accuracy in percent, with its Wilson interval.

    Raises:
        ValueError: The data have no labels, or classes that the model does not know.
    """
    found = labeled_images(model, data, split, options.limit)
    if found.labels is None:
        raise ValueError(f"{data} must have labels for accuracy. Received: none")
    rate, n = classification.accuracy(model.classify(found.images), found.labels), len(found.images)
    low, high = classification.wilson_interval(rate, n)
    return [Score("accuracy", 100 * rate, "%", "higher", n, (100 * low, 100 * high), {"interval": "Wilson, 95 %"})]
