"""The plan of a run: its settings, model and images, and the checks before a run is resumed."""

import os
import platform
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

import cnnzoo
from cnnzoo.data import LABELED, training_images
from cnnzoo.data.addresses import GIVEN, OPTION, absolute, address_of
from cnnzoo.data.fingerprint import changes, fingerprint
from cnnzoo.data.given import given_images
from cnnzoo.data.ground import ground_of
from cnnzoo.data.loading import why_streamed
from cnnzoo.data.photograph_rows import is_photographs
from cnnzoo.data.sources import NAMES
from cnnzoo.evaluation import check
from cnnzoo.phases.precision import resolved
from cnnzoo.recipes import Recipe, optimizers_of, recipe
from cnnzoo.recipes.json_files import find_recipe
from cnnzoo.registry import architecture, from_config, split_name
from cnnzoo.training import shape, updates
from cnnzoo.training.frozen import freeze, names_of
from cnnzoo.training.run_dir import Run
from cnnzoo.training.start import address, recipe_of
from cnnzoo.utils.checks import check_integer

Plan = dict[str, Any]  # the content of `run.json`


def make_plan(
    name: str | Path | Recipe | None, given: Mapping[str, Any], say: Callable[[str], None] = lambda line: None
) -> tuple[Plan, Any, Any]:
    """The plan, the model and the training images of a new run.

    Args:
        name: As in `cnnzoo.train`, or a recipe.
        given: The arguments of `cnnzoo.train` that are not None, by name.
        say: Called with a line for each setting that is taken from the data.

    Raises:
        ValueError, UnknownName: As `cnnzoo.train`.
    """
    base, arch, tag = _base_recipe(name, given)
    plan = _settings(base, arch, given)
    fields = architecture(arch).config_fields()
    fixed = given.get("config", {}) if tag else dict(plan["config"])  # fields that the data do not change
    images, lines = _images_of_shape(plan, given, fixed)
    if "data" in given and "batch_size" not in given and 0 < images.epoch < plan["batch_size"]:
        lines.append(f"batch size {images.epoch} instead of {plan['batch_size']}, as the data have no more images")
        plan["batch_size"] = images.epoch
    if _needs_labels(arch, plan["config"]):
        _check_has_labels(plan, images)  # before a model of no classes is built
    if ("data" in given or not tag) and fields.get("classes") and "classes" not in fixed:
        plan["config"]["classes"] = len(images.classes)
    model = build_model(plan)
    check_labels(plan, model, images)
    if plan["batch_size"] < (least := max(phase.repeats for phase in model.phases())):
        raise ValueError(
            f"`batch_size` must be an integer >= {least}, one image for each update. Received: {plan['batch_size']}"
        )
    plan["config"] = {key: value for key, value in model.get_config().items() if key in fields}
    plan["steps_per_epoch"] = images.steps_per_epoch(plan["batch_size"])
    plan["steps"] = plan["epochs"] * plan["steps_per_epoch"]
    updates.check_steps(plan.get("accumulate", 1), plan["steps"])
    chosen = {key: plan.get(key) for key in updates.SETTINGS}
    optimizers = {
        name: updates.configured(optimizer, **chosen)
        for name, optimizer in optimizers_of(base, model, plan["steps"]).items()
    }
    with _without_tensorflow():
        plan["optimizers"] = {k: keras.saving.serialize_keras_object(v) for k, v in optimizers.items()}
    plan["versions"] = _versions()
    plan["fingerprint"] = fingerprint(images)
    if found := ground_of(images):
        plan["ground"] = found
    if "score_every" in plan:
        check(model, plan["data"], "validation")
        lines.append(f"the validation images of {plan['data']} are held out, for the scores")
    for line in lines:
        say(line)
    return plan, model, images


def _base_recipe(name: str | Path | Recipe | None, given: Mapping[str, Any]) -> tuple[Recipe, str, str]:
    """The recipe that a plan starts from, its architecture, and its tag or ""."""
    if "start" in given:
        start = address(given["start"])
        if name is None:
            _check_has_data(start, given)
            tuned = recipe_of(start)
            return tuned, tuned.checkpoint, ""
        named, arch, tag = _base_recipe(name, {key: value for key, value in given.items() if key != "start"})
        return replace(named, start=start), arch, tag
    assert name is not None
    base = name if isinstance(name, Recipe) else find_recipe(name)
    if base is not None:
        return base, base.checkpoint, ""
    arch, tag = split_name(str(name))
    architecture(arch)  # so that an unknown name is the first error
    if tag:
        return recipe(str(name)), arch, tag
    _check_has_data(arch, given)
    return Recipe(checkpoint=str(name), data="", epochs=10, expects=""), arch, tag


