"""The ground of gray images: whether they are drawn light on dark, as the digits of MNIST, or dark on light."""

from typing import Any

import numpy as np

# Of the data sets of checkpoints in gray; a test looks at their images.
GROUNDS = {"mnist": "dark", "mnist/static": "dark", "fashion_mnist": "dark", "digits": "dark"}
MOST = 0.75  # of the outermost pixels of an image
NEARLY_ALL = 0.9  # of the images of a data set
LOOKED_AT = 1000  # images of a data set
FLAT = 0.1  # an image of a smaller range shows nothing


def grounds(images: np.ndarray) -> np.ndarray:
    """The ground of each image, (n,): "dark", "light" or "".

    It is dark where at least three quarters of the outermost pixels are nearer to the darkest pixel of the image than
    to its lightest, and light where as many are nearer to the lightest.

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
    """The ground that at least nine tenths of the images of a set have; "" where there is none.

    Args:
        data: An `ImageSet`, or `Crops` of photographs, which have none, nor has what is in color.
    """
    from cnnzoo.data import ImageSet

    if not isinstance(data, ImageSet) or data.images.shape[3] != 1:
        return ""
    found = grounds(data.few(LOOKED_AT).images)
    return next((ground for ground in ("dark", "light") if (found == ground).mean() >= NEARLY_ALL), "")


def hint(images: np.ndarray, ground: str, name: str) -> str:
    """Says in one line that images are drawn the other way round than those a model was trained on; "" if none is."""
    if images.shape[-1] != 1:
        return ""
    other = "light" if ground == "dark" else "dark"
    if not (count := int((grounds(images) == other).sum())):
        return ""
    seen = {"dark": "light on dark", "light": "dark on light"}
    which = "the image looks" if len(images) == 1 else f"{count} of {len(images)} images look"
    return (
        f"{which} {seen[other]}; {name} was trained on {seen[ground]}: try --invert, or in Python 255 - image "
        "(1 - image for floats)"
    )
