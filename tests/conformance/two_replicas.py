"""Run by test_distribution: each architecture named takes one step on two replicas, from equal weights and noise.

Prints one JSON object: {architecture: {"off": how far off it is from what one device makes of the batch, in tolerances
(for BY_SHARES, from the mean of what it makes of each half); "logs": pairs of what one device and two replicas log, of
training and of evaluation; "apart": variables of which the replicas hold different copies}}.
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

# The styles of an image are taken from the other images of its replica.
BY_SHARES = ("adain",)
ROUNDING = 2.0**-20  # of float32 numbers, and of their sums


class Step:
    """What one step of gradient descent makes of the variables of an architecture, its momenta included."""

    def __init__(self, name: str, part: slice, strategy: tf.distribute.Strategy | None = None):
        with (strategy or tf.distribute.get_strategy()).scope():
            model = samples.fresh(name)
            # So small that it hardly matters which phase was the first; the momenta hold the gradients to all digits.
            steps = samples.optimizers(model, lambda: keras.optimizers.SGD(1e-4, momentum=0.9))
            model.compile(steps, run_eagerly=strategy is None, precision="float32")
        self.weights = [v for v in model.variables if "seed" not in v.path]
        self.momenta = [[*o.variables][2:] for o in model.optimizer.by_phase.values()]  # not its count and its rate
        before = [v.numpy() for v in self.weights]
        batch = tuple(array[part] for array in samples.distinct_batch(model))
        data = tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[0]), drop_remainder=True)
        self.scores = model.evaluate(data, verbose=0, return_dict=True)
        self.logs = {log: value for log, (value,) in model.fit(data, verbose=0).history.items()}
        self.size = [float(np.abs(v).max()) for v in before]
        self.moved = [v.numpy() - old for v, old in zip(self.weights, before, strict=True)]
        self.momentum = [[v.numpy() for v in phase] for phase in self.momenta]

    def off(self, *others: "Step") -> float:
        """The largest difference from the mean of others: 1 is a hundredth of the movement, rounding apart."""

        def mean(arrays):
            return sum(array.astype(np.float64) for array in arrays) / len(others)

        # Some gradients are 0 but for rounding, which is that of larger ones.
        largest = [max(float(np.abs(v).max()) for v in phase) for phase in self.momentum]
        pairs = []  # (what moved here, in the mean of the others, rounding)
        for i, size in enumerate(self.size):
            pairs.append((self.moved[i], mean(other.moved[i] for other in others), ROUNDING * (size + max(largest))))
        for i, phase in enumerate(self.momentum):
            for j, momentum in enumerate(phase):
                pairs.append((momentum, mean(other.momentum[i][j] for other in others), ROUNDING * largest[i]))
        return max(float(np.abs(a - b).max() / (1e-2 * np.abs(b).max() + rounding + 1e-30)) for a, b, rounding in pairs)

    def apart(self, strategy: tf.distribute.Strategy) -> list[str]:
        """The variables of which two replicas hold different copies."""
        held = [v for group in (self.weights, *self.momenta) for v in group]
        copies = {v.path: strategy.experimental_local_results(v.value) for v in held}
        return [path for path, (one, other) in copies.items() if not np.array_equal(one.numpy(), other.numpy())]


def noise_of_replicas(strategy: tf.distribute.Strategy) -> list:
    """What each of two replicas draws from one generator."""
    from cnnzoo.nn.layers import ReplicaSeedGenerator

    with strategy.scope():
        generator = ReplicaSeedGenerator(0)
    draw = tf.function(lambda: strategy.run(lambda: keras.random.normal((3,), seed=generator)))
    return [value.numpy().tolist() for value in strategy.experimental_local_results(draw())]


def refusals(strategy: tf.distribute.Strategy) -> list[str]:
    """What the settings say that Keras cannot run on two replicas."""
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
    """Normalizes on one device as on several, without the fused operation, whose rounding differs."""
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
