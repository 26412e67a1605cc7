"""keras-tuner's searches, made to survive: its oracles with one state file, and a tuner whose trials are runs."""

import json
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_tuner import Objective, synchronized
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError, FatalError
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from sklearn.exceptions import ConvergenceWarning

from cnnzoo.utils.atomic_files import write_json

BEAT = 5.0  # seconds between two signs of life of a worker
SILENCE = 60.0  # seconds without one after which a worker counts as dead
WAIT = 0.5  # seconds before a worker that got no trial asks again


class Lasting:
    """What the oracles of a search add to those of keras-tuner.

    - The first trial has the architecture's own settings, where the space has them.
    - Their state and that of all trials is one file, written whole, so that a search goes on wherever it was killed.
    - Among several workers, the trial of one that has died is given to another, and no worker is sent home before the
      last trial has ended.
    """

    first: Mapping[str, Any] = {}
    ended: Callable[["Lasting", Trial], None]

    def populate_space(self, trial_id):
        found = super().populate_space(trial_id)
        if found["status"] == "RUNNING" and not self.start_order:
            found["values"].update(self.first)
        return found

    # -- one file ---------------------------------------------------------------------------------------------------

    def get_state(self):
        return {**super().get_state(), "trials": [trial.get_state() for trial in self.trials.values()]}

    def set_state(self, state):
        self.trials = {trial["trial_id"]: Trial.from_state(trial) for trial in state["trials"]}
        super().set_state(state)

    def save(self):
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial):
        """Nothing: trials are in the one file."""

    def reload(self, alone: bool = True):
        """Takes up the search where it was left.

        Args:
            alone: No worker is left from before, so that what it had begun is to be given out again.
        """
        if not Path(self._get_oracle_fname()).exists():
            return
        self.set_state(json.loads(Path(self._get_oracle_fname()).read_text()))
        begun = {tuner: trial for tuner, trial in self.ongoing_trials.items() if trial.trial_id not in self.end_order}
        self.ongoing_trials = {} if alone else begun
        if alone:
            self._retry_queue += [trial.trial_id for trial in begun.values()]

    # -- several workers --------------------------------------------------------------------------------------------

    @property
    def _heard(self) -> dict[str, float]:
        """When each worker was last heard of."""
        return self.__dict__.setdefault("_heard_of", {})

    @synchronized
    def create_trial(self, tuner_id):
        self._heard[tuner_id] = time.monotonic()
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED" and self.ongoing_trials:  # one of those may be left by a worker that dies
            self.tuner_ids.add(tuner_id)
            trial.status = "IDLE"
        return trial

    @synchronized
    def get_trial(self, trial_id):
        for tuner_id, trial in self.ongoing_trials.items():
            if trial.trial_id == trial_id:
                self._heard[tuner_id] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def end_trial(self, trial):
        if trial.trial_id in self.end_order:  # given to another worker meanwhile, who was faster
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        self.save()
        self.ended(self, self.trials[trial.trial_id])

    @synchronized
    def take_back(self) -> None:
        """Puts the trials of workers that have died where the next one to ask gets them."""
        now = time.monotonic()
        for tuner_id in {*self.tuner_ids, *self.ongoing_trials}:
            if now - self._heard.setdefault(tuner_id, now) <= SILENCE:
                continue
            self.tuner_ids.discard(tuner_id)
            del self._heard[tuner_id]
            if tuner_id in self.ongoing_trials:
                self._retry_queue.append(self.ongoing_trials.pop(tuner_id).trial_id)
                self.save()


class RandomOracle(Lasting, RandomSearchOracle):
    """Independent draws."""


class HalvingOracle(Lasting, HyperbandOracle):
    """Many short trainings, of which the best go on (Li et al., "Hyperband", 2018)."""


class BayesianOracle(Lasting, BayesianOptimizationOracle):
    """Draws where a Gaussian process fitted to the trials so far promises most.

    keras-tuner forgets trials that have failed, and would draw near them again; here they count as bad as the worst.
    """

    def populate_space(self, trial_id):
        scores = [trial.score for trial in self.trials.values() if trial.status == "COMPLETED"]
        failed = [trial for trial in self.trials.values() if trial.status == "FAILED"] if scores else []
        worst = max if self.objective.direction == "min" else min
        for trial in failed:
            trial.status, trial.score = "COMPLETED", worst(scores)
        try:
            with warnings.catch_warnings():  # that a field does not matter, which is no news of use
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = super().populate_space(trial_id)
        finally:
            for trial in failed:
                trial.status, trial.score = "FAILED", None
        if found["status"] == "RUNNING" and self._duplicate(found["values"]):
            return self._random_populate_space()
        return found


def make_oracle(
    kind: str, *, objective: tuple[str, str], trials: int, epochs: int, seed: int, hyperparameters
) -> Lasting:
    """The oracle of a search: "random", "hyperband" or "bayesian"."""
    name, better = objective
    common = {
        "objective": Objective(name, {"lower": "min", "higher": "max"}[better]),
        "hyperparameters": hyperparameters,
        "seed": seed + 1,  # keras-tuner takes 0 for none
        "max_consecutive_failed_trials": trials + 1,  # never: the search goes on
    }
    if kind == "hyperband":
        oracle = HalvingOracle(max_epochs=epochs, hyperband_iterations=None, **common)
        oracle.max_trials = trials
    elif kind == "bayesian":
        oracle = BayesianOracle(max_trials=trials, num_initial_points=max(3, trials // 3), **common)
    else:
        oracle = RandomOracle(max_trials=trials, **common)
    oracle.verbose = 0
    return oracle


class RunTuner(BaseTuner):
    """Runs the trials that an oracle hands out, in this process or in several.

    Args:
        oracle: See `make_oracle`.
        folder: Of the search.
        run: Trains and measures a trial; gives its score.
    """

    def __init__(self, oracle: Lasting, folder: Path, run: Callable[[Trial], float]):
        self._run, self._asked = run, False
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)

    def save(self):
        """Nothing: the oracle keeps its own state."""

    def pre_create_trial(self):
        if self._asked:
            time.sleep(WAIT)
        self._asked = True

    def on_trial_end(self, trial):
        super().on_trial_end(trial)
        self._asked = False

    def run_trial(self, trial, *_, **__):
        over = threading.Event()
        if self._is_worker():
            threading.Thread(target=self._show_life, args=(trial.trial_id, over), daemon=True).start()
        try:
            return self._run(trial)
        except OSError as error:  # such as a full disk: no fault of the trial
            raise FatalError(str(error)) from error
        except Exception as error:
            raise FailedTrialError(str(error)) from error
        finally:
            over.set()

    def _show_life(self, trial_id: str, over: threading.Event) -> None:
        while not over.wait(BEAT):
            self.oracle.get_trial(trial_id)

    def search_or_serve(self, chief: bool) -> None:
        """`search`; the chief of several workers looks after them meanwhile."""
        over = threading.Event()

        def look_after():
            while not over.wait(1.0):
                self.oracle.take_back()

        if chief:
            threading.Thread(target=look_after, daemon=True).start()
        try:
            self.search()
        except RuntimeError as error:
            if not chief:
                raise
            raise ValueError(f"{error}; allowed for a chief: an address of this machine and a free port") from error
        finally:
            over.set()
