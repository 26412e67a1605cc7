"""Feature maps of a network for images of any size, for perceptual losses and style losses."""

import math
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import keras
from keras import ops

from cnnzoo import hub, registry
from cnnzoo.features import random
from cnnzoo.features.vgg19 import prepared, vgg19
from cnnzoo.nn.layers import unit_range

NETWORK = "lenet.cifar10"  # for losses; scores use another network (`features.distance`)

_LAYERS = (keras.layers.ReLU, keras.layers.LeakyReLU)  # pure activation layers
_PROBE = 512  # pixels per side, to measure the stride of a map


class _Network(NamedTuple):
    backbone: keras.Model
    prepared: Callable = lambda images: images  # from float32 in [0, 1] to the input of the backbone


# Networks other than checkpoints of the zoo.
NETWORKS: dict[str, Callable[[], _Network]] = {
    "random_vgg": lambda: _Network(random.random_vgg()),
    "random_scales": lambda: _Network(random.random_scales()),
    "vgg19": lambda: _Network(vgg19(), prepared),
}


class FeatureMaps:
    """Feature extractor: the convolutional part of a network, with a map after each activation.

    It is differentiable with respect to the images, for the content loss of Johnson et al., "Perceptual Losses for
    Real-Time Style Transfer and Super-Resolution", 2016. It is not a layer, so that a model with one as an attribute
    neither trains nor saves its weights.

    Maps are named as in VGG: "conv3_2" is the second map at stride 4; block b has a stride of 2^(b - 1).

    Args:
        network: "arch.tag" of a classifier; "random_vgg" or "random_scales", with random weights (see
            `cnnzoo.features.random`); or "vgg19", with Keras's weights for ImageNet.

    Attributes:
        network: Its name.
        sha256: Of its weights, for checkpoints of the zoo.
        layers: The names of its maps.
        style_layers: The first map at each stride.
        content_layer: The second map at the stride before the last.
        least_side: The smallest height and width of an image, in pixels.

    Raises:
        UnknownName: For an unknown network.
        ValueError: For a network other than a convolutional classifier.
        DataNotFound: For missing VGG19 weights without network access, within a second.
    """

    def __init__(self, network: str = NETWORK) -> None:
        backbone, self._prepared = NETWORKS[network]() if network in NETWORKS else _of_checkpoint(network)
        maps = [layer.output for layer in backbone.layers if activates(layer) and len(layer.output.shape) == 4]
        if not maps:
            raise ValueError(f"`network` must be a classifier with convolutions. Received: {network!r}")
        self.network = network
        self.sha256 = None if network in NETWORKS else hub.card(network)["files"]["model.weights.h5"]["sha256"]
        self._channels = backbone.inputs[0].shape[3]
        # The same layers, with an input of any size.
        self._model = keras.models.clone_model(
            keras.Model(backbone.inputs[0], maps),
            input_tensors=keras.Input((None, None, self._channels)),
            clone_function=lambda layer: layer,
        )
        self.layers = self._names()
        self.style_layers = tuple(name for name in self.layers if name.endswith("_1"))
        block = f"conv{max(1, len(self.style_layers) - 1)}_"
        self.content_layer = [name for name in self.layers if name.startswith(block)][:2][-1]
        self.least_side = next(side for side in count(1) if self._has_output(side))

    def _names(self) -> tuple[str, ...]:
        shapes = self._model.compute_output_shape((1, _PROBE, _PROBE, self._channels))
        blocks = [1 + round(math.log2(_PROBE / shape[1])) for shape in shapes]
        return tuple(f"conv{block}_{blocks[: i + 1].count(block)}" for i, block in enumerate(blocks))

    def features(self, images: Any) -> dict:
        """The maps by their names, {"conv1_1": (n, h_1, w_1, c_1), …}, float32; see `__call__`."""
        return dict(zip(self.layers, self(images), strict=True))

    def __call__(self, images: Any) -> list:
        """The maps [(n, h_1, w_1, c_1), …], float32, of images (n, height, width, channels).

        Args:
            images: uint8 or floats in [0, 1], in any graph. Gray channels are repeated for color networks.

        Raises:
            ValueError: For images too small or with another number of channels.
        """
        *_, height, width, channels = images.shape
        small = any(side is not None and side < self.least_side for side in (height, width))
        if small or channels not in (1, self._channels):
            raise ValueError(
                f"Images for {self.network!r} must have sides of {self.least_side} pixels or more and 1 or "
                f"{self._channels} channels. Received: shape {tuple(images.shape)}"
            )
        x = unit_range(images)
        x = ops.repeat(x, self._channels, axis=-1) if channels < self._channels else x
        return [ops.cast(features, "float32") for features in self._model(self._prepared(x), training=False)]

    def _has_output(self, side: int) -> bool:
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


def unit_distance(maps: Any, others: Any) -> Any:
    """The perceptual distance between two lists of feature maps, (n,).

    Feature vectors are normalized to unit length at each position; squared differences are summed over the channels and
    averaged over positions, then over maps. It is 0 for equal images, and at most 2 for non-negative features.

    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, equation 1
    with all weights 1 and a mean over the layers.
    """
    pairs = zip(maps, others, strict=True)
    distances = [ops.mean(ops.sum(ops.square(_unit(a) - _unit(b)), axis=-1), (1, 2)) for a, b in pairs]
    return sum(distances) / len(distances)


def _unit(features: Any) -> Any:
    """Features (n, height, width, channels) normalized to unit length at each position; 0 stays 0."""
    return features * ops.rsqrt(ops.sum(ops.square(features), axis=-1, keepdims=True) + 1e-12)
