"""What a network sees in images of any size, for losses, distances and styles that are not those of pixels."""

import math
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import keras
from keras import ops

from cnnzoo import hub, registry
from cnnzoo.features import random
from cnnzoo.features.vgg19 import prepared, vgg19
from cnnzoo.nn.layers import unit_range

NETWORK = "lenet.cifar10"  # that losses see by; what has been trained is judged by another (`metrics.perceptual`)

_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU)  # that are an activation and no more
_PROBE = 512  # pixels a side, to see by how much a map is smaller


class _Network(NamedTuple):
    backbone: keras.Model
    prepared: Callable = lambda images: images  # float32 in [0, 1] to what the backbone takes


# Those that are no checkpoint of the zoo.
NETWORKS: dict[str, Callable[[], _Network]] = {
    "random_vgg": lambda: _Network(random.random_vgg()),
    "random_scales": lambda: _Network(random.random_scales()),
    "vgg19": lambda: _Network(vgg19(), prepared),
}


class FeatureMaps:
    """The convolutional part of a network, with a map after each of its activations.

    It can be differentiated with respect to the images, as the content loss of Johnson et al., "Perceptual Losses for
    Real-Time Style Transfer and Super-Resolution", 2016, asks for. It is no layer: a model that keeps one as an
    attribute neither trains nor saves the network's weights.

    The maps are named as those of VGG are: "conv3_2" is the second at a stride of 4, where block b has a stride of
    2^(b - 1).

    Args:
        network: "arch.tag" of a classifier; "random_vgg" or "random_scales", which have random weights (see
            `cnnzoo.features.random`); or "vgg19", with Keras's weights for ImageNet.

    Attributes:
        network: Its name.
        sha256: Of its weights, for a checkpoint of the zoo.
        layers: The names of its maps.
        style_layers: Those that tell its style: the first at each stride.
        content_layer: The one that tells what is where: the second at the stride before the last.
        least_side: The smallest height and width of an image, in pixels.

    Raises:
        UnknownName: There is no such network.
        ValueError: It is no classifier with convolutions.
        DataNotFound: The weights of VGG19 are not on this machine and cannot be fetched; said within a second.
    """

    def __init__(self, network: str = NETWORK):
        backbone, self._prepared = NETWORKS[network]() if network in NETWORKS else _of_checkpoint(network)
        maps = [layer.output for layer in backbone.layers if activates(layer) and len(layer.output.shape) == 4]
        if not maps:
            raise ValueError(f"got the network {network!r}; allowed: a classifier with convolutions")
        self.network = network
        self.sha256 = None if network in NETWORKS else hub.card(network)["files"]["model.weights.h5"]["sha256"]
        self._channels = backbone.inputs[0].shape[3]
        # The same layers once more, between the network's own and an input of any size.
        self._model = keras.models.clone_model(
            keras.Model(backbone.inputs[0], maps),
            input_tensors=keras.Input((None, None, self._channels)),
            clone_function=lambda layer: layer,
        )
        self.layers = self._names()
        self.style_layers = tuple(name for name in self.layers if name.endswith("_1"))
        block = f"conv{max(1, len(self.style_layers) - 1)}_"
        self.content_layer = [name for name in self.layers if name.startswith(block)][:2][-1]
        self.least_side = next(side for side in count(1) if self._leaves_a_pixel(side))

    def _names(self) -> tuple[str, ...]:
        shapes = self._model.compute_output_shape((1, _PROBE, _PROBE, self._channels))
        blocks = [1 + round(math.log2(_PROBE / shape[1])) for shape in shapes]
        return tuple(f"conv{block}_{blocks[: i + 1].count(block)}" for i, block in enumerate(blocks))

    def features(self, images) -> dict:
        """The maps by their names, {"conv1_1": (n, h_1, w_1, c_1), …}, float32; see `__call__`."""
        return dict(zip(self.layers, self(images), strict=True))

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
        return [ops.cast(features, "float32") for features in self._model(self._prepared(x), training=False)]

    def _leaves_a_pixel(self, side: int) -> bool:
        try:
            self._model.compute_output_shape((1, side, side, self._channels))
        except ValueError:
            return False
        return True


def _of_checkpoint(name: str) -> _Network:
    try:
        classifier = hub.build(name)
    except registry.UnknownName:
        raise registry.UnknownName("network", name, [*NETWORKS, *hub.list_checkpoints()]) from None
    return _Network(classifier.backbone if classifier.task == "classify" else keras.Sequential())


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
