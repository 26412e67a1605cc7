"""Run by test_training_inputs: batches split unevenly over two replicas, also with an empty share for one.

Prints one JSON object: {name: [largest change of a weight, largest difference between one and two replicas, losses on
one and on two, whether all values are finite]}.
"""

import json
import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # oneDNN rounds differently by batch size

import keras
import numpy as np
import tensorflow as tf
from conformance import samples
from toys import Line

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

MODELS = {
    "line": Line,
    "autoencoder": lambda: samples.fresh("autoencoder", width=4, hidden=16, latent_dim=3),
    "gan": lambda: samples.fresh("gan"),
    "lenet": lambda: samples.fresh("lenet", image_shape=(28, 28, 1)),
}


def batches(name: str) -> tf.data.Dataset:
    """Returns batches of eight, six and one images, with labels and, except for the GAN, sample weights."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (15, 1, 1, 1) if name == "line" else (15, 28, 28, 1)).astype(np.float32)
    labels = rng.uniform(0, 1, 15).astype(np.float32) if name == "line" else rng.integers(0, 10, 15)
    parts = (images, labels) if name == "gan" else (images, labels, rng.uniform(0, 2, 15).astype(np.float32))
    first = tf.data.Dataset.from_tensor_slices(parts)
    return first.take(8).batch(8).concatenate(first.skip(8).take(6).batch(8)).concatenate(first.skip(14).batch(8))


def trained(name: str, strategy: tf.distribute.Strategy) -> tuple:
    with strategy.scope():
        model = MODELS[name]()
        optimizers = samples.optimizers(model, lambda: keras.optimizers.SGD(1e-4 if name != "line" else 0.1))
        model.compile(optimizers, precision="float32")
    before = model.get_weights()
    logs = model.fit(batches(name), verbose=0).history
    scores = model.evaluate(batches(name), verbose=0, return_dict=True)
    return before, model.get_weights(), [*logs["loss"], scores["loss"]]


def main() -> None:
    found, replicas = {}, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name in MODELS:
        begun, one, loss = trained(name, tf.distribute.get_strategy())
        _, two, losses = trained(name, replicas)
        moved = max(float(np.abs(a - b).max()) for a, b in zip(one, begun, strict=True))
        apart = max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True))
        finite = all(bool(np.isfinite(x).all()) for x in [*two, np.array(losses)])
        found[name] = [moved, apart, [loss, losses], finite]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
