"""Writes an export: the SavedModel and its extra files, placed as the next version."""

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.checkpoints import trained
from cnnzoo.checkpoints.labels import class_names
from cnnzoo.checkpoints.store import config_of
from cnnzoo.data.addresses import as_name
from cnnzoo.export import serving
from cnnzoo.export.litert import write_litert
from cnnzoo.export.onnx import write_onnx
from cnnzoo.export.saved_model import ABOUT, EXTRA, GOLDEN, check_name, described, read_about, save, versions
from cnnzoo.export.signatures import main, portable, signatures, verbs
from cnnzoo.nn.batchnorm_folding import for_inference
from cnnzoo.utils.atomic_files import json_text, locked, publish, write_json
from cnnzoo.utils.optional import require

FORMAT = 1


def write(model: Any, root: Path, name: str | None, litert: bool, onnx: bool, data: str | Path | None) -> Path:
    """See `cnnzoo.export.export`."""
    check_name(name)
    _require(litert, onnx)
    model, card, trained_on = _opened(model)
    if not model.ships:
        tasks = ", ".join(checkpoints.TASKS)
        raise ValueError(
            f"`model` must be trained to {tasks}. Received: a {model.architecture}, trained anew for each picture"
        )
    target = root / (name or model.architecture)
    source = card["name"] if card else model.architecture
    _refuse_another(target, source, {} if card else _config(model))
    serving.read_models(root)  # an unreadable file raises before anything is written
    aside = target / f".export-{secrets.token_hex(8)}"
    aside.mkdir(parents=True)
    try:
        _write_all(aside, model, card, source, target.name, as_name(data) if data else trained_on, litert, onnx)
        version = _place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    with locked(root, patience=60.0):
        serving.write_configs(root)
    return version


def _require(litert: bool, onnx: bool) -> None:
    """Checks that the packages of an export are installed.

    Raises:
        ModuleNotFoundError: One is missing; the message names it.
    """
    wanted = ["tensorflow_serving", *(["ai_edge_litert"] if litert else []), *(["tf2onnx", "onnx"] if onnx else [])]
    require("an export", "export", *wanted)


def _opened(model: Any) -> tuple[Any, dict[str, Any] | None, str | None]:
    """A model, its card if there is one, and the name of its training data."""
    if not isinstance(model, (str, Path)):
        return model, None, None
    path, about = trained.described(model)
    card = about if (path / checkpoints.CARD).exists() else None
    return checkpoints.load(path), card, trained.data_of(about) or None


def _config(model: Any) -> dict[str, Any]:
    """The keywords that a model was built with, as JSON values."""
    return json.loads(json_text(config_of(model)))


def _refuse_another(target: Path, source: str, config: Mapping[str, Any]) -> None:
    """Checks that existing versions are of the same model.

    Args:
        target: The folder of the versions.
        source: The name of the checkpoint, or the architecture.
        config: The keywords of a model without a card.

    Raises:
        ValueError: They are not.
    """
    for version in versions(target)[-1:]:
        about = read_about(target / str(version))
        if about["model"] != source:
            raise ValueError(
                f"{target} must have versions of {about['model']!r} only; give another model another name. "
                f"Received: {source!r}"
            )
        known = about["config"]
        if other := [key for key, value in config.items() if known.get(key, value) != value]:
            raise ValueError(
                f"{target} must have versions of {source!r} with "
                f"{', '.join(f'{key}={known[key]!r}' for key in other)} only; give another model another name. "
                f"Received: {', '.join(f'{key}={config[key]!r}' for key in other)}"
            )


def _write_all(
    aside: Path,
    model: Any,
    card: dict[str, Any] | None,
    source: str,
    name: str,
    data: str | None,
    litert: bool,
    onnx: bool,
) -> None:
    """Writes all files of a version into a folder."""
    images = _images(model)
    classes: Sequence[str] = ()
    if model.task == "classify":
        classes = class_names(model, data)
    shipped = for_inference(model)
    exported = signatures(shipped, images, classes)
    save(aside, exported)
    extra = aside / EXTRA
    extra.mkdir()
    golden: dict[str, Any] = {}
    for verb, signature in verbs(model, images, classes).items():  # of the trained model, before layers are folded
        made = signature.function(**{key: tf.constant(value) for key, value in signature.example.items()})
        golden |= {f"{verb}/in/{key}": value for key, value in signature.example.items()}
        golden |= {f"{verb}/out/{key}": np.asarray(value) for key, value in made.items()}
    strings = {key: value.astype("S") for key, value in golden.items() if value.dtype == object}
    np.savez_compressed(extra / GOLDEN, **golden | strings)
    about = {
        "format": FORMAT,
        "name": name,
        "model": source,
        "architecture": model.architecture,
        "config": _config(model),
        "cnnzoo": cnnzoo.__version__,
        "main": main(model),
        "signatures": {verb: described(signature) for verb, signature in exported.items()},
    }
    write_json(extra / ABOUT, about)
    if card:
        write_json(extra / checkpoints.CARD, card)
    serving.write_warmup(extra, name, exported)
    serving.write_batching(aside, exported)
    if litert:
        write_litert(aside / "litert", model, images, data)
    if onnx:
        write_onnx(aside / "onnx", portable(shipped, images))


def _images(model: Any) -> np.ndarray:
    """Four example images, uint8 (4, height, width, channels), in the image shape of a model."""
    if model.task == "generate":
        return np.zeros((4, *model.image_shape), np.uint8)
    return checkpoints.sample_images(model)


def _place(aside: Path, target: Path) -> Path:
    """Renames a finished folder to the next free version; safe with other processes."""
    version = max(versions(target), default=0) + 1
    while True:
        try:
            publish(aside, target / str(version))
            return target / str(version)
        except OSError:
            if not (target / str(version)).exists():
                raise
            version += 1
