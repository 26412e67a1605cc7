"""The base of every model: it runs phases, and saves every optimizer and random state.

A model says *what* is optimized, by its phases; this room knows *how*. The step itself is `cnnzoo.phases.tensorflow` or
`cnnzoo.phases.jax`.
"""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import inputs
from cnnzoo.phases.metrics import Logging, means
from cnnzoo.phases.optimizer import PhaseOptimizer, refuse_what_strategies_cannot_do
from cnnzoo.phases.phase import Phase, share_size
from cnnzoo.utils.backend import check_keras

if keras.backend.backend() == "tensorflow":
    from cnnzoo.phases.tensorflow import step
else:
    from cnnzoo.phases.jax import step

METRICS = ("metrics", "weighted_metrics")


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
        pictures: Names of paintings that training needs beside its data; it hands them to `set_style_targets`.
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

    def set_style_targets(self, pictures: dict[str, Any]) -> None:
        """Takes the paintings that are named in `pictures`, before training."""
        raise TypeError(f"{type(self).__name__} does not say what it takes from pictures; define set_style_targets()")

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
        if keras.backend.backend() == "tensorflow":
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

    def reparameterized(self) -> "PhasedModel":
        """The same function in as few parameters as it takes, which is what a checkpoint holds."""
        return self

    def init_from(self, other: "PhasedModel") -> None:
        """Takes the weights of a model with equal layers, for training to begin with; else raises a ValueError."""
        values = other.get_weights()
        if [weight.shape for weight in self.weights] != [value.shape for value in values]:
            raise ValueError(f"got {other.architecture!r} to begin {self.architecture!r} with; allowed: equal layers")
        self.set_weights(values)

    def inference_copy(self) -> "PhasedModel":
        """A copy with the same weights and random states, without optimizers and running means."""
        copy = type(self).from_config(self.get_config())
        copy.set_weights(self.get_weights())
        for state, mine in zip(copy.seed_states, self.seed_states, strict=True):
            state.assign(mine)
        return copy

    # -- steps ------------------------------------------------------------------------------------------------------

    def train_step(self, *args):
        return step(self, True, *args)

    def test_step(self, *args):
        return step(self, False, *args)

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

    def turns(self, batch: tuple, train: bool) -> Iterator[tuple[list[Phase], Any, Any, Any]]:
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
                first, size = i % count, share_size(count, shares)
                part = slice(first, first + (size - 1) * shares + 1, shares)
                yield [phase], *(x if x is None else x[part] for x in batch)

    def record(self, results: list[tuple[Phase, Any, dict]], size, metric_inputs: tuple | None) -> None:
        times = Counter(phase.name for phase, _, _ in results)
        logs = dict.fromkeys(self._trackers, 0.0)
        for phase, loss, extra in results:
            own = {"loss": loss, **extra, **({f"{phase.name}_loss": loss} if len(times) > 1 else {})}
            for name, value in own.items():
                logs[name] += value / times[phase.name]
        for name, value in logs.items():
            self._trackers[name].update_state(value, sample_weight=size)  # a last batch may be short
        if metric_inputs is not None:
            self._compile_metrics.update_state(*metric_inputs)

    def metric_inputs(self, forward, weights) -> tuple | None:
        """The labels, predictions and weights that the metrics of `compile` take, if there are any."""
        return None if self._compile_metrics is None else (*self.predictions(forward), weights)

    def ema_pairs(self) -> list[tuple]:
        return [pair for live, average in self.averages() for pair in zip(live.weights, average.weights, strict=True)]

    def ema_rate(self, steps):
        # A young average would mostly remember the initial weights, hence the warm-up.
        steps = ops.cast(steps, "float32")
        return 1.0 - ops.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: a model is built on construction, and Keras's own version fails for tuples across workers."""
