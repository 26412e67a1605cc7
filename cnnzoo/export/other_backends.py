"""Exports from a process with a Keras backend other than TensorFlow."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.checkpoints.card import PLAN
from cnnzoo.checkpoints.store import config_of
from cnnzoo.data.addresses import as_name
from cnnzoo.export.loader import last_words
from cnnzoo.export.saved_model import check_name
from cnnzoo.utils.atomic_files import write_json


def write(model: Any, root: Path, name: str | None, litert: bool, onnx: bool, data: Any) -> Path:
    """Runs `cnnzoo.export.writer.write` in a process with TensorFlow, whose operations an export consists of."""
    check_name(name)
    with tempfile.TemporaryDirectory() as scratch:
        named = str(model.absolute()) if isinstance(model, Path) else model
        if not isinstance(named, str):
            named = scratch
            _write_run(model, Path(scratch))
        command = [sys.executable, "-m", "cnnzoo", "export", named, str(root)]
        command += [*(["--name", name] if name else []), *(["--data", as_name(data)] if data else [])]
        command += [*(["--litert"] if litert else []), *(["--onnx"] if onnx else [])]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(last_words(done))
    return Path(done.stdout.strip().splitlines()[-1])


def _write_run(model: Any, folder: Path) -> None:
    """Writes a model as a finished run, with what `checkpoints.load` reads."""
    plan = {
        "architecture": model.architecture,
        "config": config_of(model),
        "data": "",  # not known
        "fingerprint": {"classes": list(getattr(model, "class_names", ()))},
        "ground": model.ground,
    }
    write_json(folder / PLAN, plan)
    model.inference_copy().save_weights(folder / checkpoints.WEIGHTS)
