"""Runs exports on their goldens in a process that has no cnnzoo, and prints how far off they are, as JSON.

python -I _clean.py FOLDER...     # version folders; gives {folder: {what: largest difference}}

A difference is that of float32 numbers; of files, 1 where a pixel is more than one grey value off, else 0; of a string, 1
where it is another. This file imports nothing of the package that it lies in.
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
        found[f"litert/{path.name}"] = difference(run_litert(path.read_bytes(), main["in"]), expected)
    for path in sorted(folder.glob("onnx/*.onnx")):
        found[f"onnx/{path.name}"] = difference(run_onnx(path.read_bytes(), main["in"]), expected)
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


def run_litert(content: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The float32 output (n, ...) of a LiteRT file for inputs (n, ...), one at a time; integers are scaled as it says."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content).get_signature_runner()
    takes, gives = runner.get_input_details(), runner.get_output_details()

    def quantized(name: str, value: np.ndarray) -> np.ndarray:
        if takes[name]["dtype"] != np.int8:
            return value
        scale, zero = takes[name]["quantization"]
        return np.clip(np.rint(value / scale + zero), -128, 127).astype(np.int8)

    made = []
    for i in range(len(next(iter(inputs.values())))):
        given = {name: quantized(name, value[i : i + 1]) for name, value in inputs.items()}
        ((name, value),) = runner(**given).items()
        if value.dtype == np.int8:
            scale, zero = gives[name]["quantization"]
            value = (value.astype(np.float32) - zero) * scale
        made.append(value)
    return np.concatenate(made)


def run_onnx(content: bytes, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The output (n, ...) of an ONNX file for inputs (n, ...)."""
    import onnxruntime

    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.modules["cnnzoo"] = sys.modules["keras"] = None  # as if they were not installed: importing them raises
    print(json.dumps({folder: differences(Path(folder)) for folder in sys.argv[1:]}))
