"""Checks of Keras's settings."""

import os
import sys

BACKENDS = ("tensorflow", "jax")


def check_keras() -> None:
    """Checks the backend and the image data format of Keras.

    Raises:
        ValueError: No model of the zoo supports them.
    """
    allowed = f"allowed: {', '.join(BACKENDS)}"
    wanted = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if "keras" not in sys.modules and wanted not in BACKENDS:  # it may not be installed
        raise ValueError(f"got KERAS_BACKEND={wanted}; {allowed}")
    import keras

    if (backend := keras.config.backend()) not in BACKENDS:
        raise ValueError(f"got Keras's backend {backend!r}; {allowed}")
    if (layout := keras.config.image_data_format()) != "channels_last":
        raise ValueError(f"got Keras's image_data_format {layout!r}; allowed: 'channels_last'")
