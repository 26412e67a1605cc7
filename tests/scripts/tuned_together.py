"""A chief or a worker of `test_tuning.py`: python tuned_together.py FOLDER ARGUMENTS [MARKER]

With MARKER, it stops in the middle of its first trial, writes the marker file, and waits to be killed.
"""

import json
import sys
import time
from pathlib import Path

import keras
from toys import Shade

import cnnzoo
from cnnzoo.registry import register
from cnnzoo.tuning import oracles

register("shade")(Shade)

oracles.BEAT, oracles.SILENCE = 0.5, 4.0


class Hang(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        Path(sys.argv[3]).touch()
        time.sleep(300)


callbacks = [Hang()] if len(sys.argv) > 3 else []
cnnzoo.tune(**json.loads(sys.argv[2]), out=sys.argv[1], callbacks=callbacks)
