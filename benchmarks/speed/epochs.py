"""Measures an epoch of each recipe by `fit` relative to the bare compiled step on batches of tensors."""

from typing import Any

from speed.cases import Case
from speed.rounds import Worker, in_turns

SECONDS = 1.5  # of a shortened epoch
LEAST, MOST = 6, 200  # steps


def names() -> list[str]:
    """Returns the names of the recipes of the package."""
    from cnnzoo.recipes import list_recipes

    return list_recipes()


def case_of(recipe: Any) -> Case:
    """Returns the network and batch size of a recipe as a case."""
    import cnnzoo

    architecture = recipe.checkpoint.split(".")[0]
    shape = cnnzoo.build(architecture, **recipe.config).image_shape
    side = shape[0] or recipe.crop
    return Case(recipe.checkpoint, architecture, recipe.batch_size, side, shape[2], "", {}, recipe.config)


def measured(name: str, rounds: int, precision: str | None) -> dict[str, Any]:
    """Returns a row: an epoch of a recipe, shortened to about `SECONDS`."""
    worker = Worker("speed.zoo")
    settings = {"precision": precision} if precision else {}
    try:
        step = worker.ask("prepare_epoch", name, LEAST, **settings) / LEAST
        steps = max(LEAST, min(MOST, round(SECONDS / step)))
        worker.ask("prepare_epoch", name, steps, **settings)
        times = in_turns({"zoo": lambda: worker.ask("run"), "step": lambda: worker.ask("run_bare")}, [worker], rounds)
        return {
            "title": name,
            "milliseconds": {side: 1000 * times.median(side) / steps for side in ("zoo", "step")},
            "ratio": {"step": times.ratio("zoo", "step")},
            "steps": steps,
            "dirty": times.dirty,
            "loaded": times.loaded,
        }
    finally:
        worker.close()
