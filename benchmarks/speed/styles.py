"""Measures style transfer by optimization: the time to the loss that 500 steps of Adam in Keras reach."""

import math
from typing import Any

from speed.rounds import Worker

ADAM = 500  # steps
STEPS = (50, 65, 80, 100, 125, 150, 200)  # of `stylize` per scale, tried in order until the loss is reached


def measured(side: int, torch: bool) -> dict[str, Any]:
    """Returns a row, from one run of each side, because a run takes minutes; compilation is included.

    Args:
        side: Side of the square content and style images, in pixels.
        torch: Also run L-BFGS and Adam of PyTorch, with the same weights.
    """
    keras, zoo = Worker("speed.styles_keras"), Worker("speed.styles_keras")
    try:
        seconds, target = keras.ask("adam", side, ADAM)
        row: dict[str, Any] = {
            "title": f"style transfer, {side}x{side}",
            "target": target,
            "seconds": {"keras": seconds},
        }
        loss = math.inf
        for steps in STEPS:
            row["seconds"]["zoo"], loss = zoo.ask("stylized", side, steps)
            row["steps"] = steps
            if loss <= target:
                break
        row["reached"] = loss <= target
        if torch:
            best = _best_of_torch(zoo.ask("goal", side), side, target, 3 * seconds)
            if math.isfinite(best):
                row["seconds"]["torch"] = best
            else:
                row["title"] += ", PyTorch not in three times Keras's time"
        mine = row["seconds"]["zoo"]
        row["milliseconds"] = {name: 1000 * value for name, value in row["seconds"].items()}
        row["ratio"] = {peer: 3 * (mine / value,) for peer, value in row["seconds"].items() if peer != "zoo"}
        return row
    finally:
        keras.close()
        zoo.close()


def _best_of_torch(goal: dict[str, Any], side: int, target: float, limit: float) -> float:
    """Returns the seconds of the faster PyTorch optimizer to the target; infinite beyond `limit` seconds."""
    worker = Worker("speed.styles_torch")
    try:
        return min(worker.ask("optimized", goal, side, kind, target, limit) for kind in ("lbfgs", "adam"))
    finally:
        worker.close()
