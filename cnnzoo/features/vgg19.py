"""VGG19 with the ImageNet weights that come with Keras, for machines that have or can fetch them (80 MB).

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015.
"""

import os
import threading
import urllib.request
from pathlib import Path

import keras

from cnnzoo.data import DataNotFound

FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg19/{FILE}"
PATIENCE = 0.8  # seconds for the host to answer
MEANS = (103.939, 116.779, 123.68)  # of blue, green and red in [0, 255], which the network was trained without


def vgg19() -> keras.Model:
    """The convolutions of VGG19.

    Raises:
        DataNotFound: The weights are not on this machine and their host does not answer; said within a second.
    """
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    if not (folder / FILE).exists() and (why := _unreachable()):
        raise DataNotFound(
            f"the weights of VGG19 are not at {folder / FILE} and cannot be fetched ({why}); allowed: put there what "
            f"{URL} gives, or a network that needs none, such as random_vgg or random_scales"
        )
    try:
        return keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # what Keras raises where it is cut off on the way has no other class
        raise DataNotFound(f"the weights of VGG19 cannot be fetched ({error})") from None


def prepared(images):
    """Images in [0, 1] (n, height, width, 3) as VGG19 takes them: blue, green, red in [0, 255], less their means."""
    return 255.0 * images[..., ::-1] - keras.ops.convert_to_tensor(MEANS, "float32")


def _unreachable() -> str:
    """Why the host of the weights does not answer, or nothing if it does."""
    found = ["no answer"]

    def ask():
        try:
            urllib.request.urlopen(urllib.request.Request(URL, method="HEAD"), timeout=PATIENCE).close()
            found[0] = ""
        except OSError as error:
            found[0] = str(error)

    # In a thread, as a look-up of names takes its own time.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return found[0]
