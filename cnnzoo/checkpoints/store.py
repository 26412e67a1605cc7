"""Saving, verifying and loading checkpoints."""

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnzoo import registry
from cnnzoo.checkpoints.card import (
    CARD,
    FORMAT,
    GOLDEN,
    GRAPHS,
    PLAN,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    read_plan,
    write_card,
)
from cnnzoo.checkpoints.golden import write_golden
from cnnzoo.data.catalog import CATALOG
from cnnzoo.utils.atomic_files import publish, sha256
from cnnzoo.utils.weight_files import save_weights


def verify(checkpoint: Checkpoint) -> None:
    """Compares each file with the size and SHA-256 in the card.

    Raises:
        CheckpointError: A file is missing or differs; the message names it, and both hashes.
    """
    for name, entry in checkpoint.card["files"].items():
        file = checkpoint.path / name
        if not file.is_file():
            raise CheckpointError(f"{file} is missing")
        found = sha256(file)
        if found != entry["sha256"]:
            raise CheckpointError(
                f"{file} was cut short or altered: sha256 {found} ({file.stat().st_size} bytes), "
                f"the card says {entry['sha256']} ({entry['bytes']} bytes)"
            )


def load(path: str | Path) -> Any:
    """The model in a checkpoint, or in the folder of a finished training run.

    Raises:
        CheckpointError: There is neither, or a file is missing, truncated or altered; checked before a model is built.
    """
    path = Path(path)
    if (path / CARD).exists():
        checkpoint = open_checkpoint(path)
        verify(checkpoint)
        model = _build(checkpoint.card, path / WEIGHTS)
        about = checkpoint.card["data"]
        data = CATALOG.get(about["name"])
        model.ground = str(about.get("ground", data.ground if data else ""))
        model.class_names = tuple(map(str, about.get("classes", ())))
        model.origin = path
        return model
    if (path / PLAN).exists():
        if not (path / WEIGHTS).exists():
            raise CheckpointError(f"the run in {path} is not finished; resume it with: cnnzoo train --resume {path}")
        plan = read_plan(path)
        model = as_trained(_build(plan, path / WEIGHTS), plan)
        model.origin = path
        return model
    raise CheckpointError(f"{path} must be a checkpoint or a finished run. Received: neither {CARD} nor {PLAN}")


def as_trained(model: Any, plan: Mapping[str, Any]) -> Any:
    """A model of a run with the class names and the ground of its training data, from the plan of the run."""
    model.ground = plan.get("ground", "")
    model.class_names = tuple(plan.get("fingerprint", {}).get("classes", ()))
    return model


def config_of(model: Any) -> dict[str, Any]:
    """The keywords that a model was built with, as plain values."""
    config = model.get_config()
    return {key: config[key] for key in model.config_fields()}


def _build(description: Mapping[str, Any], weights: Path) -> Any:
    arch = description["architecture"]
    model = registry.from_config(arch, description["config"])
    try:
        model.load_weights(weights)
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{weights} does not match {arch!r}: {error}") from error
    return model


