"""Callbacks of a training run: checkpoints, one line per epoch, samples, and the coverage of a generator."""

import math
import shutil
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
from cnnzoo.training.run_dir import DIVERGED, HISTORY, Run, State
from cnnzoo.training.strategies import Strategy
from cnnzoo.training.tensorboard import EventFile
from cnnzoo.training.watching import numbers
from cnnzoo.utils.atomic_files import write_json

Logs = dict[str, Any] | None
AGREE = 10  # batches between two agreements of workers to stop or to save
SAVE_SECONDS = 60.0  # between two states within an epoch, at least
SAVE_SHARE = 0.02  # of the time, at most, that is spent on such states


class TrainingDiverged(ValueError):
    """A loss or a weight is not finite; the message names it, its phase and the step."""


class CoreClock:
    """CPU time of this process, on all cores, spent on training.

    Args:
        hours: Those before, in other processes.
    """

    def __init__(self, hours: float = 0.0):
        self._start = time.process_time() - 3600 * hours

    @property
    def hours(self) -> float:
        """Core-hours until now."""
        return (time.process_time() - self._start) / 3600

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Does not count the time inside."""
        before = time.process_time()
        try:
            yield
        finally:
            self._start += time.process_time() - before


class RunCheckpointer(keras.callbacks.Callback):
    """Counts the steps of a run and saves its states and history; stops it on request or when a loss is not finite.

    A state is saved after each epoch, and within one every `SAVE_SECONDS`, or less often where that takes more than
    `SAVE_SHARE` of the time.

    Args:
        run: The run folder.
        state: The state that the run resumes from, or None.
        stop: Set to stop the run after the current batch; with several workers, within `AGREE` batches.
        replicas: Of the run.

    Raises:
        TrainingDiverged: From `fit`, at the first batch after which a loss is not finite.
        KeyboardInterrupt: From `fit`, once `stop` is set and the state is saved.
    """

    def __init__(self, run: Run, state: State | None, stop: threading.Event, replicas: Strategy):
        super().__init__()
        self.run, self.stop, self.replicas = run, stop, replicas
        self.step = state.step if state else 0
        self.history = list(state.history) if state else []
        self.means = state.means if state and self._is_within_epoch() else None
        self.clock = CoreClock(state.core_hours if state else 0.0)
        self.due = time.monotonic() + SAVE_SECONDS

    def _is_within_epoch(self) -> bool:
        return self.step % self.run.plan["steps_per_epoch"] != 0

    def on_train_begin(self, logs: Logs = None) -> None:
        # All callbacks share `params`. `fit` has the epochs until the end of an unfinished epoch there, not of the run.
        self.params["epochs"] = self.run.plan["epochs"]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.means is not None:  # restore the running means of an unfinished epoch; `fit` has just reset them
            for variable, value in zip(self.model.metrics_variables, self.means, strict=True):
                variable.assign(value)
            self.means = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        logs = logs or {}
        self.step += 1
        # The logs are running means, in which a NaN stays. Losses of phases come first: they are more specific.
        for name in sorted(logs, key=lambda name: name == "loss"):
            if (name == "loss" or name.endswith("_loss")) and not math.isfinite(logs[name]):
                self._raise_diverged(f"{name} is {logs[name]}", name.removesuffix("_loss"))
        if self._is_within_epoch() and self._is_agreed(self.stop.is_set() or time.monotonic() > self.due):
            self._save()
            if self.replicas.any(self.stop.is_set()):
                self._interrupt()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.history.append({"epoch": epoch + 1, "step": self.step, **numbers(logs)})
        self._save()
        write_json(self.run.path / HISTORY, self.history)
        if self.replicas.any(self.stop.is_set()):
            self._interrupt()

    def _is_agreed(self, flag: bool) -> bool:
        """Whether a flag is set on any worker; they agree on it every few batches."""
        return (self.replicas.workers == 1 or self.step % AGREE == 0) and self.replicas.any(flag)

    def _save(self) -> None:
        begun = time.monotonic()
        for weight in self.model.weights:
            if not np.isfinite(weight.numpy()).all():
                owners = [p.name for p in self.model.phases() if any(v is weight for v in p.variables)]
                self._raise_diverged(f"the weight {weight.path} is not finite", *owners[:1])
        self.run.save_state(self.model, self.step, self.history, self.clock.hours)
        ended = time.monotonic()
        self.due = ended + max(SAVE_SECONDS, (ended - begun) / SAVE_SHARE)

    def _interrupt(self) -> None:
        raise KeyboardInterrupt(f"stopped after step {self.step}")

    def _raise_diverged(self, problem: str, phase: str = "") -> None:
        phases = [p.name for p in self.model.phases()]
        phase = phases[0] if len(phases) == 1 else phase
        where = f" in phase {phase!r}" if phase in phases else ""
        write_json(self.run.path / DIVERGED, {"step": self.step, "problem": f"{problem}{where} at step {self.step}"})
        good = self.run.newest_state()
        kept = f"the last good state, of step {good.step}, is in {good.path}" if good else "no epoch was finished"
        raise TrainingDiverged(f"{problem}{where} at step {self.step} of {self.run.plan['steps']}; {kept}")


def print_fitting(line: str, values: Mapping[str, float]) -> None:
    """Prints a line with as many values as fit into the width of the terminal."""
    for name, value in values.items():
        entry = f"  {name} {value:.4g}"
        if len(line) + len(entry) > shutil.get_terminal_size().columns - 1:
            break
        line += entry
    print(line, flush=True)


class Summary(keras.callbacks.Callback):
    """Prints one line per epoch: its time, and as many of the logs as fit into the width of the terminal."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.start = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = dict(logs or {})
        if any(name.endswith("_loss") and not name.startswith("val_") for name in logs):
            logs.pop("loss", None)  # the sum of the losses of the phases
        print_fitting(f"epoch {epoch + 1}/{self.params['epochs']}  {time.monotonic() - self.start:.0f} s", logs)


