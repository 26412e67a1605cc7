"""What a training run does beside training: keep its states, stop when asked or diverging, and show what it makes."""

import json
import math
import os
import shutil
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnnzoo.imaging.arrays import contact_sheet
from cnnzoo.imaging.files import save_png
from cnnzoo.metrics.features import density_coverage
from cnnzoo.training.run_dir import Run, State
from cnnzoo.utils.atomic_files import write_json


class TrainingDiverged(ValueError):
    """A loss or a weight stopped being finite; the message names it, its phase and the step."""


class Keeper(keras.callbacks.Callback):
    """Counts the steps of a run, keeps its states and history, and stops it when asked or when a loss is not finite.

    Args:
        run: Where the states go.
        state: What the run goes on from, or None.
        stop: Set when the run is to stop after the current batch.

    Raises:
        TrainingDiverged: From `fit`, at the first batch after which a loss is not finite.
        KeyboardInterrupt: From `fit`, once `stop` is set and the state is saved.
    """

    def __init__(self, run: Run, state: State | None, stop: threading.Event):
        super().__init__()
        self.run, self.stop = run, stop
        self.step = state.step if state else 0
        self.history = list(state.history) if state else []
        self.means = state.means if state and self._amid_epoch() else None

    def _amid_epoch(self) -> bool:
        return self.step % self.run.plan["steps_per_epoch"] != 0

    def on_epoch_begin(self, epoch, logs=None):
        if self.means is not None:  # go on with the means of an epoch that was left; `fit` has just reset them
            for variable, value in zip(self.model.metrics_variables, self.means, strict=True):
                variable.assign(value)
            self.means = None

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        # The logs are running means, in which a NaN stays. Those of the phases come first: they say more.
        for name in sorted(logs, key=lambda name: name == "loss"):
            if (name == "loss" or name.endswith("_loss")) and not math.isfinite(logs[name]):
                self._diverged(f"{name} is {logs[name]}", name.removesuffix("_loss"))
        if self.stop.is_set() and self._amid_epoch():
            self._save()
            self._interrupt()

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({"epoch": epoch + 1, "step": self.step, **logs})
        self._save()
        write_json(self.run.path / "history.json", self.history)
        if self.stop.is_set():
            self._interrupt()

    def _save(self) -> None:
        for weight in self.model.weights:
            if not np.isfinite(weight.numpy()).all():
                owners = [p.name for p in self.model.phases() if any(v is weight for v in p.variables)]
                self._diverged(f"the weight {weight.path} is not finite", *owners[:1])
        self.run.save_state(self.model, self.step, self.history)

    def _interrupt(self) -> None:
        raise KeyboardInterrupt(f"stopped after step {self.step}; to go on: {self.run.resume_command}")

    def _diverged(self, what: str, phase: str = "") -> None:
        phases = [p.name for p in self.model.phases()]
        phase = phases[0] if len(phases) == 1 else phase
        where = f" in phase {phase!r}" if phase in phases else ""
        good = self.run.newest_state()
        kept = f"the last good state, of step {good.step}, is in {good.path}" if good else "no epoch was finished"
        raise TrainingDiverged(f"{what}{where} at step {self.step} of {self.run.plan['steps']}; {kept}")


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Gives an event that the first SIGINT or SIGTERM sets; a second signal acts as it did before.

    Outside the main thread, where Python takes no handlers, the event is never set. A signal that is ignored (a job in
    the background) stays ignored.
    """
    stop = threading.Event()
    before = {}

    def restore():
        while before:
            signal.signal(*before.popitem())

    def on_signal(number, frame):
        restore()
        stop.set()

    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    before[number] = signal.signal(number, on_signal)
        yield stop
    finally:
        restore()


class Summary(keras.callbacks.Callback):
    """After every epoch, one line: how long it took, and as many of the logs as the terminal is wide."""

    def on_epoch_begin(self, epoch, logs=None):
        self.begun = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        logs = dict(logs or {})
        if any(name.endswith("_loss") and not name.startswith("val_") for name in logs):
            logs.pop("loss", None)  # the sum of those of the phases
        said = f"epoch {epoch + 1}/{self.params['epochs']}  {time.monotonic() - self.begun:.0f} s"
        for name, value in logs.items():
            more = f"  {name} {value:.4g}"
            if len(said) + len(more) > shutil.get_terminal_size().columns - 1:
                break
            said += more
        print(said, flush=True)


class Journal(keras.callbacks.Callback):
    """After every epoch: a contact sheet of what the model makes, as PNG, and it and the logs for TensorBoard.

    The sheet always shows the same things, so that epochs compare: what a generator makes of fixed noise; fixed images
    above their reconstructions; fixed images damaged, restored and as they were. A classifier has none.

    Args:
        folder: The run folder.
        originals: The images to be reconstructed or restored, or None.
    """

    def __init__(self, folder: Path, originals: np.ndarray | None):
        super().__init__()
        self.folder, self.originals = folder, originals
        self.events = None

    def on_epoch_end(self, epoch, logs=None):
        if self.events is None:
            self.events = EventFile(self.folder / "tensorboard")
        sheet = self._sheet()
        if sheet is not None:
            path = self.folder / "samples" / f"epoch-{epoch + 1:04d}.png"
            save_png(path, sheet)
            self.events.image("samples", epoch + 1, sheet.shape, path.read_bytes())
        self.events.scalars(epoch + 1, logs)

    def _sheet(self) -> np.ndarray | None:
        if self.model.task == "generate":
            return contact_sheet(self.model.generate(64, seed=0), 8)
        if self.originals is not None:
            if self.model.task == "reconstruct":
                rows = [self.originals, self.model.reconstruct(self.originals)]
            else:
                rows = self.model.before_after(self.originals)
            return contact_sheet(np.concatenate(rows), len(self.originals))
        return None


class CollapseWarning(UserWarning):
    """The samples of a run have become much less varied than they were."""


class Coverage(keras.callbacks.Callback):
    """After every epoch: the coverage of a few training images by as many samples, as `coverage` in the logs.

    It is that of `cnnzoo.metrics.features.density_coverage` between pixels, always of the same images and the same
    noise, so that it costs little, needs no judge and moves only when the generator does. A fall to less than half of
    what it was is a collapse, and brings a `CollapseWarning`.

    Args:
        images: uint8 (n, height, width, channels), the images to be covered.
        best: The highest coverage of the run so far.
    """

    def __init__(self, images: np.ndarray, best: float = 0.0):
        super().__init__()
        self.real, self.best = images.reshape(len(images), -1) / 255, best

    def on_epoch_end(self, epoch, logs=None):
        fakes = self.model.generate(len(self.real), seed=0).reshape(len(self.real), -1)
        logs["coverage"] = density_coverage(self.real, fakes)[1]
        if logs["coverage"] < 0.5 * self.best:
            warnings.warn(
                f"the generator has collapsed: coverage of {len(self.real)} training images is {logs['coverage']:.2f} "
                f"after epoch {epoch + 1}, and was {self.best:.2f}",
                CollapseWarning,
                stacklevel=2,
            )
        self.best = max(self.best, logs["coverage"])


class EventFile:
    """A TensorBoard event file. tensorboard's EventFileWriter would import TensorFlow where that is installed."""

    def __init__(self, folder: Path):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._writer = RecordWriter
        folder.mkdir(exist_ok=True)
        self._path = folder / f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self._write(file_version="brain.Event:2")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        entries = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(step=step, summary=self._summary(value=entries))

    def image(self, tag: str, step: int, shape: tuple[int, int, int], png: bytes) -> None:
        height, width, channels = shape
        image = self._summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
        self._write(step=step, summary=self._summary(value=[self._summary.Value(tag=tag, image=image)]))

    def hyperparameters(self, trial: str, values: Mapping[str, Any]) -> None:
        """What TensorBoard's HParams shows of a trial beside its scalars."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        plain = {k: v if isinstance(v, (bool, int, float, str)) else json.dumps(v) for k, v in values.items()}
        self._write(summary=hparams_pb(plain, trial_id=trial))

    def _write(self, **content) -> None:
        with self._path.open("ab") as file:
            self._writer(file).write(self._event(wall_time=time.time(), **content).SerializeToString())
