"""The shared parts of the peers: command line, images, clock and file of samples.

It uses no code of the zoo except for the split into training and validation images with `--every`. A peer is trained on
training images only, even if its example uses the test images too, since it is scored against the test images; with
`--every`, the validation images are also held out. The clock starts after the first step, which traces and compiles.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

SAMPLES = 30_000  # three sets of 10,000
REPORT = 60  # seconds between two lines of losses

# From float32 images in [0, 1], (batch, height, width, channels), and int64 labels, (batch,), to the losses; updates
# the weights.
Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]
# From n to images in [0, 1], (n, height, width, channels).
Sample = Callable[[int], np.ndarray]

SHAPES = {"mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


def run(description: str, batch: int, make: Callable[[tuple[int, int, int]], tuple[Step, Sample]]) -> None:
    """Trains a peer by the command line and writes its samples, uint8 (30000, height, width, channels).

    Args:
        description: The text of `--help`.
        batch: Batch size.
        make: Builds the networks for an image shape; called after the seed is set.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(SHAPES), required=True)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, default=math.inf, help="of wall time, after the first step")
    length.add_argument("--steps", type=int, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="the file of samples, .npy")
    parser.add_argument("--every", type=float, default=math.inf, metavar="MINUTES", help="of CPU time: samples between")
    asked = parser.parse_args()
    keras.utils.set_random_seed(asked.seed)

    step, sample = make(SHAPES[asked.data])
    out = Path(asked.out)

    def save(path: Path) -> None:
        np.save(path, np.rint(255 * np.clip(sample(SAMPLES), 0, 1)).astype(np.uint8))

    def keep(cpu: float) -> None:
        save(out.with_name(f"{out.stem}-{cpu / 3600:.4f}h.npy"))

    batches = iter(stream(asked.data, batch, held_out=asked.every < math.inf))
    train(tf.function(step), batches, asked.steps, 60 * asked.minutes, 60 * asked.every, keep)
    save(out)


def stream(name: str, batch: int, held_out: bool = False) -> tf.data.Dataset:
    """Returns an endless stream of training batches, shuffled in every epoch; `held_out` excludes validation images."""
    if held_out:
        from cnnzoo.data import load

        fit = load(name, "fit")
        images, labels = np.asarray(fit.images), fit.labels
    else:
        images, labels = tfds.load(name, split="train", batch_size=-1, as_supervised=True)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).repeat().batch(batch)
    return data.map(lambda images, labels: (tf.cast(images, tf.float32) / 255.0, labels)).prefetch(2)


def train(step: Step, batches, limit: float, budget: float, every: float, keep: Callable[[float], None]) -> None:
    """Trains for `limit` steps, or until `budget` seconds after the first step.

    Every `every` seconds of CPU time, `keep` is called with the CPU time so far. The time of `keep` is not counted.
    """
    step(*next(batches))
    begun, begun_cpu = time.perf_counter(), time.process_time()
    steps, wall, shown, due = 1, 0.0, 0.0, every
    while steps < limit and wall < budget:
        losses = step(*next(batches))
        steps, wall, cpu = steps + 1, time.perf_counter() - begun, time.process_time() - begun_cpu
        if cpu >= due:
            keep(cpu)
            begun, begun_cpu = time.perf_counter() - wall, time.process_time() - cpu
            due += every
        if wall - shown >= REPORT:
            print(f"{wall:6.0f} s, step {steps}:", *(f"{float(loss):.3f}" for loss in losses), flush=True)
            shown = wall
    # On an exclusive core, CPU time is close to wall time; a much smaller value means that the core was shared.
    print(f"{steps} steps; {wall:.1f} s, of which {time.process_time() - begun_cpu:.1f} s on the CPU")


def descend(tape: tf.GradientTape, loss: tf.Tensor, network: keras.Model, optimizer) -> None:
    """Updates the weights of one network by the gradient of the loss."""
    weights = network.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


def noise(n: int, length: int) -> np.ndarray:
    """Returns the latent vectors of the samples, standard normal (n, length), the same for every peer."""
    return np.random.default_rng(1).standard_normal((n, length), dtype=np.float32)


def from_noise(generator: keras.Model, n: int) -> np.ndarray:
    """Returns the samples of an unconditional generator with a tanh output, scaled to [0, 1]."""
    return 0.5 * (generator.predict(noise(n, generator.input_shape[1]), verbose=0) + 1.0)
