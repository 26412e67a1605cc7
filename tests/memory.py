"""What a test has taken and needs no more."""

import ctypes
import gc
import sys


def give_back() -> None:
    """Drops the models that nobody holds and what Keras keeps of them, and gives the memory back to the system."""
    if "keras" in sys.modules:
        sys.modules["keras"].backend.clear_session()
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
