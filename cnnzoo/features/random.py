"""Random-weight feature extractors for style losses.

The weights are a pure function of a seed, computed in NumPy, and equal on every backend.
"""

from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import layers

SEED = 0
WIDTHS = (32, 64, 128, 128, 128)  # of the blocks of `random_vgg`
SCALES, FILTERS, SIZE = 4, 64, 7  # of `random_scales`
SIDE = 128  # of the calibration image


def random_vgg() -> keras.Model:
    """Five blocks of two 3x3 convolutions with average pooling in between, normalized layer by layer.

    Each filter is normalized to mean 0 and variance 1 before the ReLU, on noise with the spectrum of photographs.
    Otherwise the maps of deep random layers hardly depend on the image.

    Source: Gatys et al., "Image Style Transfer Using Convolutional Neural Networks", 2016, section 2, for the pooling
    and normalized activations; He et al., "A Powerful Generative Model Using Random Weights for the Deep Image
    Representation", 2016, for styles by random weights; Kraehenbuehl et al., "Data-dependent Initializations of
    Convolutional Neural Networks", 2016, for the normalization.
    """
    images = x = keras.Input((None, None, 3))
    weights = iter(_vgg_weights())
    for block, width in enumerate(WIDTHS):
        x = x if block == 0 else layers.AveragePooling2D(2)(x)
        for _ in range(2):
            x = _convolved(x, width, 3, next(weights))
    return keras.Model(images, x)


def random_scales() -> keras.Model:
    """One layer of random filters of 7, 14, 28 and 56 pixels: 7x7 on the image and on three halvings of it.

    Source: Ustyuzhaninov et al., "What Does It Take to Generate Natural Textures?", 2017, whose filters have 3 to 55
    pixels.
    """
    images = x = keras.Input((None, None, 3))
    maps = []
    for scale, weights in enumerate(_scale_weights()):
        x = x if scale == 0 else layers.AveragePooling2D(2)(x)
        maps.append(_convolved(x, FILTERS, SIZE, weights))
    return keras.Model(images, maps)


def _convolved(x: Any, filters: int, size: int, weights: tuple) -> Any:
    layer = layers.Conv2D(filters, size, padding="same", activation="relu", dtype="float32")
    y = layer(x)
    layer.set_weights(weights)
    return y


@lru_cache(maxsize=1)
def _vgg_weights() -> list[tuple[np.ndarray, np.ndarray]]:
    random, x = np.random.default_rng(SEED), _picture()
    weights = []
    for block, width in enumerate(WIDTHS):
        x = x if block == 0 else _halved(x)
        for _ in range(2):
            x, kernel, bias = _normalized(x, _filters(random, 3, x.shape[2], width))
            weights.append((kernel, bias))
    return weights


@lru_cache(maxsize=1)
def _scale_weights() -> list[tuple[np.ndarray, np.ndarray]]:
    random, x = np.random.default_rng(SEED), _picture()
    weights = []
    for scale in range(SCALES):
        x = x if scale == 0 else _halved(x)
        weights.append(_normalized(x, _filters(random, SIZE, 3, FILTERS))[1:])
    return weights


def _picture() -> np.ndarray:
    """(SIDE, SIDE, 3) in [0, 1]: 1 / f noise with reduced saturation."""
    random = np.random.default_rng(SEED)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = np.inf  # the mean is 0
    spectra = np.fft.rfft2(random.standard_normal((4, SIDE, SIDE)), axes=(1, 2)) / frequency
    gray, *colors = np.fft.irfft2(spectra, (SIDE, SIDE), axes=(1, 2))
    picture = np.stack([gray + 0.4 * color for color in colors], axis=2)
    return np.clip(0.5 + 0.25 * picture / picture.std(), 0.0, 1.0)


def _filters(random: np.random.Generator, size: int, channels: int, count: int) -> np.ndarray:
    """Random filters (size, size, channels, count); every other image filter has zero mean.

    Without a response to constant regions they see more than the smooth parts of photographs.
    """
    filters = random.standard_normal((size, size, channels, count))
    if channels == 3:
        filters[..., ::2] -= filters[..., ::2].mean((0, 1))
    return filters


def _normalized(x: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The output of convolution and ReLU for x (h, w, c), and the kernel and bias with normalized responses."""
    size = kernel.shape[0]
    padded = np.pad(x, ((size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (0, 1))  # (h, w, c, size, size)
    answers = np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True)
    kernel = kernel / answers.std((0, 1))
    bias = -answers.mean((0, 1)) / answers.std((0, 1))
    y = np.maximum(answers / answers.std((0, 1)) + bias, 0.0)
    return y, kernel.astype(np.float32), bias.astype(np.float32)


def _halved(x: np.ndarray) -> np.ndarray:
    """2x2 average pooling."""
    height, width, channels = x.shape
    return x.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))
