"""Checkpoints: folders with a card, the weights and a golden, each file under its SHA-256.

    card.json           what it is, how it was trained, how well it does (see `FIELDS`)
    model.weights.h5    the weights, as Keras writes them
    golden.npz          an input and the output that the weights must give for it

A checkpoint is data alone: JSON, HDF5 and NumPy arrays, never pickled objects or code.
"""

import json
import secrets
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnzoo import registry
from cnnzoo.data.ground import GROUNDS
from cnnzoo.utils.atomic_files import publish, sha256, write_json

FORMAT = 1
CARD, WEIGHTS, GOLDEN = "card.json", "model.weights.h5", "golden.npz"
TASKS = ("classify", "reconstruct", "generate", "restore", "inpaint", "upscale", "stylize", "enhance")

# The fields of a card and their types; all are required.
FIELDS: dict[str, type] = {
    "format": int,  # 1
    "name": str,  # "arch.tag"
    "description": str,
    "architecture": str,
    "config": dict,  # keywords of build()
    "task": str,  # one of TASKS
    "paper": str,  # where the architecture comes from
    "licence": str,  # of the weights
    "data": dict,  # name, split, licence
    "recipe": dict,  # command, epochs, batch_size, seed, optimizers, …
    "scores": list,  # each as `cnnzoo.metrics.scores.Score` writes it
    "parameters": int,  # trainable ones and averages
    "bytes": int,  # of the files together
    "files": dict,  # name: {"sha256", "bytes"}
}
_INSIDE = {"data": {"name": str, "split": str, "licence": str}, "recipe": {"command": str}}


class CheckpointError(ValueError):
    """A checkpoint is missing, cut short, altered or not of the documented form; the message names the file."""


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose card has been read and checked."""

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return self.card["name"]


def saved_models_dir() -> Path:
    """Where the shipped checkpoints lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "saved_models"
    return inside if inside.is_dir() else package.parent / "saved_models"


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Reads the card of a checkpoint; the other files are not touched.

    Raises:
        CheckpointError: There is no card, or it is not of the documented form.
    """
    file = Path(path) / CARD
    try:
        card = json.loads(file.read_text())
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from None
    _check_card(card, file)
    return Checkpoint(Path(path), card)


def _check_card(card: Any, file: Path) -> None:
    _check_fields(card, FIELDS, str(file), exact=True)
    if card["format"] != FORMAT:
        raise CheckpointError(f"{file} is of format {card['format']}; this version of cnnzoo reads format {FORMAT}")
    if card["task"] not in TASKS:
        raise CheckpointError(f"{file}: got task {card['task']!r}; allowed: {', '.join(TASKS)}")
    for field, inside in _INSIDE.items():
        _check_fields(card[field], inside, f"{file}: {field}")
    for score in card["scores"]:
        _check_fields(score, {"name": str, "value": float, "protocol": dict}, f"{file}: scores")
    if sorted(card["files"]) != sorted((WEIGHTS, GOLDEN)):
        raise CheckpointError(f"{file}: got files {', '.join(card['files'])}; allowed: {GOLDEN} and {WEIGHTS}")
    for name, entry in card["files"].items():
        _check_fields(entry, {"sha256": str, "bytes": int}, f"{file}: files: {name}", exact=True)


def _check_fields(value: Any, fields: dict[str, type], where: str, exact: bool = False) -> None:
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: got {type(value).__name__}; allowed: an object with {', '.join(fields)}")
    for name, kind in fields.items():
        if name not in value:
            raise CheckpointError(f"{where} lacks the field {name!r}")
        accepted = (int, float) if kind is float else kind
        if not isinstance(value[name], accepted) or isinstance(value[name], bool):
            raise CheckpointError(f"{where}: got {name} = {value[name]!r}; allowed: {kind.__name__}")
    if exact and (unknown := sorted(set(value) - set(fields))):
        raise CheckpointError(f"{where} has the unknown field {', '.join(unknown)}; allowed: {', '.join(fields)}")


def verify(checkpoint: Checkpoint) -> None:
    """Compares each file with the size and SHA-256 that the card gives.

    Raises:
        CheckpointError: Names the file, and both hashes where they differ.
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


def load(path: str | Path):
    """The model in a checkpoint, or in the folder of a finished training run.

    Raises:
        CheckpointError: There is neither, or a file is missing, cut short or altered; nothing is built then.
    """
    path = Path(path)
    if (path / CARD).exists():
        checkpoint = open_checkpoint(path)
        verify(checkpoint)
        model = _build(checkpoint.card, path / WEIGHTS)
        model.ground = GROUNDS.get(checkpoint.card["data"]["name"], "")
        return model
    if (path / "run.json").exists():
        if not (path / WEIGHTS).exists():
            raise CheckpointError(f"the run in {path} is not finished; go on with it by: cnnzoo train --resume {path}")
        plan = json.loads((path / "run.json").read_text())
        model = _build(plan, path / WEIGHTS)
        model.ground = plan.get("ground", "")
        model.class_names = tuple(plan.get("fingerprint", {}).get("classes", ()))
        return model
    raise CheckpointError(f"{path} holds neither {CARD} nor run.json; allowed: a checkpoint or a finished run")


