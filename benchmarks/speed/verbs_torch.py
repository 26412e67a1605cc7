"""The PyTorch side of verbs: modules with the same layers and color path, in the fastest of four forms."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import cnnzoo
from cnnzoo.imaging.color import RGB_OF_YCBCR, YCBCR_OF_BLACK, YCBCR_OF_RGB
from speed.torch_layers import Network
from speed.verbs import VERBS, given

_held: dict[str, Any] = {}


def prepare(verb: str, size: tuple[int, int], side: str, version: str | None) -> None:
    """Warms up each memory format and precision, and keeps the fastest function."""
    model = _held.setdefault(verb, cnnzoo.build(VERBS[verb].checkpoint))
    x, found = given(verb, size)[0], []
    for layout in (torch.contiguous_format, torch.channels_last):
        for precision in (torch.float32, torch.bfloat16):
            function = _function(verb, model, x, layout, precision)
            function()
            begun = perf_counter()
            function()
            found.append((perf_counter() - begun, function))
    _held["call"] = min(found, key=lambda pair: pair[0])[1]


def run(side: str, times: int) -> float:
    begun = perf_counter()
    for _ in range(times):
        _held["call"]()
    return perf_counter() - begun


def _function(verb: str, model: Any, x: np.ndarray, layout: Any, precision: Any) -> Callable:
    parts = [model.backbone, model.head] if verb == "classify" else [model.network]
    if verb == "classify":
        head = torch.nn.Linear(model.hidden, model.classes)
        network: Any = torch.nn.Sequential(Network(parts[0]), head)
    else:
        network = Network(parts[0])
    network = network.eval().to(memory_format=layout)
    forward, back = (torch.tensor(m, dtype=torch.float32) for m in (YCBCR_OF_RGB, RGB_OF_YCBCR))
    black = torch.tensor(YCBCR_OF_BLACK, dtype=torch.float32)

    def upscaled(images: Any) -> Any:
        ycbcr = images @ forward + black
        luma, chroma = ycbcr[..., :1].movedim(3, 1), ycbcr[..., 1:].movedim(3, 1)
        made = functional.pixel_shuffle(network((luma * 255.0 - 16.0) / 219.0).float(), model.scale)
        chroma = functional.interpolate(chroma, scale_factor=model.scale, mode="bicubic")
        joined = torch.cat([(made * 219.0 + 16.0) / 255.0, chroma], 1).movedim(1, 3)
        return (joined - black) @ back

    def denoised(images: Any) -> Any:
        noisy = images.movedim(3, 1).contiguous(memory_format=layout)
        return (noisy - network(noisy).float()).movedim(1, 3)

    def call() -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            images = torch.from_numpy(x if x.ndim == 4 else x[None]).float() / 255.0
            if verb == "classify":
                return torch.softmax(network(images.movedim(3, 1)).float(), 1).numpy()
            made = (upscaled if verb == "upscale" else denoised)(images)
            return (255.0 * made.clamp(0.0, 1.0)).round().to(torch.uint8).numpy()[0]

    return call
