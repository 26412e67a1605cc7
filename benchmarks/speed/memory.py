"""Measures peak resident memory, with each side in a new process: libraries, weights, data and everything else."""

from typing import Any

from speed.cases import CASES
from speed.rounds import Worker
from speed.verbs import VERBS

STEPS = 5


def of_step(name: str) -> dict[str, Any]:
    """Returns a row: peak memory of `fit` of the zoo and of the Keras loop."""
    return {"title": CASES[name].title, "peak": {side: _step(name, side) for side in ("zoo", "usual")}}


def _step(name: str, side: str) -> float:
    worker = Worker(f"speed.{side}")
    try:
        worker.ask("prepare", name, STEPS)
        return worker.peak_bytes()
    finally:
        worker.close()


def of_verb(verb: str) -> dict[str, Any]:
    """Returns a row: peak memory of a verb and its bare graph, on 1024x1024 pixels or 256 small images."""
    return {"title": f"{VERBS[verb].checkpoint} {verb}", "peak": {side: _verb(verb, side) for side in ("zoo", "graph")}}


def _verb(verb: str, side: str) -> float:
    worker = Worker("speed.verbs_tensorflow")
    try:
        worker.ask("prepare", verb, max(VERBS[verb].sizes), (side,))
        return worker.peak_bytes()
    finally:
        worker.close()
