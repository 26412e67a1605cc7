"""Run by test_distribution: each architecture named takes one step on two replicas, from equal weights and noise.

Prints one JSON object: {architecture: {"halves": how far off it is from the mean of what one device makes of each half
of the batch, "whole": and from what it makes of the whole, in tolerances; "logs": pairs of the mean of the halves and
what two replicas log, of training and of evaluation; "apart": variables of which the replicas hold different copies}}.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from conformance import noise, samples

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

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


def main(names: list[str]) -> None:
    replicas = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    results = {"noise": noise_of_replicas(replicas), "refusals": refusals(replicas), "architectures": {}}
    noise.replace()
    half = samples.BATCH // 2
    for name in names:
        two, whole = Step(name, slice(None), replicas), Step(name, slice(None))
        halves = Step(name, slice(half)), Step(name, slice(half, None))
        logs = [
            ({log: (one[log] + other[log]) / 2 for log in one}, both)
            for one, other, both in ([step.logs for step in (*halves, two)], [step.scores for step in (*halves, two)])
        ]
        results["architectures"][name] = {
            "halves": two.off(*halves),
            "whole": two.off(whole),
            "logs": logs,
            "apart": two.apart(replicas),
        }
        keras.backend.clear_session()
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
