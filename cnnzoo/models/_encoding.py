"""The convolutional encoder and decoder of the autoencoders, for images whose sides are multiples of 4."""

import keras
from keras import layers

from cnnzoo.nn.layers import DepthToSpace

SIDES = range(8, 65, 4)  # taken for the images of a folder; others may be asked for


def check_shape(image_shape) -> tuple[int, int, int]:
    """`image_shape` as a tuple.

    Raises:
        ValueError: Unless it is (height, width, channels) with sides that are multiples of 4.
    """
    shape = tuple(image_shape)
    if len(shape) != 3 or shape[0] % 4 or shape[1] % 4 or min(shape) < 1:
        raise ValueError(f"got image_shape={shape}; allowed: (height, width, channels), sides multiples of 4")
    return shape


def encoder(image_shape, width: int, hidden: int, outputs: int) -> keras.Sequential:
    """Images (n, height, width, channels) to float32 numbers (n, outputs)."""
    return keras.Sequential(
        [
            keras.Input(image_shape),  # (n, 28, 28, 1)
            layers.Conv2D(width, 5, 2, "same", activation="elu"),  # (n, 14, 14, width)
            layers.Conv2D(2 * width, 5, 2, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Conv2D(2 * width, 3, 1, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Flatten(),  # (n, 7 * 7 * 2 width)
            layers.Dense(hidden, activation="elu"),  # (n, hidden)
            layers.Dense(outputs, dtype="float32"),  # (n, outputs)
        ],
        name="encoder",
    )


def decoder(image_shape, width: int, hidden: int, latent_dim: int) -> keras.Sequential:
    """Latent vectors (n, latent_dim) to float32 logits (n, height, width, channels).

    The two steps up are sub-pixel convolutions (Shi et al., 2016): the network never works at full resolution.
    """
    height, breadth, channels = image_shape
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(hidden, activation="elu"),  # (n, hidden)
            layers.Dense(height // 4 * (breadth // 4) * 2 * width, activation="elu"),  # (n, 7 * 7 * 2 width)
            layers.Reshape((height // 4, breadth // 4, 2 * width)),  # (n, 7, 7, 2 width)
            layers.Conv2D(2 * width, 3, 1, "same", activation="elu"),  # (n, 7, 7, 2 width)
            layers.Conv2D(4 * width, 5, 1, "same", activation="elu"),  # (n, 7, 7, 4 width)
            DepthToSpace(2),  # (n, 14, 14, width)
            layers.Conv2D(4 * channels, 5, 1, "same", dtype="float32"),  # (n, 14, 14, 4 channels)
            DepthToSpace(2, dtype="float32"),  # (n, 28, 28, channels)
        ],
        name="decoder",
    )
