"""Builds the page that enlarges pictures in a browser, without a server of its own.

    npm install --prefix web
    python web/build.py site/                   # or: --model espcn.x2
    python -m http.server --directory site --bind 127.0.0.1

`site/` then holds all that the page needs, and can be put on any web server that sends files.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cnnzoo
from cnnzoo.checkpoints import sample_images
from cnnzoo.export.onnx import write_onnx
from cnnzoo.export.signatures import verbs

HERE = Path(__file__).parent
PAGE = ("index.html", "style.css", "upscale.js")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def build(folder: Path, name: str = "espcn.x3") -> None:
    """Writes the page, the network and its runtime.

    Args:
        folder: Is made, or what is in it written over.
        name: A checkpoint that enlarges.

    Raises:
        ValueError: It does not.
        FileNotFoundError: The runtime has not been installed.
    """
    runtime = HERE / "node_modules" / "onnxruntime-web" / "dist"
    if not runtime.is_dir():
        raise FileNotFoundError(f"{runtime} is missing; npm install --prefix {HERE} brings it")
    model = cnnzoo.build(name)
    if model.task != "upscale":
        raise ValueError(f"got {name!r}, whose task is {model.task!r}; allowed: a model that enlarges")
    whole = verbs(model, sample_images(model))["upscale"]
    colour = {key: replace(tensor, shape=(1, None, None, 3)) for key, tensor in whole.inputs.items()}
    (folder / "ort").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        write_onnx(Path(aside) / "onnx", replace(whole, inputs=colour))
        (Path(aside) / "onnx" / "model.onnx").replace(folder / "model.onnx")
    about = {"name": name, "scale": model.scale, "margin": max(model.margin, 2)}  # 2 for the bicubic colour
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    for file in PAGE:
        shutil.copy(HERE / file, folder)
    for file in RUNTIME:
        shutil.copy(runtime / file, folder / "ort")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="espcn.x3", help="a checkpoint that enlarges (default: espcn.x3)")
    asked = parser.parse_args()
    build(asked.folder, asked.model)
    print(asked.folder / "index.html")


if __name__ == "__main__":
    main()
