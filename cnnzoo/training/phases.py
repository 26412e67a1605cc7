"""How every model of the zoo is trained: phases.

A model says *what* is optimised, this module knows *how*. A `Phase` names the layers it updates and the loss it
lowers; `PhasedModel.train_step` runs the phases in order, one optimizer each, on Keras's TensorFlow and JAX backends.
Loss scaling, replicas, averaged copies, metrics and the saving of every optimizer and random state are written here,
once, and nowhere else.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from cnnzoo.images import fits, in_words
from cnnzoo.layers import unit_range
from cnnzoo.training.logs import Logging, means
from cnnzoo.training.phase_optimizer import PhaseOptimizer, refuse_what_strategies_cannot_do


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


@dataclass(frozen=True)
class Phase:
    """One optimisation inside a training step.

    Args:
        name: The key of its optimizer, and of its loss in the logs (`<name>_loss`).
        layers: The layers whose trainable variables it updates; no others move.
        loss: A pure function of what `PhasedModel.forward` returned. It gives the scalar float32 loss, or the pair
            `(loss, {log name: scalar})`.
        repeats: How often it is run in a step, each time on its own share of the batch, of the size that all then see.
            The schedule of its optimizer counts each.
    """

    name: str
    layers: Sequence[keras.Layer]
    loss: Callable[[Any], Any]
    repeats: int = 1

    @property
    def variables(self) -> list:
        """The trainable variables this phase updates, in the order of its layers."""
        return [v for layer in self.layers for v in layer.trainable_variables]

    def evaluate(self, forward: Any) -> tuple[Any, dict[str, Any]]:
        """The pair (loss, logs), whichever of the two forms `loss` gives."""
        result = self.loss(forward)
        loss, logs = result if isinstance(result, tuple) else (result, {})
        return ops.cast(loss, "float32"), logs


class PhasedModel(Logging, keras.Model):
    """The base of every architecture: its phases, one optimizer each, and the one `train_step`.

    A subclass makes its layers in `__init__`, ends it with `self.build()`, and writes

    - `phases()`: what is optimised;
    - `forward(images, labels, training)`: one recorded pass, handed to the loss of each phase. With
      `updates="simultaneous"` all phases share one pass and are differentiated at the same weights, each for its own
      variables; with `"alternating"` each phase makes its own, at the weights that the phase before it left;
    - `published_optimizers()`: the settings that `compile()` takes without arguments;
    - `call(inputs)`: the deterministic main function (see `task`).

    Every keyword of its `__init__` is a config field, kept as an attribute of the same name.

    Attributes:
        task: What the model is for: "classify", "reconstruct", "generate", "restore", "inpaint", "upscale", "stylize",
            "enhance".
        ships: Whether what it has learnt serves other images, so that it can be a checkpoint, be scored and exported.
        pictures: Names of paintings that training needs beside its data; it hands them to `look_at`.
        needs_labels: Whether training takes `(images, labels)` rather than images alone.
        log_names: Names of further quantities that the losses log.
        updates: "alternating" or "simultaneous".
        image_shape: (height, width, channels) of the images it works on; sides that are None may be any.
    """

    task = ""
    ships = True
    pictures: tuple[str, ...] = ()
    needs_labels = False
    log_names: tuple[str, ...] = ()
    updates = "alternating"
    image_shape: tuple[int | None, int | None, int]

    # -- to be written by an architecture ---------------------------------------------------------------------------

    def phases(self) -> list[Phase]:
        """The phases of a training step, in order."""
        raise TypeError(f"{type(self).__name__} does not say what it optimises; define phases()")

    def forward(self, images, labels, training: bool) -> Any:
        """One pass over a batch: float32 images in [0, 1] of shape (n, height, width, channels), labels or None."""
        raise TypeError(f"{type(self).__name__} does not say what its losses are taken from; define forward()")

    def published_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """`{phase name: optimizer}` with the settings the architecture was published with."""
        raise TypeError(f"{type(self).__name__} has no settings of its own; pass optimizers to compile()")

    def averages(self) -> list[tuple[keras.Layer, keras.Layer]]:
        """Pairs (live layer, its exponential moving average), updated after every step with `ema_decay`."""
        return []

    def look_at(self, pictures: dict[str, Any]) -> None:
        """Takes the paintings that are named in `pictures`, before training."""
        raise TypeError(f"{type(self).__name__} does not say what it takes from pictures; define look_at()")

    # -- building and configuration ---------------------------------------------------------------------------------

    def build(self, input_shape=None) -> None:
        if self.built:
            return
        names = [phase.name for phase in self.phases()]
        losses = [f"{name}_loss" for name in names] if len(names) > 1 else []
        self._trackers = means(("loss", *losses, *self.log_names))
        for live, average in self.averages():
            average.trainable = False
            average.set_weights(live.get_weights())
        self.built = True

    @classmethod
    def config_fields(cls) -> dict[str, Any]:
        """`{keyword of __init__: its default}`, those passed on to a parent included."""
        fields: dict[str, Any] = {}
        for parent in cls.__mro__:
            if parent is PhasedModel:
                break
            if "__init__" in vars(parent):
                for name, parameter in inspect.signature(parent.__init__).parameters.items():
                    if name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
                        fields.setdefault(name, parameter.default)
        return fields

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in self.config_fields()}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}
        return {"name": self.name, **plain}

    # -- compiling --------------------------------------------------------------------------------------------------

    def compile(self, optimizer=None, *, jit_compile="auto", **settings) -> None:
        """Sets the optimizers.

        Args:
            optimizer: `None` for the architecture's published settings; `{phase name: optimizer}`; or, where there is
                one phase, an optimizer or its name.
            jit_compile: As in Keras. "auto" stays "auto" in what is saved.
            **settings: `run_eagerly` and `steps_per_execution`, as in Keras.

        Raises:
            ValueError: For a loss (the phases have their own), phases that do not exist or have no optimizer, or a
                setting that Keras cannot run under the current `tf.distribute` strategy.
        """
        allowed = {"run_eagerly", "steps_per_execution", "auto_scale_loss"}
        if unknown := sorted(set(settings) - allowed):
            raise ValueError(
                f"{type(self).__name__}.compile got {', '.join(unknown)}; its losses and metrics are its own; "
                "allowed: optimizer, jit_compile, run_eagerly, steps_per_execution"
            )
        optimizer = self._phase_optimizer(optimizer)
        if _on_tensorflow():
            refuse_what_strategies_cannot_do(optimizer, jit_compile, settings.get("steps_per_execution", 1))
        optimizer.groups = lambda: {phase.name: phase.variables for phase in self.phases()}
        self._jit_request = jit_compile
        settings["auto_scale_loss"] = False  # each phase's optimizer was wrapped already
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **settings)
        self._loss_tracker = None
        self.optimizer.build(self.trainable_variables)  # inside the strategy's scope, never inside a replica

    def _phase_optimizer(self, optimizer) -> PhaseOptimizer:
        names = [phase.name for phase in self.phases()]
        if optimizer is None:
            optimizer = self.published_optimizers()
        if isinstance(optimizer, PhaseOptimizer):
            optimizer = optimizer.by_phase
        if not isinstance(optimizer, dict):
            if len(names) > 1:
                raise ValueError(f"got one optimizer for the phases {', '.join(names)}; allowed: a dict with one each")
            optimizer = {names[0]: optimizer}
        if set(optimizer) != set(names):
            raise ValueError(f"got optimizers for {', '.join(optimizer) or 'no phase'}; allowed: {', '.join(names)}")
        optimizers = {name: keras.optimizers.get(optimizer[name]) for name in names}
        if self.dtype_policy.name == "mixed_float16":
            scaled = keras.optimizers.LossScaleOptimizer
            optimizers = {k: v if isinstance(v, scaled) else scaled(v) for k, v in optimizers.items()}
        return PhaseOptimizer(optimizers)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if not config:
            return config
        taken = {name: config[name] for name in ("optimizer", "run_eagerly", "steps_per_execution")}
        return {**taken, "jit_compile": self._jit_request}  # Keras would store what "auto" became here

    def compile_from_config(self, config) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    # -- saving: Keras itself leaves out the state of every SeedGenerator ---------------------------------------------

    @property
    def seed_states(self) -> list:
        """The state of every random generator, those of dropout layers included."""
        return [v for v in self.non_trainable_variables if v.name == "seed_generator_state"]

    def save_own_variables(self, store) -> None:
        for i, state in enumerate(self.seed_states):
            store[f"seed{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store) -> None:
        for i, state in enumerate(self.seed_states):
            if f"seed{i}" in store.keys():  # noqa: SIM118  (an H5 store is no dict)
                state.assign(store[f"seed{i}"])

    def fused(self) -> "PhasedModel":
        """The same function in as few parameters as it takes, which is what a checkpoint holds."""
        return self

    def begin_with(self, other: "PhasedModel") -> None:
        """Takes the weights of a model with equal layers, for training to begin with; else raises a ValueError."""
        values = other.get_weights()
        if [weight.shape for weight in self.weights] != [value.shape for value in values]:
            raise ValueError(f"got {other.architecture!r} to begin {self.architecture!r} with; allowed: equal layers")
        self.set_weights(values)

    def bare(self) -> "PhasedModel":
        """A copy with the same weights and random states, without optimizers and running means."""
        copy = type(self).from_config(self.get_config())
        copy.set_weights(self.get_weights())
        for state, mine in zip(copy.seed_states, self.seed_states, strict=True):
            state.assign(mine)
        return copy

    # -- steps ------------------------------------------------------------------------------------------------------

    def fit(self, x=None, *args, shuffle=None, **settings):
        """As Keras's `fit`, which by default shuffles arrays; whatever else is given comes in its own order."""
        if shuffle is None:
            shuffle = hasattr(x, "shape") or isinstance(x, (list, tuple, dict))
        return super().fit(x, *args, shuffle=shuffle, **settings)

    def train_step(self, *args):
        return self._tensorflow_step(True, *args) if _on_tensorflow() else self._jax_step(True, *args)

    def test_step(self, *args):
        return self._tensorflow_step(False, *args) if _on_tensorflow() else self._jax_step(False, *args)

    def unpack(self, batch) -> tuple[Any, Any]:
        """A batch of `fit` as (float32 images in [0, 1], labels or None); checks its shape and dtype."""
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if not fits(images.shape[1:], self.image_shape):
            raise ValueError(f"got images of shape {tuple(images.shape)}; allowed: (n, {in_words(self.image_shape)})")
        if self.needs_labels and labels is None:
            raise ValueError(f"got images alone; {type(self).__name__} is trained on pairs (images, labels)")
        return unit_range(images), labels

    def _turns(self, images, labels, train: bool) -> Iterator[tuple[list[Phase], Any, Any]]:
        """The forward passes of a step: the phases that share each, and their images and labels."""
        phases = self.phases()
        if not train or self.updates == "simultaneous":
            yield phases, images, labels
            return
        shares = max(phase.repeats for phase in phases)
        size = ops.shape(images)[0] // shares
        if images.shape[0] is not None and images.shape[0] < shares:
            raise ValueError(f"got a batch of {images.shape[0]} images; allowed: {shares} or more, one an update")
        for phase in phases:
            for i in range(phase.repeats):
                part = slice(i, size * shares, shares) if shares > 1 else slice(None)
                yield [phase], images[part], None if labels is None else labels[part]

    def _record(self, results: list[tuple[Phase, Any, dict]], images) -> None:
        times = Counter(phase.name for phase, _, _ in results)
        logs = dict.fromkeys(self._trackers, 0.0)
        for phase, loss, extra in results:
            own = {"loss": loss, **extra, **({f"{phase.name}_loss": loss} if len(times) > 1 else {})}
            for name, value in own.items():
                logs[name] += value / times[phase.name]
        for name, value in logs.items():
            self._trackers[name].update_state(value, sample_weight=ops.shape(images)[0])  # a last batch may be short

    def _ema_pairs(self) -> list[tuple]:
        return [pair for live, average in self.averages() for pair in zip(live.weights, average.weights, strict=True)]

    def _ema_rate(self, steps):
        # A young average would mostly remember the initial weights, hence the warm-up.
        steps = ops.cast(steps, "float32")
        return 1.0 - ops.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))

    def _tensorflow_step(self, train: bool, batch) -> dict:
        import tensorflow as tf

        images, labels = self.unpack(batch)
        strategy = tf.distribute.get_strategy()
        replicas = strategy.num_replicas_in_sync
        results = []
        for turn, shown, told in self._turns(images, labels, train):
            if not train:
                forward = self.forward(shown, told, training=False)
                results += [(phase, *phase.evaluate(forward)) for phase in turn]
                continue
            with tf.GradientTape(persistent=len(turn) > 1, watch_accessed_variables=False) as tape:
                for phase in turn:
                    tape.watch([v.value for v in phase.variables])
                forward = self.forward(shown, told, training=True)
                scaled = []
                for phase in turn:
                    loss, logs = phase.evaluate(forward)
                    results.append((phase, loss, logs))
                    # Keras sums the gradients of the replicas, so each takes its share of the mean.
                    scaled.append(self.optimizer.by_phase[phase.name].scale_loss(loss / replicas))
            for phase, loss in zip(turn, scaled, strict=True):
                variables = phase.variables
                gradients = tape.gradient(loss, [v.value for v in variables])
                self.optimizer.by_phase[phase.name].apply(gradients, variables)
        self._record(results, images)
        if train:
            self.optimizer._iterations.assign_add(1)
            if replicas > 1:
                self._tensorflow_statistics(tf)
            self._tensorflow_averages(tf, replicas)
        logs = self._log_values()
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            logs = {k: tf.expand_dims(v, 0) for k, v in logs.items()}  # Keras reduces them over axis 0
        return logs

    def _tensorflow_statistics(self, tf) -> None:
        # Moving means and the like. Keras lets each replica keep its own, of which the first would be saved.
        layers = [layer for phase in self.phases() for layer in phase.layers]
        held = {id(v): v.value for layer in layers for v in layer.non_trainable_variables if "float" in v.dtype}
        context = tf.distribute.get_replica_context()
        for value in held.values():
            value.assign(context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.identity(value)))

    def _tensorflow_averages(self, tf, replicas: int) -> None:
        pairs = self._ema_pairs()
        if not pairs:
            return
        rate = self._ema_rate(self.optimizer._iterations)

        def towards(average, value):
            average.assign_add(tf.cast(rate, average.dtype) * (value - average))

        if replicas == 1:
            for value, average in pairs:
                towards(average.value, value.value)
            return

        def everywhere(strategy):  # a mirrored variable takes no assignment from inside one replica
            for value, average in pairs:
                strategy.extended.update(average.value, towards, args=(value.value,))

        tf.distribute.get_replica_context().merge_call(everywhere)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: a model is built on construction, and Keras's own version fails for tuples across workers."""

    def _jax_step(self, train: bool, state, batch):
        import jax

        images, labels = self.unpack(batch)
        lists = [self.trainable_variables, self.non_trainable_variables]
        lists += [self.optimizer.variables, self.metrics_variables] if train else [self.metrics_variables]
        values = {id(v): (v, x) for group, xs in zip(lists, state, strict=True) for v, x in zip(group, xs, strict=True)}

        def get(variables):
            return [values[id(v)][1] for v in variables]

        def put(variables, new):
            values.update({id(v): (v, x) for v, x in zip(variables, new, strict=True)})

        side = self.non_trainable_variables  # what a forward pass may itself update
        results = []
        for turn, shown, told in self._turns(images, labels, train):
            groups = [phase.variables for phase in turn]

            def losses(current, turn=turn, groups=groups, shown=shown, told=told):
                trained = [p for group, xs in zip(groups, current, strict=True) for p in zip(group, xs, strict=True)]
                with keras.StatelessScope(state_mapping=[*values.values(), *trained]) as scope:
                    forward = self.forward(shown, told, training=train)
                    evaluated = [phase.evaluate(forward) for phase in turn]
                    scaled = [
                        self.optimizer.by_phase[p.name].scale_loss(loss) if train else loss
                        for p, (loss, _) in zip(turn, evaluated, strict=True)
                    ]
                return scaled, (evaluated, [scope.get_current_value(v) for v in side])

            if train:
                scaled, pullback, (evaluated, moved) = jax.vjp(losses, [get(group) for group in groups], has_aux=True)
            else:
                scaled, (evaluated, moved) = losses([get(group) for group in groups])
            put(side, [new if new is not None else old for new, old in zip(moved, get(side), strict=True)])
            results += [(phase, *pair) for phase, pair in zip(turn, evaluated, strict=True)]
            for i, (phase, group) in enumerate(zip(turn, groups, strict=True)):
                if train:
                    (gradients,) = pullback([jax.numpy.ones_like(s) * (i == j) for j, s in enumerate(scaled)])
                    optimizer = self.optimizer.by_phase[phase.name]
                    new, slots = optimizer.stateless_apply(get(optimizer.variables), gradients[i], get(group))
                    put(group, new)
                    put(optimizer.variables, slots)
        if train:
            counter = self.optimizer._iterations
            put([counter], [values[id(counter)][1] + 1])
            for value, average in self._ema_pairs():
                rate = self._ema_rate(values[id(counter)][1])
                (x,), (mean,) = get([value]), get([average])
                put([average], [mean + jax.numpy.asarray(rate, mean.dtype) * (x - mean)])
        with keras.StatelessScope(state_mapping=list(values.values())) as scope:
            self._record(results, images)
            logs = self._log_values()
            put(self.metrics_variables, [scope.get_current_value(v) for v in self.metrics_variables])
        return logs, tuple(get(group) for group in lists)
