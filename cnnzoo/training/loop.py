"""Training: any architecture on any data set, by recipe or from scratch, stopped and resumed to the same bits."""

import os
import platform
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import cnnzoo
from cnnzoo.hub import build
from cnnzoo.recipes import Recipe, optimizers_of, recipe
from cnnzoo.recipes.json_files import find_recipe
from cnnzoo.registry import architecture, from_config, split_name
from cnnzoo.training.run_dir import Run, check_vacant, write_json
from cnnzoo.utils.atomic_files import locked

COVERED = 500  # training images whose coverage by samples is watched
ORIGINALS = 16  # images in the contact sheets of a model that changes images


def train(
    name: str | Path | None = None,
    *,
    data: str | Path | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    crop: int | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    callbacks: Sequence = (),
    verbose: Any = "auto",
) -> Path:
    """Trains a model and gives the folder of the run, whose `model.weights.h5` `build(arch, weights=folder)` takes.

    Two equal calls on one machine end in equal bits, and so does a run that was killed and resumed: everything random
    comes from `seed`. The first SIGINT or SIGTERM ends the run after the current batch, with its state saved. A
    warning says where a run is resumed with other versions, backend or number of cores, as its bits may differ then.

    Args:
        name: `arch.tag` for the recipe of that checkpoint, `arch` for an architecture with its published settings; or
            the folder or file of a recipe that `cnnzoo.tune` found.
        data: A data set's name or a folder; the recipe's own by default. Images are fitted to the model's shape by
            `cnnzoo.imaging.arrays.fit_to`. For a folder, the shape is taken from its pictures unless `config` has an
            `image_shape` (see `cnnzoo.training.shape.choose`), and a line says what was taken. A folder of pictures
            without class folders will do where no labels are needed.
        epochs: Passes over the data, >= 1; the recipe's, or 10.
        batch_size: Images a step, >= 1; the recipe's, or 128, or all where `data` has fewer.
        seed: >= 0; the recipe's, or 0.
        crop: The side of the square crops of photographs, for a model of images of any size; the recipe's, or 64.
        limit: Train on so many of the images alone, >= 1; the recipe's, or all. See `cnnzoo.data.ImageSet.few`.
        out: The run folder; by default a new one in `runs/`.
        resume: The folder of a run to go on with, instead of all the above and `config`.
        config: Keywords of the architecture, over those of the recipe.
        callbacks: Further Keras callbacks. What they remember themselves is not restored when a run is resumed.
        verbose: As in Keras's `fit`; 0 prints nothing, 2 a line an epoch.

    Raises:
        ValueError: An argument out of range; a folder that holds a run already, or none to resume; data that do not
            suit the model, or are not those that the run began with; another process trains in the folder.
        UnknownName: There is no such recipe, architecture or data set.
        TrainingDiverged: A loss became NaN or infinite; the last good state stays.
        KeyboardInterrupt: After SIGINT or SIGTERM; the message says how to go on.
    """
    asked: dict[str, Any] = {
        "data": data,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "crop": crop,
        "limit": limit,
    }
    asked["config"] = config
    given = {key: value for key, value in asked.items() if value is not None}
    if resume is not None:
        if extra := [key for key, value in {"name": name, "out": out, **given}.items() if value is not None]:
            raise ValueError(f"got {', '.join(extra)} beside resume; a run goes on with the settings it began with")
        run = Run.open(resume)
        if run.finished:
            _say(verbose, f"{run.path} is finished: {run.plan['epochs']} epochs")
            return run.path
        with locked(run.path):
            images = _load(run.plan, run.plan["split"], run.plan.get("limit"))
            model = _build(run.plan)
            _check_labels(run.plan, model, images)
            _check_unchanged(run, images)
            return _train(run, model, images, callbacks, verbose)
    else:
        if name is None:
            raise ValueError("got no name; allowed: arch.tag, arch with data, or resume with a run folder")
        folder = Path(out) if out is not None else None
        if folder is not None:
            check_vacant(folder)  # before the data are loaded
        plan, model, images = make_plan(name, given, partial(_say, verbose))
        folder = folder or _vacant_folder(plan)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            return _train(Run.create(folder, plan), model, images, callbacks, verbose)


