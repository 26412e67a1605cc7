"""Runs a search: every trial is a training run, which is measured and recorded."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras_tuner.engine.trial import Trial as KerasTrial
from keras_tuner.errors import FatalError

from cnnzoo import checkpoints
from cnnzoo.checkpoints.card import PLAN
from cnnzoo.metrics.scores import Score
from cnnzoo.recipes.json_files import write_recipe
from cnnzoo.training.loop import train
from cnnzoo.training.run_dir import Run, has_run
from cnnzoo.training.tensorboard import EventFile
from cnnzoo.tuning.objectives import measure
from cnnzoo.tuning.oracles import ResumableOracle, RunTuner, make_oracle
from cnnzoo.tuning.results import COMPLETED, FAILED, Search, Trial, write_results
from cnnzoo.tuning.space import decode, encode, to_hyperparameters
from cnnzoo.tuning.spec import SearchSpec
from cnnzoo.utils.atomic_files import write_json

SCORE = "score.json"
VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")


class SearchRunner:
    """Runs or resumes a search in a folder.

    Args:
        path: The folder of the search.
        spec: The arguments of the search.
        callbacks: Keras callbacks of each training.
        verbose: 0 to print nothing.
    """

    def __init__(self, path: Path, spec: SearchSpec, callbacks: Sequence, verbose: Any):
        self.path, self.spec = path, spec
        self.callbacks, self.verbose = callbacks, verbose
        self.role = _role()

    def search(self) -> Search:
        """Runs the remaining trials; see `cnnzoo.tune`."""
        settings = self.spec.settings
        oracle = make_oracle(
            settings["tuner"],
            objective=(settings["objective"], self.spec.better),
            trials=settings["trials"],
            epochs=settings["epochs"],
            seed=settings["seed"],
            hyperparameters=to_hyperparameters(self.spec.space),
        )
        oracle.default_values = encode(self.spec.space, self.spec.default_values)
        oracle.on_trial_ended = self.report_trial
        tuner = RunTuner(oracle, self.path, self.run)
        if self.role != "worker":
            oracle.reload(alone=self.role == "alone")
        self._say(f"search folder: {self.path}")
        try:
            tuner.search_or_serve(self.role == "chief")
        except FatalError as error:
            raise (error.__cause__ or error) from None
        except KeyboardInterrupt:
            self._say("\nstopped; the same call resumes the search")
            raise
        if self.role != "worker":
            self._record(oracle, finished=True)
        return Search.open(self.path)

    # -- one trial --------------------------------------------------------------------------------------------------

    def run(self, drawn: KerasTrial) -> float:
        """Trains and measures a trial of keras-tuner; returns its score."""
        trial = self._trial(drawn)
        if self.role == "worker":
            self._say(f"trial {trial.name}: {trial.summary}")
        folder, start = self._folder(trial.name), time.perf_counter()
        keras.backend.clear_session()
        try:
            if not has_run(folder):
                self._prepare(folder, trial, drawn.hyperparameters.values.get("tuner/trial_id"))
            if has_run(folder):
                train(resume=folder, callbacks=self.callbacks, verbose=0)
            else:
                train(folder, out=folder, callbacks=self.callbacks, verbose=0)
            score = measure(checkpoints.load(folder), *(self.spec.settings[key] for key in ("objective", "data")))
        except OSError:
            raise
        except Exception as error:
            write_json(folder / SCORE, {"error": " ".join(str(error).split()) or type(error).__name__})
            raise
        seconds = time.perf_counter() - start
        write_json(folder / SCORE, {"score": score.to_json(), "seconds": seconds})
        events = EventFile(folder / "tensorboard")
        events.scalars(trial.epochs, {score.name: score.value})
        events.hyperparameters(trial.name, trial.values)
        return score.value

    def _prepare(self, folder: Path, trial: Trial, earlier: str | None) -> None:
        """Writes the recipe of a trial; a continued trial gets a copy of the earlier run with more epochs."""
        recipe = self.spec.recipe(trial.values, trial.epochs)
        write_recipe(folder, recipe)
        if earlier is None:
            return
        run = Run.open(self._folder(earlier))
        shutil.copytree(run.path / "state", folder / "state", dirs_exist_ok=True)
        steps = recipe.epochs * run.plan["steps_per_epoch"]
        write_json(folder / PLAN, {**run.plan, "epochs": recipe.epochs, "steps": steps})

    # -- results --------------------------------------------------------------------------------------------

    def report_trial(self, oracle: ResumableOracle, drawn: KerasTrial) -> None:
        """Writes the results and prints a line for an ended trial."""
        search = self._record(oracle)
        trial = self._trial(drawn)
        done = sum(t.status in (COMPLETED, FAILED) for t in search.trials)
        line = f"trial {trial.name} ({done} of {self.spec.settings['trials']})"
        if trial.score is None:
            return self._say(f"{line}: failed, {trial.error}; {trial.summary}")
        best = ", the best so far" if search.best.name == trial.name else ""
        self._say(f"{line}: {trial.score.name} {trial.score}{best}; {trial.seconds:.0f} s; {trial.summary}")

    def _record(self, oracle: ResumableOracle, finished: bool = False) -> Search:
        trials = tuple(self._trial(drawn) for drawn in oracle.trials.values())
        search = Search(self.path, self.spec.settings, trials, finished)
        write_results(search)
        return search

    def _trial(self, drawn: KerasTrial) -> Trial:
        """A trial of keras-tuner with its results."""
        spec, drawn_values = self.spec, drawn.hyperparameters.values
        values = decode(spec.space, drawn_values)
        status = {"COMPLETED": COMPLETED, "FAILED": FAILED}.get(drawn.status, "running")
        record: dict[str, Any] = {}
        if status != "running" and (self._folder(drawn.trial_id) / SCORE).exists():
            record = json.loads((self._folder(drawn.trial_id) / SCORE).read_text())
        return Trial(
            drawn.trial_id,
            status,
            values,
            epochs=drawn_values.get("tuner/epochs", spec.settings["epochs"]),
            default=values == spec.default_values,
            score=Score.from_json(record["score"]) if status == COMPLETED else None,
            seconds=record.get("seconds"),
            error=record.get("error", ""),
        )

    def _folder(self, trial: str) -> Path:
        return self.path / "trials" / trial

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text, flush=True)


def _role() -> str:
    """The role of this process by keras-tuner's variables: "alone", "chief" or "worker".

    Raises:
        ValueError: Only some of them are set, or the port is invalid.
    """
    missing = [name for name in VARIABLES if not os.environ.get(name)]
    if len(missing) == len(VARIABLES):
        return "alone"
    if missing:
        raise ValueError(f"{', '.join(VARIABLES)} must be set together. Received: no {', '.join(missing)}")
    port = os.environ[VARIABLES[1]]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(f"{VARIABLES[1]} must be between 1 and 65535. Received: {port!r}")
    return "chief" if "chief" in os.environ[VARIABLES[2]] else "worker"
