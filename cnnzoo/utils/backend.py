"""Checks of Keras's settings."""

import os
import sys

BACKENDS = ("tensorflow", "jax")


def check_keras() -> None:
    """Checks the backend and the image data format of Keras.

    Raises:
        ValueError: No model of the zoo supports them.
    """
    allowed = f"one of {', '.join(BACKENDS)}"
    wanted = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if "keras" not in sys.modules and wanted not in BACKENDS:  # it may not be installed
        raise ValueError(f"`KERAS_BACKEND` must be {allowed}. Received: {wanted}")
    import keras

    if (backend := keras.config.backend()) not in BACKENDS:
        raise ValueError(f"Keras's backend must be {allowed}. Received: {backend!r}")
    if (layout := keras.config.image_data_format()) != "channels_last":
        raise ValueError(f"Keras's image_data_format must be 'channels_last'. Received: {layout!r}")
