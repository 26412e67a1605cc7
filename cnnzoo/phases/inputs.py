"""Checks of the data of `fit`, `evaluate` and `predict`: arrays before the first step, streams batch by batch.

The values of a stream are checked where its batches are made, outside of the compiled step: XLA drops assertions, and
JAX has none.
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

SLACK = 1e-6  # of floats, beside [0, 1]
NOISY = 0.5  # of the mean of a noisy image, beside [0, 1]: noise has the mean 0
STRUCTURE = "allowed: images, pairs (images, labels) or triples (images, labels, sample weights)"


class Checking:
    """What of a Keras model has to do with the data that it is given.

    Attributes:
        needs_labels, takes_targets, noisy, least_batch, image_shape: See `cnnzoo.phases.PhasedModel`.
    """

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=None,
        class_weight=None,
        sample_weight=None,
        **settings,
    ):
        """As Keras's `fit`, which by default shuffles arrays; whatever else is given comes in its own order.

        Args:
            x: uint8 images in [0, 255] or floats in [0, 1], (n, height, width, channels); or a stream of batches: a
                `tf.data.Dataset`, a generator or a `PyDataset` of images, pairs (images, labels) or triples (images,
                labels, sample weights).
            y: Their labels. A model without classes does not look at labels of classes.
            sample_weight, class_weight: Of images and of classes, by which their losses are multiplied; the mean is
                still over the number of images. Models whose loss is one of the whole batch refuse them.

        Raises:
            ValueError: For images of another shape, dtype or range, labels that are none, or weights that the loss has
                no place for; of streams, when the batch comes.
        """
        if shuffle is None:
            shuffle = is_array(x)
        x, y = self._checked(x, y, sample_weight)
        class_weight = every_class(self, class_weight)
        if class_weight is not None and (is_array(x) or hasattr(x, "element_spec")):
            batch = (x, y, sample_weight) if is_array(x) else x.element_spec
            _, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
            if labels is None or weights is not None:
                beside = "without labels" if labels is None else "beside sample_weight"
                raise ValueError(f"got class_weight {beside}; allowed: with labels, and instead of sample_weight")
        if is_array(x):
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

    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, **settings):
        """As Keras's `evaluate`; the data are those of `fit`."""
        if not settings.get("_use_cached_eval_dataset", False):  # else `fit` has looked at it
            x, y = self._checked(x, y, sample_weight)
        with plain_errors():
            return super().evaluate(x, y, batch_size, verbose, sample_weight, **settings)

    def predict(self, x, *args, **settings):
        """As Keras's `predict`: what `call` gives for each batch of x.

        Raises:
            ValueError: For images of another shape or range than the model takes.
        """
        if is_array(x):
            check_arrays(self, x, calling=True)
        else:
            x = checked_stream(self, x, calling=True)
        with plain_errors():
            return super().predict(x, *args, **settings)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """As Keras's `train_on_batch`; the data are those of `fit`."""
        if class_weight is not None and y is None:
            raise ValueError("got class_weight without labels; allowed: with labels, and instead of sample_weight")
        check_arrays(self, x, y, sample_weight)
        class_weight = every_class(self, class_weight)
        return super().train_on_batch(x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """As Keras's `test_on_batch`; the data are those of `fit`."""
        check_arrays(self, x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, return_dict)

    def predict_on_batch(self, x):
        """As Keras's `predict_on_batch`; the data are those of `predict`."""
        check_arrays(self, x, calling=True)
        return super().predict_on_batch(x)

    def _checked(self, x, y, sample_weight) -> tuple:
        """The images or stream and the labels that Keras is given."""
        if not is_array(x):
            return checked_stream(self, x), y
        check_arrays(self, x, y, sample_weight)
        if sample_weight is not None and y is None:
            y = ops.zeros((x.shape[0],), "int32")  # Keras drops weights that come without labels
        return x, y

    def _check_last_batch(self, count: int, batch_size: int, held_out: float) -> None:
        """Raises a ValueError where arrays leave a last batch that is too short."""
        last = int(count * (1 - held_out)) % batch_size or batch_size
        if last < self.least_batch:
            raise ValueError(
                f"got {count} images and batch_size={batch_size}, which leaves a batch of {last}; "
                f"allowed: {self.least_batch} or more in each batch"
            )


def is_array(x: Any) -> bool:
    """Whether x is one array or tensor, rather than a stream of batches or several arrays."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def parts(model: Any, batch: Any) -> tuple[Any, Any, Any]:
    """A batch of `fit` as (images, labels or None, sample weights or None), of which shapes and dtypes are checked.

    Args:
        model: A `PhasedModel`.
        batch: What Keras gives to a step: arrays, symbolic tensors, or the specifications of a `tf.data.Dataset`.

    Raises:
        ValueError: What came and what is allowed.
    """
    if isinstance(batch, (tuple, list)) and len(batch) > 3:
        raise ValueError(f"got batches of {len(batch)} parts; {STRUCTURE}")
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
    for part in (images, labels, weights):
        if part is not None and not is_array(part):
            raise ValueError(f"got {_kind(part)} in a batch; {STRUCTURE}")
    if not fits(images.shape[1:], model.image_shape):
        allowed = in_words(model.image_shape)
        raise ValueError(f"got images of shape {tuple(images.shape)}; allowed: (n, {allowed})")
    if labels is None and model.needs_labels:
        raise ValueError(f"got images alone; {type(model).__name__} is trained on pairs (images, labels)")
    if labels is not None and _has_rank(labels):
        _check_labels(model, labels)
    if weights is not None and _has_rank(weights) and tuple(weights.shape[1:]) not in ((), (1,)):
        raise ValueError(f"got sample weights of shape {tuple(weights.shape)}; allowed: one for each image, (n,)")
    return images, labels, weights


def flat(column: Any) -> Any:
    """Numbers (n,) or (n, 1) as (n,)."""
    return column if _has_rank(column) and len(column.shape) == 1 else ops.reshape(column, (-1,))


def check_arrays(model: Any, x: Any, labels: Any = None, weights: Any = None, calling: bool = False) -> None:
    """Checks whole arrays; `calling` where they are what the model is called with, not what it is trained on.

    Raises:
        ValueError: What came and what is allowed.
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
    """A stream of batches that raises a ValueError, or TensorFlow's error for an assertion, at one that is not allowed.

    Datasets that are distributed already, torch's and Grain's come back as they are: of their batches the step itself
    checks the shapes and dtypes.

    Raises:
        ValueError: For something that is no stream, or one whose batches have shapes or dtypes that are not allowed.
    """

    def check(batch: Any) -> Any:
        check_arrays(model, *keras.utils.unpack_x_y_sample_weight(batch), calling=calling)
        return batch

    if x is None or isinstance(x, (list, tuple, Mapping, str)):
        raise ValueError(f"got {_kind(x)}; allowed: an array of images, with its labels beside it, or a stream")
    if isinstance(x, types.GeneratorType):
        return (check(batch) for batch in x)
    if isinstance(x, keras.utils.PyDataset):
        return _CheckedDataset(x, check)
    tf = sys.modules.get("tensorflow")  # whoever has one of its data sets has loaded it
    return _checked_dataset(tf, model, x, calling) if tf and isinstance(x, tf.data.Dataset) else x


@contextmanager
def plain_errors() -> Iterator[None]:
    """Makes a ValueError with the line of an assertion of `checked_stream` of what TensorFlow raises for it."""
    try:
        yield
    except Exception as error:
        found = re.search(r"assertion failed: \[(got [^\n]*)\]", str(error))
        if found is None:
            raise
        raise ValueError(found[1]) from None


def every_class(model: Any, class_weight: Any) -> dict[int, float] | None:
    """`class_weight` with the 1 of each class that it leaves out, which Keras's data sets lack.

    Raises:
        ValueError: For weights of other classes than the model has, or for something that is no dictionary.
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"got class_weight={class_weight!r}; allowed: a dictionary of classes and their weights")
    weights = {int(key): float(value) for key, value in class_weight.items()}
    classes = getattr(model, "classes", 0)
    if classes and not set(weights) <= set(range(classes)):
        raise ValueError(f"got class_weight of {', '.join(map(str, weights))}; allowed: classes in [0, {classes})")
    return {**dict.fromkeys(range(classes), 1.0), **weights}


def _kind(x: Any) -> str:
    if isinstance(x, Mapping):
        return f"a dictionary of {', '.join(map(str, x))}"
    return f"a {type(x).__name__}"


def _has_rank(x: Any) -> bool:
    """Whether x has a known number of axes: a function that Keras has traced for (n,) and (n, 1) does not know it."""
    return getattr(x.shape, "rank", 0) is not None


def _is_float(x: Any) -> bool:
    return keras.backend.standardize_dtype(x.dtype).startswith(("float", "bfloat"))


def _are_classes(model: Any, labels: Any) -> bool:
    """Whether labels are numbers of classes that the model looks at."""
    return labels is not None and model.needs_labels and getattr(model, "classes", 0) > 0


def _check_labels(model: Any, labels: Any) -> None:
    shape, dtype = tuple(labels.shape), keras.backend.standardize_dtype(labels.dtype)
    if _are_classes(model, labels):
        if len(shape) in (1, 2) and shape[1:] in ((), (1,)) and dtype.startswith(("int", "uint")):
            return
        hint = " (labels.argmax(1) of one-hot ones)" if shape[1:] == (model.classes,) else ""
        allowed = f"integers in [0, {model.classes}), (n,) or (n, 1){hint}"
        raise ValueError(f"got labels {dtype} of shape {shape}; allowed: {allowed}")
    if not model.needs_labels and not model.takes_targets and len(shape) > 2:
        raise ValueError(
            f"got targets of shape {shape}; {type(model).__name__} makes its own of the images; "
            "allowed: images alone, or with labels of classes, which it does not look at"
        )


def _checked_call(model: Any, x: Any) -> Any:
    """The images in what a model is called with, or None."""
    if not is_array(x):
        raise ValueError(f"got {_kind(x)}; allowed: an array")
    images = model.images_in(x)
    if images is not None and not fits(images.shape[1:], model.image_shape):
        allowed = in_words(model.image_shape)
        raise ValueError(f"got images of shape {tuple(images.shape)}; allowed: (n, {allowed})")
    return images


def _slack(noisy: bool) -> float:
    return NOISY if noisy else SLACK


def _complaint(noisy: bool) -> str:
    what = "means" if noisy else "values"
    return f"got images with {what} in [{{}}, {{}}]; allowed: uint8 in [0, 255] or floats in [0, 1]"


def _classes_complaint(model: Any) -> str:
    return f"got labels in [{{}}, {{}}]; allowed: integers in [0, {model.classes})"


class _CheckedDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked."""

    def __init__(self, inner: Any, check: Any):
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
    """A `tf.data.Dataset` with an assertion in it where its batches have values to look at."""

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
            inside = tf.reduce_all((seen >= -slack) & (seen <= 1 + slack))  # of NaN neither is true
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
