"""Trains an architecture of the zoo for a number of minutes of wall time, for `score.py`.

    python benchmarks/quality/zoo.py dcgan --data mnist --minutes 60 --out runs/equal/dcgan.mnist

The settings are those of the recipe `<arch>.<data>`, or the published ones of the architecture if there is no recipe.
The learning rate of a recipe decays over the planned steps, so the number of epochs is set in advance. A short run
measures the time of a step and the time between two epochs; the planned number of epochs is the one closest to the
budget. The clock starts after the first step, which compiles, and stops the run when the budget is used up, whatever
the plan.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import keras

import cnnzoo
from cnnzoo.recipes import list_recipes
from cnnzoo.training.run_dir import Run

TIMED = 30  # steps


class Clock(keras.callbacks.Callback):
    """Stops a run after a number of seconds or steps, not counting the first step.

    Attributes:
        steps, seconds: Number of steps and time since the first step.
    """

    def __init__(self, budget: float = math.inf, limit: float = math.inf):
        super().__init__()
        self.budget, self.limit = budget, limit
        self.begun: float | None = None
        self.steps, self.seconds = 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if self.begun is None:
            self.begun = now
            return
        self.steps, self.seconds = self.steps + 1, now - self.begun
        if self.steps >= self.limit or self.seconds >= self.budget:
            self.model.stop_training = True


def epochs_within(budget: float, settings: dict[str, Any]) -> int:
    """Returns the number of epochs, at least one, whose time is closest to `budget` seconds."""
    clock = Clock(limit=TIMED)
    with tempfile.TemporaryDirectory() as folder:
        run = cnnzoo.train(**settings, epochs=1, out=folder, callbacks=[clock], verbose=0)
        between = time.perf_counter() - clock.begun - clock.seconds  # the state, the contact sheet, the weights
        epoch = Run.open(run).plan["steps_per_epoch"] * clock.seconds / clock.steps + between
    print(f"{clock.steps / clock.seconds:.2f} steps a second, {epoch:.0f} s an epoch", flush=True)
    return max(1, round(budget / epoch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arch")
    parser.add_argument("--data", required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's, or 128")
    parser.add_argument("--config", type=json.loads, default={}, help="fields of the architecture, as a JSON object")
    parser.add_argument("--out", required=True, help="the run folder")
    asked = parser.parse_args()

    recipe = f"{asked.arch}.{asked.data}"
    settings = {
        "name": recipe if recipe in list_recipes() else asked.arch,
        "data": asked.data,
        "seed": asked.seed,
        "batch_size": asked.batch_size,
        "config": asked.config,
    }
    budget = 60 * asked.minutes
    epochs = epochs_within(budget, settings)
    clock = Clock(budget)
    begun_cpu = time.process_time()
    cnnzoo.train(**settings, epochs=epochs, out=Path(asked.out), callbacks=[clock], verbose=0)
    print(
        f"{settings['name']}: {clock.steps + 1} steps of {epochs} epochs planned; {clock.seconds:.1f} s, "
        f"{time.process_time() - begun_cpu:.1f} s on the CPU with what came before and after"
    )


if __name__ == "__main__":
    main()
