"""Run by test_distribution: each architecture, trained on one device and on two, from equal weights and noise.

Prints one JSON object: {architecture: {"weights": largest difference, "logs": [on one, on two]}}.
"""

import json

import keras
import numpy as np
import tensorflow as tf

import cnnzoo
from conformance import noise, samples

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def trained(name: str, strategy: tf.distribute.Strategy):
    with strategy.scope():
        model = samples.fresh(name)
        # Steps so small that rounding is not amplified: the penalty of a discriminator is steep.
        model.compile(samples.optimizers(model, lambda: keras.optimizers.SGD(1e-4)))
    data = tf.data.Dataset.from_tensors(samples.batch(model)).unbatch().batch(samples.BATCH, drop_remainder=True)
    logs = model.fit(data.repeat(3), verbose=0).history
    scores = model.evaluate(data, verbose=0, return_dict=True)
    return model, {**logs, "evaluated": scores}


def noise_of_replicas() -> list:
    """What each of two replicas draws from one generator."""
    from cnnzoo.layers import ReplicaSeedGenerator

    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        generator = ReplicaSeedGenerator(0)
    draw = tf.function(lambda: strategy.run(lambda: keras.random.normal((3,), seed=generator)))
    return [value.numpy().tolist() for value in strategy.experimental_local_results(draw())]


def refusals() -> list[str]:
    """What the settings say that Keras cannot run on two replicas."""
    messages = []
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = samples.fresh("cnn")
        accumulating = keras.optimizers.SGD(1e-2, gradient_accumulation_steps=2)
        for settings in ({"steps_per_execution": 2}, {"jit_compile": True}, {"optimizer": accumulating}):
            try:
                model.compile(**settings)
                messages.append("no error")
            except ValueError as error:
                messages.append(str(error))
    return messages


def main() -> None:
    results = {"noise": noise_of_replicas(), "refusals": refusals(), "architectures": {}}
    noise.replace()
    replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name in cnnzoo.list_models():
        one, one_logs = trained(name, tf.distribute.get_strategy())
        two, two_logs = trained(name, replicas)
        pairs = zip(one.variables, two.variables, strict=True)
        differences = [float(np.max(np.abs(a.numpy() - b.numpy()))) for a, b in pairs if "seed" not in a.path]
        results["architectures"][name] = {"weights": max(differences), "logs": [one_logs, two_logs]}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
