"""Compilation of a model with one optimizer per phase."""

import warnings
from typing import Any

import keras

from cnnzoo.phases.optimizer import PhaseOptimizer, check_strategy_support
from cnnzoo.phases.precision import resolved, with_precision

METRICS = ("metrics", "weighted_metrics")


class Compiling(keras.Model):
    """The part of `cnnzoo.phases.PhasedModel` that compiles it.

    Attributes:
        takes_metrics: See `cnnzoo.phases.PhasedModel`.
    """

    takes_metrics: bool
    train_function: Any  # set by Keras

    def compile(
        self,
        optimizer: Any = None,
        *,
        jit_compile: bool | str = "auto",
        precision: str = "auto",
        **settings: Any,
    ) -> None:
        """Compiles the model with one optimizer per phase.

        Args:
            optimizer: `None` for the default optimizers; `{phase name: optimizer}`; or, for a single phase, an
                optimizer or its name.
            jit_compile: As in Keras. "auto" is saved as "auto".
            precision: Of convolutions and matrix products in training: "float32", "bfloat16" or "auto", the fastest of
                this machine. Bfloat16 is faster on processors with instructions for it (avx512_bf16, amx_bf16), with
                TensorFlow; docs/speed.md compares the losses. Evaluation and all verbs are float32.
            **settings: `run_eagerly` and `steps_per_execution`, as in Keras; for classifiers also `metrics` and
                `weighted_metrics`, of integer labels and probabilities.

        Raises:
            ValueError: For a loss (phases define their own), unknown phases, missing or shared optimizers, a precision
                unavailable here, or settings unsupported by Keras under the current `tf.distribute` strategy.
        """
        allowed = ["run_eagerly", "steps_per_execution", *(METRICS if self.takes_metrics else ())]
        if unknown := sorted(set(settings) - set(allowed)):
            own = "loss is" if self.takes_metrics else "losses and metrics are"
            raise ValueError(
                f"The settings of {type(self).__name__}.compile must be any of optimizer, jit_compile, "
                f"precision, {', '.join(allowed)}; its {own} its own. Received: {', '.join(unknown)}"
            )
        optimizer = self._phase_optimizer(optimizer)
        if keras.backend.backend() == "tensorflow":
            check_strategy_support(optimizer, jit_compile, settings.get("steps_per_execution", 1))
        optimizer.groups = lambda: {phase.name: phase.variables for phase in self.phases()}
        self._jit_request = jit_compile
        settings["auto_scale_loss"] = False  # the optimizers of the phases are already wrapped
        is_graph = not settings.get("run_eagerly") and jit_compile is not True
        self._precision_request, self.precision = precision, resolved(precision, is_graph)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **settings)
        self._loss_tracker = None
        if self._compile_metrics is not None:
            labels, chances = keras.KerasTensor((None,), "int64"), keras.KerasTensor((None, self.classes))
            self._compile_metrics.build(labels, chances)
        self.optimizer.build(self.trainable_variables)  # in the scope of the strategy, outside replicas

    def make_train_function(self, force: bool = False) -> Any:
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = with_precision(self.train_function, self.precision)
        return self.train_function

    def _phase_optimizer(self, optimizer: Any) -> PhaseOptimizer:
        names = [phase.name for phase in self.phases()]
        if optimizer is None:
            optimizer = self.default_optimizers()
        if isinstance(optimizer, PhaseOptimizer):
            optimizer = optimizer.by_phase
        if not isinstance(optimizer, dict):
            if len(names) > 1:
                raise ValueError(
                    f"`optimizer` must be a dict with one for each of the phases {', '.join(names)}. Received: one "
                    "optimizer"
                )
            optimizer = {names[0]: optimizer}
        if set(optimizer) != set(names):
            raise ValueError(
                f"`optimizer` must name the phases {', '.join(names)}. Received: {', '.join(optimizer) or 'no phase'}"
            )
        optimizers = {name: keras.optimizers.get(optimizer[name]) for name in names}
        if len(set(map(id, optimizers.values()))) < len(names):
            raise ValueError(
                f"`optimizer` must have one for each of the phases {', '.join(names)}. Received: one for several of "
                "them"
            )
        if self.dtype_policy.name == "mixed_float16":
            scaled = keras.optimizers.LossScaleOptimizer
            optimizers = {k: v if isinstance(v, scaled) else scaled(v) for k, v in optimizers.items()}
        return PhaseOptimizer(optimizers)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if not config:
            return config
        taken = {name: config[name] for name in ("optimizer", "run_eagerly", "steps_per_execution")}
        taken |= {name: config[name] for name in METRICS if config.get(name)}
        # Keras would store the resolved values of "auto".
        return {**taken, "jit_compile": self._jit_request, "precision": self._precision_request}

    def compile_from_config(self, config: Any) -> None:
        settings = keras.saving.deserialize_keras_object(config)
        try:
            resolved(settings.get("precision", "auto"))
        except ValueError as error:  # saved on another machine
            warnings.warn(f"{error}; the model is compiled with precision='auto'", stacklevel=2)
            settings["precision"] = "auto"
        self.compile(**settings)
