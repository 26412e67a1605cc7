"""Label conditioning for GANs.

By "concatenation" the one-hot label is appended to the input of both networks (Mirza and Osindero, "Conditional
Generative Adversarial Nets", 2014, arXiv:1411.1784). By "projection" the label chooses the scale and shift of the
generator's batch normalization, and the discriminator adds the inner product of its features with a vector of the class
(Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637).
"""

from typing import Any

import keras
from keras import layers

from cnnzoo.nn.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    SpectralConv2D,
    SpectralDense,
    with_label,
)

WAYS = ("concatenation", "projection")


class LabelConditioning:
    """Inputs and layers of a generator and a discriminator with label conditioning, or without.

    A label is a symbolic one-hot tensor (n, classes), or None.

    Args:
        classes: Number of classes; 0 for an unconditional model.
        way: One of `WAYS`.
    """

    def __init__(self, classes: int, way: str) -> None:
        self.classes, self.way = classes, way

    def inputs(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The symbolic inputs of a network: x and the label."""
        return keras.Input(shape), keras.Input((self.classes,)) if self.classes else None

    def network(self, x: Any, label: Any, output: Any, name: str) -> keras.Model:
        """A functional model from x and the label to the output."""
        return keras.Model(x if label is None else [x, label], output, name=name)

    def append(self, x: Any, label: Any) -> Any:
        """x with the label appended (concatenation only); see `with_label`."""
        return x if label is None or self.way != "concatenation" else with_label(x, label)

    def batch_norm(self, x: Any, label: Any, momentum: float) -> Any:
        """Batch normalization, class-conditional with projection."""
        if label is None or self.way != "projection":
            return BatchNormalization(momentum=momentum)(x)
        return ConditionalBatchNormalization(momentum)(x, label)

    def logit(self, features: Any, label: Any, dense: type, use_bias: bool, **settings: Any) -> Any:
        """One float32 logit, (n, 1), from features (n, d), with dense layers of the given class."""
        logit = dense(1, use_bias=use_bias, dtype="float32", **settings)(features)
        if label is None or self.way != "projection":
            return logit
        of_class = dense(features.shape[-1], use_bias=False, dtype="float32", **settings)(label)  # (n, d)
        return layers.Add(dtype="float32")([logit, layers.Dot(1, dtype="float32")([features, of_class])])


def discriminator_layers(spectral: bool) -> tuple[type, type]:
    """The dense and convolution layer classes of a discriminator, with or without spectral normalization."""
    return (SpectralDense, SpectralConv2D) if spectral else (layers.Dense, layers.Conv2D)
