"""Whole photographs before and after a model."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from cnnzoo.data.sources import shipped_photographs
from cnnzoo.imaging import masks
from cnnzoo.imaging.arrays import resized, to_channels, to_uint8
from cnnzoo.imaging.degradations import exposed

NOISE = {"flower": 35, "coffee": 50, "cat": 25}  # sigma, for models of a range of sigmas
STOPS = {"coffee": -2, "astronaut": 1, "china": -3}  # of exposure
STYLES = ("flower", "china", "coffee")  # for a model of any style


@dataclass(frozen=True)
class Pair:
    """A photograph before and after.

    Attributes:
        title: Of the photograph.
        before, after: uint8 (height, width, 1 or 3) of one shape.
        was, became: Names of both, such as "bicubic" and "espcn.x3".
    """

    title: str
    before: np.ndarray
    after: np.ndarray
    was: str
    became: str


@cache
def photograph(name: str, channels: int = 3) -> np.ndarray:
    """A photograph inside the installed packages, uint8 (height, width, channels)."""
    known = {**shipped_photographs("train"), **shipped_photographs("test")}
    return to_channels(known[name][None], channels)[0]


def pairs(model: Any, card: Mapping[str, Any], whole: bool) -> tuple[str, float, list[Pair]]:
    """The work of a model of photographs: what was done, seconds per photograph, and the photographs.

    Args:
        model: Has the verb of its task.
        card: Of the checkpoint.
        whole: Whether to show all photographs of the task, or one.
    """
    works = {
        "upscale": ("enlarged", _enlarged),
        "restore": ("denoised", _denoised),
        "inpaint": ("repaired", _filled),
        "enhance": ("corrected", _enhanced),
        "stylize": ("painted", _painted),
    }
    did, work = works[card["task"]]
    jobs = list(work(model, card))
    made, seconds = [], 0.0
    for title, before, was, verb in jobs if whole else jobs[:1]:
        begun = perf_counter()
        after = verb()
        seconds += perf_counter() - begun
        made.append(Pair(title, before, to_uint8(after), was, card["name"]))
    return f"{did} {len(made)} photograph{'s' * (len(made) > 1)}", seconds / len(made), made


Job = tuple[str, np.ndarray, str, Callable[[], np.ndarray]]


def _enlarged(model: Any, card: Mapping[str, Any]) -> Sequence[Job]:
    """Photographs made small, and enlarged bicubically and by the model; as JPEG files for models of those."""
    compressed = card["config"].get("degradation") == "real"
    jobs: list[Job] = []
    names = {"cat": 50, "astronaut": 75, "coffee": 50} if compressed else {"astronaut": 0, "cat": 0, "coffee": 0}
    for title, quality in names.items():
        full, scale = photograph(title), model.scale
        height, width = (side // scale for side in full.shape[:2])
        small = resized(full[None, : height * scale, : width * scale], height, width)[0]
        small = _as_jpeg(small, quality) if compressed else small
        before = resized(small[None], height * scale, width * scale)[0]
        was = f"JPEG {quality}, bicubic" if compressed else "bicubic"
        jobs.append((f"{title}, from {width}x{height} pixels", before, was, partial(model.upscale, small)))
    return jobs


def _as_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _denoised(model: Any, card: Mapping[str, Any]) -> Sequence[Job]:
    """Photographs with Gaussian noise, which is not clipped for the model, as in its training."""
    channels, sigma = model.image_shape[2], card["config"]["sigma"]
    names = NOISE if channels == 3 else {"camera": 25}
    jobs: list[Job] = []
    for seed, (title, level) in enumerate(names.items()):
        level = level if isinstance(sigma, (list, tuple)) else int(sigma)
        clean = photograph(title, channels) / np.float32(255)
        noise = np.random.default_rng(seed).standard_normal(clean.shape, np.float32)
        noisy = clean + np.float32(level / 255) * noise
        jobs.append((f"{title}, sigma {level}", to_uint8(noisy), "noisy", partial(model.restore, noisy)))
    return jobs


def _filled(model: Any, card: Mapping[str, Any]) -> Sequence[Job]:
    """Photographs with missing pixels, shown white."""
    jobs: list[Job] = []
    for title, kind, seed in (("china", "text", 3), ("cat", "scratches", 3), ("rocket", "pixels", 0)):
        full = photograph(title)
        missing = masks.draw(kind, (1, *full.shape[:2]), seed=seed)[0] > 0
        holes = np.where(missing, np.uint8(255), full)
        words = {"text": "lettering", "pixels": "missing pixels"}.get(kind, kind)
        verb = partial(model.restore, holes, missing)
        jobs.append((f"{title} with {words}", holes, "damaged", verb))
    return jobs


def _enhanced(model: Any, card: Mapping[str, Any]) -> Sequence[Job]:
    """Photographs exposed too little or too much."""
    jobs: list[Job] = []
    for title, stops in STOPS.items():
        wrong = to_uint8(np.asarray(exposed(photograph(title)[None] / np.float32(255), stops)))[0]
        jobs.append((f"{title}, exposed {stops:+d} EV", wrong, "mis-exposed", partial(model.enhance, wrong)))
    return jobs


def _painted(model: Any, card: Mapping[str, Any]) -> Sequence[Job]:
    """A photograph in each style, or after other photographs by a model of any style."""
    full = photograph("cat")
    styles: dict[str, Any] = {name: {name: 1.0} for name in card["config"].get("styles", ())}
    return [
        (f"cat after {name.replace('_', ' ')}", full, "photograph", partial(model.stylize, full, style))
        for name, style in (styles or {name: photograph(name) for name in STYLES}).items()
    ]
