"""What is explained: one number that a model gives to an image, as a function that can be differentiated."""

from collections.abc import Callable, Iterator
from itertools import count

import keras
import numpy as np
from keras import ops

from cnnzoo.features.maps import activates
from cnnzoo.nn.gradients import input_gradient
from cnnzoo.nn.layers import BatchSpread, unit_range
from cnnzoo.tasks import inference

PIXELS = 2**20  # of the images of a pass, at most, unless it is one image


class LogitExplainer:
    """The logit of each image.

    Of a classifier it is that of a class. Of a game it is the one by which the discriminator takes an image for real:
    told the class where it is told classes, and the mean where it gives one for each patch. A discriminator that looks
    at the spread of a batch sees each image alone.

    The network is copied layer by layer, with those of networks inside of it, so that every feature map can be reached
    and the model itself stays as it is.

    Args:
        model: Classifies, or has a discriminator.
        images: One image or n, uint8 or float32 in [0, 1], of the model's shape.
        classes: n integers in [0, classes), or one for all. Of a classifier by default the most likely ones.

    Attributes:
        images: float32 in [0, 1], (n, height, width, channels).
        chosen: float32 (n, k): the classes as one-hot rows, or ones where there are none.
        maps: The symbolic feature maps (n, h, w, c) after its activations, from the first to the last.

    Raises:
        ValueError: For another model, images of another shape, type or range or smaller than the network reaches, or
            classes that the model does not have.
    """

    def __init__(self, model, images, classes=None):
        network(model)
        batch, _ = inference.checked(model, images)
        self.model = model
        self.images = np.asarray(ops.convert_to_numpy(unit_range(ops.convert_to_tensor(batch))))
        self.maps: list = []
        self._inputs = [keras.Input(self.images.shape[1:]), keras.Input((model.classes if has_classes(model) else 1,))]
        try:
            self._logit = self._built(*self._inputs)
        except ValueError as error:
            if "negative" not in str(error):  # so Keras calls the sides that it would leave of a small image
                raise
            size = "x".join(map(str, self.images.shape[1:3]))
            least = next(side for side in count(min(self.images.shape[1:3]) + 1) if self._reaches(side))
            raise ValueError(f"got images of {size} pixels; allowed: sides of {least} and more") from None
        self._network = keras.Model(self._inputs, self._logit)
        self.chosen = self._rows(batch, classes)

    def each(self, function: Callable) -> np.ndarray:
        """`function` of images and their rows of `chosen`, both tensors, a batch at a time, as one float32 array."""
        return inference.in_batches(lambda *rows: function(*map(ops.convert_to_tensor, rows)), self.images, self.chosen)

    def over(self, variants: np.ndarray, make: Callable, function: Callable, images, chosen) -> Iterator:
        """`function` of n images in every variant, as many variants in a pass as it can take.

        Args:
            variants: Something about each of them, in a row.
            make: Takes g rows of it and gives images (g, n, height, width, channels).
            function: `logit` or `gradient`.
            images, chosen: As those take them.

        Yields:
            The rows that were taken, g of them, and the result of shape (g, n, ...).
        """
        n, height, width, _ = images.shape
        size = max(min(inference.BATCH, PIXELS // (height * width)) // n, 1)
        for i in range(0, len(variants), size):
            rows = variants[i : i + size]
            made = ops.reshape(make(rows), (-1, *images.shape[1:]))  # (g * n, height, width, channels)
            result = function(made, ops.tile(chosen, (len(rows), 1)))
            yield rows, ops.reshape(result, (len(rows), n, *result.shape[1:]))

    def logit(self, images, chosen):
        """float32 (n,)."""
        return self._network([self._seen(images), chosen])

    def gradient(self, images, chosen, answer: Callable | None = None):
        """Of the logits, or of another answer of the network, by the images: float32 (n, height, width, channels)."""
        return input_gradient(self._network, lambda x: (answer or self.logit)(x, chosen), images)

    def map_of(self, layer: int) -> Callable:
        """A function of images and `chosen` to a feature map, float32 (n, h, w, c).

        Args:
            layer: Which, from 0, or from -1 backwards.

        Raises:
            ValueError: There is no such map.
        """
        below = keras.Model(self._inputs, self._chosen_map(layer))
        return lambda images, chosen: ops.cast(below([self._seen(images), chosen]), "float32")

    def slope_at(self, layer: int) -> Callable:
        """A function of such a map, images and `chosen` to the gradient of the logits by the map, in its shape."""
        above = keras.Model([self._chosen_map(layer), *self._inputs], self._logit)

        def slope(features, images, chosen):
            seen = self._seen(images)  # a path around the map may still begin there
            return input_gradient(self._network, lambda x: above([x, seen, chosen]), features)

        return slope

    # -- the network --------------------------------------------------------------------------------------------------

    def _seen(self, images):
        """As the network takes them: a generator ends in tanh, and its discriminator looks at [-1, 1]."""
        return 2.0 * images - 1.0 if self.model.task == "generate" else images

    def _built(self, image, chosen):
        """The symbolic logit (n,)."""
        model, told = self.model, _is_told(self.model)
        logits = self._through(network(model), [image, chosen] if told else image)
        if model.task == "classify":
            logits = self._through(model.head, logits)  # (n, classes)
        logits = ops.mean(logits, axis=tuple(range(1, len(logits.shape) - 1)))  # over the patches, if there are any
        return logits[:, 0] if told else ops.sum(logits * chosen, axis=-1)

    def _reaches(self, side: int) -> bool:
        """Whether the network has an answer to images of a side."""
        try:
            self._built(keras.Input((side, side, self.images.shape[3])), self._inputs[1])
        except ValueError:
            return False
        return True

    def _through(self, layer, *inputs, **settings):
        """What the copy of a layer or network gives."""
        if isinstance(layer, keras.Sequential):
            (x,) = inputs
            for inner in layer.layers:
                x = self._through(inner, x)
            return x
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, *inputs, lambda inner: inner, self._through).output
        if isinstance(layer, BatchSpread):
            return ops.pad(inputs[0], ((0, 0), (0, 1)), constant_values=1e-4)  # as it gives for a batch of one
        copy = type(layer).from_config(layer.get_config())
        output = copy(*inputs, **settings)
        if isinstance(layer, keras.Layer):  # no plain operation, which has no weights
            copy.set_weights(layer.get_weights())
        if activates(layer) and len(output.shape) == 4:
            self.maps.append(output)
        return output

    def _chosen_map(self, layer: int):
        if not self.maps:
            raise ValueError(f"got a {self.model.architecture}, which has no feature maps; allowed: convolutions")
        if not -len(self.maps) <= layer < len(self.maps):
            raise ValueError(f"got layer={layer!r}; allowed: {-len(self.maps)} to {len(self.maps) - 1}")
        return self.maps[layer]

    def _rows(self, batch: np.ndarray, classes) -> np.ndarray:
        model = self.model
        if not has_classes(model):
            if classes is not None:
                raise ValueError(f"got classes for a {model.architecture} without classes; allowed: none")
            return np.ones((len(batch), 1), np.float32)
        if classes is None and _is_told(model):
            raise ValueError(f"got no classes for a {model.architecture}, which judges an image as one of a class; "
                             f"allowed: integers in [0, {model.classes})")  # fmt: skip
        return inference.one_hot(
            model, len(batch), model.classify(batch).argmax(axis=1) if classes is None else classes
        )


def network(model) -> keras.Model:
    """The network that is looked into: a classifier's backbone, or a game's discriminator.

    Raises:
        ValueError: The model has neither.
    """
    name = "backbone" if getattr(model, "task", "") == "classify" else "discriminator"
    if not hasattr(model, name):
        raise ValueError(f"got a {model.architecture}, which neither classifies nor has a discriminator; allowed: "
                         "a classifier or a GAN")  # fmt: skip
    return getattr(model, name)


def has_classes(model) -> bool:
    """Whether a model has a logit of its own for each class."""
    return model.task == "classify" or _is_told(model)


def _is_told(model) -> bool:
    """Whether a discriminator is told the class of an image."""
    return model.task == "generate" and model.needs_labels