def _train(run: Run, model: Any, images: Any, callbacks: Sequence, verbose: Any) -> Path:
    """Trains what is left of a run; gives its folder."""
    _say(verbose, f"run folder: {run.path}")
    try:
        _fit(run, model, images, callbacks, verbose)
    except KeyboardInterrupt as stopped:
        _say(verbose, f"\n{stopped or f'stopped at once; to go on: {run.resume_command}'}")
        raise
    run.finish(model)
    return run.path


def make_plan(
    name: str | Path | Recipe, given: dict[str, Any], say: Callable[[str], None] = lambda line: None
) -> tuple[dict[str, Any], Any, Any]:
    """What `run.json` says, and the model and images it speaks of, for arguments of `train` or for a recipe.

    `say` gets a line for each setting that was taken from the data.
    """
    import keras

    from cnnzoo.data.fingerprint import fingerprint
    from cnnzoo.data.ground import ground_of
    from cnnzoo.training import shape

    base = name if isinstance(name, Recipe) else find_recipe(name)
    arch, tag = (base.checkpoint, "") if base else split_name(str(name))
    if base is None:
        architecture(arch)  # so that a wrong name is told of first
        if not tag and "data" not in given:
            raise ValueError(f"got {arch!r} without data; allowed: data (--data), the name of a data set or a folder")
        base = recipe(str(name)) if tag else Recipe(checkpoint=str(name), data="", epochs=10, expects="")
    plan: dict[str, Any] = {"name": base.checkpoint, "architecture": arch}
    plan["data"] = _address(given.get("data", base.data))
    plan["split"] = base.split
    least_of = {"epochs": 1, "batch_size": 1, "seed": 0}
    if None in architecture(arch).config_fields().get("image_shape", ()):
        least_of["crop"] = 1
    elif "crop" in given:
        raise ValueError(f"got crop={given['crop']} for {arch!r}, which takes images of one size; allowed: none")
    for key, least in least_of.items():
        plan[key] = given.get(key, getattr(base, key))
        if not isinstance(plan[key], int) or plan[key] < least:
            raise ValueError(f"got {key}={plan[key]!r}; allowed: an integer >= {least}")
    plan["limit"] = given.get("limit", base.limit)
    if base.start is not None:
        plan["start"] = base.start
    if base.bfloat16:
        plan["bfloat16"] = True
    fields = architecture(arch).config_fields()
    plan["config"] = dict(base.config) | dict(given.get("config", {}))
    told = given.get("config", {}) if tag else dict(plan["config"])
    images, lines = None, []  # said where the plan stands
    folder = _own_folder(plan["data"])
    if "data" in given and folder is None and Path(plan["data"]).is_dir():
        lines.append(f"{plan['data']} is the data set of that name; for the folder: ./{plan['data']}")
    if folder:
        if _needs_labels(arch, plan["config"]):
            shape.check_labels(folder, arch)
        asked = "image_shape" not in fields or "image_shape" in told
        if not asked and (chosen := shape.choose(architecture(arch), folder, base.split)):
            plan["config"]["image_shape"], line, images = chosen
            lines.append(line)
    if "image_shape" in fields:
        plan["config"].setdefault("image_shape", fields["image_shape"])
    images = _load(plan, base.split, plan["limit"]) if images is None else images.few(plan["limit"])
    choice = architecture(arch).sides or architecture(arch).channels
    if "data" in given and not folder and choice and "image_shape" not in told:
        lines.append(shape.kept(plan["data"], images, plan["config"]["image_shape"]))
    if "data" in given and "batch_size" not in given and 0 < images.epoch < plan["batch_size"]:
        lines.append(f"batch size {images.epoch} instead of {plan['batch_size']}, as the data have no more images")
        plan["batch_size"] = images.epoch
    if ("data" in given or not tag) and fields.get("classes") and "classes" not in told:
        plan["config"]["classes"] = len(images.classes)
    model = _build(plan)
    _check_labels(plan, model, images)
    if plan["batch_size"] < (least := max(phase.repeats for phase in model.phases())):
        raise ValueError(f"got batch_size={plan['batch_size']}; allowed: {least} or more, one image for each update")
    plan["config"] = {key: value for key, value in model.get_config().items() if key in fields}
    plan["steps_per_epoch"] = images.steps_per_epoch(plan["batch_size"])
    plan["steps"] = plan["epochs"] * plan["steps_per_epoch"]
    optimizers = optimizers_of(base, model, plan["steps"])
    with _without_tensorflow():
        plan["optimizers"] = {k: keras.saving.serialize_keras_object(v) for k, v in optimizers.items()}
    plan["versions"] = _versions()
    plan["fingerprint"] = fingerprint(images)
    if found := ground_of(images):
        plan["ground"] = found
    for line in lines:
        say(line)
    return plan, model, images


