"""Run by test_distribution: one step of each named architecture on two replicas, from equal weights and noise.

Prints one JSON object: {"noise": numbers drawn by each replica; "refusals": error messages; "architectures":
{architecture: {"off": the largest difference from one device, in tolerances (for BY_SHARES, from the mean over both
halves of the batch on one device); "logs": pairs of logs of one device and of two replicas, of training and of
evaluation; "apart": variables with different copies on the replicas}}}.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from cnnzoo.nn.layers import BatchNormalization
from cnnzoo.nn.replicas import is_shared
from conformance import noise, samples

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

# The styles for an image are those of the other images on the same replica.
BY_SHARES = ("adain",)
ROUNDING = 2.0**-20  # of float32 numbers and their sums


class Step:
    """The changes of the variables of an architecture in one SGD step, momenta included."""

    def __init__(self, name: str, part: slice, strategy: tf.distribute.Strategy | None = None):
        with (strategy or tf.distribute.get_strategy()).scope():
            model = samples.fresh(name)
            # At this rate the order of the phases hardly matters; the momenta hold the gradients at full precision.
            steps = samples.optimizers(model, lambda: keras.optimizers.SGD(1e-4, momentum=0.9))
            model.compile(steps, run_eagerly=strategy is None, precision="float32")
        self.weights = [v for v in model.variables if "seed" not in v.path]
        self.momenta = [[*o.variables][2:] for o in model.optimizer.by_phase.values()]  # no iterations or learning rate
        before = [v.numpy() for v in self.weights]
        batch = tuple(array[part] for array in samples.distinct_batch(model))
        data = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[0]), drop_remainder=True)
        self.scores = model.evaluate(data, verbose=0, return_dict=True)
        self.logs = {log: value for log, (value,) in model.fit(data, verbose=0).history.items()}
        self.size = [float(np.abs(v).max()) for v in before]
        self.moved = [v.numpy() - old for v, old in zip(self.weights, before, strict=True)]
        self.momentum = [[v.numpy() for v in phase] for phase in self.momenta]

    def off(self, *others: "Step") -> float:
        """Returns the largest difference from the mean of others; 1 is a hundredth of the movement plus rounding."""

        def mean(arrays):
            return sum(array.astype(np.float64) for array in arrays) / len(others)

        # Some gradients are 0 except for rounding errors, which have the size of those of larger gradients.
        largest = [max(float(np.abs(v).max()) for v in phase) for phase in self.momentum]
        pairs = []  # (movement here, mean movement of the others, rounding)
        for i, size in enumerate(self.size):
            pairs.append((self.moved[i], mean(other.moved[i] for other in others), ROUNDING * (size + max(largest))))
        for i, phase in enumerate(self.momentum):
            for j, momentum in enumerate(phase):
                pairs.append((momentum, mean(other.momentum[i][j] for other in others), ROUNDING * largest[i]))
        return max(float(np.abs(a - b).max() / (1e-2 * np.abs(b).max() + rounding + 1e-30)) for a, b, rounding in pairs)

    def apart(self, strategy: tf.distribute.Strategy) -> list[str]:
        """Returns the variables with different copies on the two replicas."""
        held = [v for group in (self.weights, *self.momenta) for v in group]
        copies = {v.path: strategy.experimental_local_results(v.value) for v in held}
        return [path for path, (one, other) in copies.items() if not np.array_equal(one.numpy(), other.numpy())]


def noise_of_replicas(strategy: tf.distribute.Strategy) -> list:
    """Returns the numbers drawn by each of two replicas from one generator."""
    from cnnzoo.nn.layers import ReplicaSeedGenerator

    with strategy.scope():
        generator = ReplicaSeedGenerator(0)
    draw = tf.function(lambda: strategy.run(lambda: keras.random.normal((3,), seed=generator)))
    return [value.numpy().tolist() for value in strategy.experimental_local_results(draw())]


def refusals(strategy: tf.distribute.Strategy) -> list[str]:
    """Returns the error messages for settings that Keras does not support on two replicas."""
    messages = []
    with strategy.scope():
        model = samples.fresh("cnn")
        accumulating = keras.optimizers.SGD(1e-2, gradient_accumulation_steps=2)
        for settings in ({"steps_per_execution": 2}, {"jit_compile": True}, {"optimizer": accumulating}):
            try:
                model.compile(**settings)
                messages.append("no error")
            except ValueError as error:
                messages.append(str(error))
    return messages


def without_fused_normalization() -> None:
    """Disables fused batch normalization on one device: on several devices it is not fused, and rounding differs."""
    several, one = BatchNormalization.call, keras.layers.BatchNormalization.call

    def call(self, inputs, training=False):
        return (several if is_shared() else one)(self, inputs, training=training)

    BatchNormalization.call = call


def main(names: list[str]) -> None:
    without_fused_normalization()
    replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    results = {"noise": noise_of_replicas(replicas), "refusals": refusals(replicas), "architectures": {}}
    noise.replace()
    half = samples.BATCH // 2
    for name in names:
        parts = [slice(half), slice(half, None)] if name in BY_SHARES else [slice(None)]
        two, alone = Step(name, slice(None), replicas), [Step(name, part) for part in parts]
        logs = [
            ({log: sum(one[log] for one in ones) / len(ones) for log in both}, both)
            for both, *ones in ([step.logs for step in (two, *alone)], [step.scores for step in (two, *alone)])
        ]
        results["architectures"][name] = {"off": two.off(*alone), "logs": logs, "apart": two.apart(replicas)}
        keras.backend.clear_session()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
