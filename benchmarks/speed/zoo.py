"""The zoo's side of training steps: `fit` of a model, as called by a user."""

from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnzoo.phases.precision import with_precision
from cnnzoo.recipes import recipe
from speed.cases import CASES, Case, built, images
from speed.epochs import case_of

_held: dict[str, Any] = {}


def prepare(name: str, steps: int, **settings: Any) -> float:
    """Builds, compiles and warms up a case; returns the seconds of all steps.

    Args:
        name: Name of a case.
        steps: Number of steps per call of `run`.
        **settings: Arguments of `compile`.
    """
    case = CASES[name]
    _held["fit"] = fitting(case, _compiled(case, 0, settings), steps)
    return warmed_up(_held["fit"])


def run() -> float:
    """Returns the seconds of all steps in `fit`."""
    return seconds_of_steps(_held["fit"])


def prepare_epoch(name: str, steps: int, **settings: Any) -> float:
    """Prepares `fit` for the network and batch size of a recipe, as `prepare`, and its bare compiled step."""
    case = case_of(recipe(name))
    model = _compiled(case, 0, settings)
    _held["fit"] = fitting(case, model, steps)
    x, labels = images(case, steps * case.batch)
    batches = [
        (tf.constant(x[i : i + case.batch]), tf.constant(labels[i : i + case.batch]))
        for i in range(0, len(x), case.batch)
    ]
    step = with_precision(tf.function(model.train_step, autograph=False, reduce_retracing=True), model.precision)

    def bare() -> None:
        logs = None
        for batch in batches:
            logs = step(batch if model.needs_labels else batch[:1])
        float(logs["loss"])  # waits for the result

    _held["bare"] = bare
    bare()
    return warmed_up(_held["fit"])


def run_bare() -> float:
    """Returns the seconds of all steps by the bare compiled step."""
    return seconds_of(_held["bare"])


def trained(name: str, seed: int, steps: int, **settings: Any) -> dict[str, list[np.ndarray]]:
    """Returns the weights of each sub-network after a number of steps."""
    case = CASES[name]
    model = _compiled(case, seed, settings)
    fitting(case, model, steps, shuffle=False)()
    return {part: getattr(model, part).get_weights() for part in networks(case)}


def loss_of(name: str, weights: dict[str, list[np.ndarray]]) -> float:
    """Returns the loss of sub-networks on images not used for training, the same measure for both sides."""
    case = CASES[name]
    model = _compiled(case, 0, {})
    for part, values in weights.items():
        getattr(model, part).set_weights(values)
    x, labels = images(case, 4 * case.batch, seed=1)
    y = labels if model.needs_labels else None
    return float(model.evaluate(x, y, case.batch, verbose=0, return_dict=True)["loss"])


def networks(case: Case) -> list[str]:
    """Returns the attribute names of the trained sub-networks."""
    return [part for part in case.work if part != "maps"]


def fitting(case: Case, model: Any, steps: int, shuffle: bool = True) -> Any:
    x, labels = images(case, steps * case.batch)
    y = labels if model.needs_labels else None
    return lambda *callbacks: model.fit(
        x, y, case.batch, epochs=1, verbose=0, shuffle=shuffle, callbacks=list(callbacks)
    )


def warmed_up(fit: Any) -> float:
    """Runs `fit` once to trace it; returns the seconds of all steps in the next run."""
    fit()
    return seconds_of_steps(fit)


class Clock(keras.callbacks.Callback):
    """Records the end times of the steps of `fit`."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ends.append(perf_counter())


def seconds_of_steps(fit: Any) -> float:
    """Returns the seconds of all steps, extrapolated from those after the second.

    `fit` takes half a second to start.
    """
    clock = Clock()
    fit(clock)
    return (clock.ends[-1] - clock.ends[1]) / (len(clock.ends) - 2) * len(clock.ends)


def seconds_of(function: Any) -> float:
    begun = perf_counter()
    function()
    return perf_counter() - begun


def _compiled(case: Case, seed: int, settings: dict[str, Any]) -> Any:
    model = built(case, seed)
    model.compile(**settings)
    return model
