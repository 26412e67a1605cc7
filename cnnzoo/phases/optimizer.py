"""The optimizers of all phases as a single Keras optimizer."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("cnnzoo")
class PhaseOptimizer(keras.optimizers.Optimizer):
    """One optimizer per phase behind a single Keras optimizer, for saving, restoring and JAX state.

    Args:
        optimizers: `{phase name: optimizer}`.

    `iterations` counts training steps. `learning_rate` is that of a single phase; with several phases it raises, since
    each has its own (`optimizer.by_phase[name].learning_rate`). Then `optimizers` lets Keras's callbacks schedule and
    log the rate of every phase, as `learning_rate_<phase>`.
    """

    def __init__(self, optimizers: dict[str, keras.optimizers.Optimizer], name: str = "phase_optimizer") -> None:
        super().__init__(learning_rate=0.0, name=name)
        self.by_phase = dict(optimizers)
        self.groups: Callable[[], dict[str, list]] = dict  # set by `compile`

    def build(self, variables: Any) -> None:
        if not self.built:
            for name, group in self.groups().items():
                optimizer = self.by_phase[name]
                if not optimizer.built:
                    optimizer.build(group)
                elif not _is_of(optimizer, group):
                    raise ValueError(
                        f"The optimizer of the phase {name!r} must be a new one. Received: an optimizer of another "
                        "model"
                    )
            super().build(variables)

    @property
    def variables(self) -> list:
        return self._variables[:] + [v for optimizer in self.by_phase.values() for v in optimizer.variables]

    def _only(self) -> keras.optimizers.Optimizer:
        if len(self.by_phase) > 1:
            names = ", ".join(self.by_phase)
            raise AttributeError(
                "Each phase must have its own learning rate: set optimizer.by_phase[name].learning_rate. Phases: "
                f"{names}"
            )
        return next(iter(self.by_phase.values()))

    @property
    def learning_rate(self) -> Any:
        return self._only().learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._only().learning_rate = value

    @property
    def optimizers(self) -> list["_Rate"]:
        if len(self.by_phase) == 1:
            raise AttributeError("`by_phase` has one phase only: see learning_rate")
        return [_Rate(name, optimizer) for name, optimizer in self.by_phase.items()]

    def finalize_variable_values(self, var_list: Any) -> None:
        for name, group in self.groups().items():
            self.by_phase[name].finalize_variable_values(group)

    # Keras saves the optimizers of the phases as attributes; only the step counter remains.
    def save_own_variables(self, store: Any) -> None:
        store["0"] = ops.convert_to_numpy(self._iterations)

    def load_own_variables(self, store: Any) -> None:
        self._iterations.assign(store["0"])

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {"name": self.name, "optimizers": {k: serialize(v) for k, v in self.by_phase.items()}}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        deserialize = keras.saving.deserialize_keras_object
        optimizers = {k: deserialize(v, custom_objects) for k, v in config["optimizers"].items()}
        return cls(optimizers, name=config["name"])


def _is_of(optimizer: keras.optimizers.Optimizer, variables: list) -> bool:
    """Whether a built optimizer belongs to these variables."""
    own = getattr(optimizer, "inner_optimizer", optimizer)._trainable_variables
    return len(own) == len(variables) and all(a is b for a, b in zip(own, variables, strict=True))


class _Rate:
    """The learning rate of a phase, for Keras callbacks."""

    def __init__(self, name: str, optimizer: keras.optimizers.Optimizer) -> None:
        self.name, self._optimizer = name, optimizer

    @property
    def learning_rate(self) -> Any:
        return self._optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._optimizer.learning_rate = value


def check_strategy_support(optimizer: PhaseOptimizer, jit_compile: bool | str, steps_per_execution: int) -> None:
    """Checks that Keras supports the settings with the replicas of the current strategy.

    Raises:
        ValueError: It does not.
    """
    import tensorflow as tf

    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    accumulated = max(getattr(o, "gradient_accumulation_steps", None) or 0 for o in optimizer.by_phase.values())
    for is_set, name, allowed, value in (
        (steps_per_execution != 1, "steps_per_execution", "1", steps_per_execution),
        (accumulated > 0, "gradient_accumulation_steps", "None", accumulated),
        (jit_compile is True, "jit_compile", "'auto' or False", jit_compile),
    ):
        if is_set:
            raise ValueError(
                f"`{name}` must be {allowed} under a strategy with several replicas, where Keras fails. "
                f"Received: {name}={value}"
            )
