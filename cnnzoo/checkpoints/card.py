"""The card of a checkpoint and the plan of a run: their fields, read and checked.

    card.json           architecture, training and scores (see `FIELDS`)
    model.weights.h5    the weights, in Keras's format
    golden.npz          an input and the output of the weights for it
    network.onnx        of a photograph task: its verb for ONNX Runtime; see `cnnzoo.export.graphs`
    coarse.onnx         of an inpainter: the filling of a whole photograph at a coarse scale

A checkpoint is data alone: JSON, HDF5, NumPy arrays and graphs of ONNX operators, never pickled objects or code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnzoo.utils.atomic_files import json_text, write_json
from cnnzoo.utils.json_content import content

FORMAT = 1
CARD, WEIGHTS, GOLDEN = "card.json", "model.weights.h5", "golden.npz"
PLAN = "run.json"
NETWORK, COARSE = GRAPHS = "network.onnx", "coarse.onnx"
TASKS = ("classify", "reconstruct", "generate", "restore", "inpaint", "upscale", "stylize", "enhance")

# The fields of a card and their types; all are required.
FIELDS: dict[str, type[Any]] = {
    "format": int,  # 1
    "name": str,  # "arch.tag"
    "description": str,
    "architecture": str,
    "config": dict,  # keywords of build()
    "task": str,  # one of TASKS
    "paper": str,  # the source of the architecture
    "licence": str,  # of the weights
    "data": dict,  # name, split, licence
    "recipe": dict,  # command, epochs, batch_size, seed, optimizers, …
    "scores": list,  # each from `cnnzoo.metrics.scores.Score.to_json`
    "parameters": int,  # trainable parameters and averages
    "bytes": int,  # of all files
    "files": dict,  # name: {"sha256", "bytes"}
}
_INSIDE: dict[str, dict[str, type[Any]]] = {
    "data": {"name": str, "split": str, "licence": str},
    "recipe": {"command": str},
}


class CheckpointError(ValueError):
    """A checkpoint is missing, truncated, altered or malformed; the message names the file."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder and its checked card."""

    path: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """The name "arch.tag"."""
        return self.card["name"]


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Reads the card of a checkpoint, and no other file.

    Raises:
        CheckpointError: There is no card, or it is malformed.
    """
    file = Path(path) / CARD
    try:
        card = content(file, dict)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
    check_card(card, file)
    return Checkpoint(Path(path), card)


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of the training run in a folder.

    Raises:
        CheckpointError: There is none, or it cannot be read, or lacks the architecture, its configuration or the data.
    """
    try:
        if not (folder / PLAN).exists():
            raise ValueError(f"no {PLAN}")
        plan = content(folder / PLAN, dict)
        _check_fields(plan, {"architecture": str, "config": dict, "data": str}, PLAN)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} must be the folder of a training run. Received: {error}") from None
    return plan


def write_card(card: Mapping[str, Any], folder: Path, file: Path) -> None:
    """Writes a card into a folder, checked as it will be read: numbers that are not finite become null.

    Args:
        card: The fields.
        folder: Where to write it.
        file: The final path, for the message.

    Raises:
        CheckpointError: It is malformed; nothing is written.
    """
    check_card(json.loads(json_text(card)), file)
    write_json(folder / CARD, card)


def check_card(card: Any, file: Path) -> None:
    """Checks the fields of a card.

    Raises:
        CheckpointError: It is malformed; the message names `file`.
    """
    _check_fields(card, FIELDS, str(file), exact=True)
    if card["format"] != FORMAT:
        raise CheckpointError(
            f"{file} must be of format {FORMAT} for this version of cnnzoo. Received: {card['format']}"
        )
    if card["task"] not in TASKS:
        raise CheckpointError(f"{file}: `task` must be one of {', '.join(TASKS)}. Received: {card['task']!r}")
    for field, inside in _INSIDE.items():
        _check_fields(card[field], inside, f"{file}: {field}")
    for score in card["scores"]:
        _check_fields(score, {"name": str, "value": float, "protocol": dict}, f"{file}: scores")
    if not {WEIGHTS, GOLDEN} <= set(card["files"]) <= {WEIGHTS, GOLDEN, *GRAPHS}:
        raise CheckpointError(
            f"{file}: `files` must be {GOLDEN} and {WEIGHTS}, and {' and '.join(GRAPHS)} where there are graphs. "
            f"Received: {', '.join(card['files'])}"
        )
    for name, entry in card["files"].items():
        _check_fields(entry, {"sha256": str, "bytes": int}, f"{file}: files: {name}", exact=True)


def _check_fields(value: Any, fields: Mapping[str, type[Any]], where: str, exact: bool = False) -> None:
    if not isinstance(value, dict):
        raise CheckpointError(f"{where} must be an object with {', '.join(fields)}. Received: {type(value).__name__}")
    for name, kind in fields.items():
        if name not in value:
            raise CheckpointError(f"{where} must have the field {name!r}. Received: {', '.join(value) or 'none'}")
        accepted = (int, float) if kind is float else kind
        if not isinstance(value[name], accepted) or isinstance(value[name], bool):
            raise CheckpointError(f"{where}: `{name}` must be of type {kind.__name__}. Received: {value[name]!r}")
    if exact and (unknown := sorted(set(value) - set(fields))):
        raise CheckpointError(f"{where} must have only the fields {', '.join(fields)}. Received: {', '.join(unknown)}")
