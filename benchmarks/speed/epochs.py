"""An epoch of each recipe through `fit`, over the bare compiled step on batches that are tensors already."""

from typing import Any

from speed.cases import Case
from speed.rounds import Worker, in_turns

SECONDS = 1.5  # of an epoch
LEAST, MOST = 6, 200  # steps


def names() -> list[str]:
    """The recipes of the package."""
    from cnnzoo.recipes import list_recipes

    return list_recipes()


def case_of(recipe: Any) -> Case:
    """The network and batch of a recipe."""
    import cnnzoo

    architecture = recipe.checkpoint.split(".")[0]
    shape = cnnzoo.build(architecture, **recipe.config).image_shape
    side = shape[0] or recipe.crop
    return Case(recipe.checkpoint, architecture, recipe.batch_size, side, shape[2], "", {}, recipe.config)


def measured(name: str, rounds: int, precision: str | None) -> dict[str, Any]:
    """A row: the recipe's epoch, cut to a second or two."""
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
