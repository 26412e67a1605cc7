"""How a search is made: every trial is trained as a run, measured, and written down."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
from keras_tuner.errors import FatalError

from cnnzoo import checkpoints
from cnnzoo.metrics.scores import Score
from cnnzoo.recipes.json_files import write_recipe
from cnnzoo.training.callbacks import EventFile
from cnnzoo.training.loop import train
from cnnzoo.training.run_dir import Run
from cnnzoo.tuning.objectives import measure
from cnnzoo.tuning.oracles import Lasting, RunTuner, make_oracle
from cnnzoo.tuning.results import COMPLETED, FAILED, Search, Trial, record
from cnnzoo.tuning.space import decode, encode, to_hyperparameters
from cnnzoo.tuning.spec import SearchSpec
from cnnzoo.utils.atomic_files import write_json

SCORE = "score.json"
VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")


class SearchRunner:
    """A search while it is made.

    Args:
        path: The folder of the search.
        question: What is searched.
        callbacks: Keras callbacks of each training.
        verbose: 0 to print nothing.
    """

    def __init__(self, path: Path, question: SearchSpec, callbacks: Sequence, verbose: Any):
        self.path, self.question = path, question
        self.callbacks, self.verbose = callbacks, verbose
        self.role = _role()

    def search(self) -> Search:
        """Makes the search, or what is left of it; see `cnnzoo.tune`."""
        settings = self.question.settings
        oracle = make_oracle(
            settings["tuner"],
            objective=(settings["objective"], self.question.better),
            trials=settings["trials"],
            epochs=settings["epochs"],
            seed=settings["seed"],
            hyperparameters=to_hyperparameters(self.question.space),
        )
        oracle.first = encode(self.question.space, self.question.first)
        oracle.ended = self.ended
        tuner = RunTuner(oracle, self.path, self.run)
        if self.role != "worker":
            oracle.reload(alone=self.role == "alone")
        self._say(f"search folder: {self.path}")
        try:
            tuner.search_or_serve(self.role == "chief")
        except FatalError as error:
            raise error.__cause__ from None
        except KeyboardInterrupt:
            self._say("\nstopped; the same call goes on from here")
            raise
        if self.role != "worker":
            self._record(oracle, finished=True)
        return Search.open(self.path)

    # -- one trial --------------------------------------------------------------------------------------------------

    def run(self, drawn) -> float:
        """Trains and measures the trial that keras-tuner has drawn; gives its score."""
        trial = self._trial(drawn)
        if self.role == "worker":
            self._say(f"trial {trial.name}: {trial.told}")
        folder, began = self._folder(trial.name), time.perf_counter()
        keras.backend.clear_session()
        try:
            if not (folder / "run.json").exists():
                self._begin(folder, trial, drawn.hyperparameters.values.get("tuner/trial_id"))
            begun = {"resume": folder} if (folder / "run.json").exists() else {"name": folder, "out": folder}
            train(**begun, callbacks=self.callbacks, verbose=0)
            score = measure(checkpoints.load(folder), *(self.question.settings[key] for key in ("objective", "data")))
        except OSError:
            raise
        except Exception as error:
            write_json(folder / SCORE, {"error": " ".join(str(error).split()) or type(error).__name__})
            raise
        seconds = time.perf_counter() - began
        write_json(folder / SCORE, {"score": score.to_json(), "seconds": seconds})
        events = EventFile(folder / "tensorboard")
        events.scalars(trial.epochs, {score.name: score.value})
        events.hyperparameters(trial.name, trial.values)
        return score.value

    def _begin(self, folder: Path, trial: Trial, past: str | None) -> None:
        """Writes the recipe of a trial; one that goes on with a past one gets a copy of its run, which is longer."""
        recipe = self.question.recipe(trial.values, trial.epochs)
        write_recipe(folder, recipe)
        if past is None:
            return
        run = Run.open(self._folder(past))
        shutil.copytree(run.path / "state", folder / "state", dirs_exist_ok=True)
        steps = recipe.epochs * run.plan["steps_per_epoch"]
        write_json(folder / "run.json", {**run.plan, "epochs": recipe.epochs, "steps": steps})

    # -- what came of it --------------------------------------------------------------------------------------------

    def ended(self, oracle: Lasting, drawn) -> None:
        """Writes down and tells that a trial has ended."""
        search = self._record(oracle)
        trial = self._trial(drawn)
        done = sum(t.status in (COMPLETED, FAILED) for t in search.trials)
        told = f"trial {trial.name} ({done} of {self.question.settings['trials']})"
        if trial.score is None:
            return self._say(f"{told}: failed, {trial.error}; {trial.told}")
        best = ", the best so far" if search.best.name == trial.name else ""
        self._say(f"{told}: {trial.score.name} {trial.score}{best}; {trial.seconds:.0f} s; {trial.told}")

    def _record(self, oracle: Lasting, finished: bool = False) -> Search:
        trials = tuple(self._trial(drawn) for drawn in oracle.trials.values())
        search = Search(self.path, self.question.settings, trials, finished)
        record(search)
        return search

    def _trial(self, drawn) -> Trial:
        """A trial of keras-tuner as it is written down."""
        question, drawn_values = self.question, drawn.hyperparameters.values
        values = decode(question.space, drawn_values)
        status = {"COMPLETED": COMPLETED, "FAILED": FAILED}.get(drawn.status, "running")
        note = {}
        if status != "running" and (self._folder(drawn.trial_id) / SCORE).exists():
            note = json.loads((self._folder(drawn.trial_id) / SCORE).read_text())
        return Trial(
            drawn.trial_id,
            status,
            values,
            epochs=drawn_values.get("tuner/epochs", question.settings["epochs"]),
            default=values == question.first,
            score=Score.from_json(note["score"]) if status == COMPLETED else None,
            seconds=note.get("seconds"),
            error=note.get("error", ""),
        )

    def _folder(self, trial: str) -> Path:
        return self.path / "trials" / trial

    def _say(self, text: str) -> None:
        if self.verbose:
            print(text, flush=True)


def _role() -> str:
    """What this process is, by keras-tuner's variables: "alone", "chief" or "worker".

    Raises:
        ValueError: Only some of them are set, or the port is none.
    """
    if VARIABLES[0] not in os.environ:
        return "alone"
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        raise ValueError(f"got {VARIABLES[0]} without {', '.join(missing)}; allowed: {', '.join(VARIABLES)} together")
    port = os.environ[VARIABLES[1]]
    if not (port.isdigit() and 0 < int(port) < 2**16):
        raise ValueError(f"got {VARIABLES[1]}={port!r}; allowed: 1 to 65535")
    return "chief" if "chief" in os.environ[VARIABLES[2]] else "worker"
