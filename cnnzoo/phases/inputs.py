"""Validation of the data of `fit`, `evaluate` and `predict`: arrays up front, streams batch by batch.

Values of a stream are checked in its pipeline, outside the compiled step: XLA drops assertions, and JAX has none.
"""

import re
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import fits, in_words
from cnnzoo.utils.checks import check_integer

SLACK = 1e-6  # tolerance of floats around [0, 1]
NOISY = 0.5  # tolerance of the mean of a noisy image around [0, 1]; noise has mean 0
STRUCTURE = "A batch must be images, pairs (images, labels) or triples (images, labels, sample weights)"


class Checking(keras.Model):
    """Keras's `fit`, `evaluate` and `predict` with validated data.

    Attributes:
        needs_labels, takes_targets, noisy, least_batch, image_shape: See `cnnzoo.phases.PhasedModel`.
    """

    least_batch: int

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | None = None,
        class_weight: Any = None,
        sample_weight: Any = None,
        **settings: Any,
    ) -> Any:
        """As Keras's `fit`; arrays are shuffled by default, streams keep their order.

        Args:
            x: uint8 images in [0, 255] or floats in [0, 1], (n, height, width, channels); or a stream of batches: a
                `tf.data.Dataset`, a generator or a `PyDataset` of images, pairs (images, labels) or triples (images,
                labels, sample weights).
            y: Labels; ignored by models without classes.
            sample_weight, class_weight: Factors of the losses of images and classes; the mean is still over the number
                of images. Models with a loss of the whole batch reject them.

        Raises:
            ValueError: For images of another shape, dtype or range, invalid labels, or unsupported weights; for
                streams, at the batch.
        """
        if shuffle is None:
            shuffle = is_array(x)
        x, y = self._checked(x, y, sample_weight)
        class_weight = every_class(self, class_weight)
        if class_weight is not None and (is_array(x) or hasattr(x, "element_spec")):
            batch = (x, y, sample_weight) if is_array(x) else x.element_spec
            _, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
            if labels is None or weights is not None:
                position = "without labels" if labels is None else "beside sample_weight"
                raise ValueError(
                    "`class_weight` must come with labels, and instead of `sample_weight`. Received: class_weight "
                    f"{position}"
                )
        if is_array(x):
            if batch_size is not None:
                check_integer("batch_size", batch_size, 1)
            self._check_last_batch(x.shape[0], batch_size or 32, validation_split if validation_data is None else 0.0)
        if validation_data is not None:
            images, labels, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            images, labels = self._checked(images, labels, weights)
            if labels is not None:
                validation_data = (images, labels) if weights is None else (images, labels, weights)
            else:
                validation_data = images
        with plain_errors():
            history = super().fit(
                x,
                y,
                batch_size,
                epochs,
                verbose,
                callbacks,
                validation_split,
                validation_data,
                shuffle,
                class_weight,
                sample_weight,
                **settings,
            )
        history.params["validation_freq"] = settings.get("validation_freq", 1)  # for `cnnzoo.plot_history`
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        **settings: Any,
    ) -> Any:
        """As Keras's `evaluate`, with data as in `fit`."""
        if not settings.get("_use_cached_eval_dataset", False):  # otherwise checked by `fit`
            x, y = self._checked(x, y, sample_weight)
        with plain_errors():
            return super().evaluate(x, y, batch_size, verbose, sample_weight, **settings)

    def predict(self, x: Any, *args: Any, **settings: Any) -> Any:
        """As Keras's `predict`: the outputs of `call` for each batch of x.

        Raises:
            ValueError: For images of another shape or range.
        """
        if is_array(x):
            check_arrays(self, x, calling=True)
        else:
            x = checked_stream(self, x, calling=True)
        with plain_errors():
            return super().predict(x, *args, **settings)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """As Keras's `train_on_batch`, with data as in `fit`."""
        if class_weight is not None and y is None:
            raise ValueError(
                "`class_weight` must come with labels, and instead of `sample_weight`. Received: class_weight "
                "without labels"
            )
        check_arrays(self, x, y, sample_weight)
        class_weight = every_class(self, class_weight)
        return super().train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """As Keras's `test_on_batch`, with data as in `fit`."""
        check_arrays(self, x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """As Keras's `predict_on_batch`, with data as in `predict`."""
        check_arrays(self, x, calling=True)
        return super().predict_on_batch(x)

    def _checked(self, x: Any, y: Any, sample_weight: Any) -> tuple:
        """The validated images or stream, and the labels."""
        if not is_array(x):
            return checked_stream(self, x), y
        check_arrays(self, x, y, sample_weight)
        if sample_weight is not None and y is None:
            y = ops.zeros((x.shape[0],), "int32")  # Keras drops weights without labels
        return x, y

    def _check_last_batch(self, count: int, batch_size: int, held_out: float) -> None:
        """Raises a ValueError for no images, or a last batch below `least_batch`."""
        if count == 0:
            raise ValueError("`x` must have one image or more. Received: none")
        last = int(count * (1 - held_out)) % batch_size or batch_size
        if last < self.least_batch:
            raise ValueError(
                f"Each batch must have {self.least_batch} images or more. Received: {count} images with "
                f"batch_size={batch_size}, which leaves a batch of {last}"
            )


def is_array(x: Any) -> bool:
    """Whether x is one array or tensor, rather than a stream of batches or several arrays."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def parts(model: Any, batch: Any) -> tuple[Any, Any, Any]:
    """A batch of `fit` as (images, labels or None, sample weights or None), with validated shapes and dtypes.

    Args:
        model: A `PhasedModel`.
        batch: Arrays, symbolic tensors, or the element specification of a `tf.data.Dataset`.

    Raises:
        ValueError: For invalid images, labels or weights.
    """
    if isinstance(batch, (tuple, list)) and len(batch) > 3:
        raise ValueError(f"{STRUCTURE}. Received: batches of {len(batch)} parts")
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    for part in (images, labels, weights):
        if part is not None and not is_array(part):
            raise ValueError(f"{STRUCTURE}. Received: {_kind(part)} in a batch")
    if not fits(images.shape[1:], model.image_shape):
        allowed = in_words(model.image_shape)
        raise ValueError(f"Images must have shape (n, {allowed}). Received: {tuple(images.shape)}")
    if labels is None and model.needs_labels:
        raise ValueError(f"{type(model).__name__} must be trained on pairs (images, labels). Received: images alone")
    if labels is not None and _has_rank(labels):
        _check_labels(model, labels)
    if weights is not None and _has_rank(weights) and tuple(weights.shape[1:]) not in ((), (1,)):
        raise ValueError(f"Sample weights must be one for each image, (n,). Received: shape {tuple(weights.shape)}")
    return images, labels, weights


def flat(column: Any) -> Any:
    """Numbers (n,) or (n, 1) as (n,)."""
    return column if _has_rank(column) and len(column.shape) == 1 else ops.reshape(column, (-1,))


def check_arrays(model: Any, x: Any, labels: Any = None, weights: Any = None, calling: bool = False) -> None:
    """Validates whole arrays, inputs of training or, with `calling`, of `call`.

    Raises:
        ValueError: For invalid images, labels or weights.
    """
    if calling:
        images, noisy = _checked_call(model, x), model.noisy
    else:
        (images, labels, _), noisy = parts(model, (x, labels, weights)), False
    if images is not None and _is_float(images) and images.shape[0]:
        images = np.asarray(images)
        seen = images.mean(axis=tuple(range(1, images.ndim)), dtype=np.float32) if noisy else images
        low, high, slack = float(seen.min()), float(seen.max()), _slack(noisy)
        if not (low >= -slack and high <= 1 + slack):  # negated so that NaN is rejected
            raise ValueError(_complaint(noisy).format(f"{low:g}", f"{high:g}"))
    if _are_classes(model, labels) and labels.shape[0]:
        low, high = np.asarray(labels).min(), np.asarray(labels).max()
        if low < 0 or high >= model.classes:
            raise ValueError(_classes_complaint(model).format(low, high))


def checked_stream(model: Any, x: Any, calling: bool = False) -> Any:
    """A stream of batches that raises a ValueError, or TensorFlow's assertion error, at an invalid batch.

    Distributed datasets and those of torch and Grain are returned unchanged: the training step checks the shapes and
    dtypes of their batches.

    Raises:
        ValueError: For other types than streams, or batches of invalid shapes or dtypes.
    """

    def check(batch: Any) -> Any:
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        check_arrays(model, images, labels, weights, calling)
        return batch

    if x is None or isinstance(x, (list, tuple, Mapping, str)):
        raise ValueError(
            f"`x` must be an array of images, with its labels beside it, or a stream. Received: {_kind(x)}"
        )
    if isinstance(x, types.GeneratorType):
        return (check(batch) for batch in x)
    if isinstance(x, keras.utils.PyDataset):
        return _CheckedDataset(x, check)
    tf = sys.modules.get("tensorflow")  # loaded, if x is one of its data sets
    return _checked_dataset(tf, model, x, calling) if tf and isinstance(x, tf.data.Dataset) else x


@contextmanager
def plain_errors() -> Iterator[None]:
    """Converts TensorFlow's errors for assertions of `checked_stream` to ValueErrors with their message."""
    try:
        yield
    except Exception as error:
        found = re.search(r"assertion failed: \[((?:Images|Labels|A batch) must [^\n]*)\]", str(error))
        if found is None:
            raise
        raise ValueError(found[1]) from None


def every_class(model: Any, class_weight: Any) -> dict[int, float] | None:
    """`class_weight` completed with weight 1 for missing classes, required by Keras's data sets.

    Raises:
        ValueError: For unknown classes, or other types than a dictionary.
    """
    if class_weight is None:
        return None
    try:
        weights = {int(key): float(value) for key, value in class_weight.items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"`class_weight` must be a dictionary of classes and their weights. Received: {class_weight!r}"
        ) from None
    classes = getattr(model, "classes", 0)
    if classes and not set(weights) <= set(range(classes)):
        raise ValueError(
            f"`class_weight` must have classes in [0, {classes}). Received: {', '.join(map(str, weights))}"
        )
    return {**dict.fromkeys(range(classes), 1.0), **weights}


def _kind(x: Any) -> str:
    if isinstance(x, Mapping):
        return f"a dictionary of {', '.join(map(str, x))}"
    return f"a {type(x).__name__}"


def _has_rank(x: Any) -> bool:
    """Whether the rank of x is known: not in a function traced by Keras for both (n,) and (n, 1)."""
    return getattr(x.shape, "rank", 0) is not None


def _is_float(x: Any) -> bool:
    return keras.backend.standardize_dtype(x.dtype).startswith(("float", "bfloat"))


def _are_classes(model: Any, labels: Any) -> bool:
    """Whether labels are class indices used by the model."""
    return labels is not None and model.needs_labels and getattr(model, "classes", 0) > 0


def _check_labels(model: Any, labels: Any) -> None:
    shape, dtype = tuple(labels.shape), keras.backend.standardize_dtype(labels.dtype)
    if _are_classes(model, labels):
        if len(shape) in (1, 2) and shape[1:] in ((), (1,)) and dtype.startswith(("int", "uint")):
            return
        hint = " (labels.argmax(1) of one-hot ones)" if shape[1:] == (model.classes,) else ""
        allowed = f"integers in [0, {model.classes}), (n,) or (n, 1){hint}"
        raise ValueError(f"Labels must be {allowed}. Received: {dtype} {shape}")
    if not model.needs_labels and not model.takes_targets and len(shape) > 2:
        raise ValueError(
            f"`y` must be None or labels of classes, which {type(model).__name__} does not look at: it makes its own "
            f"targets of the images. Received: targets of shape {shape}"
        )


def _checked_call(model: Any, x: Any) -> Any:
    """The validated images in the input of `call`, or None."""
    if not is_array(x):
        raise ValueError(f"`x` must be an array. Received: {_kind(x)}")
    images = model.images_in(x)
    if images is not None and not fits(images.shape[1:], model.image_shape):
        allowed = in_words(model.image_shape)
        raise ValueError(f"Images must have shape (n, {allowed}). Received: {tuple(images.shape)}")
    return images


def _slack(noisy: bool) -> float:
    return NOISY if noisy else SLACK


def _complaint(noisy: bool) -> str:
    what = "means" if noisy else "values"
    return f"Images must be uint8 in [0, 255] or floats in [0, 1]. Received: {what} in [{{}}, {{}}]"


def _classes_complaint(model: Any) -> str:
    return f"Labels must be integers in [0, {model.classes}). Received: values in [{{}}, {{}}]"


class _CheckedDataset(keras.utils.PyDataset):
    """A `PyDataset` with validated batches."""

    def __init__(self, inner: Any, check: Any) -> None:
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self.inner, self.check = inner, check

    def __getitem__(self, index: int) -> Any:
        return self.check(self.inner[index])

    @property
    def num_batches(self) -> int | None:
        return self.inner.num_batches

    def on_epoch_begin(self) -> None:
        self.inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.inner.on_epoch_end()


def _checked_dataset(tf: Any, model: Any, dataset: Any, calling: bool) -> Any:
    """A `tf.data.Dataset` with assertions on the values of its batches."""

    def looked_at(batch: Any) -> tuple[Any, Any]:
        if calling:
            return _checked_call(model, keras.utils.unpack_x_y_sample_weight(batch)[0]), None
        images, labels, _ = parts(model, batch)
        return images, labels if _are_classes(model, labels) else None

    images, labels = looked_at(dataset.element_spec)
    if labels is None and (images is None or not _is_float(images)):
        return dataset
    noisy = calling and model.noisy

    def demand(holds: Any, complaint: str, low: Any, high: Any) -> Any:
        return tf.debugging.Assert(holds, [tf.strings.format(complaint, (low, high))])

    @tf.autograph.experimental.do_not_convert
    def check(*batch: Any) -> Any:
        images, labels = looked_at(batch if len(batch) > 1 else batch[0])
        demands = []
        if images is not None and _is_float(images):
            images = tf.cast(images, tf.float32)
            seen, slack = tf.reduce_mean(images, axis=(1, 2, 3)) if noisy else images, _slack(noisy)
            low, high = tf.reduce_min(seen), tf.reduce_max(seen)
            inside = tf.reduce_all((seen >= -slack) & (seen <= 1 + slack))  # false for NaN
            demands.append(demand(inside, _complaint(noisy), low, high))
        if labels is not None:
            numbers = tf.cast(labels, tf.int64)
            low, high = tf.reduce_min(numbers), tf.reduce_max(numbers)
            inside = (low >= 0) & (high < model.classes)
            demands.append(demand(inside | (tf.size(labels) == 0), _classes_complaint(model), low, high))
        with tf.control_dependencies(demands):
            same = tf.nest.map_structure(tf.identity, batch)
        return same if len(same) > 1 else same[0]

    return dataset.map(check)
