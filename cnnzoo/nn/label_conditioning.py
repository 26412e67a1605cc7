"""How the two networks of a game are told what an image is of.

With no classes they are told nothing. By "concatenation" the one-hot label is appended to what they take (Mirza and
Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv:1411.1784). By "projection" the label chooses the scale
and shift of the generator's batch normalisation, and the discriminator adds the inner product of its features with a
vector of the class (Miyato and Koyama, "cGANs with Projection Discriminator", 2018, arXiv:1802.05637).

`game` is a model with `classes`, `conditioning`, `loss` and `spectral`; a label is symbolic, (n, classes), or None.
"""

import keras
from keras import layers

from cnnzoo.nn import gan_losses
from cnnzoo.nn.layers import ConditionalBatchNormalization, SpectralConv2D, SpectralDense, with_label

WAYS = ("concatenation", "projection")


def inputs(game, shape):
    """The symbolic inputs of a network: x of a shape, and the label or None."""
    return keras.Input(shape), keras.Input((game.classes,)) if game.classes else None


def network(x, label, output, name: str) -> keras.Model:
    """From these inputs to that output."""
    return keras.Model(x if label is None else [x, label], output, name=name)


def joined(game, x, label):
    """x with the label appended, if that is the way; see `with_label`."""
    return x if label is None or game.conditioning != "concatenation" else with_label(x, label)


def normalized(game, x, label, momentum: float):
    """Batch normalisation, of the class if that is the way."""
    if label is None or game.conditioning != "projection":
        return layers.BatchNormalization(momentum=momentum)(x)
    return ConditionalBatchNormalization(momentum)(x, label)


def verdict(game, features, label, **settings):
    """One float32 logit from features (n, d): (n, 1)."""
    dense, _ = judging(game)
    # An objective without targets hardly sees a shift of all logits, and a Wasserstein distance not at all.
    bias = gan_losses.OBJECTIVES[game.loss].has_labels
    logit = dense(1, use_bias=bias, dtype="float32", **settings)(features)
    if label is None or game.conditioning != "projection":
        return logit
    of_class = dense(features.shape[-1], use_bias=False, dtype="float32", **settings)(label)  # (n, d)
    return layers.Add(dtype="float32")([logit, layers.Dot(1, dtype="float32")([features, of_class])])


def judging(game) -> tuple[type, type]:
    """The dense layer and the convolution that the discriminator is made of."""
    return (SpectralDense, SpectralConv2D) if game.spectral else (layers.Dense, layers.Conv2D)