def save(
    model: Any,
    folder: str | Path,
    *,
    name: str,
    description: str,
    data: Mapping[str, str],
    recipe: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    paper: str,
    licence: str = "Apache-2.0",
    half: bool = False,
) -> Checkpoint:
    """Writes a checkpoint aside and renames it; an existing one in `folder` is replaced.

    A kill between the two renames of a replacement leaves the old one beside it, as `.NAME-old-…`.

    Args:
        model: A `PhasedModel`.
        folder: The folder of the checkpoint; its last part is usually `name`.
        name: "arch.tag".
        description: One line.
        data: name, split and licence of the training data; also the names of its classes, and its ground, where
            `name` is not one of the catalog.
        recipe: The training settings; at least `command`.
        scores: From `cnnzoo.metrics.scores.Score.to_json`.
        paper: The source of the architecture.
        licence: The license of the weights.
        half: Store the weights as float16. The weights of `model` are rounded too; call `round_to_half` before scoring
            to score the stored weights.

    Raises:
        CheckpointError: A field is malformed.
    """
    folder = Path(folder)
    with _written_aside(folder) as aside:
        if half:
            round_to_half(model)
        copy = model.inference_copy()
        save_weights(copy, aside / WEIGHTS)
        if half:
            _store_as_half(aside / WEIGHTS)
        write_golden(model, aside / GOLDEN)
        files = {n: _entry(aside / n) for n in (WEIGHTS, GOLDEN)}
        card = {
            "format": FORMAT,
            "name": name,
            "description": description,
            "architecture": type(model).architecture,
            "config": config_of(model),
            "task": model.task,
            "paper": paper,
            "licence": licence,
            "data": dict(data),
            "recipe": dict(recipe),
            "scores": [dict(score) for score in scores],
            # Of a network and its average, only the average is for use.
            "parameters": copy.count_params() - sum(network.count_params() for network, _ in copy.averages()),
            "bytes": sum(entry["bytes"] for entry in files.values()),
            "files": files,
        }
        write_card(card, aside, folder / CARD)
    return open_checkpoint(folder)


def attach(checkpoint: Checkpoint, files: Mapping[str, bytes]) -> Checkpoint:
    """Replaces the graphs of a checkpoint, as `save` replaces a checkpoint.

    Args:
        checkpoint: The checkpoint.
        files: Contents of the graphs by name.

    Raises:
        CheckpointError: A name is not that of a graph.
    """
    if other := sorted(set(files) - set(GRAPHS)):
        raise CheckpointError(f"The graphs must be {' and '.join(GRAPHS)}. Received: {', '.join(other)}")
    folder, kept = checkpoint.path, (WEIGHTS, GOLDEN)
    with _written_aside(folder) as aside:
        for name in kept:
            shutil.copyfile(folder / name, aside / name)
        for name, content in files.items():
            (aside / name).write_bytes(content)
        entries = {name: _entry(aside / name) for name in (*kept, *sorted(files))}
        card = {**checkpoint.card, "bytes": sum(entry["bytes"] for entry in entries.values()), "files": entries}
        write_card(card, aside, folder / CARD)
    return open_checkpoint(folder)


@contextmanager
def _written_aside(folder: Path) -> Iterator[Path]:
    """A new folder, which replaces `folder` unless writing it raises."""
    aside = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    aside.mkdir(parents=True)
    try:
        yield aside
        _replace(folder, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _entry(file: Path) -> dict[str, Any]:
    return {"sha256": sha256(file), "bytes": file.stat().st_size}


def _replace(folder: Path, new: Path) -> None:
    """Replaces a folder by another by two renames; the old one is kept until the new one is in place."""
    if not folder.exists():
        publish(new, folder)
        return
    old = folder.with_name(f".{folder.name}-old-{secrets.token_hex(8)}")
    folder.rename(old)
    try:
        publish(new, folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def round_to_half(model: Any) -> None:
    """Rounds every weight of a model to the nearest float16."""
    for weight in model.weights:
        weight.assign(weight.numpy().astype("float16").astype("float32"))


def _store_as_half(file: Path) -> None:
    """Rewrites a weights file with float16 in place of float32, and equal arrays stored once; Keras reads it alike."""
    import h5py

    smaller = file.with_name(f".{file.name}")
    stored: dict[tuple[str, tuple[int, ...], bytes], str] = {}
    with h5py.File(file) as source, h5py.File(smaller, "w") as target:

        def copy(path: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                target.require_group(path).attrs.update(item.attrs)
                return
            array = item[()].astype("f2") if item.dtype == "f4" else item[()]
            first = stored.setdefault((array.dtype.str, array.shape, array.tobytes()), path)
            if first == path:
                target.create_dataset(path, data=array).attrs.update(item.attrs)
            else:
                target[path] = target[first]  # a hard link

        target.attrs.update(source.attrs)
        source.visititems(copy)
    smaller.replace(file)
