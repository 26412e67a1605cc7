"""What a shipped classifier sees in images of any size, for losses and distances that are not those of pixels."""

from itertools import count

import keras
from keras import ops

from cnnzoo import registry
from cnnzoo.layers import unit_range

NETWORK = "lenet.cifar10"

_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU)  # that are an activation and no more


class FeatureMaps:
    """The convolutional part of a classifier, with a map after each of its activations.

    It can be differentiated with respect to the images, as the content loss of Johnson et al., "Perceptual Losses for
    Real-Time Style Transfer and Super-Resolution", 2016, asks for. It is no layer: a model that keeps one as an
    attribute neither trains nor saves the classifier's weights.

    Args:
        network: "arch.tag" of a classifier.

    Attributes:
        network: Its name.
        sha256: Of its weights.
        least_side: The smallest height and width of an image, in pixels.

    Raises:
        UnknownName: There is no such checkpoint.
        ValueError: It is no classifier with convolutions.
    """

    def __init__(self, network: str = NETWORK):
        classifier = registry.build(network)
        layers = classifier.backbone.layers if classifier.task == "classify" else []
        maps = [layer.output for layer in layers if activates(layer) and len(layer.output.shape) == 4]
        if not maps:
            raise ValueError(f"got the network {network!r}; allowed: a classifier with convolutions")
        self.network = network
        self.sha256 = registry.card(network)["files"]["model.weights.h5"]["sha256"]
        self._channels = classifier.image_shape[2]
        # The same layers once more, between the classifier's own and an input of any size.
        self._model = keras.models.clone_model(
            keras.Model(classifier.backbone.inputs[0], maps),
            input_tensors=keras.Input((None, None, self._channels)),
            clone_function=lambda layer: layer,
        )
        self.least_side = next(side for side in count(1) if self._leaves_a_pixel(side))

    def __call__(self, images) -> list:
        """The maps [(n, h_1, w_1, c_1), …], float32, of images (n, height, width, channels).

        Args:
            images: uint8 or floats in [0, 1], in any graph. Grey ones are repeated where the network takes colour.

        Raises:
            ValueError: For images that are too small or have other channels.
        """
        *_, height, width, channels = images.shape
        small = any(side is not None and side < self.least_side for side in (height, width))
        if small or channels not in (1, self._channels):
            raise ValueError(
                f"got images of shape {tuple(images.shape)}; allowed by {self.network!r}: sides of {self.least_side} "
                f"and more, with 1 or {self._channels} channels"
            )
        x = unit_range(images)
        x = ops.repeat(x, self._channels, axis=-1) if channels < self._channels else x
        return [ops.cast(features, "float32") for features in self._model(x, training=False)]

    def _leaves_a_pixel(self, side: int) -> bool:
        try:
            self._model.compute_output_shape((1, side, side, self._channels))
        except ValueError:
            return False
        return True


def activates(layer: keras.Layer) -> bool:
    linear = keras.activations.linear
    return isinstance(layer, _LAYERS) or getattr(layer, "activation", linear) is not linear


def unit_distance(maps, others):
    """How far apart images are by two lists of their maps, (n,), in any graph.

    Each map is divided by its length over the channels at each position; the squared differences are summed over the
    channels, and their means over the positions averaged over the maps. So it is 0 for equal images and at most 2 where
    no feature is negative.

    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, equation 1
    with all weights 1 and a mean over the layers.
    """
    pairs = zip(maps, others, strict=True)
    distances = [ops.mean(ops.sum(ops.square(_unit(a) - _unit(b)), axis=-1), (1, 2)) for a, b in pairs]
    return sum(distances) / len(distances)


def _unit(features):
    """Features (n, height, width, channels) of length 1 at each position, or 0 where all are 0."""
    return features * ops.rsqrt(ops.sum(ops.square(features), axis=-1, keepdims=True) + 1e-12)
