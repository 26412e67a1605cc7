"""Logs of a run: quantities per epoch, throughput, and time spent waiting for data."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from cnnzoo.training.run_dir import SCALARS
from cnnzoo.training.tensorboard import EventFile
from cnnzoo.utils.atomic_files import write_bytes


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """The logs of an epoch as numbers of Python, which JSON files can hold; a callback may add those of NumPy.

    Raises:
        ValueError: A value is not a number.
    """
    found = {}
    for name, value in (logs or {}).items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"Callbacks must log numbers. Received: {name}={value!r}") from None
    return found


class Waiting:
    """The time that a training on one device waits for its batches."""

    def __init__(self) -> None:
        self._seconds: Any = 0.0

    @property
    def seconds(self) -> float:
        """Until now."""
        return float(self._seconds)

    def through(self, batches: Any) -> Any:
        """The same batches, from a `tf.data.Dataset` or a generator; each is timed when it is taken."""
        if hasattr(batches, "element_spec"):
            return self._through_graph(batches)
        return self._through_generator(batches)

    def _through_generator(self, batches: Iterator[Any]) -> Iterator[Any]:
        while True:
            asked = time.perf_counter()
            batch = next(batches)
            self._seconds += time.perf_counter() - asked
            yield batch

    def _through_graph(self, batches: Any) -> Any:
        import tensorflow as tf

        total = self._seconds = tf.Variable(self.seconds, dtype=tf.float64, trainable=False)

        def add(asked: Any, batch: Any) -> Any:
            with tf.control_dependencies(tf.nest.flatten(batch)):
                now = tf.timestamp()
            with tf.control_dependencies([total.assign_add(now - asked)]):
                return tf.nest.map_structure(tf.identity, batch)

        # A zip takes its parts one after the other: first the time, then the batch. The images must not be fetched
        # ahead behind it.
        asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False
        return tf.data.Dataset.zip((asked, batches)).map(add).with_options(options)


class Scalars(keras.callbacks.Callback):
    """Sends the logs of each epoch to TensorBoard and to `scalars.jsonl`, with the images per second.

    `images_per_second` counts neither validation, samples nor states; in the first epoch, it counts the building of the
    step. `waiting` is the share of the same time in which the training waited for its next batch. They are not in
    `history.json`, which equal runs write to equal bits.

    Args:
        folder: The run folder.
        events: Of TensorBoard.
        batch_size: Images per step.
        step: The step that the run begins at; lines of later ones, written before a kill, are dropped.
        waiting: The time of waiting; None if it is not measured.
    """

    def __init__(self, folder: Path, events: EventFile, batch_size: int, step: int, waiting: Waiting | None):
        super().__init__()
        self.path, self.events, self.batch_size = folder / SCALARS, events, batch_size
        self.step, self.waiting = step, waiting
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        self.lines = [line for line in lines if json.loads(line)["step"] <= step]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.start, self.steps = time.monotonic(), 0
        self.waited = self.waiting.seconds if self.waiting else 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps += 1
        self.end = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = numbers(logs)
        if self.steps:
            taken = self.end - self.start
            values["images_per_second"] = self.steps * self.batch_size / taken
            if self.waiting:
                values["waiting"] = min(1.0, (self.waiting.seconds - self.waited) / taken)
        self.step += self.steps
        self.events.scalars(epoch + 1, values)
        self.lines.append(json.dumps({"epoch": epoch + 1, "step": self.step, **values}))
        write_bytes(self.path, "".join(f"{line}\n" for line in self.lines).encode())
