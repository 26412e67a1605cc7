"""Training recipes of the checkpoints, with their expected scores: one file per architecture, `RECIPES` by tag."""

import fnmatch
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cnnzoo.registry import UnknownName, list_models, split_name


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run, with the expected and the published scores.

    Args:
        data: Name of the data set.
        epochs: Number of epochs.
        expects: Expected test scores, in words.
        checkpoint: Name of the checkpoint, "arch.tag"; set by `recipe`.
        summary: Description on the card. Required of every recipe of the package.
        cost: Training time, in words.
        published: Comparable score of the literature, with the paper and the table or section; or "none" and the
            reason. Required of every recipe of the package.
        differs: Differences from the published setting.
        split: "train" for all training images; "fit" to hold out the validation images and score them during training.
        batch_size: Images per step.
        crop: Side of the square crops of photographs in pixels, for models that take images of any size.
        start: Checkpoint to initialize the network from; None for random weights.
        limit: Number of training images, chosen by `cnnzoo.data.ImageSet.few`; None for all.
        seed: Seed of the initial weights, the order of the images and all noise.
        precision: Of the training steps: "auto" for the fastest of the machine, or "float32" where bfloat16 costs
            quality.
        config: Keyword arguments of the architecture.
        learning_rate: Constant learning rate of all optimizers; None for their own.
        optimizers: Function from {phase name: number of updates}, which schedules need, to {phase name: optimizer};
            None for the default optimizers.
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
    crop: int = 48  # every scale and stride divides it
    start: str | None = None
    limit: int | None = None
    seed: int = 0
    precision: str = "auto"
    config: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float | None = None
    optimizers: Callable[[Mapping[str, int]], dict[str, Any]] | None = None


def adam_cosine(
    rate: float, *phases: str, beta_1: float = 0.9, beta_2: float = 0.999, warmup: float = 0.0, end: float = 0.0
) -> Callable[[Mapping[str, int]], dict[str, Any]]:
    """Makes `Recipe.optimizers`: Adam with cosine decay for each phase.

    Args:
        rate: Initial learning rate.
        phases: Names of the phases.
        beta_1, beta_2: As in Adam.
        warmup: Share of the updates in [0, 1) with a linear warmup from 0, before the decay.
        end: Final learning rate as a share of the initial one.
    """

    def optimizers(updates: Mapping[str, int]) -> dict[str, Any]:
        import keras

        def falling(count: int) -> Any:
            if rising := round(warmup * count):
                decay = {"decay_steps": count - rising, "warmup_target": rate, "warmup_steps": rising}
                return keras.optimizers.schedules.CosineDecay(0.0, alpha=end, **decay)
            return keras.optimizers.schedules.CosineDecay(rate, count, alpha=end)

        return {p: keras.optimizers.Adam(falling(updates[p]), beta_1=beta_1, beta_2=beta_2) for p in phases}

    return optimizers


def optimizers_of(base: Recipe, model: Any, steps: int) -> dict[str, Any]:
    """The optimizers of a recipe, {phase name: optimizer}, for a model that is trained for a number of steps."""
    updates = {phase.name: phase.repeats * steps for phase in model.phases()}
    optimizers = base.optimizers(updates) if base.optimizers else model.default_optimizers()
    if base.learning_rate is not None:
        for optimizer in optimizers.values():
            optimizer.learning_rate = base.learning_rate
    return optimizers


def _recipes(arch: str) -> Mapping[str, Recipe]:
    """The recipes of an architecture: {tag: recipe}."""
    if importlib.util.find_spec(f"{__name__}.{arch}") is None:
        return {}
    return importlib.import_module(f"{__name__}.{arch}").RECIPES


def list_recipes(pattern: str = "*") -> list[str]:
    """The checkpoints with a recipe, sorted, filtered by a glob pattern or by the name of an architecture."""
    names = [f"{arch}.{tag}" for arch in list_models() for tag in _recipes(arch)]
    return sorted(n for n in names if fnmatch.fnmatch(n, pattern) or split_name(n)[0] == pattern)


def recipe(name: str) -> Recipe:
    """The recipe of the checkpoint `arch.tag`.

    Raises:
        UnknownName: There is no recipe of that name.
    """
    arch, tag = split_name(name)
    if arch not in list_models() or tag not in _recipes(arch):
        raise UnknownName("recipe", name, list_recipes())
    return replace(_recipes(arch)[tag], checkpoint=name)
