"""Exports from a process with a Keras backend other than TensorFlow."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.export.loader import last_words
from cnnzoo.export.saved_model import check_name
from cnnzoo.utils.atomic_files import write_json


def write(model: Any, root: Path, name: str | None, litert: bool, onnx: bool, data: Any) -> Path:
    """Runs `cnnzoo.export.writer.write` in a process with TensorFlow, whose operations an export consists of."""
    check_name(name)
    with tempfile.TemporaryDirectory() as scratch:
        named = model
        if not isinstance(model, (str, Path)):
            named = scratch
            config = model.get_config()
            own = {key: config[key] for key in model.config_fields()}
            write_json(Path(scratch) / "run.json", {"architecture": model.architecture, "config": own})
            model.inference_copy().save_weights(Path(scratch) / checkpoints.WEIGHTS)
        command = [sys.executable, "-m", "cnnzoo", "export", str(named), str(root)]
        command += [*(["--name", name] if name else []), *(["--data", str(data)] if data else [])]
        command += [*(["--litert"] if litert else []), *(["--onnx"] if onnx else [])]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(last_words(done))
    return Path(done.stdout.strip().splitlines()[-1])
