"""The progress bar of a training run."""

from typing import Any

import keras
from rich.progress import Progress, TaskID


class EpochBar(keras.callbacks.Callback):
    """Shows one bar per epoch, with the running means of the logs.

    Args:
        bars: The bars on the terminal.
    """

    def __init__(self, bars: Progress):
        super().__init__()
        self.bars = bars
        self.bar: TaskID | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._remove()  # the bar of an interrupted epoch
        self.bar = self.bars.add_task(f"epoch {epoch + 1}/{self.params['epochs']}", total=self.params["steps"], note="")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        note = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        if self.bar is not None:
            self.bars.update(self.bar, completed=batch + 1, note=note)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._remove()

    def _remove(self) -> None:
        if self.bar is not None:
            self.bars.remove_task(self.bar)
        self.bar = None
