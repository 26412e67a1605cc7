"""Training of any architecture on any data set, from a recipe or from scratch; runs resume bit for bit."""

import errno
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnnzoo.data.addresses import folder_name
from cnnzoo.data.given import named
from cnnzoo.data.loading import why_streamed
from cnnzoo.data.paintings import painting
from cnnzoo.data.streamed import reading
from cnnzoo.metrics.features import NEIGHBORS
from cnnzoo.training.callbacks import Coverage, RunCheckpointer, SampleLogger, Summary
from cnnzoo.training.plan import (
    Plan,
    build_model,
    check_labels,
    check_unchanged,
    load_split,
    make_plan,
    warn_if_changed,
)
from cnnzoo.training.run_dir import DIVERGED, HISTORY, Run, State, check_vacant
from cnnzoo.training.scores import ValidationScores
from cnnzoo.training.signals import stop_on_signals
from cnnzoo.training.start import model_of
from cnnzoo.training.strategies import Strategy, strategy_of
from cnnzoo.training.tensorboard import EventFile
from cnnzoo.training.watching import Scalars, Waiting
from cnnzoo.utils.atomic_files import write_json

COVERAGE_IMAGES = 500  # training images of the coverage in the logs
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG  # a full disk, a quota and the largest size of a file
SHEET_IMAGES = 16  # validation images in a contact sheet


