"""The specification of a search, checked before any training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnzoo.evaluation import check
from cnnzoo.evaluation.generation import default_extractor
from cnnzoo.recipes import Recipe
from cnnzoo.registry import architecture, list_models, split_name
from cnnzoo.training.plan import make_plan
from cnnzoo.tuning.objectives import objectives
from cnnzoo.tuning.space import Space, check_space, to_json, within
from cnnzoo.utils.checks import check_integer
from cnnzoo.utils.configuration import check as check_config
from cnnzoo.utils.configuration import fields_of

TUNERS = ("random", "hyperband", "bayesian")


@dataclass(frozen=True)
class SearchSpec:
    """The specification of a search.

    Attributes:
        settings: Its arguments, as JSON values.
        space: The domains of the searched fields.
        default_values: The architecture's defaults of those fields; empty if the space does not contain them.
        better: The better direction of the objective, "lower" or "higher".
    """

    settings: dict[str, Any]
    space: dict[str, list | tuple]
    default_values: dict[str, Any]
    better: str

    def recipe(self, values: Mapping[str, Any], epochs: int | None = None) -> Recipe:
        """The recipe of a trial with these values."""
        return _recipe(self.settings, values, epochs or self.settings["epochs"])


def _recipe(settings: Mapping[str, Any], values: Mapping[str, Any], epochs: int) -> Recipe:
    rest = dict(values)
    return Recipe(
        checkpoint=settings["architecture"],
        data=settings["data"],
        epochs=epochs,
        expects="",
        split="fit",
        limit=settings["limit"],
        seed=settings["seed"],
        crop=settings["crop"] or Recipe.crop,
        learning_rate=rest.pop("learning_rate", None),
        batch_size=rest.pop("batch_size", Recipe.batch_size),
        config={**settings["config"], **rest},
    )


def search_spec(
    name: str,
    *,
    data: str | Path,
    tuner: str,
    trials: int,
    epochs: int,
    limit: int | None,
    seed: int,
    objective: str | None,
    space: Space | None,
    config: Mapping[str, Any] | None,
    crop: int | None,
) -> SearchSpec:
    """The arguments of `cnnzoo.tune`, checked; raises its errors."""
    arch, tag = split_name(name)
    if tag:
        raise ValueError(f"`name` must be an architecture, such as {arch!r}. Received: the checkpoint {name!r}")
    cls = architecture(name)
    allowed = objectives(cls)
    if not allowed:
        known = ", ".join(n for n in list_models() if objectives(architecture(n)))
        raise ValueError(f"`name` must be one of {known}. Received: {name!r}, which has nothing to search")
    if not isinstance(data, str | Path):
        raise ValueError(f"`data` must be the name of a data set, or a folder. Received: a {type(data).__name__}")
    if tuner not in TUNERS:
        raise ValueError(f"`tuner` must be one of {', '.join(TUNERS)}. Received: {tuner!r}")
    if objective is not None and objective not in allowed:
        raise ValueError(f"`objective` must be one of {', '.join(allowed)} for {name}. Received: {objective!r}")
    objective = objective or next(iter(allowed))
    trials = check_integer("trials", trials, 1)
    config = check_config(name, fields_of(cls), config or {})
    own_space = {key: domain for key, domain in getattr(cls, "search_space", {}).items() if key not in config}
    domains = check_space(cls, own_space if space is None else space)
    if both := sorted(set(domains) & set(config)):
        raise ValueError(f"A field must be in one of `space` and `config`. Received: {', '.join(both)} in both")
    settings = {
        "architecture": name,
        "data": data,
        "tuner": tuner,
        "trials": trials,
        "epochs": epochs,
        "limit": limit,
        "seed": seed,
        "objective": objective,
        "config": config,
        "crop": crop,
    }
    own = {key: _plain(value) for key, value in cls.config_fields().items() if key in domains}
    tried = {key: own[key] if key in own and within(domain, own[key]) else domain[0] for key, domain in domains.items()}
    if "batch_size" in domains:
        tried["batch_size"] = min(domains["batch_size"])  # if the data are too few for this, they are for all
    recipe = _recipe(settings, tried, epochs)
    plan, model, images = make_plan(recipe, {} if crop is None else {"crop": crop})
    settings |= {"data": plan["data"], "crop": plan.get("crop")}
    if model.task == "generate" and default_extractor(model.image_shape, plan["data"]) is None:
        raise ValueError(
            f"no shipped classifier judges images {tuple(model.image_shape)} beside those of {plan['data']}, and "
            f"{objective} needs one"
        )
    check(model, plan["data"], "validation")
    if "batch_size" in domains:
        own["batch_size"] = Recipe.batch_size
        if space is None:
            domains["batch_size"] = [size for size in domains["batch_size"] if _fits(images, size)]
    if "learning_rate" in domains:
        own["learning_rate"] = _learning_rate(model)
    settings = json.loads(json.dumps({**settings, "space": to_json(domains)}))  # as they are read back
    whole = all(within(domains[key], own[key]) for key in domains)
    return SearchSpec(settings, domains, own if whole else {}, allowed[objective][0])


def _fits(images: Any, batch_size: int) -> bool:
    try:
        return images.steps_per_epoch(batch_size) > 0
    except ValueError:
        return False


def _learning_rate(model: Any) -> float | None:
    """The default rate of the optimizers of all phases; None if they differ or follow a schedule."""
    rates = [optimizer.get_config()["learning_rate"] for optimizer in model.default_optimizers().values()]
    if not isinstance(rates[0], float) or any(rate != rates[0] for rate in rates):
        return None
    return float(f"{rates[0]:.6g}")  # it was float32


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
