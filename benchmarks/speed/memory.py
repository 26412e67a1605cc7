"""Peak resident memory, each side in a fresh process: libraries, weights, data and everything else."""

from typing import Any

from speed.cases import CASES
from speed.rounds import Worker
from speed.verbs import VERBS

STEPS = 5


def of_step(name: str) -> dict[str, Any]:
    """A row: `fit` of the zoo and of the usual Keras loop."""
    return {"title": CASES[name].title, "peak": {side: _step(name, side) for side in ("zoo", "usual")}}


def _step(name: str, side: str) -> float:
    worker = Worker(f"speed.{side}")
    try:
        worker.ask("prepare", name, STEPS)
        return worker.peak_bytes()
    finally:
        worker.close()


def of_verb(verb: str) -> dict[str, Any]:
    """A row: a verb on a photograph of 1024x1024 pixels or on 256 small images, and its bare compiled graph."""
    return {"title": f"{VERBS[verb].checkpoint} {verb}", "peak": {side: _verb(verb, side) for side in ("zoo", "graph")}}


def _verb(verb: str, side: str) -> float:
    worker = Worker("speed.verbs_tensorflow")
    try:
        worker.ask("prepare", verb, max(VERBS[verb].sizes), (side,))
        return worker.peak_bytes()
    finally:
        worker.close()
