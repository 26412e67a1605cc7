"""SIGINT and SIGTERM as an event that a loop reads."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yields an event that the first SIGINT or SIGTERM sets; a second signal has its earlier handler.

    Outside the main thread, where Python allows no handlers, the event is never set. An ignored signal (a job in the
    background) stays ignored.
    """
    stop = threading.Event()
    before: dict[int, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def on_signal(number: int, frame: FrameType | None) -> None:
        restore()
        stop.set()

    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    before[number] = signal.signal(number, on_signal)
        yield stop
    finally:
        restore()
