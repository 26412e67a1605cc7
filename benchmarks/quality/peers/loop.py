"""What the peers share: the command line, the images, the clock and the file of samples.

Nothing of it is of the zoo, except which images are held out for a curve. A peer is trained on training images alone,
whatever its page does, since it is scored against the test images; with --every also without the validation images.
The clock starts after the first step, which traces and compiles.
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

# Takes float32 images in [0, 1], (batch, height, width, channels), and int64 labels, (batch,). Updates the weights and
# gives the losses.
Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, ...]]
# Takes how many; gives images in [0, 1], (n, height, width, channels).
Sample = Callable[[int], np.ndarray]

SHAPES = {"mnist": (28, 28, 1), "fashion_mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


def run(description: str, batch: int, make: Callable[[tuple[int, int, int]], tuple[Step, Sample]]) -> None:
    """Trains a peer as the command line says and writes its samples, uint8 (30000, height, width, channels).

    Args:
        description: What `--help` shows.
        batch: Images a step.
        make: Builds the networks for images of a shape, after the seed is set.
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
    """The training images, with or without the validation images, shuffled anew in every pass."""
    if held_out:
        from cnnzoo.data import load

        fit = load(name, "fit")
        images, labels = np.asarray(fit.images), fit.labels
    else:
        images, labels = tfds.load(name, split="train", batch_size=-1, as_supervised=True)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).repeat().batch(batch)
    return data.map(lambda images, labels: (tf.cast(images, tf.float32) / 255.0, labels)).prefetch(2)


def train(step: Step, batches, limit: float, budget: float, every: float, keep: Callable[[float], None]) -> None:
    """Steps until there were `limit`, or until `budget` seconds have passed since the first.

    After each `every` seconds of CPU time, `keep` is called with the CPU time so far. Its own time is not counted.
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
    # On a core of its own a run has nearly as much CPU time as wall time; much less tells that the core was shared.
    print(f"{steps} steps; {wall:.1f} s, of which {time.process_time() - begun_cpu:.1f} s on the CPU")


def descend(tape: tf.GradientTape, loss: tf.Tensor, network: keras.Model, optimizer) -> None:
    """One step of the optimizer down the loss, for the weights of one network."""
    weights = network.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


def noise(n: int, length: int) -> np.ndarray:
    """What the samples are made of, the same for every peer: standard normal, (n, length)."""
    return np.random.default_rng(1).standard_normal((n, length), dtype=np.float32)


def from_noise(generator: keras.Model, n: int) -> np.ndarray:
    """The samples of a generator that takes noise alone and ends in tanh."""
    return 0.5 * (generator.predict(noise(n, generator.input_shape[1]), verbose=0) + 1.0)
