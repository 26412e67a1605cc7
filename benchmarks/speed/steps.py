"""Measures training steps: `fit` of the zoo relative to common Keras and PyTorch loops over the same sub-networks."""

import statistics
from typing import Any

from speed.cases import CASES
from speed.rounds import Worker, in_turns

SECONDS = 0.8  # of one call of `fit` of the Keras loop
LEAST, MOST = 6, 80  # steps per call
LEARNING = 6.0  # seconds of training of the Keras loop before losses are compared


def measured(
    name: str, rounds: int, seeds: int = 0, precision: str | None = None, torch: str | None = None
) -> dict[str, Any]:
    """Returns a row of the table.

    Args:
        name: Name of a case.
        rounds: Number of clean rounds.
        seeds: Number of runs of both sides from the same weights, to compare their losses; 0 for no comparison.
        precision: Precision in the zoo's `compile`; None for its default.
        torch: "eager" or "compiled" to include PyTorch's loop; "compiled" also tries its compiler.
    """
    settings = {"precision": precision} if precision else {}
    workers = {"zoo": Worker("speed.zoo"), "keras": Worker("speed.usual")}
    try:
        step = workers["keras"].ask("prepare", name, LEAST) / LEAST
        steps = max(LEAST, min(MOST, round(SECONDS / step)))
        workers["keras"].ask("prepare", name, steps)
        workers["zoo"].ask("prepare", name, steps, **settings)
        form, forms = "", {}
        if torch:
            workers["torch"] = Worker("speed.torch_loops")
            form, forms = workers["torch"].ask("prepare", name, steps, torch == "compiled")
        work = {side: lambda worker=worker: worker.ask("run") for side, worker in workers.items()}
        times = in_turns(work, list(workers.values()), rounds)
        milliseconds = {side: 1000 * times.median(side) / steps for side in workers}
        row = {
            "title": CASES[name].title,
            "milliseconds": milliseconds,
            "ratio": {peer: times.ratio("zoo", peer) for peer in workers if peer != "zoo"},
            "form": form,
            "forms": forms,
            "steps": steps,
            "rounds": rounds,
            "dirty": times.dirty,
            "loaded": times.loaded,
            "gigaflops": workers["keras"].ask("gigaflops", name),
            "precision": precision or "",
        }
        if seeds:
            count = max(10, min(300, round(1000 * LEARNING / milliseconds["keras"])))
            row["loss"] = {"steps": count, **_losses(name, workers, seeds, count, settings)}
        return row
    finally:
        for worker in workers.values():
            worker.close()


def _losses(name: str, workers: dict[str, Worker], seeds: int, steps: int, settings: dict) -> dict[str, Any]:
    """Returns the mean losses of both sides, and the standard deviation of the Keras loop over the seeds."""
    workers = {side: workers[side] for side in ("zoo", "keras")}
    found: dict[str, list[float]] = {side: [] for side in workers}
    for seed in range(1, seeds + 1):
        for side, worker in workers.items():
            weights = worker.ask("trained", name, seed, steps, **(settings if side == "zoo" else {}))
            found[side].append(workers["zoo"].ask("loss_of", name, weights))
    means = {side: statistics.mean(losses) for side, losses in found.items()}
    spread = statistics.stdev(found["keras"]) if seeds > 1 else 0.0
    return {**means, "spread": spread, "alike": CASES[name].alike}


def roof() -> dict[str, float]:
    """Returns {dtype: GFLOP/s} of a matrix product."""
    worker = Worker("speed.usual")
    try:
        return worker.ask("measured_roof")
    finally:
        worker.close()
