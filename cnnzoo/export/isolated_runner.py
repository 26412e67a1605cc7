"""Compares exports with their goldens in a process without cnnzoo, and prints the differences as JSON.

python -I isolated_runner.py FOLDER...     # version folders; prints {folder: {signature or file: largest difference}}

The difference of float32 numbers is absolute; of image files, 1 if a pixel differs by more than one gray value, else 0;
of strings, 1 if they differ. This file imports nothing of its own package.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def differences(folder: Path) -> dict[str, float]:
    """The largest difference of each signature and file of a version."""
    import tensorflow as tf

    about = json.loads((folder / "assets.extra" / "export.json").read_text())
    golden: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(folder / "assets.extra" / "golden.npz") as file:
        for key in file.files:
            verb, way, name = key.split("/")
            golden.setdefault(verb, {"in": {}, "out": {}})[way][name] = file[key]
    loaded = tf.saved_model.load(str(folder))
    found = {}
    for verb, signature in about["signatures"].items():
        sample = golden[about["main"] if verb == "serving_default" else verb.removesuffix("_bytes")]
        given = {}
        for name, tensor in signature["inputs"].items():
            value = sample["in"][name.removesuffix("_bytes")]
            value = as_files(value) if name.endswith("_bytes") else value
            given[name] = tf.constant(value, tensor["dtype"])
        found[verb] = max(
            difference(value.numpy(), sample["out"][name.removesuffix("_bytes")], name.endswith("_bytes"))
            for name, value in loaded.signatures[verb](**given).items()
        )
    main = golden["decode" if about["main"] == "generate" else about["main"]]
    (expected,) = (value for name, value in main["out"].items() if name in ("image", "probabilities"))
    for path in sorted(folder.glob("litert/*.tflite")):
        found[f"litert/{path.name}"] = difference(Litert(path)(main["in"]), expected)
    for path in sorted(folder.glob("onnx/*.onnx")):
        found[f"onnx/{path.name}"] = difference(Onnx(path)(main["in"]), expected)
    return found


def difference(value: np.ndarray, expected: np.ndarray, files: bool = False) -> float:
    """The largest difference, as the module defines it."""
    if files:
        import tensorflow as tf

        images = np.stack([tf.io.decode_png(file).numpy() for file in value])
        return float(np.abs(images - np.rint(np.clip(expected, 0, 1) * 255)).max() > 1)
    if value.dtype == object:
        return float(not np.array_equal(value.astype("S"), expected))
    return float(np.abs(value.astype(np.float64) - expected).max())


def as_files(images: np.ndarray) -> np.ndarray:
    """Float images (n, height, width, channels) as PNG files."""
    import tensorflow as tf

    return np.array([tf.io.encode_png(np.rint(image * 255).astype(np.uint8)).numpy() for image in images])


class Litert:
    """A LiteRT file as a function of inputs (n, ...) by name to its float32 output (n, ...)."""

    def __init__(self, path: Path):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path))  # kept alive for its signature runner
        self.run = self.interpreter.get_signature_runner()
        self.inputs, self.outputs = self.run.get_input_details(), self.run.get_output_details()

    def __call__(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        count = len(next(iter(inputs.values())))
        return np.concatenate([self.one({k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)])

    def one(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """The output of a batch of one; an integer file has the scales for quantization."""
        given = {}
        for name, value in inputs.items():
            given[name] = value
            if self.inputs[name]["dtype"] == np.int8:
                scale, zero = self.inputs[name]["quantization"]
                given[name] = np.clip(np.rint(value / scale + zero), -128, 127).astype(np.int8)
        ((name, made),) = self.run(**given).items()
        if made.dtype != np.int8:
            return made
        scale, zero = self.outputs[name]["quantization"]
        return (made.astype(np.float32) - zero) * scale


class Onnx:
    """An ONNX file as a function of inputs (n, ...) by name to its output (n, ...)."""

    def __init__(self, path: Path):
        import onnxruntime

        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return self.session.run(None, inputs)[0]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    modules: dict[str, Any] = {"cnnzoo": None, "keras": None}  # importing them raises, as if not installed
    sys.modules.update(modules)
    print(json.dumps({folder: differences(Path(folder)) for folder in sys.argv[1:]}))
