"""Run by test_distribution, once per worker, with TF_CONFIG set: standard `fit` and `save_weights` across processes.

Prints one JSON object of logs. `python two_workers.py FOLDER alone` runs the same training in one process.
"""

import json
import os
import sys
from pathlib import Path

import keras
import tensorflow as tf

from conformance import noise, samples


def main(folder: Path, alone: bool) -> None:
    strategy = tf.distribute.get_strategy() if alone else tf.distribute.MultiWorkerMirroredStrategy()
    noise.replace()
    logs = {}
    for name in ("cnn", "gan"):
        with strategy.scope():
            model = samples.fresh(name)
            optimizers = samples.optimizers(model, lambda: keras.optimizers.SGD(1e-2, momentum=0.9))
            model.compile(optimizers, precision="float32")
        data = (
            tf.data.Dataset.from_tensors(samples.distinct_batch(model))
            .unbatch()
            .batch(samples.BATCH, drop_remainder=True)
        )
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        history = model.fit(data.repeat(2).with_options(options), epochs=2, steps_per_epoch=1, verbose=0).history
        logs[name] = {k: [float(v) for v in values] for k, values in history.items()}
        model.save_weights(folder / f"{name}.weights.h5")
        keras.backend.clear_session()
    print(json.dumps(logs), flush=True)
    os._exit(0)  # at exit, a worker could wait forever for its peer


if __name__ == "__main__":
    main(Path(sys.argv[1]), "alone" in sys.argv)
