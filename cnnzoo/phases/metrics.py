"""Running means of logged quantities, with their direction for Keras callbacks."""

from collections.abc import Iterable
from typing import Any

import keras
from keras.src.trainers.compile_utils import MetricsList  # Keras has no public name for it; see `Directions`

HIGH, LOW = ("accuracy", "psnr"), ("loss", "mse", "negative_log_likelihood")


def means(names: Iterable[str]) -> dict[str, keras.metrics.Mean]:
    """A running mean per name, with a direction (up, down or none) by its suffix."""
    found = {name: keras.metrics.Mean(name=name) for name in names}
    for name, mean in found.items():
        for direction, endings in (("up", HIGH), ("down", LOW)):
            if name.endswith(endings):
                mean._direction = direction  # as in Keras's own metrics
    return found


class Directions(MetricsList):
    """A metric without a value, exposing the means to Keras callbacks.

    `EarlyStopping`, `ModelCheckpoint` and `ReduceLROnPlateau` look up the direction of a monitored quantity only in
    lists of this class, and otherwise require a `mode`.
    """

    def __init__(self, shown: Iterable[keras.metrics.Metric]) -> None:
        keras.metrics.Metric.__init__(self, name="directions")
        self._shown = lambda: shown  # behind a function, since Keras would track their variables twice

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._shown())

    def reset_state(self) -> None:
        """No operation: the means are reset on their own."""

    def result(self) -> dict:
        return {}


class Watched:
    """Running means that a model has on request, behind a class that Keras does not track in a model that is built."""

    def __init__(self, names: Iterable[str]) -> None:
        self.means = means(names)


class Logging:
    """The logs of a model: running means and compiled metrics.

    Attributes:
        _trackers: The running mean of each quantity.
        _watched: Those of the norms of gradients, if they are watched; of training alone.
        _compile_metrics: The metrics of `compile`, if any; set by Keras.
    """

    _trackers: dict[str, keras.metrics.Mean]
    _watched: "Watched | None" = None
    _compile_metrics: Any = None

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        shown = list(self._means().values())
        compiled = [self._compile_metrics] if self._compile_metrics is not None else []
        return [*shown, Directions(shown), *compiled]

    @property
    def metrics_names(self) -> list[str]:
        return list(self._log_values(train=True))

    def _means(self) -> dict[str, keras.metrics.Mean]:
        own = getattr(self, "_trackers", {})
        return own if self._watched is None else {**own, **self._watched.means}

    def _log_values(self, train: bool) -> dict[str, Any]:
        shown = self._means() if train else self._trackers
        own = {name: tracker.result() for name, tracker in shown.items()}
        return {**own, **(self._compile_metrics.result() if self._compile_metrics is not None else {})}
