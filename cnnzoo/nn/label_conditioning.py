"""Label conditioning for GANs.

By "concatenation" the one-hot label is appended to the input of both networks (Mirza and Osindero, "Conditional
Generative Adversarial Nets", 2014, arXiv:1411.1784). By "projection" the label chooses the scale and shift of the
generator's batch normalization, and the discriminator adds the inner product of its features with a vector of the class
(Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637).
"""

from typing import Any

import keras
from keras import layers

from cnnzoo.nn.layers import ConditionalBatchNormalization, SpectralConv2D, SpectralDense, with_label

WAYS = ("concatenation", "projection")


class LabelConditioning:
    """Builds the places of two networks at which a label comes in; with no classes there are none.

    A label is a symbolic tensor, (n, classes), or None.

    Args:
        classes: How many labels there are; 0 for none.
        way: One of `WAYS`.
    """

    def __init__(self, classes: int, way: str):
        self.classes, self.way = classes, way

    def inputs(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The symbolic inputs of a network: x of a shape, and the label."""
        return keras.Input(shape), keras.Input((self.classes,)) if self.classes else None

    def network(self, x: Any, label: Any, output: Any, name: str) -> keras.Model:
        """The network from these inputs to that output."""
        return keras.Model(x if label is None else [x, label], output, name=name)

    def append(self, x: Any, label: Any) -> Any:
        """x with the label appended, by concatenation; see `with_label`."""
        return x if label is None or self.way != "concatenation" else with_label(x, label)

    def batch_norm(self, x: Any, label: Any, momentum: float) -> Any:
        """Batch normalization, of the class by projection."""
        if label is None or self.way != "projection":
            return layers.BatchNormalization(momentum=momentum)(x)
        return ConditionalBatchNormalization(momentum)(x, label)

    def logit(self, features: Any, label: Any, dense: type, use_bias: bool, **settings: Any) -> Any:
        """One float32 logit, (n, 1), from features (n, d), by a class of dense layers."""
        logit = dense(1, use_bias=use_bias, dtype="float32", **settings)(features)
        if label is None or self.way != "projection":
            return logit
        of_class = dense(features.shape[-1], use_bias=False, dtype="float32", **settings)(label)  # (n, d)
        return layers.Add(dtype="float32")([logit, layers.Dot(1, dtype="float32")([features, of_class])])


def discriminator_layers(spectral: bool) -> tuple[type, type]:
    """The dense layer and the convolution of a discriminator, with spectral normalization or without."""
    return (SpectralDense, SpectralConv2D) if spectral else (layers.Dense, layers.Conv2D)
