"""How checkpoints are trained, and the score to expect: `RECIPES` by tag in one file per architecture."""

import fnmatch
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnnzoo.registry import UnknownName, list_models, split_name


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint is trained.

    Args:
        data: The name of its data set.
        epochs: Passes over the data.
        expects: The number that its evaluation should give, in words.
        checkpoint: Its name, "arch.tag"; `recipe` sets it.
        summary: The description on its card. Required of every recipe that the zoo ships.
        cost: How long the training takes, in words.
        published: The number of the literature to hold beside it, with the paper and the place in it; or that there is
            "none", and why. Required of every recipe that the zoo ships.
        differs: What sets the two apart, where there is a number.
        split: "train" for all training images; "fit" to leave out the validation images and watch them.
        batch_size: Images a step.
        crop: The side of the square crops of photographs that a model of images of any size is trained on.
        start: The checkpoint whose network the training begins with; None for weights drawn at random.
        limit: Only so many images of the split, as `cnnzoo.data.ImageSet.few` takes them; None for all.
        seed: Of the initial weights, the order of the images and all noise.
        bfloat16: Let TensorFlow compute convolutions and matrix products in bfloat16, in training alone; the weights
            stay float32. Twice as fast on a CPU that has it, and without effect elsewhere.
        config: Keywords of the architecture.
        learning_rate: Of the optimizer of each phase, in place of its own; None to leave that.
        optimizers: Takes how often each phase is updated, {phase name: updates}, since that is what the schedule of an
            optimizer counts, and gives `{phase name: optimizer}`; None for the published ones.
    """

    data: str
    epochs: int
    expects: str
    checkpoint: str = ""
    summary: str = ""
    cost: str = ""
    published: str = ""
    differs: str = ""
    split: str = "train"
    batch_size: int = 128
    crop: int = 64
    start: str | None = None
    limit: int | None = None
    seed: int = 0
    bfloat16: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    optimizers: Callable[[Mapping[str, int]], dict[str, Any]] | None = None


def adam_cosine(
    rate: float, *phases: str, beta_1: float = 0.9, beta_2: float = 0.999, warmup: float = 0.0
) -> Callable[[Mapping[str, int]], dict[str, Any]]:
    """`Recipe.optimizers`: an Adam for each phase, whose rate falls from `rate` to 0 along half a cosine.

    For the share `warmup` of the updates it rises to `rate` before, from 0 along a line.
    """

    def optimizers(updates: Mapping[str, int]) -> dict[str, Any]:
        import keras

        def falling(count: int) -> Any:
            if rising := round(warmup * count):
                decay = {"decay_steps": count - rising, "warmup_target": rate, "warmup_steps": rising}
                return keras.optimizers.schedules.CosineDecay(0.0, **decay)
            return keras.optimizers.schedules.CosineDecay(rate, count)

        return {p: keras.optimizers.Adam(falling(updates[p]), beta_1=beta_1, beta_2=beta_2) for p in phases}

    return optimizers


def optimizers_of(base: Recipe, model: Any, steps: int) -> dict[str, Any]:
    """The optimizer of each phase of a model that is trained for so many steps as a recipe says."""
    updates = {phase.name: phase.repeats * steps for phase in model.phases()}
    optimizers = base.optimizers(updates) if base.optimizers else model.published_optimizers()
    if base.learning_rate is not None:
        for optimizer in optimizers.values():
            optimizer.learning_rate = base.learning_rate
    return optimizers


def _recipes(arch: str) -> Mapping[str, Recipe]:
    """`{tag: recipe}` of an architecture."""
    if importlib.util.find_spec(f"{__name__}.{arch}") is None:
        return {}
    return importlib.import_module(f"{__name__}.{arch}").RECIPES


def list_recipes(pattern: str = "*") -> list[str]:
    """The checkpoints with a recipe that match, sorted: a pattern of names, or an architecture for all of its own."""
    names = [f"{arch}.{tag}" for arch in list_models() for tag in _recipes(arch)]
    return sorted(n for n in names if fnmatch.fnmatch(n, pattern) or split_name(n)[0] == pattern)


def recipe(name: str) -> Recipe:
    """The recipe of the checkpoint `arch.tag`.

    Raises:
        UnknownName: There is none of that name.
    """
    arch, tag = split_name(name)
    if arch not in list_models() or tag not in _recipes(arch):
        raise UnknownName("recipe", name, list_recipes())
    return replace(_recipes(arch)[tag], checkpoint=name)
