"""VGG19 with the ImageNet weights of Keras, downloaded on first use (80 MB).

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.
"""

import os
import threading
import urllib.request
from pathlib import Path
from typing import Any

import keras

from cnnzoo.data import DataNotFound

FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg19/{FILE}"
PATIENCE = 0.8  # seconds for the host to answer
MEANS = (103.939, 116.779, 123.68)  # of blue, green and red in [0, 255], subtracted in training


def vgg19() -> keras.Model:
    """The convolutions of VGG19.

    Raises:
        DataNotFound: For missing weights and an unreachable host, within a second.
    """
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    if not (folder / FILE).exists() and (why := _unreachable()):
        raise DataNotFound(
            f"The weights of VGG19 must be at {folder / FILE}, and cannot be fetched ({why}). Put the file from {URL} "
            "there, or choose a network without weights, such as random_vgg or random_scales"
        )
    try:
        return keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a plain Exception for interrupted downloads
        raise DataNotFound(f"The weights of VGG19 cannot be fetched ({error})") from None


def prepared(images: Any) -> Any:
    """Images in [0, 1] (n, height, width, 3) preprocessed for VGG19: BGR in [0, 255], minus the means."""
    return 255.0 * images[..., ::-1] - keras.ops.convert_to_tensor(MEANS, "float32")


def _unreachable() -> str:
    """The reason for an unreachable host of the weights, or ""."""
    found = ["no answer"]

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(URL, method="HEAD"), timeout=PATIENCE).close()
            found[0] = ""
        except OSError as error:
            found[0] = str(error)

    # In a thread, since the timeout does not cover DNS.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return found[0]