def _build(description: Mapping[str, Any], weights: Path):
    model = registry.from_config(description["architecture"], description["config"])
    try:
        model.load_weights(weights)
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{weights} does not suit {description['architecture']!r}: {error}") from error
    return model


def save(
    model,
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
    """Writes a checkpoint to `folder`, in place of one that is there; a crash leaves the old one whole.

    Args:
        model: A `PhasedModel`.
        folder: Its last part is usually `name`.
        name: "arch.tag".
        description: One line.
        data: name, split and licence of the training data.
        recipe: How it was trained; `command` at least.
        scores: As a `cnnzoo.metrics.scores.Score` writes itself.
        paper: Where the architecture comes from.
        licence: Of the weights.
        half: Store the weights as float16. They are rounded in `model` as well, so that what was scored is what is
            stored if it was rounded before (see `round_to_half`).

    Raises:
        CheckpointError: A field is not of the documented form.
    """
    folder = Path(folder)
    aside = folder.with_name(f".{folder.name}-{secrets.token_hex(8)}")
    aside.mkdir(parents=True)
    try:
        if half:
            round_to_half(model)
        model.bare().save_weights(aside / WEIGHTS)
        if half:
            _store_as_half(aside / WEIGHTS)
        _write_golden(model, aside / GOLDEN)
        files = {n: {"sha256": sha256(aside / n), "bytes": (aside / n).stat().st_size} for n in (WEIGHTS, GOLDEN)}
        config = model.get_config()
        card = {
            "format": FORMAT,
            "name": name,
            "description": description,
            "architecture": type(model).architecture,
            "config": {key: config[key] for key in type(model).config_fields()},
            "task": model.task,
            "paper": paper,
            "licence": licence,
            "data": dict(data),
            "recipe": dict(recipe),
            "scores": [dict(score) for score in scores],
            "parameters": sum(int(w.numpy().size) for w in model.bare().weights),
            "bytes": sum(entry["bytes"] for entry in files.values()),
            "files": files,
        }
        _check_card(card, folder / CARD)
        write_json(aside / CARD, card)
        _replace(folder, aside)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return open_checkpoint(folder)


def _replace(folder: Path, new: Path) -> None:
    """Puts one folder in the place of another, which is kept until the new one stands."""
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


def round_to_half(model) -> None:
    """Rounds every weight of a model to the nearest float16."""
    for weight in model.weights:
        weight.assign(weight.numpy().astype("float16").astype("float32"))


def _store_as_half(file: Path) -> None:
    """Rewrites the float32 datasets of a weights file as float16; Keras reads either."""
    import h5py

    smaller = file.with_name(f".{file.name}")
    with h5py.File(file) as source, h5py.File(smaller, "w") as target:

        def copy(path, item):
            if isinstance(item, h5py.Group):
                group = target.require_group(path)
            else:
                group = target.create_dataset(path, data=item[()].astype("f2") if item.dtype == "f4" else item[()])
            group.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    smaller.replace(file)


def _write_golden(model, file: Path) -> None:
    import numpy as np

    x = _golden_input(model)
    np.savez_compressed(file, input=x, output=np.asarray(model(x), np.float32))


def _golden_input(model):
    """Latents, or uint8 pictures; for a model that fills holes with a hole in each, as the last channel."""
    import numpy as np

    if model.task == "generate":
        return np.random.default_rng(0).standard_normal((4, model.latent_dim), dtype=np.float32)
    images = sample_images(model)
    if model.task != "inpaint":
        return images
    hole = np.zeros_like(images[..., :1])
    hole[:, 10:22, 8:20] = 255
    return np.concatenate([images, hole], axis=-1)


def sample_images(model):
    """Four uint8 pictures of the shape that a model takes, or small ones where it takes any, that need no download.

    They are digits for grey models, photographs for colour ones and for those of images of any size.
    """
    from cnnzoo.data import load as load_data

    height, width, channels = model.image_shape
    source = "digits" if channels == 1 and height else "photos"
    return load_data(source, "test", shape=(height or 48, width or 48, channels)).images[:4]


def check_golden(checkpoint: Checkpoint, model) -> float:
    """The largest absolute difference between the stored output and what `model` gives for the stored input.

    Raises:
        CheckpointError: The golden cannot be read.
    """
    import numpy as np

    file = checkpoint.path / GOLDEN
    try:
        with np.load(file, allow_pickle=False) as golden:
            x, expected = golden["input"], golden["output"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    return float(np.abs(np.asarray(model(x), np.float32) - expected).max())