class SampleLogger(keras.callbacks.Callback):
    """Writes after every epoch a contact sheet of model outputs as PNG, and sends it to TensorBoard.

    The inputs are the same in every epoch, so that epochs compare: fixed noise for a generator; fixed images above
    their reconstructions; fixed images degraded, restored and original. A classifier has no sheet.

    Args:
        folder: The run folder.
        events: Of TensorBoard.
        originals: The images to reconstruct or restore, uint8 (n, height, width, channels), or None.
    """

    def __init__(self, folder: Path, events: EventFile, originals: np.ndarray | None):
        super().__init__()
        self.folder, self.events, self.originals = folder, events, originals

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        sheet = self._sheet()
        if sheet is not None:
            path = self.folder / "samples" / f"epoch-{epoch + 1:04d}.png"
            save_png(path, sheet)
            self.events.image("samples", epoch + 1, sheet.shape, path.read_bytes())

    def _sheet(self) -> np.ndarray | None:
        if self.model.task == "generate":
            return contact_sheet(self.model.generate(64, seed=0), 8)
        if self.originals is None:
            return None
        if self.model.task == "reconstruct":
            rows = [self.originals, self.model.reconstruct(self.originals)]
        else:
            rows = self.model.before_after(self.originals)
        return contact_sheet(np.concatenate(rows), len(self.originals))


RISEN = 0.1  # a lower coverage is that of a generator that has not begun to train


class CollapseWarning(UserWarning):
    """The samples of a run have become much less varied."""


class Coverage(keras.callbacks.Callback):
    """Logs after every epoch the coverage of some training images by an equal number of samples, as `coverage`.

    It is the coverage of `cnnzoo.metrics.features.density_coverage` on pixels, of the same images and the same noise
    in every epoch: cheap, without a feature extractor, and changed by the generator alone. A fall below half of the
    best value so far, once that is 0.1, is mode collapse, and raises a `CollapseWarning`.

    Args:
        images: The real images, uint8 (n, height, width, channels).
        best: The highest coverage of the run so far, in [0, 1].
    """

    def __init__(self, images: np.ndarray, best: float = 0.0):
        super().__init__()
        self.real, self.best = images.reshape(len(images), -1) / 255, best

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        fakes = self.model.generate(len(self.real), seed=0).reshape(len(self.real), -1)
        coverage = density_coverage(self.real, fakes)[1]
        if logs is not None:
            logs["coverage"] = coverage
        if self.best >= RISEN and coverage < 0.5 * self.best:
            warnings.warn(
                f"the generator has collapsed: coverage of {len(self.real)} training images is {coverage:.2f} "
                f"after epoch {epoch + 1}, and was {self.best:.2f}",
                CollapseWarning,
                stacklevel=2,
            )
        self.best = max(self.best, coverage)
