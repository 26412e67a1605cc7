"""The folder of a search: its arguments, its trials with their scores, and the recipe of the best.

search.json             the arguments of the search
oracle.json             the state of keras-tuner
trials.json             all trials with their values and scores
trials/07/              the run folder of a trial, with its recipe.json and score.json
best/recipe.json        the input of `cnnzoo train`
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnnzoo.metrics.scores import Score
from cnnzoo.recipes.json_files import read_recipe, write_recipe
from cnnzoo.utils.atomic_files import write_bytes, write_json
from cnnzoo.utils.json_content import content
from cnnzoo.utils.terminal import print_table

COMPLETED, FAILED = "completed", "failed"


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        name: The name of its run folder in `trials/`.
        status: "completed", "failed" or "running".
        values: The values of the searched fields.
        epochs: Its epochs of training.
        default: Whether the values are the defaults of the architecture.
        score: The objective on the validation images; None unless completed.
        seconds: The time of training and measuring, since the last start.
        error: The reason of a failure.
    """

    name: str
    status: str
    values: Mapping[str, Any]
    epochs: int
    default: bool = False
    score: Score | None = None
    seconds: float | None = None
    error: str = ""

    @property
    def summary(self) -> str:
        """The values as one line of text."""
        return ", ".join(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Search:
    """The results of a search; `str` gives them in one line.

    Attributes:
        path: Its folder.
        settings: The arguments of the search.
        trials: In the order of their start.
        finished: Whether all have ended.
    """

    path: Path
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    finished: bool

    @classmethod
    def open(cls, path: str | Path) -> "Search":
        """The search in a folder, finished or not.

        Raises:
            ValueError: There is none, or its `trials.json` is damaged.
        """
        path = Path(path)
        try:
            if not (path / "trials.json").exists():
                raise ValueError("no trials.json")
            found = content(path / "trials.json", dict)
            trials = (Trial(**{**t, "score": t["score"] and Score.from_json(t["score"])}) for t in found["trials"])
            return cls(path, found["search"], tuple(trials), found["finished"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} must be the folder of a search. Received: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """The search as plain JSON values; `open` reads them back."""
        trials = [{**asdict(t), "score": t.score and t.score.to_json()} for t in self.trials]
        return {"search": dict(self.settings), "finished": self.finished, "trials": trials}

    @property
    def _scored(self) -> list[tuple[Score, Trial]]:
        done = [(trial.score, trial) for trial in self.trials if trial.score is not None]
        return sorted(done, key=lambda pair: pair[0].value if pair[0].better == "lower" else -pair[0].value)

    @property
    def ranked(self) -> list[Trial]:
        """The completed trials, the best first."""
        return [trial for _, trial in self._scored]

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            ValueError: None was completed; the message has the error of the first.
        """
        self.check()
        return self.ranked[0]

    def check(self) -> None:
        """Checks that a trial was completed.

        Raises:
            ValueError: None was; the message has the error of the first.
        """
        if not self.ranked:
            why = f"; the first: {self.trials[0].error}" if self.trials else ""
            raise ValueError(f"none of the {len(self.trials)} trials in {self.path} was completed{why}")

    @property
    def default(self) -> Trial | None:
        """The completed trial with the default settings of the architecture, or None."""
        return next((trial for trial in self.ranked if trial.default), None)

    @property
    def recipe(self) -> Path:
        """The folder with the recipe of the best trial, an input of `cnnzoo.train`."""
        return self.path / "best"

    def __str__(self) -> str:
        self.check()
        (score, best), default = self._scored[0], self.default
        name = self.settings["objective"]
        line = f"best: trial {best.name}, {name} {score} on {score.n} validation images"
        if default is best:
            return f"{line}; these are the architecture's own settings, which no trial has bettered"
        if default is None:
            return line
        fewer = f" after {default.epochs} of {best.epochs} epochs" if default.epochs != best.epochs else ""
        return f"{line}; the architecture's own settings: {default.score}{fewer}"

    def print(self) -> None:
        """Prints the table of the trials, the best first, and the line of `str`."""
        rows = []
        for trial in [*self.ranked, *(t for t in self.trials if t.status == FAILED)]:
            score = str(trial.score) if trial.score else FAILED
            seconds = "" if trial.seconds is None else f"{trial.seconds:.0f}"
            name = f"{trial.name} (default)" if trial.default else trial.name
            values = f"{trial.summary}: {trial.error}" if trial.error else trial.summary
            rows.append((name, score, str(trial.epochs), seconds, values))
        print_table("", ("trial", self.settings["objective"], "epochs", "seconds", "settings"), rows)
        print(f"{self}\nto train it: cnnzoo train {self.recipe}", flush=True)


def open_or_create(path: Path, settings: Mapping[str, Any]) -> Search | None:
    """Opens the search in a folder, or makes it the folder of a new search; returns the results so far, if any.

    Raises:
        ValueError: It is the folder of another search, or a file.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} must be a folder, new or of the same search. Received: a file")
    if (path / "search.json").exists():
        there = content(path / "search.json", dict)
        other = [key for key in settings if there.get(key) != settings[key]]
        if other:
            raise ValueError(
                f"The arguments must be those of {path}, {_described(there, other)}, to resume it; for others give "
                f"another folder. Received: {_described(settings, other)}"
            )
        return Search.open(path) if (path / "trials.json").exists() else None
    path.mkdir(parents=True, exist_ok=True)
    write_bytes(path / "search.json", json.dumps(settings, indent=1).encode())  # several workers may write it at once
    return None


def _described(settings: Mapping[str, Any], fields: list[str]) -> str:
    values = ", ".join(f"{key}={settings.get(key)!r}" for key in fields if key not in ("architecture", "data"))
    return f"a search of {settings['architecture']} on {settings['data']}" + (f" with {values}" if values else "")


def write_results(search: Search) -> None:
    """Writes the table of the trials and the recipe of the best, if any."""
    write_json(search.path / "trials.json", search.to_json())
    if search.ranked:
        best = search.best
        recipe = read_recipe(search.path / "trials" / best.name)
        expects = f"{search.settings['objective']} {best.score} on the validation images"
        write_recipe(search.recipe, replace(recipe, expects=expects))
