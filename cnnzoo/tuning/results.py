"""The folder of a search: what is searched, what came of each trial, and the recipe of the best.

search.json             the arguments of the search
oracle.json             where keras-tuner stands
trials.json             all trials with their values and scores
trials/07/              the run folder of a trial, with its recipe.json and score.json
best/recipe.json        what `cnnzoo train` takes
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnnzoo.metrics.scores import Score
from cnnzoo.recipes.json_files import read_recipe, write_recipe
from cnnzoo.utils.atomic_files import write_bytes, write_json
from cnnzoo.utils.terminal import print_table

COMPLETED, FAILED = "completed", "failed"


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Attributes:
        name: Of its run folder in `trials/`.
        status: "completed", "failed" or "running".
        values: Of the fields that are searched.
        epochs: That it was trained for.
        default: Whether the values are the architecture's own.
        score: The objective on the validation images; None unless completed.
        seconds: That training and measuring took, since the trial was last begun.
        error: Why it failed.
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
    def told(self) -> str:
        """The values in words."""
        return ", ".join(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Search:
    """What came of a search; `str` of it says it in a line.

    Attributes:
        path: Its folder.
        settings: The arguments it was begun with.
        trials: In the order in which they were begun.
        finished: Whether all are done.
    """

    path: Path
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    finished: bool

    @classmethod
    def open(cls, path: str | Path) -> "Search":
        """The search in a folder, finished or not.

        Raises:
            ValueError: There is none.
        """
        path = Path(path)
        try:
            content = json.loads((path / "trials.json").read_text())
        except FileNotFoundError:
            raise ValueError(f"got {path}, which holds no trials.json; allowed: the folder of a search") from None
        trials = (Trial(**{**t, "score": t["score"] and Score.from_json(t["score"])}) for t in content["trials"])
        return cls(path, content["search"], tuple(trials), content["finished"])

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; `open` reads them back."""
        trials = [{**asdict(t), "score": t.score and t.score.to_json()} for t in self.trials]
        return {"search": dict(self.settings), "finished": self.finished, "trials": trials}

    @property
    def _scored(self) -> list[tuple[Score, Trial]]:
        done = [(trial.score, trial) for trial in self.trials if trial.score is not None]
        return sorted(done, key=lambda pair: pair[0].value if pair[0].better == "lower" else -pair[0].value)

    @property
    def ranked(self) -> list[Trial]:
        """The trials that were completed, the best first."""
        return [trial for _, trial in self._scored]

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            ValueError: None was completed; the message says why the first was not.
        """
        self.check()
        return self.ranked[0]

    def check(self) -> None:
        """Raises a ValueError where no trial was completed; it says why the first was not."""
        if not self.ranked:
            why = f"; the first: {self.trials[0].error}" if self.trials else ""
            raise ValueError(f"none of the {len(self.trials)} trials in {self.path} was completed{why}")

    @property
    def default(self) -> Trial | None:
        """The trial with the architecture's own settings; None where there was none, or it failed."""
        return next((trial for trial in self.ranked if trial.default), None)

    @property
    def recipe(self) -> Path:
        """The folder with the recipe of the best trial, which `cnnzoo.train` takes."""
        return self.path / "best"

    def __str__(self) -> str:
        self.check()
        (score, best), default = self._scored[0], self.default
        name = self.settings["objective"]
        said = f"best: trial {best.name}, {name} {score} on {score.n} validation images"
        if default is best:
            return f"{said}; these are the architecture's own settings, which no trial has bettered"
        if default is None:
            return said
        fewer = f" after {default.epochs} of {best.epochs} epochs" if default.epochs != best.epochs else ""
        return f"{said}; the architecture's own settings: {default.score}{fewer}"

    def print(self) -> None:
        """Prints the table of the trials, the best first, and what came of them."""
        rows = []
        for trial in [*self.ranked, *(t for t in self.trials if t.status == FAILED)]:
            shown = str(trial.score) if trial.score else FAILED
            seconds = "" if trial.seconds is None else f"{trial.seconds:.0f}"
            name = f"{trial.name} (default)" if trial.default else trial.name
            told = f"{trial.told}: {trial.error}" if trial.error else trial.told
            rows.append((name, shown, str(trial.epochs), seconds, told))
        print_table("", ("trial", self.settings["objective"], "epochs", "seconds", "settings"), rows)
        print(f"{self}\nto train it: cnnzoo train {self.recipe}", flush=True)


def claim(path: Path, settings: Mapping[str, Any]) -> Search | None:
    """Makes a folder that of a search, or finds that it is; gives what is there.

    Raises:
        ValueError: It is the folder of another search, or a file.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"got the file {path} as folder of a search; allowed: a folder, new or of the same search")
    if (path / "search.json").exists():
        there = json.loads((path / "search.json").read_text())
        other = [key for key in settings if there.get(key) != settings[key]]
        if other:
            raise ValueError(
                f"{path} holds {_described(there, other)}; got {_described(settings, other)}; allowed: the same "
                "arguments, to go on with it, or another folder"
            )
        return Search.open(path) if (path / "trials.json").exists() else None
    path.mkdir(parents=True, exist_ok=True)
    write_bytes(path / "search.json", json.dumps(settings, indent=1).encode())  # workers may do so all at once
    return None


def _described(settings: Mapping[str, Any], fields: list[str]) -> str:
    told = ", ".join(f"{key}={settings.get(key)!r}" for key in fields if key not in ("architecture", "data"))
    return f"a search of {settings['architecture']} on {settings['data']}" + (f" with {told}" if told else "")


def record(search: Search) -> None:
    """Writes the table of the trials, and the recipe of the best if there is one."""
    write_json(search.path / "trials.json", search.to_json())
    if search.ranked:
        best = search.best
        recipe = read_recipe(search.path / "trials" / best.name)
        said = f"{search.settings['objective']} {best.score} on the validation images"
        write_recipe(search.recipe, replace(recipe, expects=said))
