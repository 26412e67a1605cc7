"""The target of an explanation: a logit as a differentiable function of the image."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import keras
import numpy as np
from keras import ops

from cnnzoo.features.maps import activates
from cnnzoo.nn.gradients import input_gradient
from cnnzoo.nn.layers import BatchSpread, unit_range
from cnnzoo.tasks import inference
from cnnzoo.tasks.compiled import BATCH

PIXELS = 2**20  # maximum pixels per pass, beyond a single image


class LogitExplainer:
    """The logit of each image, with access to feature maps.

    For a classifier it is the logit of a class. For a GAN it is the discriminator's logit, given the class for a
    conditional one, averaged over the patches. Minibatch statistics see each image alone.

    The network is copied layer by layer, nested networks included, to expose every feature map without changing the
    model.

    Args:
        model: A classifier or a GAN.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        classes: n integers in [0, classes), or one for all. Default for a classifier: the most likely ones.

    Attributes:
        images: float32 in [0, 1], (n, height, width, channels).
        chosen: float32 (n, k): one-hot classes, or ones for an unconditional discriminator.
        maps: The symbolic feature maps (n, h, w, c) after the activations, from the first to the last.

    Raises:
        ValueError: For another model, images of another shape, type or range or too small for the network, or classes
            out of range.
    """

    def __init__(self, model: Any, images: Any, classes: Any = None) -> None:
        network(model)
        batch, _ = inference.checked(model, images)
        self.model = model
        self.images = np.asarray(ops.convert_to_numpy(unit_range(ops.convert_to_tensor(batch))))
        self.maps: list = []
        self._inputs = [keras.Input(self.images.shape[1:]), keras.Input((model.classes if has_classes(model) else 1,))]
        try:
            self._logit = self._built(*self._inputs)
        except ValueError as error:
            if "negative" not in str(error):  # Keras's message for negative output sizes
                raise
            size = "x".join(map(str, self.images.shape[1:3]))
            least = next(side for side in count(min(self.images.shape[1:3]) + 1) if self._accepts_side(side))
            raise ValueError(f"Images must have sides of {least} pixels or more. Received: {size} pixels") from None
        self._network = keras.Model(self._inputs, self._logit)
        self.chosen = self._rows(batch, classes)

    def each(self, function: Callable) -> np.ndarray:
        """`function` of images and their rows of `chosen` (tensors), batch by batch, as one float32 array."""
        parts = []
        for start in range(0, len(self.images), BATCH):
            rows = (x[start : start + BATCH] for x in (self.images, self.chosen))
            parts.append(ops.convert_to_numpy(function(*map(ops.convert_to_tensor, rows))))
        return np.concatenate(parts).astype(np.float32, copy=False)

    def over(self, variants: np.ndarray, make: Callable, function: Callable, images: Any, chosen: Any) -> Iterator:
        """`function` of n images in every variant, with g variants per pass.

        Args:
            variants: One row per variant.
            make: From g rows to images (g, n, height, width, channels).
            function: `logit` or `gradient`.
            images, chosen: Its arguments.

        Yields:
            The g rows of a pass, and the result (g, n, ...).
        """
        n, height, width, _ = images.shape
        size = max(min(BATCH, PIXELS // (height * width)) // n, 1)
        for i in range(0, len(variants), size):
            rows = variants[i : i + size]
            made = ops.reshape(make(rows), (-1, *images.shape[1:]))  # (g * n, height, width, channels)
            result = function(made, ops.tile(chosen, (len(rows), 1)))
            yield rows, ops.reshape(result, (len(rows), n, *result.shape[1:]))

    def logit(self, images: Any, chosen: Any) -> Any:
        """float32 (n,)."""
        return self._network([self._as_input(images), chosen])

    def gradient(self, images: Any, chosen: Any, answer: Callable | None = None) -> Any:
        """The input gradient of the logits, or of another output: float32 (n, height, width, channels)."""
        return input_gradient(self._network, lambda x: (answer or self.logit)(x, chosen), images)

    def map_of(self, layer: int) -> Callable:
        """A function of images and `chosen` to a feature map, float32 (n, h, w, c).

        Args:
            layer: Index of the map; negative from the end.

        Raises:
            ValueError: For a layer out of range.
        """
        below = keras.Model(self._inputs, self._chosen_map(layer))
        return lambda images, chosen: ops.cast(below([self._as_input(images), chosen]), "float32")

    def slope_at(self, layer: int) -> Callable:
        """A function of a map, images and `chosen` to the gradient of the logits by the map, in its shape."""
        above = keras.Model([self._chosen_map(layer), *self._inputs], self._logit)

        def slope(features: Any, images: Any, chosen: Any) -> Any:
            seen = self._as_input(images)  # for connections bypassing the map
            return input_gradient(self._network, lambda x: above([x, seen, chosen]), features)

        return slope

    # -- the network --------------------------------------------------------------------------------------------------

    def _as_input(self, images: Any) -> Any:
        """Images in the input range of the network: [-1, 1] for discriminators, since generators end in tanh."""
        return 2.0 * images - 1.0 if self.model.task == "generate" else images

    def _built(self, image: Any, chosen: Any) -> Any:
        """The symbolic logit (n,)."""
        model, is_conditional = self.model, _is_conditional(self.model)
        logits = self._copied(network(model), [image, chosen] if is_conditional else image)
        if model.task == "classify":
            logits = self._copied(model.head, logits)  # (n, classes)
        logits = ops.mean(logits, axis=tuple(range(1, len(logits.shape) - 1)))  # over the patches, if any
        return logits[:, 0] if is_conditional else ops.sum(logits * chosen, axis=-1)

    def _accepts_side(self, side: int) -> bool:
        """Whether the network accepts images of a side."""
        try:
            self._built(keras.Input((side, side, self.images.shape[3])), self._inputs[1])
        except ValueError:
            return False
        return True

    def _copied(self, layer: Any, *inputs: Any, **settings: Any) -> Any:
        """The output of a copy of a layer or network; collects feature maps."""
        if isinstance(layer, keras.Sequential):
            (x,) = inputs
            for inner in layer.layers:
                x = self._copied(inner, x)
            return x
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, *inputs, lambda inner: inner, self._copied).output
        if isinstance(layer, BatchSpread):
            return ops.pad(inputs[0], ((0, 0), (0, 1)), constant_values=1e-4)  # its value for a batch of one
        copy = type(layer).from_config(layer.get_config())
        output = copy(*inputs, **settings)
        if isinstance(layer, keras.Layer):  # operations have no weights
            copy.set_weights(layer.get_weights())
        if activates(layer) and len(output.shape) == 4:
            self.maps.append(output)
        return output

    def _chosen_map(self, layer: int) -> Any:
        if not self.maps:
            raise ValueError(
                f"The network must have convolutions. Received: {self.model.architecture}, which has no feature maps"
            )
        if not -len(self.maps) <= layer < len(self.maps):
            raise ValueError(f"`layer` must be between {-len(self.maps)} and {len(self.maps) - 1}. Received: {layer!r}")
        return self.maps[layer]

    def _rows(self, batch: np.ndarray, classes: Any) -> np.ndarray:
        model = self.model
        if not has_classes(model):
            if classes is not None:
                raise ValueError(
                    f"`classes` must be None with a {model.architecture}, which has no classes. Received: {classes!r}"
                )
            return np.ones((len(batch), 1), np.float32)
        if classes is None and _is_conditional(model):
            raise ValueError(
                f"`classes` must be integers in [0, {model.classes}) with a {model.architecture}, which judges an "
                "image as one of a class. Received: None"
            )
        chosen = model.classify(batch).argmax(axis=1) if classes is None else classes
        return inference.one_hot(model, len(batch), chosen, "classes")


def network(model: Any) -> keras.Model:
    """The network to explain: the backbone of a classifier, or the discriminator of a GAN.

    Raises:
        ValueError: For a model with neither.
    """
    name = "backbone" if getattr(model, "task", "") == "classify" else "discriminator"
    if not hasattr(model, name):
        raise ValueError(f"`model` must be a classifier or a GAN. Received: {model.architecture}")
    return getattr(model, name)


def has_classes(model: Any) -> bool:
    """Whether the logit depends on a class."""
    return model.task == "classify" or _is_conditional(model)


def _is_conditional(model: Any) -> bool:
    """Whether the model is a class-conditional GAN."""
    return model.task == "generate" and model.needs_labels
