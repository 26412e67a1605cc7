"""Builds a static page that upscales pictures in the browser.

    npm install --prefix web
    python web/build.py site/                   # or: --model espcn.x2
    python -m http.server --directory site --bind 127.0.0.1

Any static file server can serve `site/`.
"""

import argparse
import json
import shutil
from pathlib import Path

import onnx

from cnnzoo import checkpoints, hub
from cnnzoo.checkpoints.card import NETWORK

HERE = Path(__file__).parent
PAGE = ("index.html", "style.css", "upscale.js")
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def build(folder: Path, name: str = "espcn.x3") -> None:
    """Writes the page, the network and its runtime.

    Args:
        folder: Created if missing; existing files are overwritten.
        name: A checkpoint of an upscaler.

    Raises:
        ValueError: The model is not an upscaler.
        FileNotFoundError: The runtime is not installed.
    """
    runtime = HERE / "node_modules" / "onnxruntime-web" / "dist"
    if not runtime.is_dir():
        raise FileNotFoundError(f"{runtime} is missing; install it with npm install --prefix {HERE}")
    checkpoint = checkpoints.open_checkpoint(hub.checkpoint_path(name))
    if (task := checkpoint.card["task"]) != "upscale":
        raise ValueError(f"The model must be an upscaler. Received: {name!r}, whose task is {task!r}")
    checkpoints.verify(checkpoint)
    network = onnx.load(checkpoint.path / NETWORK)  # with its weights
    (folder / "ort").mkdir(parents=True, exist_ok=True)
    onnx.save(network, folder / "model.onnx")
    about = {"name": name, **{entry.key: int(entry.value) for entry in network.metadata_props}}
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")
    for file in PAGE:
        shutil.copy(HERE / file, folder)
    for file in RUNTIME:
        shutil.copy(runtime / file, folder / "ort")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="espcn.x3", help="a checkpoint of an upscaler (default: espcn.x3)")
    args = parser.parse_args()
    build(args.folder, args.model)
    print(args.folder / "index.html")


if __name__ == "__main__":
    main()
