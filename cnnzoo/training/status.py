"""How far the runs in a folder are, read from their files without a network library."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnzoo.checkpoints.card import PLAN, WEIGHTS
from cnnzoo.checkpoints.table import key_name
from cnnzoo.training.run_dir import CURVE, DIVERGED, HISTORY, has_run
from cnnzoo.utils.atomic_files import in_use
from cnnzoo.utils.json_content import content

ABOUT = ("epoch", "step", "core_hours")  # fields of a curve entry next to its scores


@dataclass(frozen=True)
class RunStatus:
    """How far a run is; unknown values are None.

    Attributes:
        path: Its folder.
        state: "finished", "running" (a process trains in it), "stopped", "diverged", "damaged" or "no run".
        problem: Why it diverged, or what is damaged.
        name: The recipe, or the architecture.
        architecture, data: Their names.
        epochs: Finished epochs.
        planned: Epochs of the plan.
        loss: Of the last epoch.
        score_name, score: The main score of the last entry of `curve.json`.
        core_hours: CPU time of the training at the last state.
    """

    path: Path
    state: str
    problem: str = ""
    name: str = ""
    architecture: str = ""
    data: str = ""
    epochs: int | None = None
    planned: int | None = None
    loss: float | None = None
    score_name: str | None = None
    score: float | None = None
    core_hours: float | None = None


def statuses(folder: str | Path, score: str | None = None) -> list[RunStatus]:
    """The run in a folder; or, if it is none, each folder directly in it, sorted by name.

    Hidden folders are left out. A file is no run.

    Args:
        folder: A run folder, or a folder of them.
        score: The name of the score of each; by default the main one of its task.

    Raises:
        ValueError: It does not exist.
    """
    folder = Path(folder)
    if not folder.exists():
        raise ValueError(f"{folder} must be the folder of a run, or a folder of them. Received: a path without one")
    if not folder.is_dir() or has_run(folder):
        return [status(folder, score)]
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [status(path, score) for path in inside if path.is_dir()]


def status(folder: Path, score: str | None = None) -> RunStatus:
    """How far the run in a folder is; damage is a state, not an error."""
    found = RunStatus(folder, "no run")
    try:
        if not has_run(folder):
            return found
        plan = content(folder / PLAN, dict)
        found = replace(
            found,
            name=str(plan["name"]),
            architecture=str(plan["architecture"]),
            data=str(plan["data"]),
            planned=int(plan["epochs"]),
        )
        history = content(folder / HISTORY, list) if (folder / HISTORY).exists() else []
        curve = content(folder / CURVE, list) if (folder / CURVE).exists() else []
        last: dict[str, Any] = curve[-1] if curve else {}
        score = score or key_name(last) or next((name for name in last if name not in ABOUT), "")
        found = replace(
            found,
            epochs=int(history[-1]["epoch"]) if history else 0,
            loss=finite(history[-1].get("loss")) if history else None,
            score_name=score if score in last else None,
            score=finite(last.get(score)),
            core_hours=_core_hours(folder, last),
        )
        state, problem = _state(folder)
        return replace(found, state=state, problem=problem)
    except KeyError as error:
        return replace(found, state="damaged", problem=f"{error.args[0]} is missing")
    except OSError as error:
        return replace(found, state="damaged", problem=f"{error.filename or folder}: {error.strerror}")
    except (ValueError, TypeError, AttributeError) as error:
        return replace(found, state="damaged", problem=" ".join(str(error).split()))


def _state(folder: Path) -> tuple[str, str]:
    if (folder / WEIGHTS).exists():
        return "finished", ""
    if in_use(folder):
        return "running", ""
    if (folder / DIVERGED).exists():
        return "diverged", str(content(folder / DIVERGED, dict)["problem"])
    return "stopped", ""


def _core_hours(folder: Path, last: dict[str, Any]) -> float | None:
    """The core-hours at the newest readable state, or else at the last scores."""
    for state in sorted(folder.glob("state/step-*/state.json"), reverse=True):
        try:
            return finite(content(state, dict)["core_hours"])
        except (OSError, ValueError, KeyError):
            continue  # of an earlier version, or just replaced
    return finite(last.get("core_hours"))


def finite(value: Any) -> float | None:
    """A finite number, or None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
