"""Builds a static page that enlarges, denoises, repairs, paints and corrects photographs in the browser.

    npm install --prefix web
    python web/build.py site/                   # or: --models espcn.x2 denoiser.color_blind
    python -m http.server --directory site --bind 127.0.0.1

Any static file server can serve `site/`. Browsers keep the page for offline use if it is served over HTTPS or from the
same machine.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

import onnx

from cnnzoo import checkpoints, hub
from cnnzoo.checkpoints.card import COARSE, NETWORK, Checkpoint

HERE = Path(__file__).parent
PAGE = ("index.html", "style.css", "page.js", "verbs.js", "worker.js", "manifest.webmanifest", "icon.svg")
WORKER = "sw.js"  # the service worker
THREADED = "ort-wasm-simd-threaded"
RUNTIMES = {
    "webgpu": ("ort.webgpu.min.mjs", f"{THREADED}.asyncify.mjs", f"{THREADED}.asyncify.wasm"),
    "wasm": ("ort.wasm.min.mjs", f"{THREADED}.mjs", f"{THREADED}.wasm"),
}
MODELS = (
    *(f"espcn.x{scale}{kind}" for scale in (2, 3, 4) for kind in ("", "_real")),
    *("denoiser.color_blind", "denoiser.gray_blind", "inpainter.photos64", "fast_style.paintings", "enhancer.photos"),
)


def build(folder: Path, names: Sequence[str] = MODELS) -> None:
    """Writes the page, its networks and their runtime.

    Args:
        folder: Target folder; created if missing. Existing files are overwritten.
        names: Checkpoints of photograph tasks. The page offers the tasks of these checkpoints.

    Raises:
        ValueError: The task of a model is not a photograph task.
        FileNotFoundError: The runtime is not installed.
    """
    runtime = HERE / "node_modules" / "onnxruntime-web" / "dist"
    if not runtime.is_dir():
        raise FileNotFoundError(f"{runtime} is missing; install it with npm install --prefix {HERE}")
    found = [checkpoints.open_checkpoint(hub.checkpoint_path(name)) for name in names]
    for name, checkpoint in zip(names, found, strict=True):
        if NETWORK not in checkpoint.card["files"]:
            task = checkpoint.card["task"]
            raise ValueError(f"The models must be of photograph tasks. Received: {name!r}, whose task is {task!r}")
        checkpoints.verify(checkpoint)
    for part in ("ort", "models"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    models = [about(name, checkpoint, folder) for name, checkpoint in zip(names, found, strict=True)]
    (folder / "models.json").write_text(json.dumps(models), encoding="utf-8")
    for file in PAGE:
        shutil.copy(HERE / file, folder)
    for file in chain(*RUNTIMES.values()):
        shutil.copy(runtime / file, folder / "ort")
    runtimes = {kind: [f"ort/{file}" for file in files] for kind, files in RUNTIMES.items()}
    files = [*PAGE, "models.json", *(file for model in models for file in model["files"].values())]
    digest = hashlib.sha256()
    for file in chain(files, *runtimes.values()):
        digest.update((folder / file).read_bytes())
    parts = {"FILES": ["./", *files], "RUNTIMES": runtimes}
    text = Template((HERE / WORKER).read_text(encoding="utf-8"))
    kept = text.substitute(VERSION=digest.hexdigest()[:16], **{key: json.dumps(part) for key, part in parts.items()})
    (folder / WORKER).write_text(kept, encoding="utf-8")


def about(name: str, checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    """Writes the networks of a checkpoint with embedded weights; returns its entry in models.json."""
    files, integers = {}, {}
    for role, graph in (("network", NETWORK), ("coarse", COARSE)):
        if graph in checkpoint.card["files"]:
            network = onnx.load(checkpoint.path / graph)  # including external weights
            files[role] = f"models/{name}{'' if role == 'network' else f'.{role}'}.onnx"
            onnx.save(network, folder / files[role])
            integers |= {entry.key: int(entry.value) for entry in network.metadata_props}
    config = checkpoint.card["config"]
    known = {"name": name, "task": checkpoint.card["task"], "files": files, "channels": config["image_shape"][2]}
    if "styles" in config:
        known["styles"] = config["styles"]
    return {**known, "real": name.endswith("_real"), **integers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS, help="checkpoints of photograph tasks (default: all)")
    args = parser.parse_args()
    build(args.folder, args.models)
    print(args.folder / "index.html")


if __name__ == "__main__":
    main()
