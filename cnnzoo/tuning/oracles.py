"""keras-tuner's oracles with a single, resumable state file, and a tuner for trials that are training runs."""

import json
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_tuner import HyperParameters, Objective, synchronized
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.oracle import Oracle
from keras_tuner.engine.trial import Trial
from keras_tuner.errors import FailedTrialError, FatalError
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle
from sklearn.exceptions import ConvergenceWarning

from cnnzoo.utils.atomic_files import write_json

BEAT = 5.0  # seconds between two heartbeats of a worker
SILENCE = 60.0  # seconds without a heartbeat after which a worker counts as dead
WAIT = 0.5  # seconds before a worker without a trial asks again


class ResumableOracle(Oracle):
    """A mixin for keras-tuner's oracles that makes a search resumable.

    - The first trial has the default settings of the architecture, if the space contains them.
    - The state of the oracle and of all trials is one file, written atomically, so that a killed search resumes.
    - The trial of a dead worker is given to another, and no worker stops before the last trial has ended.
    """

    default_values: Mapping[str, Any] = {}
    on_trial_ended: Callable[["ResumableOracle", Trial], None]
    ongoing_trials: dict[str, Trial]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        found = super().populate_space(trial_id)
        if found["status"] == "RUNNING" and not self.start_order:
            found["values"].update(self.default_values)
        return found

    # -- state file ---------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "trials": [trial.get_state() for trial in self.trials.values()]}

    def set_state(self, state: dict[str, Any]) -> None:
        self.trials = {trial["trial_id"]: Trial.from_state(trial) for trial in state["trials"]}
        super().set_state(state)

    def save(self) -> None:
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial: Trial) -> None:
        """Does nothing: the state file contains the trials."""

    def reload(self, alone: bool = True) -> None:
        """Reads the state file, if there is one.

        Args:
            alone: No worker is left from before; unfinished trials are given out again.
        """
        if not Path(self._get_oracle_fname()).exists():
            return
        self.set_state(json.loads(Path(self._get_oracle_fname()).read_text()))
        unfinished = {
            tuner: trial for tuner, trial in self.ongoing_trials.items() if trial.trial_id not in self.end_order
        }
        self.ongoing_trials = {} if alone else unfinished
        if alone:
            self._retry_queue += [trial.trial_id for trial in unfinished.values()]

    # -- several workers --------------------------------------------------------------------------------------------

    @property
    def _heartbeats(self) -> dict[str, float]:
        """The time of the last heartbeat of each worker, from `time.monotonic`."""
        return self.__dict__.setdefault("_heartbeat_times", {})

    @synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        self._heartbeats[tuner_id] = time.monotonic()
        trial = super().create_trial(tuner_id)
        if trial.status == "STOPPED" and self.ongoing_trials:  # a worker that dies may leave one of them
            self.tuner_ids.add(tuner_id)
            trial.status = "IDLE"
        return trial

    @synchronized
    def get_trial(self, trial_id: str) -> Trial:
        for tuner_id, trial in self.ongoing_trials.items():
            if trial.trial_id == trial_id:
                self._heartbeats[tuner_id] = time.monotonic()
        return super().get_trial(trial_id)

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        if trial.trial_id in self.end_order:  # another worker was faster
            return
        if trial.trial_id in self._retry_queue:
            self._retry_queue.remove(trial.trial_id)
        super().end_trial(trial)
        self.save()
        self.on_trial_ended(self, self.trials[trial.trial_id])

    @synchronized
    def take_back(self) -> None:
        """Queues the trials of dead workers for the next worker."""
        now = time.monotonic()
        for tuner_id in {*self.tuner_ids, *self.ongoing_trials}:
            if now - self._heartbeats.setdefault(tuner_id, now) <= SILENCE:
                continue
            self.tuner_ids.discard(tuner_id)
            del self._heartbeats[tuner_id]
            if tuner_id in self.ongoing_trials:
                self._retry_queue.append(self.ongoing_trials.pop(tuner_id).trial_id)
                self.save()


class RandomOracle(ResumableOracle, RandomSearchOracle):
    """Independent draws."""


class HalvingOracle(ResumableOracle, HyperbandOracle):
    """Many short trainings, the best of which are continued (Li et al., "Hyperband", 2018)."""


class BayesianOracle(ResumableOracle, BayesianOptimizationOracle):
    """Draws at the optimum of an acquisition function of a Gaussian process.

    keras-tuner ignores failed trials and would draw near them again; here they count as the worst score.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        scores = [trial.score for trial in self.trials.values() if trial.status == "COMPLETED"]
        failed = [trial for trial in self.trials.values() if trial.status == "FAILED"] if scores else []
        worst = max if self.objective.direction == "min" else min
        for trial in failed:
            trial.status, trial.score = "COMPLETED", worst(scores)
        try:
            with warnings.catch_warnings():  # a field without influence on the score
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = super().populate_space(trial_id)
        finally:
            for trial in failed:
                trial.status, trial.score = "FAILED", None
        if found["status"] == "RUNNING" and self._duplicate(found["values"]):
            return self._random_populate_space()
        return found


def make_oracle(
    kind: str, *, objective: tuple[str, str], trials: int, epochs: int, seed: int, hyperparameters: HyperParameters
) -> ResumableOracle:
    """The oracle of a search: "random", "hyperband" or "bayesian"."""
    name, better = objective
    common = {
        "objective": Objective(name, {"lower": "min", "higher": "max"}[better]),
        "hyperparameters": hyperparameters,
        "seed": seed + 1,  # keras-tuner treats 0 as no seed
        "max_consecutive_failed_trials": trials + 1,  # never: the search continues
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
    """Runs the trials of an oracle, in one process or several.

    Args:
        oracle: See `make_oracle`.
        folder: The folder of the search.
        run: Trains and measures a trial; returns its score.
    """

    def __init__(self, oracle: ResumableOracle, folder: Path, run: Callable[[Trial], float]):
        self._run, self._is_waiting = run, False
        super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)

    def save(self) -> None:
        """Does nothing: the oracle saves its state."""

    def pre_create_trial(self) -> None:
        if self._is_waiting:
            time.sleep(WAIT)
        self._is_waiting = True

    def on_trial_end(self, trial: Trial) -> None:
        super().on_trial_end(trial)
        self._is_waiting = False

    def run_trial(self, trial: Trial, *_: Any, **__: Any) -> float:
        over = threading.Event()
        if self._is_worker():
            threading.Thread(target=self._send_heartbeats, args=(trial.trial_id, over), daemon=True).start()
        try:
            return self._run(trial)
        except OSError as error:  # such as a full disk: not a failure of the trial
            raise FatalError(str(error)) from error
        except Exception as error:
            raise FailedTrialError(str(error)) from error
        finally:
            over.set()

    def _send_heartbeats(self, trial_id: str, over: threading.Event) -> None:
        while not over.wait(BEAT):
            self.oracle.get_trial(trial_id)

    def search_or_serve(self, chief: bool) -> None:
        """Runs `search`; a chief also takes back the trials of dead workers."""
        over = threading.Event()

        def watch_workers() -> None:
            while not over.wait(1.0):
                self.oracle.take_back()

        if chief:
            threading.Thread(target=watch_workers, daemon=True).start()
        try:
            self.search()
        except RuntimeError as error:
            if not chief:
                raise
            raise ValueError(
                f"A chief must have an address of this machine and a free port. Received: {error}"
            ) from error
        finally:
            over.set()
