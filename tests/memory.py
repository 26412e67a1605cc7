"""Memory release between tests."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Clears the Keras session, collects garbage, and returns free memory to the operating system."""
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