def _check_has_data(name: str, given: Mapping[str, Any]) -> None:
    if "data" not in given:
        raise ValueError(f"`data` (--data) must be the name of a data set or a folder for {name!r}. Received: None")


def _settings(base: Recipe, arch: str, given: Mapping[str, Any]) -> Plan:
    """The part of a plan that depends on the arguments alone, checked."""
    plan: Plan = {"name": base.checkpoint, "architecture": arch}
    plan["data"] = _address(given.get("data", base.data))
    plan["split"] = base.split
    minimum = {"epochs": 1, "batch_size": 1, "seed": 0}
    if "score_every" in given:
        minimum["score_every"] = 1
        plan["split"] = "fit"
    if None in architecture(arch).config_fields().get("image_shape", ()):
        minimum["crop"] = 1
    elif "crop" in given:
        raise ValueError(
            f"`crop` must not be given with {arch!r}, which takes images of one size. Received: crop={given['crop']}"
        )
    for key, least in minimum.items():
        plan[key] = check_integer(key, given[key] if key in given else getattr(base, key), least)
    plan.update(updates.checked_settings(given))
    if not isinstance(given.get("watch", False), bool):
        raise ValueError(f"`watch` must be True or False. Received: {given['watch']!r}")
    if given.get("watch"):
        plan["watch"] = True
    plan["limit"] = given.get("limit", base.limit)
    if plan["limit"] is not None:
        plan["limit"] = check_integer("limit", plan["limit"], 1)
    if base.start is not None:
        plan["start"] = base.start
    if "frozen" in given:
        plan["frozen"] = names_of(given["frozen"])
        if base.start is None:
            raise ValueError(
                "`frozen` (--freeze) must be given with `start` (--from), a trained model; random weights would stay "
                f"random. Received: {', '.join(plan['frozen'])}"
            )
    plan["precision"] = resolved(given.get("precision", base.precision))
    plan["config"] = dict(base.config) | dict(given.get("config", {}))
    return plan


