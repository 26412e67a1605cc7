"""Training callbacks shared by tests of several folders."""

import signal

import keras


class StopAt(keras.callbacks.Callback):
    """Sends SIGTERM to this process after a number of batches."""

    def __init__(self, batches: int):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGTERM)