def train(
    name: str | Path | None = None,
    *,
    data: str | Path | Iterable[Any] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    crop: int | None = None,
    limit: int | None = None,
    precision: str | None = None,
    clip_norm: float | None = None,
    accumulate: int | None = None,
    watch: bool | None = None,
    score_every: int | None = None,
    memory: int | None = None,
    strategy: str | None = None,
    start: str | Path | None = None,
    frozen: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    callbacks: Sequence = (),
    verbose: Any = "auto",
) -> Path:
    """Trains a model and returns the run folder, whose `model.weights.h5` is read by `build(arch, weights=folder)`.

    Two equal calls on one machine give equal bits, and so does a run that was killed and resumed: all randomness comes
    from `seed`. The first SIGINT or SIGTERM ends the run after the current batch and saves its state. Resuming with
    other versions, another backend or another number of cores raises a warning, as the bits may differ.

    Args:
        name: `arch.tag` for the recipe of that checkpoint; `arch` for an architecture with its default settings; or
            the folder or file of a recipe that `cnnzoo.tune` found.
        data: The name of a data set, or a folder; the recipe's by default. Images are fitted to the image shape of the
            model by `cnnzoo.imaging.arrays.fit_to`. For a folder, the shape is derived from its pictures unless
            `config` has an `image_shape` (see `cnnzoo.training.shape.choose`), and a line reports it. Pictures without
            class folders are enough for a model without labels.
            Or a finite `tf.data.Dataset` or other iterable of images or pairs (image, label), not in batches: uint8 or
            floats in [0, 1], (height, width[, 1 or 3]), and integers from 0. It is taken into memory, rounded to 8
            bits. Without an `image_shape` in `config` all must have one shape.
        epochs: Passes over the data, >= 1; the recipe's, or 10.
        batch_size: Images per step, >= 1; the recipe's, or 128, or all if `data` has fewer.
        seed: >= 0; the recipe's, or 0.
        crop: The side in pixels of square crops of photographs, for a model of images of any size; the recipe's, or 48.
        limit: Train on at most this number of images, >= 1; the recipe's, or all. See `cnnzoo.data.ImageSet.few`.
        precision: "float32", "bfloat16" or "auto", the fastest of this machine; see `compile`. The recipe's, or "auto".
            The run keeps it.
        clip_norm: Scale down each gradient of a phase whose norm, over all its variables, is larger; > 0.
        accumulate: Update by the mean gradient of so many batches, >= 1, for an effective batch size larger than memory
            allows. Batch statistics are of one batch. Gradients of an incomplete group at the end are not used. Not
            with several replicas.
        watch: Log the norm of the gradient of each phase, over all its variables and before it is clipped, as
            `gradient` or `<phase>_gradient`, the mean over an epoch. The run keeps it.
        score_every: Score the model after every so many epochs, >= 1, and after the last one, as `cnnzoo.evaluate` does
            on the validation images, which are then held out (the split "fit"). `curve.json` in the run folder has the
            scores of each time, with the core-hours of the training until then.
        memory: The most bytes that the decoded pictures of a folder may take. Those that need more are read from the
            disk while training, with equal results; a line says so. By default half of the free memory.
        strategy: None for one device; "mirrored" for all devices of this machine; or "multi-worker" for those of all
            workers in the environment variable `TF_CONFIG`, with TensorFlow, in a process that has not used it yet.
            The batch is shared by the replicas. The first worker writes the run folder, which all must see to resume.
            A run may resume with another strategy.
        start: The trained model to begin with, a checkpoint or the folder of a finished run, instead of random weights.
            Without `name`, its architecture and the settings of its training are taken, at a tenth of its learning
            rates, for 10 epochs (fine-tuning), but not its `clip_norm` and `accumulate`. With `name`, that decides, and
            must have equal layers.
        frozen: With `start`: the names of layers that stay as they are, as "encoder" or "encoder/conv2d*", in a
            sequence or with commas between them; see `cnnzoo.training.frozen.parts`. The error about an unknown name
            lists all.
        out: The run folder; a new one in `runs/` by default.
        resume: The folder of a run to resume, instead of all the above but `memory`, and of `config`. A run on an
            iterable needs equal `data` again.
        config: Keywords of the architecture; they override those of the recipe.
        callbacks: Further Keras callbacks. Their own state is not restored when a run is resumed.
        verbose: As in Keras's `fit`; 0 prints nothing, 2 one line per epoch.

    Raises:
        ValueError: An argument out of range; too few validation images for `score_every`; a folder that already holds a
            run, or none to resume; data that do not fit the model, or differ from those at the start of the run;
            another process trains in the folder.
        UnknownName: There is no such recipe, architecture or data set.
        TrainingDiverged: A loss became NaN or infinite; the last good state is kept.
        OSError: The disk is full; the message has the command to resume.
        WorkerLost: Another worker ended; the message has the command to resume.
        KeyboardInterrupt: After SIGINT or SIGTERM; the message has the command to resume.
    """
    if not isinstance(data, str | Path | None):
        arguments = locals()
        with named(data, None if resume is None else Run.open(resume).plan["data"]) as address:
            return train(**{**arguments, "data": address if resume is None else None})
    settings: dict[str, Any] = {
        "data": data,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "crop": crop,
        "limit": limit,
        "precision": precision,
        "clip_norm": clip_norm,
        "accumulate": accumulate,
        "watch": watch,
        "score_every": score_every,
        "memory": memory,
        "start": start,
        "frozen": frozen,
        "config": config,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    replicas = strategy_of(strategy)
    if resume is not None:
        given.pop("memory", None)
        if extra := [key for key, value in {"name": name, "out": out, **given}.items() if value is not None]:
            raise ValueError(
                f"{', '.join(f'`{key}`' for key in extra)} must not be given with `resume`; a run resumes with the "
                f"settings it began with. Received: resume={str(resume)!r}"
            )
        with replicas.losses():
            return _resume(Run.open(resume), replicas, memory, callbacks, verbose)
    if name is None and start is None:
        raise ValueError(
            "`name` must be arch.tag, or arch with `data`; or `start` a trained model, or `resume` a run folder. "
            "Received: neither"
        )
    folder = Path(out) if out is not None else None
    if folder is not None and replicas.is_chief:
        check_vacant(folder)  # before the data are loaded
    with replicas.losses():
        with replicas.building():
            plan, model, images = make_plan(name, given, partial(_say, verbose))
        replicas.check(plan)
        if replicas.replicas > 1:
            plan["replicas"] = replicas.replicas
        run = Run(folder or _vacant_folder(plan), plan)
        if replicas.is_chief:
            run.path.mkdir(parents=True, exist_ok=True)
        with replicas.writing(run) as own:
            if replicas.is_chief:
                Run.create(run.path, plan)
            return _train(run, own, model, images, replicas, callbacks, verbose)


def _resume(run: Run, replicas: Strategy, memory: int | None, callbacks: Sequence, verbose: Any) -> Path:
    """Trains the remaining steps of a run, if any; returns its folder."""
    if run.finished:
        _say(verbose, f"{run.path} is finished: {run.plan['epochs']} epochs")
        return run.path
    replicas.check(run.plan)
    with replicas.writing(run) as own:
        images = load_split(run.plan, run.plan["split"], run.plan.get("limit"), memory)
        if why := why_streamed(images, memory):
            _say(verbose, why)
        with replicas.building():
            model = build_model(run.plan)
        check_labels(run.plan, model, images)
        check_unchanged(run, images, replicas.replicas)
        return _train(run, own, model, images, replicas, callbacks, verbose)


def _train(run: Run, own: Run, model: Any, images: Any, replicas: Strategy, callbacks: Sequence, verbose: Any) -> Path:
    """Trains the remaining steps of a run and writes its weights; returns its folder.

    Args:
        run: The run.
        own: The run that this process writes; see `Strategy.writing`.
        model, images, replicas: To train, on what, and how.
        callbacks, verbose: As in `train`.
    """
    _say(verbose, f"run folder: {run.path}")
    if replicas.replicas > 1:
        _say(
            verbose,
            f"{replicas.replicas} replicas, each on {run.plan['batch_size'] // replicas.replicas} images a step",
        )
    try:
        with replicas.running(), replicas.losses(run):
            state = run.newest_state()
            replicas.check_same(run.plan, state.step if state else 0)
            _fit(own, state, model, images, replicas, callbacks, verbose)
            warn_if_changed(run, images)
            own.finish(model)
            replicas.any(False)  # wait for the chief to finish
    except KeyboardInterrupt as stopped:
        message = f"{str(stopped) or 'stopped'}; resume with: {run.resume_command}"
        _say(verbose, f"\n{message}")
        raise KeyboardInterrupt(message) from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise OSError(
            error.errno, f"{error.strerror}; free some space and resume with: {run.resume_command}", str(run.path)
        ) from error
    return run.path


def _fit(
    run: Run, state: State | None, model: Any, images: Any, replicas: Strategy, callbacks: Sequence, verbose: Any
) -> None:
    plan = run.plan
    deserialize = keras.saving.deserialize_keras_object
    with replicas.building():
        optimizers = {name: deserialize(config) for name, config in plan["optimizers"].items()}
        model.compile(optimizers, precision=plan.get("precision", "bfloat16" if plan.get("bfloat16") else "float32"))
    (run.path / DIVERGED).unlink(missing_ok=True)
    events = EventFile(run.path / "tensorboard")
    with stop_on_signals() as stop:
        checkpointer = RunCheckpointer(run, state, stop, replicas)
        if state:
            model.load_weights(state.weights)
            write_json(run.path / HISTORY, state.history)  # the kill may have come before this
        elif "start" in plan:
            model.init_from(model_of(plan["start"]))
        if model.pictures:
            model.set_style_targets({name: painting(name).pixels for name in model.pictures})
        scores = [ValidationScores(checkpointer, events, verbose)] if "score_every" in plan else []
        for each in scores:
            each.catch_up(model)
        waiting = Waiting() if replicas.replicas == 1 else None
        settings = {
            "callbacks": [
                *_coverage(model, images, checkpointer.history),
                *callbacks,
                *([Summary()] if verbose == 2 else []),
                Scalars(run.path, events, plan["batch_size"], checkpointer.step, waiting),
                SampleLogger(run.path, events, _sheet_images(plan, model)),
                checkpointer,
                *scores,
            ],
            "shuffle": False,
            "verbose": 0 if verbose == 2 else verbose,
        }
        if plan["split"] == "fit":
            held_out = load_split(plan, "validation")
            count = len(held_out.images) // replicas.replicas * replicas.replicas  # those that the replicas can share
            labels = None if held_out.labels is None else held_out.labels[:count]
            settings["validation_data"] = (np.asarray(held_out.images[:count]), labels)
            settings["validation_batch_size"] = plan["batch_size"]
        while checkpointer.step < plan["steps"] and not model.stop_training:
            epoch, done = divmod(checkpointer.step, plan["steps_per_epoch"])
            stream = partial(_batches, images, plan["batch_size"], plan["seed"], checkpointer.step)
            batches = replicas.shared(stream, plan["batch_size"])
            with reading(images):
                model.fit(
                    waiting.through(batches) if waiting else batches,
                    steps_per_epoch=plan["steps_per_epoch"] - done,
                    initial_epoch=epoch,
                    epochs=epoch + 1 if done else plan["epochs"],  # first the rest of an unfinished epoch
                    **settings,
                )


def _sheet_images(plan: Plan, model: Any) -> Any:
    """The validation images of the contact sheets, never test images; None if the sheets need none."""
    if model.task in ("generate", "classify"):
        return None
    images: Any = ()
    with suppress(ValueError):  # all validation photographs may be smaller than the crops
        images = load_split(plan, "validation", memory=0).images  # a stream, of which only these are decoded
    return (images if len(images) else load_split(plan, plan["split"], memory=0).images)[:SHEET_IMAGES]


def _coverage(model: Any, images: Any, history: list[dict[str, Any]]) -> list[Coverage]:
    """The callback that detects mode collapse, for a generator with enough training images."""
    if model.task != "generate" or len(images.images) <= NEIGHBORS:
        return []
    best = max((entry.get("coverage", 0.0) for entry in history), default=0.0)
    return [Coverage(images.images[:COVERAGE_IMAGES], best)]


def _batches(images: Any, batch_size: int, seed: int, start_step: int, rows: slice) -> Any:
    """Endless batches from a step on, equal on both backends; with some of their rows, on TensorFlow."""
    if keras.backend.backend() == "tensorflow":
        return images.stream(batch_size, seed, start_step, rows)
    return images.batches(batch_size, seed, start_step)


def _vacant_folder(plan: Plan) -> Path:
    name = plan["name"] if "." in plan["name"] else f"{plan['name']}.{folder_name(plan['data'])}"
    folders = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in count(1))
    return next(folder for folder in folders if not folder.exists())


def _say(verbose: Any, text: str) -> None:
    if verbose:
        print(text, flush=True)
