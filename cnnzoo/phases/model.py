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

from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import inputs
from cnnzoo.phases.metrics import Logging, means
from cnnzoo.phases.optimizer import PhaseOptimizer, refuse_what_strategies_cannot_do
from cnnzoo.registry import check_keras

METRICS = ("metrics", "weighted_metrics")


def _on_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


@dataclass(frozen=True)
class Phase:
    """One optimisation inside a training step.

    Args:
        name: The key of its optimizer, and of its loss in the logs (`<name>_loss`).
        layers: The layers whose trainable variables it updates; no others move.
        loss: A pure function of what `PhasedModel.forward` returned. It gives the losses of the images, float32 (n,),
            of which the mean is lowered, weighted where the data have sample weights; or a scalar, where the loss is
            one of the whole batch, which refuses weights. Or a pair of either and `{log name: (n,) or scalar}`; of logs
            the plain mean is taken.
        repeats: How often it is run in a step, each time on its own share of the batch, of the size that all then see.
            The schedule of its optimizer counts each.
        penalty: A function without arguments that gives a scalar to be added to the loss, such as a weight decay, which
            sample weights leave alone.
    """

    name: str
    layers: Sequence[keras.Layer]
    loss: Callable[[Any], Any]
    repeats: int = 1
    penalty: Callable[[], Any] | None = None

    @property
    def variables(self) -> list:
        """The trainable variables this phase updates, in the order of its layers."""
        return [v for layer in self.layers for v in layer.trainable_variables]

    def evaluate(self, forward: Any, weights: Any = None, owner: str = "a model") -> tuple[Any, dict[str, Any]]:
        """The pair (loss, logs) of scalars, whichever form `loss` gives.

        Args:
            forward: What `PhasedModel.forward` returned.
            weights: Of the images, (n,), as in Keras's "sum_over_batch_size": the loss is the sum of w loss / n.
            owner: The model that an error names.

        Raises:
            ValueError: For weights where the loss is no mean over images.
        """
        result = self.loss(forward)
        losses, logs = result if isinstance(result, tuple) else (result, {})
        losses = ops.cast(losses, "float32")
        if weights is not None:
            if len(losses.shape) != 1:
                raise ValueError(
                    f"got sample weights; allowed: none for {owner}, whose loss {self.name!r} is of the whole batch "
                    "and no mean over its images"
                )
            losses = losses * weights
        loss = ops.mean(losses)
        if self.penalty is not None:
            loss = loss + self.penalty()
        return loss, {name: ops.mean(value) for name, value in logs.items()}


