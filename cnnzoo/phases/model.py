"""The base class of all models: phases, configuration, and saving of optimizers and random states.

A model declares its losses as phases; this package implements their optimization, in `cnnzoo.phases.tensorflow` and
`cnnzoo.phases.jax`.
"""

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.layers import unit_range
from cnnzoo.phases import inputs
from cnnzoo.phases.compiling import Compiling
from cnnzoo.phases.metrics import Logging, Watched, means
from cnnzoo.phases.phase import Phase, frozen, share_size
from cnnzoo.phases.precision import resolved
from cnnzoo.utils.backend import check_keras

if keras.backend.backend() == "tensorflow":
    from cnnzoo.phases.tensorflow import step
else:
    from cnnzoo.phases.jax import step  # type: ignore[assignment]  # with the state as a further argument

GROUNDS = ("", "dark", "light")  # by their number in a file of weights


class PhasedModel(inputs.Checking, Compiling, Logging, keras.Model):
    """Base class of all architectures: phases with one optimizer each, and their `train_step`.

    A subclass creates its layers in `__init__`, ends it with `self.build()`, and defines

    - `phases()`: the losses and their layers;
    - `forward(images, labels, training)`: one forward pass, the input of all losses. With `updates="simultaneous"` all
      phases share one pass at the same weights; with `"alternating"` each phase runs its own pass, after the update of
      the previous phase;
    - `default_optimizers()`: the defaults of `compile()`;
    - `call(inputs)`: the deterministic main function (see `task`).

    Every keyword of `__init__` is a config field, stored as an attribute of the same name.

    Attributes:
        task: "classify", "reconstruct", "generate", "restore", "inpaint", "upscale", "stylize",
            "enhance".
        ships: Whether a trained model generalizes to other images, as a checkpoint with scores and exports.
        pictures: Names of paintings required for training, passed to `set_style_targets`.
        needs_labels: Whether training takes `(images, labels)` rather than images alone. With `classes`, labels are
            integers in [0, classes), (n,) or (n, 1).
        takes_targets: Whether labels may be images.
        takes_metrics: Whether `compile` takes metrics, of the labels and `predictions(forward)`.
        noisy: Whether float inputs of `call` may leave [0, 1], as noisy images do.
        least_batch: Minimum batch size on each device.
        log_names: Names of further logged quantities.
        updates: "alternating" or "simultaneous".
        image_shape: (height, width, channels) of the images; None for sides of any length.
        sides: Supported sides of square images, ascending, for `train` on a folder of images; empty for the default of
            `image_shape`.
        channels: Supported numbers of channels; empty for the default of `image_shape`.
        ground: Polarity of gray training images: "dark" for light on dark, "light" for dark on light, "" if unknown;
            see `cnnzoo.data.ground`. Saved with the weights.
        verb_precision: Of the convolutions and matrix products of verbs: "float32" (default), "bfloat16", or "auto" for
            bfloat16 where the processor has it. Not saved. docs/speed.md has the gain and the cost.
    """

    task = ""
    ships = True
    pictures: tuple[str, ...] = ()
    needs_labels: bool = False
    takes_targets = False
    takes_metrics = False
    noisy = False
    least_batch = 1
    log_names: tuple[str, ...] = ()
    updates = "alternating"
    image_shape: tuple[Any, Any, int]  # None for a side of any length
    sides: Sequence[int] = ()
    channels: tuple[int, ...] = ()
    ground = ""
    _verb_precision = "float32"
    built: bool  # set by Keras

    def __init__(self, **kwargs: Any) -> None:
        check_keras()
        super().__init__(**kwargs)

    # -- for subclasses ---------------------------------------------------------------------------------------------

    def phases(self) -> list[Phase]:
        """The phases of a training step, in order."""
        raise TypeError(f"{type(self).__name__} must define phases(), the parts of its training step")

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        """One pass over a batch: float32 images in [0, 1] of shape (n, height, width, channels), labels or None."""
        raise TypeError(f"{type(self).__name__} must define forward(), which says what its losses are taken from")

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """`{phase name: optimizer}`, for training without a recipe: published settings, or better ones."""
        raise TypeError(
            f"`optimizer` must be passed to compile(), since {type(self).__name__} has no settings of its own"
        )

    def averages(self) -> list[tuple[keras.Layer, keras.Layer]]:
        """Pairs (layer, its exponential moving average), updated after every step with `ema_decay`."""
        return []

    def predictions(self, forward: Any) -> tuple[Any, Any]:
        """The labels and predictions, as from `call`, for the metrics of `compile`."""
        raise TypeError(f"{type(self).__name__} must define predictions(), since it takes metrics")

    @property
    def verb_precision(self) -> str:
        return self._verb_precision

    @verb_precision.setter
    def verb_precision(self, precision: str) -> None:
        self._verb_precision = resolved(precision, name="verb_precision")

    @property
    def call_shape(self) -> tuple[int | None, ...]:
        """The input shape of `call`, without the batch axis."""
        return (self.latent_dim,) if self.task == "generate" else self.image_shape

    def images_in(self, x: Any) -> Any:
        """The images in the input of `call`, or None."""
        return None if self.task == "generate" else x

    def set_style_targets(self, pictures: dict[str, Any]) -> None:
        """Receives the paintings named in `pictures`, before training."""
        raise TypeError(f"{type(self).__name__} must define set_style_targets() to take pictures")

    # -- watching ---------------------------------------------------------------------------------------------------

    @property
    def watches_gradients(self) -> bool:
        """Whether training steps log the norms of gradients."""
        return self._watched is not None

    def watch_gradients(self) -> None:
        """Logs in training the norm of the gradient of each phase, over all its variables, before it is clipped.

        Call it before `compile`. The names are `gradient`, or `<phase>_gradient` of several phases. Under
        `mixed_float16` it is the norm of the scaled loss.
        """
        self._watched = Watched(map(self.gradient_name, self.phases()))

    def gradient_name(self, phase: Phase) -> str:
        return "gradient" if len(self.phases()) == 1 else f"{phase.name}_gradient"

    # -- building and configuration ---------------------------------------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
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
        """`{keyword of __init__: default}`, including those of parent classes."""
        fields: dict[str, Any] = {}
        for parent in cls.__mro__:
            if parent is PhasedModel:
                break
            if "__init__" in vars(parent):
                for name, parameter in inspect.signature(vars(parent)["__init__"]).parameters.items():
                    if name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
                        fields.setdefault(name, parameter.default)
        return fields

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in self.config_fields()}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in config.items()}
        return {"name": self.name, **plain}

    # -- saving: Keras does not save the states of SeedGenerators -----------------------------------------------------

    @property
    def seed_states(self) -> list:
        """The states of all random generators, including those of dropout layers."""
        return [v for v in self.non_trainable_variables if v.name == "seed_generator_state"]

    def save_own_variables(self, store: Any) -> None:
        if self.ground:
            store["ground"] = np.array(GROUNDS.index(self.ground))
        for i, state in enumerate(self.seed_states):
            store[f"seed{i}"] = ops.convert_to_numpy(state)

    def load_own_variables(self, store: Any) -> None:
        if "ground" in store.keys():  # noqa: SIM118
            self.ground = GROUNDS[int(store["ground"][()])]
        for i, state in enumerate(self.seed_states):
            if f"seed{i}" in store.keys():  # noqa: SIM118  (an H5 store, not a dict)
                state.assign(store[f"seed{i}"])

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **settings: Any,
    ) -> None:
        """As Keras's `export`: only `call`, on float32. `cnnzoo.export` writes all verbs with input validation."""
        if input_signature is None:
            input_signature = [keras.InputSpec(shape=(None, *self.call_shape), dtype="float32")]
        super().export(filepath, format, verbose, input_signature, **settings)

    def reparameterized(self) -> "PhasedModel":
        """An equivalent model for inference with the fewest parameters, as stored in checkpoints."""
        return self

    def init_from(self, other: "PhasedModel") -> None:
        """Copies the weights of a model with equal layers; a ValueError for different layers."""
        values = other.get_weights()
        if [weight.shape for weight in self.weights] != [value.shape for value in values]:
            raise ValueError(
                f"{self.architecture!r} must begin with a model of equal layers. Received: {other.architecture!r}"
            )
        self.set_weights(values)

    def inference_copy(self) -> "PhasedModel":
        """A copy with the same weights and random states, without optimizers and metrics."""
        copy = type(self).from_config(self.get_config())
        copy.set_weights(self.get_weights())
        for state, mine in zip(copy.seed_states, self.seed_states, strict=True):
            state.assign(mine)
        copy.ground = self.ground
        return copy

    # -- steps ------------------------------------------------------------------------------------------------------

    def train_step(self, *args: Any) -> Any:
        return step(self, True, *args)

    def test_step(self, *args: Any) -> Any:
        return step(self, False, *args)

    def unpack(self, batch: Any) -> tuple[Any, Any, Any]:
        """A batch of `fit`, validated, as (float32 images in [0, 1], labels or None, float32 weights or None)."""
        images, labels, weights = inputs.parts(self, batch)
        size = images.shape[0]
        if size is not None and size < self.least_batch:
            raise ValueError(f"A batch must have {self.least_batch} images or more. Received: {size}")
        if labels is not None and getattr(self, "classes", 0) > 0:
            labels = inputs.flat(labels)
        if weights is not None:
            weights = ops.cast(inputs.flat(weights), "float32")
        return unit_range(images), labels, weights

    def turns(self, batch: tuple, train: bool) -> Iterator[tuple[list[Phase], Any, Any, Any]]:
        """The forward passes of a step: the phases of each, with its images, labels and weights."""
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
                # At least one image per part, for batches smaller than the number of parts.
                first, size = i % count, share_size(count, shares)
                part = slice(first, first + (size - 1) * shares + 1, shares)
                images, labels, weights = (x if x is None else x[part] for x in batch)
                yield [phase], images, labels, weights

    def record(self, results: list[tuple[Phase, Any, dict]], size: Any, metric_inputs: tuple | None) -> None:
        times = Counter(phase.name for phase, _, _ in results)
        logs: dict[str, Any] = dict.fromkeys(self._trackers, 0.0)
        for phase, loss, extra in results:
            own = {"loss": loss, **extra, **({f"{phase.name}_loss": loss} if len(times) > 1 else {})}
            for name, value in own.items():
                logs[name] = logs.get(name, 0.0) + value / times[phase.name]
        for name, value in logs.items():
            self._means()[name].update_state(value, sample_weight=size)  # the last batch may be smaller
        if metric_inputs is not None:
            self._compile_metrics.update_state(*metric_inputs)

    def metric_inputs(self, forward: Any, weights: Any) -> tuple | None:
        """The labels, predictions and weights for the metrics of `compile`, or None without metrics."""
        return None if self._compile_metrics is None else (*self.predictions(forward), weights)

    def ema_pairs(self) -> list[tuple]:
        pairs = [pair for live, average in self.averages() for pair in zip(live.weights, average.weights, strict=True)]
        kept = frozen(live for live, _ in self.averages())  # the averages of frozen layers stay, too
        return [pair for pair in pairs if id(pair[0]) not in kept]

    def ema_rate(self, steps: Any) -> Any:
        # Warm-up of the decay, since early averages are dominated by the initial weights.
        steps = ops.cast(steps, "float32")
        return 1.0 - ops.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """No operation: models are built in `__init__`, and Keras's version fails for tuples across workers."""
