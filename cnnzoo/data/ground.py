"""The background of gray images: dark, as in MNIST, or light, as on paper.

The catalog has the ground of each data set that checkpoints were trained on.
"""

from typing import Any

import numpy as np

from cnnzoo.data.image_set import ImageSet

MOST = 0.75  # share of the border pixels of an image
NEARLY_ALL = 0.9  # share of the images of a data set
LOOKED_AT = 1000  # number of images of a data set
FLAT = 0.1  # an image with a smaller range of values has no ground


def grounds(images: np.ndarray) -> np.ndarray:
    """The ground of each image, (n,): "dark", "light" or "" if neither.

    It is dark if at least three quarters of the border pixels are closer to the minimum of the image than to its
    maximum, and light if as many are closer to the maximum.

    Args:
        images: uint8 or floats in [0, 1], (n, height, width, 1).
    """
    gray = np.asarray(images[..., 0], np.float32) / (255 if images.dtype == np.uint8 else 1)
    rim = np.concatenate([gray[:, 0], gray[:, -1], gray[:, 1:-1, 0], gray[:, 1:-1, -1]], axis=1)
    low, high = gray.min((1, 2)), gray.max((1, 2))
    light = (rim > ((low + high) / 2)[:, None]).mean(1)
    found = np.where(light >= MOST, "light", np.where(light <= 1 - MOST, "dark", ""))
    return np.where(high - low < FLAT, "", found)


def ground_of(data: Any) -> str:
    """The ground of at least nine tenths of the images of a set, judged by a subset; "" if there is none.

    Args:
        data: An `ImageSet` or `Crops`. Color images and crops of photographs have no ground.
    """
    if not isinstance(data, ImageSet) or data.images.shape[3] != 1:
        return ""
    found = grounds(data.few(LOOKED_AT).in_memory().images)
    return next((ground for ground in ("dark", "light") if (found == ground).mean() >= NEARLY_ALL), "")


def hint(images: np.ndarray, ground: str, name: str) -> str:
    """A warning about images with the opposite ground of the training images of a model; "" if there are none.

    Args:
        images: As in `grounds`; color images have no ground.
        ground: Ground of the training images, "dark" or "light".
        name: Name of the model.
    """
    if images.shape[-1] != 1:
        return ""
    other = "light" if ground == "dark" else "dark"
    if not (count := int((grounds(images) == other).sum())):
        return ""
    seen = {"dark": "light on dark", "light": "dark on light"}
    which = "the image looks" if len(images) == 1 else f"{count} of {len(images)} images look"
    return (
        f"{which} {seen[other]}; {name} was trained on {seen[ground]}: invert the images (--invert of the commands "
        "that take pictures, or in Python 255 - image, or 1 - image for floats)"
    )