def _images_of_shape(plan: Plan, given: Mapping[str, Any], fixed: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The training images, and a line for each setting taken from the data; adds `image_shape` to the plan."""
    arch = plan["architecture"]
    cls = architecture(arch)
    fields, config = cls.config_fields(), plan["config"]
    lines = []
    folder = _own_folder(plan["data"])
    if "data" in given and folder is None and Path(plan["data"]).is_dir():
        lines.append(f"{plan['data']} is the data set of that name; for the folder: ./{plan['data']}")
    if folder:
        if _needs_labels(arch, config):
            shape.check_labels(folder, arch)
        is_fixed = "image_shape" not in fields or "image_shape" in fixed
        if not is_fixed and (chosen := shape.choose(cls, folder, plan["split"])):
            config["image_shape"], line = chosen
            lines.append(line)
    if plan["data"].startswith(GIVEN) and "image_shape" in fields and "image_shape" not in fixed:
        config["image_shape"] = shape.of_given(cls, given_images(plan["data"]).images)
    if "image_shape" in fields:
        config.setdefault("image_shape", fields["image_shape"])
    memory = given.get("memory")
    images = load_split(plan, plan["split"], plan["limit"], memory)
    if why := why_streamed(images, memory):
        lines.append(why)
    if "data" in given and not folder and (cls.sides or cls.channels) and "image_shape" not in fixed:
        lines.append(shape.kept(plan["data"], images, config["image_shape"]))
    return images, lines


def build_model(plan: Plan) -> Any:
    """The model of a plan, with its frozen parts and watched gradients.

    Keras draws missing seeds from Python's `random`, on every backend.

    Raises:
        ValueError: As `cnnzoo.training.frozen.freeze`.
    """
    with _seeded(plan["seed"]):
        model = from_config(plan["architecture"], plan["config"])
    freeze(model, plan.get("frozen", ()))
    if plan.get("watch"):
        model.watch_gradients()
    return model


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Keeps Keras from importing TensorFlow while an optimizer is serialized, where it is not imported yet.

    `serialize_keras_object` imports TensorFlow, if it is installed, to recognize a `tf.TensorShape`. A run on JAX would
    load it for nothing (seconds, and hundreds of megabytes), and Keras has no option against that. A `None` in
    `sys.modules` is Python's documented way to make an import fail with ModuleNotFoundError.
    """
    absent = "tensorflow" not in sys.modules
    if absent:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["tensorflow"]


def load_split(plan: Plan, split: str, limit: int | None = None, memory: int | None = None) -> Any:
    """The images of a split in the image shape of a plan, or crops of photographs.

    Args:
        plan: The plan.
        split: As in `cnnzoo.data.load`.
        limit: At most this number of images; None for all.
        memory: As in `cnnzoo.data.training_images`.
    """
    shape = plan["config"].get("image_shape")
    return training_images(plan["data"], split, shape, plan.get("crop"), memory).few(limit)


def check_labels(plan: Plan, model: Any, images: Any) -> None:
    """Checks that images have the labels and no more classes than the model needs.

    Raises:
        ValueError: They have no labels, or too many classes.
    """
    if not model.needs_labels:
        return
    _check_has_labels(plan, images)
    if len(images.classes) > model.classes:
        raise ValueError(
            f"`classes` must be an integer >= {len(images.classes)}, the classes of {plan['data']}. "
            f"Received: {model.classes}"
        )


def _check_has_labels(plan: Plan, images: Any) -> None:
    if images.labels is None:
        named = f"; {OPTION}" if address_of(plan["data"]) else ""
        raise ValueError(
            f"The data must have labels for {plan['architecture']}: {LABELED}{named}. Received: {plan['data']} without "
            "labels"
        )


def check_unchanged(run: Run, images: Any, replicas: int = 1) -> None:
    """Compares data, versions and replicas with those at the start of a run. Other versions or replicas are a warning.

    Raises:
        ValueError: The data have changed.
    """
    before = {**run.plan.get("versions", {}), "replicas": run.plan.get("replicas", 1)}
    now = {**_versions(), "replicas": replicas}
    if moved := [f"{key} {now.get(key)} instead of {old}" for key, old in before.items() if now.get(key) != old]:
        warnings.warn(f"{run.path} is resumed with {', '.join(moved)}; its bits may differ", stacklevel=4)
    if "fingerprint" not in run.plan:
        warnings.warn(f"{run.path} has no fingerprint of its data; whether they changed is not known", stacklevel=4)
    elif found := changes(run.plan["fingerprint"], fingerprint(images)):
        raise ValueError(
            f"{run.plan['data']} must be the data that {run.path} began with; for others begin a new run. "
            f"Received: {found}"
        )


def warn_if_changed(run: Run, images: Any) -> None:
    """Warns if the files of a stream have changed since the run began. Images in memory do not change."""
    if images.on_disk is None or "fingerprint" not in run.plan:
        return
    try:
        found = changes(run.plan["fingerprint"], fingerprint(images))
    except (OSError, ValueError) as error:
        found = " ".join(str(error).split())
    if found:
        warnings.warn(
            f"{run.plan['data']} has changed while {run.path} trained on it: {found}; a new run on it has other bits",
            stacklevel=2,
        )


def _address(data: str | Path) -> str:
    """The name of a data set as it is; a path as an absolute one, so that a run resumes from any directory."""
    named = isinstance(data, str) and (data in NAMES or is_photographs(data))
    return str(Path(data).resolve()) if not named and Path(data).is_dir() else absolute(str(data))


def _own_folder(address: str) -> Path | None:
    """The folder at an address from `_address`; None for the name of a data set."""
    return Path(address) if Path(address).is_absolute() and Path(address).is_dir() else None


def _needs_labels(arch: str, config: Mapping[str, Any]) -> bool:
    """Whether an architecture takes labels in this configuration; a GAN does if it has classes."""
    cls = architecture(arch)
    if isinstance(cls.needs_labels, bool):
        return cls.needs_labels
    return bool(config.get("classes", cls.config_fields()["classes"]))


def _versions() -> dict[str, Any]:
    """Versions and hardware that the bits of a run depend on."""
    backend = keras.backend.backend()
    versions = {"cnnzoo": cnnzoo.__version__, "keras": keras.__version__, backend: sys.modules[backend].__version__}
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # that may be used
    return {**versions, "python": platform.python_version(), "backend": backend, "cpus": cpus}