def _fit(run: Run, model: Any, images: Any, callbacks: Sequence, verbose: Any) -> None:
    import keras

    from cnnzoo.training.callbacks import Journal, Keeper, Summary, stop_on_signals

    plan = run.plan
    deserialize = keras.saving.deserialize_keras_object
    model.compile({name: deserialize(config) for name, config in plan["optimizers"].items()})
    state = run.newest_state()
    with stop_on_signals() as stop, _bfloat16(plan.get("bfloat16", False)):
        keeper = Keeper(run, state, stop)
        if state:
            model.load_weights(state.weights)
            write_json(run.path / "history.json", state.history)  # the kill may have come before this
        elif "start" in plan:
            model.init_from(build(plan["start"]))
        if model.pictures:
            from cnnzoo.data.paintings import painting

            model.set_style_targets({name: painting(name).pixels for name in model.pictures})
        settings = {
            "callbacks": [
                *_watch(model, images, keeper.history),
                *callbacks,
                *([Summary()] if verbose == 2 else []),
                Journal(run.path, _originals(plan, model)),
                keeper,
            ],
            "shuffle": False,
            "verbose": 0 if verbose == 2 else verbose,
        }
        if plan["split"] == "fit":
            held_out = _load(plan, "validation")
            settings["validation_data"] = (held_out.images, held_out.labels)
            settings["validation_batch_size"] = plan["batch_size"]
        while keeper.step < plan["steps"] and not model.stop_training:
            begun, done = divmod(keeper.step, plan["steps_per_epoch"])
            model.fit(
                _batches(images, plan["batch_size"], plan["seed"], keeper.step),
                steps_per_epoch=plan["steps_per_epoch"] - done,
                initial_epoch=begun,
                epochs=begun + 1 if done else plan["epochs"],  # first the rest of an epoch that was left
                **settings,
            )


