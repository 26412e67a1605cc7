"""Runs exports on their goldens in a process that has no cnnzoo, and prints how far off they are, as JSON.

python -I isolated_runner.py FOLDER...     # version folders; gives {folder: {what: largest difference}}

A difference is that of float32 numbers; of files, 1 where a pixel is more than one grey value off, else 0; of a string,
1 where it is another. This file imports nothing of the package that it lies in.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def differences(folder: Path) -> dict[str, float]:
    """Of all signatures and files of a version."""
    import tensorflow as tf

    about = json.loads((folder / "assets.extra" / "export.json").read_text())
    golden = {}
    with np.load(folder / "assets.extra" / "golden.npz") as file:
        for key in file.files:
            verb, way, name = key.split("/")
            golden.setdefault(verb, {"in": {}, "out": {}})[way][name] = file[key]
    loaded = tf.saved_model.load(str(folder))
    found = {}
    for verb, signature in about["signatures"].items():
        expected = golden[about["main"] if verb == "serving_default" else verb.removesuffix("_bytes")]
        given = {}
        for name, tensor in signature["inputs"].items():
            value = expected["in"][name.removesuffix("_bytes")]
            value = as_files(value) if name.endswith("_bytes") else value
            given[name] = tf.constant(value, tensor["dtype"])
        found[verb] = max(
            difference(value.numpy(), expected["out"][name.removesuffix("_bytes")], name.endswith("_bytes"))
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

        self.interpreter = Interpreter(model_path=str(path))  # kept, as what it runs does not keep it
        self.run = self.interpreter.get_signature_runner()
        self.takes, self.gives = self.run.get_input_details(), self.run.get_output_details()

    def __call__(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        count = len(next(iter(inputs.values())))
        return np.concatenate([self.one({k: v[i : i + 1] for k, v in inputs.items()}) for i in range(count)])

    def one(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """The output of a batch of one. Where the file is of integers, it says how numbers become them."""
        given = {}
        for name, value in inputs.items():
            given[name] = value
            if self.takes[name]["dtype"] == np.int8:
                scale, zero = self.takes[name]["quantization"]
                given[name] = np.clip(np.rint(value / scale + zero), -128, 127).astype(np.int8)
        ((name, made),) = self.run(**given).items()
        if made.dtype != np.int8:
            return made
        scale, zero = self.gives[name]["quantization"]
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
    sys.modules["cnnzoo"] = sys.modules["keras"] = None  # as if they were not installed: importing them raises
    print(json.dumps({folder: differences(Path(folder)) for folder in sys.argv[1:]}))