class PhasedModel(inputs.Checking, Logging, keras.Model):
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
        needs_labels: Whether training takes `(images, labels)` rather than images alone. Where there are `classes`, the
            labels are integers in [0, classes), (n,) or (n, 1).
        takes_targets: Whether labels may be images too.
        takes_metrics: Whether `compile` takes metrics, of the labels and `predictions(forward)`.
        noisy: Whether floats that the model is called with may leave [0, 1], as those of noisy images do.
        least_batch: How many images a batch must have, on each device, for the loss to say something.
        log_names: Names of further quantities that the losses log.
        updates: "alternating" or "simultaneous".
        image_shape: (height, width, channels) of the images it works on; sides that are None may be any.
        sides: Of the square images that it can be made for where `train` takes them from a folder of pictures,
            ascending; none to keep the default of `image_shape`.
        channels: The numbers of channels that it can be made for; none to keep the default of `image_shape`.
        ground: Of gray training images: "dark" where they show light on dark, "light" for dark on light, "" where
            neither is known; see `cnnzoo.data.ground`.
    """

    task = ""
    ships = True
    pictures: tuple[str, ...] = ()
    needs_labels = False
    takes_targets = False
    takes_metrics = False
    noisy = False
    least_batch = 1
    log_names: tuple[str, ...] = ()
    updates = "alternating"
    image_shape: tuple[int | None, int | None, int]
    sides: Sequence[int] = ()
    channels: tuple[int, ...] = ()
    ground = ""

    def __init__(self, **kwargs):
        check_keras()
        super().__init__(**kwargs)

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

    def predictions(self, forward: Any) -> tuple[Any, Any]:
        """The labels and, of the form that `call` gives, the predictions that the metrics of `compile` compare."""
        raise TypeError(f"{type(self).__name__} takes metrics and does not say of what; define predictions()")

    @property
    def call_shape(self) -> tuple[int | None, ...]:
        """The shape of each input that the model is called with."""
        return (self.latent_dim,) if self.task == "generate" else self.image_shape

    def images_in(self, x: Any) -> Any:
        """The images in what the model is called with, or None."""
        return None if self.task == "generate" else x

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
            **settings: `run_eagerly` and `steps_per_execution`, as in Keras; of a classifier also `metrics` and
                `weighted_metrics`, of integer labels and probabilities, which are logged beside its own.

        Raises:
            ValueError: For a loss (the phases have their own), phases that do not exist or have no optimizer or one in
                common, or a setting that Keras cannot run under the current `tf.distribute` strategy.
        """
        allowed = ["run_eagerly", "steps_per_execution", *(METRICS if self.takes_metrics else ())]
        if unknown := sorted(set(settings) - set(allowed)):
            own = "loss is" if self.takes_metrics else "losses and metrics are"
            raise ValueError(
                f"{type(self).__name__}.compile got {', '.join(unknown)}; its {own} its own; "
                f"allowed: optimizer, jit_compile, {', '.join(allowed)}"
            )
        optimizer = self._phase_optimizer(optimizer)
        if _on_tensorflow():
            refuse_what_strategies_cannot_do(optimizer, jit_compile, settings.get("steps_per_execution", 1))
        optimizer.groups = lambda: {phase.name: phase.variables for phase in self.phases()}
        self._jit_request = jit_compile
        settings["auto_scale_loss"] = False  # each phase's optimizer was wrapped already
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **settings)
        self._loss_tracker = None
        if self._compile_metrics is not None:
            labels, chances = keras.KerasTensor((None,), "int64"), keras.KerasTensor((None, self.classes))
            self._compile_metrics.build(labels, chances)
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
        if len(set(map(id, optimizers.values()))) < len(names):
            raise ValueError(f"got one optimizer for several of the phases {', '.join(names)}; allowed: one for each")
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

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **settings) -> None:
        """As Keras's `export`: `call` alone, of float32 inputs. `cnnzoo.export` writes all verbs, with their checks."""
        if input_signature is None:
            input_signature = [keras.InputSpec(shape=(None, *self.call_shape), dtype="float32")]
        super().export(filepath, format, verbose, input_signature, **settings)

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

    def train_step(self, *args):
        return self._tensorflow_step(True, *args) if _on_tensorflow() else self._jax_step(True, *args)

    def test_step(self, *args):
        return self._tensorflow_step(False, *args) if _on_tensorflow() else self._jax_step(False, *args)

    def unpack(self, batch) -> tuple[Any, Any, Any]:
        """A batch of `fit` as (float32 images in [0, 1], labels or None, float32 weights or None), checked."""
        images, labels, weights = inputs.parts(self, batch)
        size = images.shape[0]
        if size is not None and size < self.least_batch:
            raise ValueError(f"got a batch of {size} images; allowed: {self.least_batch} or more")
        if labels is not None and getattr(self, "classes", 0):
            labels = inputs.flat(labels)
        if weights is not None:
            weights = ops.cast(inputs.flat(weights), "float32")
        return unit_range(images), labels, weights

    def _turns(self, batch: tuple, train: bool) -> Iterator[tuple[list[Phase], Any, Any, Any]]:
        """The forward passes of a step: the phases that share each, and their images, labels and weights."""
        phases = self.phases()
        if not train or self.updates == "simultaneous":
            yield phases, *batch
            return
        shares = max(phase.repeats for phase in phases)
        count = ops.shape(batch[0])[0]
        for phase in phases:
            for i in range(phase.repeats):
                if shares == 1:
                    yield [phase], *batch
                    continue
                # In a batch with fewer images than shares, each is of one image.
                first, size = i % count, _share_size(count, shares)
                part = slice(first, first + (size - 1) * shares + 1, shares)
                yield [phase], *(x if x is None else x[part] for x in batch)

    def _record(self, results: list[tuple[Phase, Any, dict]], size, judged: tuple | None) -> None:
        times = Counter(phase.name for phase, _, _ in results)
        logs = dict.fromkeys(self._trackers, 0.0)
        for phase, loss, extra in results:
            own = {"loss": loss, **extra, **({f"{phase.name}_loss": loss} if len(times) > 1 else {})}
            for name, value in own.items():
                logs[name] += value / times[phase.name]
        for name, value in logs.items():
            self._trackers[name].update_state(value, sample_weight=size)  # a last batch may be short
        if judged is not None:
            self._compile_metrics.update_state(*judged)

    def _judged(self, forward, weights) -> tuple | None:
        """The labels, predictions and weights that the metrics of `compile` take, if there are any."""
        return None if self._compile_metrics is None else (*self.predictions(forward), weights)

    def _ema_pairs(self) -> list[tuple]:
        return [pair for live, average in self.averages() for pair in zip(live.weights, average.weights, strict=True)]

    def _ema_rate(self, steps):
        # A young average would mostly remember the initial weights, hence the warm-up.
        steps = ops.cast(steps, "float32")
        return 1.0 - ops.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))

    def _tensorflow_step(self, train: bool, batch) -> dict:
        import tensorflow as tf

        batch = self.unpack(batch)
        strategy = tf.distribute.get_strategy()
        replicas = strategy.num_replicas_in_sync
        size = tf.shape(batch[0])[0]
        if self.least_batch > 1:
            allowed = f"allowed: {self.least_batch} or more on each device"
            tf.debugging.Assert((size == 0) | (size >= self.least_batch), [f"got a batch of too few images; {allowed}"])
        share = self._tensorflow_share(tf, size) if train and replicas > 1 else 1.0
        if replicas > 1:
            batch = tuple(x if x is None else _one_or_more(tf, x) for x in batch)
        results = []
        for turn, shown, told, weights in self._turns(batch, train):
            if not train:
                forward = self.forward(shown, told, training=False)
                results += [(phase, *phase.evaluate(forward, weights, type(self).__name__)) for phase in turn]
                continue
            with tf.GradientTape(persistent=len(turn) > 1, watch_accessed_variables=False) as tape:
                for phase in turn:
                    tape.watch([v.value for v in phase.variables])
                forward = self.forward(shown, told, training=True)
                scaled = []
                for phase in turn:
                    loss, logs = phase.evaluate(forward, weights, type(self).__name__)
                    results.append((phase, loss, logs))
                    # Keras sums the gradients of the replicas, so each takes its share of the mean.
                    scaled.append(self.optimizer.by_phase[phase.name].scale_loss(loss * share))
            for phase, loss in zip(turn, scaled, strict=True):
                variables = phase.variables
                gradients = tape.gradient(loss, [v.value for v in variables])
                self.optimizer.by_phase[phase.name].apply(gradients, variables)
        judged = self._judged(forward, weights)
        if judged is not None and replicas > 1:
            judged = tuple(x if x is None else x[:size] for x in judged)
        self._record(results, size, judged)
        if train:
            self.optimizer._iterations.assign_add(1)
            if replicas > 1:
                self._tensorflow_statistics(tf, share)
            self._tensorflow_averages(tf, replicas)
        logs = self._log_values()
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            logs = {k: tf.expand_dims(v, 0) for k, v in logs.items()}  # Keras reduces them over axis 0
        return logs

    def _tensorflow_share(self, tf, size):
        """The share of this replica's images in those of all replicas that an update sees."""
        seen = tf.cast(_share_size(size, max(phase.repeats for phase in self.phases())), tf.float32)
        seen = tf.where(size == 0, 0.0, seen)
        return seen / tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, seen)

    def _tensorflow_statistics(self, tf, share) -> None:
        # Moving means and the like. Keras lets each replica keep its own, of which the first would be saved.
        layers = [layer for phase in self.phases() for layer in phase.layers]
        held = {id(v): v.value for layer in layers for v in layer.non_trainable_variables if "float" in v.dtype}
        context = tf.distribute.get_replica_context()
        for value in held.values():
            value.assign(context.all_reduce(tf.distribute.ReduceOp.SUM, value * tf.cast(share, value.dtype)))

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

        batch = self.unpack(batch)
        lists = [self.trainable_variables, self.non_trainable_variables]
        lists += [self.optimizer.variables, self.metrics_variables] if train else [self.metrics_variables]
        values = {id(v): (v, x) for group, xs in zip(lists, state, strict=True) for v, x in zip(group, xs, strict=True)}

        def get(variables):
            return [values[id(v)][1] for v in variables]

        def put(variables, new):
            values.update({id(v): (v, x) for v, x in zip(variables, new, strict=True)})

        side = self.non_trainable_variables  # what a forward pass may itself update
        results = []
        for turn, shown, told, weights in self._turns(batch, train):
            groups = [phase.variables for phase in turn]

            def losses(current, turn=turn, groups=groups, shown=shown, told=told, weights=weights):
                trained = [p for group, xs in zip(groups, current, strict=True) for p in zip(group, xs, strict=True)]
                with keras.StatelessScope(state_mapping=[*values.values(), *trained]) as scope:
                    forward = self.forward(shown, told, training=train)
                    evaluated = [phase.evaluate(forward, weights, type(self).__name__) for phase in turn]
                    judged = self._judged(forward, weights)
                    scaled = [
                        self.optimizer.by_phase[p.name].scale_loss(loss) if train else loss
                        for p, (loss, _) in zip(turn, evaluated, strict=True)
                    ]
                return scaled, (evaluated, judged, [scope.get_current_value(v) for v in side])

            if train:
                scaled, pullback, beside = jax.vjp(losses, [get(group) for group in groups], has_aux=True)
            else:
                scaled, beside = losses([get(group) for group in groups])
            evaluated, judged, moved = beside
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
            self._record(results, batch[0].shape[0], judged)
            logs = self._log_values()
            put(self.metrics_variables, [scope.get_current_value(v) for v in self.metrics_variables])
        return logs, tuple(get(group) for group in lists)


def _share_size(count, shares: int):
    """How many images each update of a step sees: a share of them, or one, where there are fewer images than shares."""
    return max(count // shares, 1) if isinstance(count, int) else ops.maximum(count // shares, 1)


def _one_or_more(tf, rows):
    """Rows (n, ...), or one of zeros where a replica got none, as means would be NaN; its loss counts nothing."""
    beyond = tf.cast(tf.shape(rows)[:1] == 0, tf.int32)
    return tf.concat([rows, tf.zeros(tf.concat([beyond, tf.shape(rows)[1:]], 0), rows.dtype)], 0)
