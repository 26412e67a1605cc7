"""The progress bar of a training run."""

import keras
from rich.progress import Progress


class EpochBar(keras.callbacks.Callback):
    """A bar for each epoch, with its running means beside it.

    Args:
        bars: Where it is shown.
    """

    def __init__(self, bars: Progress):
        super().__init__()
        self.bars = bars
        self.bar = None

    def on_epoch_begin(self, epoch, logs=None):
        self._remove()  # that of an epoch which was broken off
        self.bar = self.bars.add_task(f"epoch {epoch + 1}/{self.params['epochs']}", total=self.params["steps"], note="")

    def on_train_batch_end(self, batch, logs=None):
        note = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        self.bars.update(self.bar, completed=batch + 1, note=note)

    def on_epoch_end(self, epoch, logs=None):
        self._remove()

    def _remove(self) -> None:
        if self.bar is not None:
            self.bars.remove_task(self.bar)
        self.bar = None
