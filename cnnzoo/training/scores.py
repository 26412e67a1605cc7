"""The scores of a run on its validation images, every few epochs."""

import json
from typing import Any

import keras

from cnnzoo.checkpoints import as_trained
from cnnzoo.evaluation import evaluate
from cnnzoo.training.callbacks import Logs, RunCheckpointer, print_fitting
from cnnzoo.training.run_dir import CURVE
from cnnzoo.training.tensorboard import EventFile
from cnnzoo.utils.atomic_files import write_json


class ValidationScores(keras.callbacks.Callback):
    """Scores the model after every few epochs and the last, as `cnnzoo evaluate RUN --split validation` does.

    A copy of the model is scored, so that the training is the same as without. The state of the
    epoch is saved before it is scored; a run that stops in between scores it when it resumes.

    Args:
        checkpointer: It counts steps and core-hours, and saves the states; of a run whose plan has `score_every`.
        events: Of TensorBoard.
        verbose: 0 to print nothing.
    """

    def __init__(self, checkpointer: RunCheckpointer, events: EventFile, verbose: Any):
        super().__init__()
        self.checkpointer, self.events, self.verbose = checkpointer, events, verbose
        self.run = checkpointer.run
        path = self.run.path / CURVE
        entries = json.loads(path.read_text()) if path.exists() else []
        self.curve = [entry for entry in entries if entry["step"] <= checkpointer.step]
        self.copy: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        plan = self.run.plan
        if (epoch + 1) % plan["score_every"] == 0 or epoch + 1 == plan["epochs"] or self.model.stop_training:
            self._score(self.model, epoch + 1)

    def catch_up(self, model: Any) -> None:
        """Scores the state that a run resumes from, if it stopped before its scores."""
        plan, step = self.run.plan, self.checkpointer.step
        epoch, within = divmod(step, plan["steps_per_epoch"])
        is_due = step > 0 and not within and (epoch % plan["score_every"] == 0 or epoch == plan["epochs"])
        if is_due and step not in [entry["step"] for entry in self.curve]:
            self._score(model, epoch)

    def _score(self, model: Any, epoch: int) -> None:
        with self.checkpointer.clock.stopped():
            if self.copy is None:
                self.copy = as_trained(model.inference_copy(), self.run.plan)
            self.copy.set_weights(model.get_weights())
            report = evaluate(self.copy, self.run.plan["data"], "validation")
        values = {score.name: score.value for score in report.scores}
        about = {"epoch": epoch, "step": self.checkpointer.step, "core_hours": round(self.checkpointer.clock.hours, 6)}
        self.curve.append({**about, **values})
        write_json(self.run.path / CURVE, self.curve)
        self.events.scalars(epoch, {f"validation/{name}": value for name, value in values.items()})
        if self.verbose:
            line = f"validation, {about['core_hours']:.3g} core-hours"
            print_fitting(line, {score.name: score.value for score in report.scores if score.better})
