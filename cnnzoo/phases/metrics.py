"""The running means that a model logs, and which of them are better high or low."""

from collections.abc import Iterable
from typing import Any

import keras
from keras.src.trainers.compile_utils import MetricsList  # Keras has no public name for it; see `Directions`

HIGH, LOW = ("accuracy", "psnr"), ("loss", "mse", "negative_log_likelihood")


def means(names: Iterable[str]) -> dict[str, keras.metrics.Mean]:
    """A running mean for each name. By how the name ends it is better high, better low, or neither."""
    found = {name: keras.metrics.Mean(name=name) for name in names}
    for name, mean in found.items():
        for direction, endings in (("up", HIGH), ("down", LOW)):
            if name.endswith(endings):
                mean._direction = direction  # the name that Keras's own metrics have it under
    return found


class Directions(MetricsList):
    """A metric without a value, which shows the means to Keras's callbacks.

    `EarlyStopping`, `ModelCheckpoint` and `ReduceLROnPlateau` look for the direction of what they monitor in lists of
    this class alone, and ask for a `mode` where they find none.
    """

    def __init__(self, shown: Iterable[keras.metrics.Metric]):
        keras.metrics.Metric.__init__(self, name="directions")
        self._shown = lambda: shown  # behind a function, as Keras would count their variables twice

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._shown())

    def reset_state(self) -> None:
        """Nothing: the means are reset as themselves."""

    def result(self) -> dict:
        return {}


class Logging:
    """What of a Keras model has to do with its logs.

    Attributes:
        _trackers: The running mean of each quantity.
        _compile_metrics: Those that `compile` was given, if any; Keras sets it.
    """

    _trackers: dict[str, keras.metrics.Mean]
    _compile_metrics: Any = None

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        shown = list(getattr(self, "_trackers", {}).values())
        compiled = [self._compile_metrics] if self._compile_metrics is not None else []
        return [*shown, Directions(shown), *compiled]

    @property
    def metrics_names(self) -> list[str]:
        return list(self._log_values())

    def _log_values(self) -> dict[str, Any]:
        own = {name: tracker.result() for name, tracker in self._trackers.items()}
        return {**own, **(self._compile_metrics.result() if self._compile_metrics is not None else {})}