def _build(plan: dict[str, Any]) -> Any:
    """The model of a plan. Keras takes the seeds it is not given from Python's `random`, on every backend."""
    with _seeded(plan["seed"]):
        return from_config(plan["architecture"], plan["config"])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _bfloat16(wanted: bool) -> Iterator[None]:
    """Has TensorFlow rewrite the graphs that it optimises meanwhile; JAX has no such switch."""
    import keras

    if not wanted or keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    switch = "auto_mixed_precision_onednn_bfloat16"
    before = tf.config.optimizer.get_experimental_options().get(switch, False)
    tf.config.optimizer.set_experimental_options({switch: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({switch: before})


@contextmanager
def _without_tensorflow() -> Iterator[None]:
    """Where TensorFlow is not loaded, keeps Keras from loading it just to ask whether an object is TensorFlow's."""
    absent = "tensorflow" not in sys.modules
    if absent:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["tensorflow"]


def _load(plan: dict[str, Any], split: str, limit: int | None = None) -> Any:
    """What a plan trains on: images of the shape that the model takes, or crops of photographs; all, or of `limit`."""
    from cnnzoo.data import training_images

    return training_images(plan["data"], split, plan["config"].get("image_shape"), plan.get("crop")).few(limit)


def _check_labels(plan: dict[str, Any], model: Any, images: Any) -> None:
    """Raises a ValueError where a model that is told labels would get none, or one that it has no class for."""
    from cnnzoo.data import LABELED

    if not model.needs_labels:
        return
    if images.labels is None:
        raise ValueError(f"{plan['data']} has no labels, and {plan['architecture']} needs them; {LABELED}")
    if len(images.classes) > model.classes:
        raise ValueError(
            f"got classes={model.classes} for {plan['data']}, which has {len(images.classes)}; allowed: at least those"
        )


def _check_unchanged(run: Run, images: Any) -> None:
    """Compares the data and the versions with those that a run began with.

    Raises:
        ValueError: The data have changed.
    """
    from cnnzoo.data.fingerprint import changes, fingerprint

    before, now = run.plan.get("versions", {}), _versions()
    if moved := [f"{key} {now.get(key)} instead of {old}" for key, old in before.items() if now.get(key) != old]:
        warnings.warn(f"{run.path} is resumed with {', '.join(moved)}; its bits may differ", stacklevel=3)
    if "fingerprint" not in run.plan:
        warnings.warn(f"{run.path} has no fingerprint of its data; whether they changed is not known", stacklevel=3)
    elif found := changes(run.plan["fingerprint"], fingerprint(images)):
        raise ValueError(f"{run.plan['data']} has {found}; allowed: the data that {run.path} began with, or a new run")


def _originals(plan: dict[str, Any], model: Any) -> Any:
    """The validation images that the contact sheets show beside the model's outputs; never test images."""
    if model.task in ("generate", "classify"):
        return None
    images = _load(plan, "validation").images
    return (images if len(images) else _load(plan, plan["split"]).images)[:ORIGINALS]


def _watch(model: Any, images: Any, history: list[dict[str, Any]]) -> list:
    """The callback that notices when a generator collapses, where there are enough images to notice it by."""
    from cnnzoo.metrics.features import NEIGHBORS
    from cnnzoo.training.callbacks import Coverage

    if model.task != "generate" or len(images.images) <= NEIGHBORS:
        return []
    best = max((entry.get("coverage", 0.0) for entry in history), default=0.0)
    return [Coverage(images.images[:COVERED], best)]


def _batches(images: Any, batch_size: int, seed: int, start_step: int) -> Any:
    """The endless batches from a step on, the same on both backends."""
    import keras

    on_tensorflow = keras.backend.backend() == "tensorflow"
    return (images.stream if on_tensorflow else images.batches)(batch_size, seed, start_step)


def _address(data: str | Path) -> str:
    """A data set's name as it is; a folder as its full path, so that the run can be resumed from anywhere."""
    from cnnzoo.data.sources import NAMES

    named = isinstance(data, str) and data in NAMES
    return str(Path(data).resolve() if not named and Path(data).is_dir() else data)


def _own_folder(address: str) -> Path | None:
    """The folder of pictures at an address of `_address`; None for the name of a data set."""
    return Path(address) if Path(address).is_absolute() and Path(address).is_dir() else None


def _needs_labels(arch: str, config: Mapping[str, Any]) -> bool:
    """Whether an architecture of that configuration is told labels; a game is where it has classes."""
    cls = architecture(arch)
    if isinstance(cls.needs_labels, bool):
        return cls.needs_labels
    return bool(config.get("classes", cls.config_fields()["classes"]))


def _vacant_folder(plan: dict[str, Any]) -> Path:
    name = plan["name"] if "." in plan["name"] else f"{plan['name']}.{Path(plan['data']).name}"
    folders = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in count(1))
    return next(folder for folder in folders if not folder.exists())


def _versions() -> dict[str, Any]:
    """What the bits depend on beside the plan."""
    import keras

    backend = keras.backend.backend()
    versions = {"cnnzoo": cnnzoo.__version__, "keras": keras.__version__, backend: sys.modules[backend].__version__}
    return {**versions, "python": platform.python_version(), "backend": backend, "cpus": os.cpu_count()}


def _say(verbose: Any, text: str) -> None:
    if verbose:
        print(text, flush=True)
