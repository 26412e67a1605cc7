"""Self-ensembling over flips and rotations."""

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
from keras import ops

FLIPS = list(product((1, -1), (1, -1)))  # steps along the rows and columns


def self_ensemble(function: Callable, images: Any) -> Any:
    """Geometric self-ensemble: the mean output over the eight flips and rotations of the input.

    It averages out orientation-dependent errors of a network. Functions may change the scale. Inside `tiled` the result
    equals that of the whole image if `stride` divides the sides of the image, since a rotated image is padded at
    another side.

    Source: "enhanced prediction" in Timofte et al., "Seven ways to improve example-based single image super
    resolution", 2016.

    Args:
        function: From a batch of tensors (n, h, w, c) of any height and width to one (n, h * scale, w * scale, d). It
            is called twice, with four views of each image.
        images: Float tensors (n, height, width, c).

    Returns:
        (n, height * scale, width * scale, d) in the dtype of the function.

    Raises:
        ValueError: For integer images, since their rounded results would average poorly.
    """
    dtype = keras.backend.standardize_dtype(images.dtype)
    if "float" not in dtype or len(images.shape) != 4:
        raise ValueError(f"Images must be floats (n, height, width, channels). Received: {dtype} {images.shape}")
    flips = [(slice(None), slice(None, None, rows), slice(None, None, columns)) for rows, columns in FLIPS]
    views = ops.concatenate([images[flip] for flip in flips], axis=0)
    turned = ops.transpose(function(ops.transpose(views, (0, 2, 1, 3))), (0, 2, 1, 3))
    back = ops.split(function(views) + turned, len(flips), axis=0)
    return sum(made[flip] for made, flip in zip(back, flips, strict=True)) / 8
