"""Measures verbs on a photograph or a batch: the zoo, its bare graph, plain Keras, PyTorch, other runtimes and OpenCV.

Input and output of a photograph are uint8 on all sides. The bare graph is one compiled function from uint8 to uint8 for
the whole photograph, including the color path. The other runtimes run the exported ONNX or LiteRT file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from speed.rounds import Worker, in_turns

SECONDS = 0.3  # of calls per side in a round
MOST = 200  # calls


@dataclass(frozen=True)
class Verb:
    """A verb of a checkpoint and its peers.

    Args:
        checkpoint: Name of the checkpoint.
        peers: Sides besides the zoo and its graph: "keras", "torch", "onnxruntime", "openvino", "litert", "opencv".
        sizes: (height, width) of the photographs, or (batch size, 0) for small images.
    """

    checkpoint: str
    peers: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...] = ((64, 64), (256, 256), (512, 512), (1024, 1024))


RUNTIMES = ("onnxruntime", "openvino", "litert")
VERBS = {
    "upscale": Verb(
        "espcn.x3", ("keras", "torch", *RUNTIMES), ((64, 64), (256, 256), (512, 512), (1024, 1024), (720, 1280))
    ),
    "denoise": Verb("denoiser.color_blind", ("keras", "torch", "onnxruntime", "openvino", "opencv")),
    "inpaint": Verb("inpainter.photos64", ("onnxruntime", "opencv")),
    "enhance": Verb("enhancer.photos", ("onnxruntime", "openvino", "opencv")),
    "stylize": Verb("fast_style.paintings", ("onnxruntime", "openvino")),
    "classify": Verb("cnn.mnist", ("keras", "torch", *RUNTIMES), ((1, 0), (256, 0))),
    "reconstruct": Verb("vae.mnist", ("onnxruntime",), ((1, 0), (256, 0))),
    "generate": Verb("dcgan.mnist", ("keras",), ((1, 0), (256, 0))),
}


def photograph(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Returns a photograph of scikit-image, mirrored or cropped to a size, uint8 (height, width, 3)."""
    from cnnzoo.data.sources import shipped_photographs

    pixels = next(p for p in shipped_photographs("train").values() if p.shape[2] == 3)
    beyond = [(0, max(0, side - have)) for side, have in zip(size, pixels.shape, strict=False)]
    return np.ascontiguousarray(np.pad(pixels, (*beyond, (0, 0)), "symmetric")[: size[0], : size[1]])


def holes(size: tuple[int, int]) -> np.ndarray:
    """Returns a mask of strokes, bool (height, width, 1)."""
    from cnnzoo.imaging import masks

    return np.asarray(masks.draw("strokes", (1, *size), 0)[0]) > 0


def with_pillow_color(photo: np.ndarray, scale: int, enlarge: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Returns an enlarged photograph: luma by a function of float32 (1, height, width, 1), chroma by Pillow."""
    luma, *chroma = Image.fromarray(photo).convert("YCbCr").split()
    size = (scale * luma.width, scale * luma.height)
    made = enlarge(np.asarray(luma, np.float32)[None, :, :, None] / 255)[0, :, :, 0]
    planes = [part.resize(size, Image.Resampling.BICUBIC) for part in chroma]
    return np.asarray(Image.merge("YCbCr", (Image.fromarray(as_bytes(made)), *planes)).convert("RGB"))


def as_bytes(images: np.ndarray) -> np.ndarray:
    return np.rint(255 * images.clip(0, 1)).astype(np.uint8)


def given(verb: str, size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Returns the input of a verb: a photograph, a photograph and a mask, or scans of digits."""
    if size[1]:
        return (photograph(size), holes(size)) if verb == "inpaint" else (photograph(size),)
    from cnnzoo.data import load

    return (load("digits", "train").images[: size[0]],)


def measured(verb: str, rounds: int, folder: str, skipped: tuple[str, ...], precision: str) -> list[dict[str, Any]]:
    """Returns the rows of a verb, one per size.

    Args:
        verb: One of `VERBS`.
        rounds: Number of clean rounds.
        folder: Folder of exports; missing exports are written to it.
        skipped: Peers to leave out.
        precision: Precision of the zoo's verb; of its peers, only PyTorch may use bfloat16.
    """
    peers = [peer for peer in VERBS[verb].peers if peer not in skipped]
    workers = {"tensorflow": Worker("speed.verbs_tensorflow")}
    rows = []
    try:
        version = None
        if set(peers) & set(RUNTIMES):
            version = workers["tensorflow"].ask("exported", VERBS[verb].checkpoint, folder, "litert" in peers)
        for peer in peers:
            if peer == "torch":
                workers[peer] = Worker("speed.verbs_torch")
            elif peer != "keras":
                workers[peer] = Worker("speed.verbs_runtimes")
        for size in VERBS[verb].sizes:
            seconds = workers["tensorflow"].ask("prepare", verb, size, precision=precision)
            calls = {"zoo": workers["tensorflow"], "graph": workers["tensorflow"]}
            if "keras" in peers:
                calls["keras"] = workers["tensorflow"]
            for peer in peers:
                if peer != "keras":
                    workers[peer].ask("prepare", verb, size, peer, version)
                    calls[peer] = workers[peer]
            times = max(1, min(MOST, round(SECONDS / seconds)))
            work = {side: partial(worker.ask, "run", side, times) for side, worker in calls.items()}
            found = in_turns(work, list(workers.values()), rounds)
            rows.append(
                {
                    "title": f"{VERBS[verb].checkpoint} {verb}" + (f", {precision}" if precision != "float32" else ""),
                    "size": f"{size[1]}x{size[0]}" if size[1] else f"{size[0]} images",
                    "milliseconds": {side: 1000 * found.median(side) / times for side in calls},
                    "ratio": {side: found.ratio("zoo", side) for side in calls if side != "zoo"},
                    "dirty": found.dirty,
                    "loaded": found.loaded,
                }
            )
        return rows
    finally:
        for worker in workers.values():
            worker.close()
