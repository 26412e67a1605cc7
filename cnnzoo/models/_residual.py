"""The residual networks that games on images of about 32 pixels a side are played with.

Sources: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028, appendix F; Miyato et al.,
"Spectral Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957, appendix B.4. All convolutions of
a network have equally many filters; a block's path goes round two convolutions of 3x3.

`game` is a model with `image_shape`, `latent_dim`, `width` and what `_conditioning` takes.
"""

import keras
from keras import layers

from cnnzoo.models.dcgan import STARTS
from cnnzoo.nn import label_conditioning

MOMENTUM = 0.9  # of the moving means of batch normalisation
BLOCKS = 4  # of the discriminator, at least


def generator(game, name: str) -> keras.Model:
    """Noise (n, latent_dim) to images (n, side, side, channels) in [-1, 1]."""
    side, channels = game.image_shape[0], game.image_shape[2]
    start = STARTS[side]
    z, label = label_conditioning.inputs(game, (game.latent_dim,))
    x = layers.Dense(start * start * game.width)(label_conditioning.joined(game, z, label))
    x = layers.Reshape((start, start, game.width))(x)  # (n, 7, 7, width)
    while start < side:  # (n, 14, 14, width), (n, 28, 28, width)
        path = layers.UpSampling2D()(x)
        x = layers.ReLU()(label_conditioning.normalized(game, x, label, MOMENTUM))
        x = layers.Conv2D(game.width, 3, 1, "same")(layers.UpSampling2D()(x))
        x = layers.ReLU()(label_conditioning.normalized(game, x, label, MOMENTUM))
        x = layers.Add()([path, layers.Conv2D(game.width, 3, 1, "same")(x)])
        start *= 2
    x = layers.ReLU()(layers.BatchNormalization(momentum=MOMENTUM)(x))
    x = layers.Conv2D(channels, 3, 1, "same", activation="tanh", dtype="float32")(x)  # (n, 28, 28, channels)
    return label_conditioning.network(z, label, x, name)


def discriminator(game) -> keras.Model:
    """Images (n, side, side, channels) in [-1, 1] to one logit each, (n, 1)."""
    _, conv = label_conditioning.judging(game)
    image, label = label_conditioning.inputs(game, game.image_shape)
    x = label_conditioning.joined(game, image, label)
    # The first block halves its path before the convolution, which saves the widest one, and begins without a ReLU.
    path = conv(game.width, 1)(layers.AveragePooling2D(2)(x))
    x = conv(game.width, 3, 1, "same", activation="relu")(x)
    x = layers.AveragePooling2D(2)(conv(game.width, 3, 1, "same")(x))
    x, side, blocks = layers.Add()([path, x]), game.image_shape[0] // 2, 1  # (n, 14, 14, width)
    while side > 8 or blocks < BLOCKS:
        path = x
        x = conv(game.width, 3, 1, "same", activation="relu")(layers.ReLU()(x))
        x = conv(game.width, 3, 1, "same")(x)
        if side > 8:
            path = layers.AveragePooling2D(2)(conv(game.width, 1)(path))
            x, side = layers.AveragePooling2D(2)(x), side // 2
        x, blocks = layers.Add()([path, x]), blocks + 1  # (n, 7, 7, width)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))  # (n, width)
    return label_conditioning.network(image, label, label_conditioning.verdict(game, x, label), "discriminator")
