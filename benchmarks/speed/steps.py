"""Training steps: `fit` of the zoo over the usual Keras loop over the same sub-networks, and over PyTorch's."""

import statistics
from typing import Any

from speed.cases import CASES
from speed.rounds import Worker, in_turns

SECONDS = 0.8  # of the steps of one call of `fit` of the usual loop
LEAST, MOST = 6, 80  # steps of one call
LEARNING = 6.0  # seconds of the usual loop in which losses are compared


def measured(
    name: str, rounds: int, seeds: int = 0, precision: str | None = None, torch: str | None = None
) -> dict[str, Any]:
    """A row of the table.

    Args:
        name: Of a case.
        rounds: Clean rounds.
        seeds: Runs of both sides from equal weights, to compare their losses; 0 to leave it out.
        precision: Of the zoo's `compile`; None for its default.
        torch: "eager" or "compiled" to have PyTorch's loop beside, the latter with what its compiler makes.
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
    """The losses of both sides, and whether they differ by less than the seeds do."""
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
    """GFLOP/s of matrix products by dtype."""
    worker = Worker("speed.usual")
    try:
        return worker.ask("measured_roof")
    finally:
        worker.close()
