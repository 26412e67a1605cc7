"""The settings of Keras that the zoo works with."""

import os
import sys

BACKENDS = ("tensorflow", "jax")


def check_keras() -> None:
    """Raises a ValueError where Keras is set to something that no model of the zoo works with."""
    allowed = f"allowed: {', '.join(BACKENDS)}"
    wanted = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if "keras" not in sys.modules and wanted not in BACKENDS:  # which may not even be installed
        raise ValueError(f"got KERAS_BACKEND={wanted}; {allowed}")
    import keras

    if (backend := keras.config.backend()) not in BACKENDS:
        raise ValueError(f"got Keras's backend {backend!r}; {allowed}")
    if (layout := keras.config.image_data_format()) != "channels_last":
        raise ValueError(f"got Keras's image_data_format {layout!r}; allowed: 'channels_last'")
