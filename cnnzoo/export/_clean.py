"""Runs exports on their goldens in a process that has no cnnzoo, and prints how far off they are, as JSON.

python -I _clean.py FOLDER...     # version folders; gives {folder: {what: largest difference}}

A difference is that of float32 numbers; of files, 1 where a pixel is more than one grey value off, else 0; of a string, 1
where it is another.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.modules["cnnzoo"] = None  # as if it were not installed: importing it raises
sys.modules["keras"] = None

import numpy as np


def differences(folder: Path) -> dict[str, float]:
    import tensorflow as tf

    about = json.loads((folder / "assets.extra" / "export.json").read_text())
    with np.load(folder / "assets.extra" / "golden.npz") as file:
        golden = {}
        for key in file.files:
            verb, way, name = key.split("/")
            golden.setdefault(verb, {"in": {}, "out": {}})[way][name] = file[key]
    loaded = tf.saved_model.load(str(folder))
    found = {}
    for verb, signature in about["signatures"].items():
        base = about["main"] if verb == "serving_default" else verb.removesuffix("_bytes")
        given, expected = golden[base]["in"], golden[base]["out"]
        asked = {}
        for name, tensor in signature["inputs"].items():
            value = given[name.removesuffix("_bytes")]
            if name.endswith("_bytes"):
                value = np.array([tf.io.encode_png(np.rint(image * 255).astype(np.uint8)).numpy() for image in value])
            asked[name] = tf.constant(value, tensor["dtype"])
        made = loaded.signatures[verb](**asked)
        found[verb] = max(
            difference(value.numpy(), expected[name.removesuffix("_bytes")], name.endswith("_bytes"))
            for name, value in made.items()
        )
    main = golden[about["main"]] if about["main"] in golden else None
    for file in sorted(folder.glob("litert/*.tflite")) + sorted(folder.glob("onnx/*.onnx")):
        found[f"{file.parent.name}/{file.name}"] = portable(file, golden, about["main"], main)
    return found


def difference(value: np.ndarray, expected: np.ndarray, files: bool) -> float:
    import tensorflow as tf

    if files:
        images = np.stack([tf.io.decode_png(png).numpy() for png in value])
        return float(np.abs(images - np.rint(np.clip(expected, 0, 1) * 255)).max() > 1)
    if value.dtype == object:
        return float(not np.array_equal(value.astype("S"), expected))
    return float(np.abs(value.astype(np.float64) - expected).max())


if __name__ == "__main__":
    print(json.dumps({folder: differences(Path(folder)) for folder in sys.argv[1:]}))
