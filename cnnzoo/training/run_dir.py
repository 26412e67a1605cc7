"""The folder of a training run: its plan, states, logs and trained weights.

    run.json                the plan: architecture, data and their fingerprint, seed, optimizers, versions
    history.json            the logs, one entry per epoch
    scalars.jsonl           the logs, with the speed and the share of waiting, one line per epoch
    curve.json              scores on the validation images, with `score_every`
    diverged.json           the step and the message, once a loss is not finite
    state/step-00000938/    the state after that step, written after each epoch and every minute; the last two are kept
    samples/                contact sheets
    tensorboard/            scalars and contact sheets
    .lock                   held by the process that trains
    model.weights.h5        the trained weights; exists once the run is finished

States, weights and JSON files are written aside, synced to the disk and renamed: a kill or a power cut leaves the old
file or the new one, whole.
"""

import hashlib
import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnzoo.checkpoints.card import PLAN, WEIGHTS, read_plan
from cnnzoo.data.addresses import GIVEN
from cnnzoo.utils.atomic_files import json_text, publish, sha256, unfinished, write_json
from cnnzoo.utils.weight_files import save_weights

HISTORY = "history.json"
SCALARS = "scalars.jsonl"
CURVE = "curve.json"
DIVERGED = "diverged.json"
KEPT = 2


@dataclass(frozen=True)
class State:
    """A saved state, from which a run resumes bit for bit.

    Args:
        path: Its folder.
        step: Training steps done.
        history: The logs of the finished epochs.
        means: The variables of the running means of an unfinished epoch.
        core_hours: CPU time of the training so far.
    """

    path: Path
    step: int
    history: list[dict[str, Any]]
    means: list[float]
    core_hours: float = 0.0

    @property
    def weights(self) -> Path:
        """The weights and the states of the optimizers and the random generators."""
        return self.path / WEIGHTS


@dataclass(frozen=True)
class Run:
    """A run folder and its plan, the content of `run.json`."""

    path: Path
    plan: dict[str, Any]

    @classmethod
    def create(cls, path: Path, plan: dict[str, Any]) -> "Run":
        """A new run.

        Raises:
            ValueError: The folder holds a run already.
        """
        check_vacant(path)
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / PLAN, plan)
        return cls(path, plan)

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """The run in a folder.

        Raises:
            CheckpointError: As `cnnzoo.checkpoints.card.read_plan`.
        """
        return cls(Path(path), read_plan(Path(path)))

    @property
    def finished(self) -> bool:
        """Whether the trained weights exist."""
        return (self.path / WEIGHTS).exists()

    @property
    def resume_command(self) -> str:
        """The shell command that resumes the run, or the call for images that a program gave."""
        if self.plan["data"].startswith(GIVEN):
            return f"cnnzoo.train(resume={str(self.path)!r}, data=...)"
        return f"cnnzoo train --resume {self.path}"

    def newest_state(self) -> State | None:
        """The latest state whose files match their hashes; None if there is none. Warns of later ones, which do not."""
        damaged, state = [], None
        for folder in sorted(self.path.glob("state/step-*"), reverse=True):
            try:
                state = _read_state(folder)
                break
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                damaged.append(folder.name)
        if damaged:
            whole = f"the run resumes from step {state.step}" if state else "the run starts again"
            warnings.warn(f"{self.path}/state has damaged states, {', '.join(damaged)}; {whole}", stacklevel=2)
        return state

    def save_state(self, model: Any, step: int, history: list[dict[str, Any]], core_hours: float) -> None:
        """Writes a state and deletes all but the last two.

        Raises:
            OSError: It cannot be written; earlier ones are kept.
        """
        folder = self.path / "state" / f"step-{step:08d}"
        aside = folder.with_name(f".{folder.name}")
        for left in folder.parent.glob(".step-*"):  # of a process that was killed while it wrote
            shutil.rmtree(left)
        try:
            aside.mkdir(parents=True)
            save_weights(model, aside / WEIGHTS)
            means = [float(variable.numpy()) for variable in model.metrics_variables]
            record = {"step": step, "sha256": sha256(aside / WEIGHTS), "means": means, "history": history}
            record["core_hours"] = core_hours
            write_json(aside / "state.json", {**record, "record_sha256": _hash(record)})
            shutil.rmtree(folder, ignore_errors=True)
            publish(aside, folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        states = sorted(folder.parent.glob("step-*"))
        until = states.index(folder) + 1
        for other in (*states[: max(0, until - KEPT)], *states[until:]):  # later ones are damaged
            shutil.rmtree(other)

    def sweep(self) -> None:
        """Deletes unfinished files of a killed process; the caller must hold the lock."""
        for path in (self.path, self.path / "samples"):
            for left in unfinished(path):
                left.unlink(missing_ok=True)

    def finish(self, model: Any) -> None:
        """Writes the trained weights, without optimizers and running means."""
        aside = self.path / f".{WEIGHTS}"
        save_weights(model.inference_copy(), aside)
        publish(aside, self.path / WEIGHTS)


def _read_state(folder: Path) -> State:
    """The state in a folder.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: It is damaged.
    """
    record = json.loads((folder / "state.json").read_text())
    expected = record.pop("record_sha256", None)  # states of earlier versions have none
    if expected is not None and expected != _hash(record):
        raise ValueError("state.json is altered")
    if record.pop("sha256") != sha256(folder / WEIGHTS):
        raise ValueError(f"{WEIGHTS} is altered")
    return State(folder, **record)


def _hash(record: dict[str, Any]) -> str:
    """The SHA-256 of a record as JSON, which is the same once it is written and read."""
    return hashlib.sha256(json_text(record).encode()).hexdigest()


def has_run(path: Path) -> bool:
    """Whether a folder holds a training run."""
    return (path / PLAN).exists()


def check_vacant(path: Path) -> None:
    """Checks that a folder can take a new run.

    Raises:
        ValueError: It holds a run, or is a file.
    """
    if has_run(path):
        raise ValueError(f"{path} already holds a run; resume it with --resume {path}, or give another folder")
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} must be a folder, new or without a run. Received: a file")
