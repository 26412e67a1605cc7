"""Photograph verbs by ONNX Runtime: arrays in and out, of any size, equal to the verbs of the Keras models.

Pixels are uint8, uint16 or float32 in [0, 1], (height, width, channels); results are of the same type. They differ from
those of Keras by rounding, at most one gray level.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.checkpoints.card import CARD, COARSE, NETWORK, Checkpoint, open_checkpoint
from cnnzoo.checkpoints.store import verify
from cnnzoo.imaging.arrays import in_type, in_unit_range, style_weights, to_channels
from cnnzoo.imaging.color import with_luma
from cnnzoo.imaging.tiling import tiled
from cnnzoo.runtime.session import Graph, available

GRID, SIDE, ITERATIONS = 16, 128, 8  # of the enhancer: curves and pixels a side, and curves in a row
STRONGEST = 2.0  # strength of the enhancer
STRIP = 2**18  # pixels per strip


def open_model(folder: Path) -> Any:
    """The model of a checkpoint, with the verb of its task; None without graphs or without ONNX Runtime.

    Raises:
        CheckpointError: Its files are missing, truncated or altered.
    """
    if not (folder / CARD).is_file() or not available():
        return None
    checkpoint = open_checkpoint(folder)
    known = {
        "upscale": Upscaler, "restore": Restorer, "inpaint": Inpainter, "enhance": Enhancer, "stylize": Painter
    }  # fmt: skip
    if NETWORK not in checkpoint.card["files"] or checkpoint.card["task"] not in known:
        return None
    verify(checkpoint)
    return known[checkpoint.card["task"]](checkpoint)


class Model:
    """A checkpoint of a photograph task. Calling it with a batch of images gives its golden, float32 in [0, 1].

    Attributes:
        image_shape: (height, width, channels) of its input, with None for a free side.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.config = checkpoint.card["config"]
        self.image_shape = tuple(self.config["image_shape"])
        self.network = Graph(checkpoint.path / NETWORK)
        self.settings = self.network.settings


class Upscaler(Model):
    """Super-resolution of the luma; the chroma is upscaled bicubically."""

    @property
    def scale(self) -> int:
        """The factor of the sides."""
        return self.config["scale"]

    def upscale(self, x: np.ndarray, ensemble: bool = False) -> np.ndarray:
        """See `cnnzoo.tasks.upscaler.SubPixelModel.upscale`."""
        return by_tiles(self, x, ensemble, **self.settings)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.network(image=in_unit_range(images))


class Restorer(Model):
    """Denoising."""

    def restore(self, x: np.ndarray, ensemble: bool = False) -> np.ndarray:
        """See `cnnzoo.models.denoiser.Denoiser.restore`."""
        return by_tiles(self, x, ensemble, **self.settings)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.network(image=in_unit_range(images))


def by_tiles(
    function: Callable[[np.ndarray], np.ndarray],
    photo: np.ndarray,
    ensemble: bool,
    *,
    scale: int = 1,
    margin: int,
    stride: int = 1,
) -> np.ndarray:
    """A function of batches over one photograph; see `cnnzoo.tasks.photo_inference.each_photograph`."""

    def each_tile(part: np.ndarray) -> np.ndarray:
        images = in_unit_range(part)
        made = averaged(function, images) if ensemble else function(images)
        return in_type(np.clip(made, 0.0, 1.0), photo.dtype)

    height, width = photo.shape[:2]
    beyond = ((0, -height % stride), (0, -width % stride), (0, 0))
    whole = np.pad(photo, beyond, mode="symmetric") if np.any(beyond) else photo
    made = tiled(each_tile, whole, scale=scale, margin=margin, stride=stride)
    return made[: scale * height, : scale * width]


def averaged(function: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """The mean over the eight flips and rotations; see `cnnzoo.imaging.self_ensemble.self_ensemble`."""
    total: Any = 0.0
    for turns in range(4):
        for step in (1, -1):
            turned = np.ascontiguousarray(np.rot90(images[:, :, ::step], turns, axes=(1, 2)))
            total = total + np.rot90(function(turned), -turns, axes=(1, 2))[:, :, ::step]
    return total / 8


class Inpainter(Model):
    """Filling of missing pixels: smoothly, and corrected by the network."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.coarse = Graph(checkpoint.path / COARSE)

    def restore(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fills the pixels of a photograph that are true in `mask`, (height, width[, 1]); others are unchanged."""
        missing = mask.reshape(*x.shape[:2], 1)
        extra_inputs = [(missing, 1), (self._coarsely_filled(x, missing), self.settings["stride"])]
        return tiled(self._filled_tile, x, extra_inputs=extra_inputs, **self.settings)

    def _coarsely_filled(self, photo: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """The smooth filling of a whole photograph at the stride of the network."""
        rows = 8 * self.settings["stride"]  # small strips, to avoid a float copy of the photograph
        parts = []
        for top in range(0, len(photo), rows):
            known = 1.0 - missing[None, top : top + rows].astype(np.float32)
            pair = in_unit_range(photo[None, top : top + rows]) * known, known
            stride = 1
            while stride < self.settings["stride"]:
                pair, stride = (_halved(pair[0]), _halved(pair[1])), 2 * stride
            parts.append(pair)
        total, share = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return self.coarse(total=total, share=share)[0]

    def _filled_tile(self, images: np.ndarray, missing: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        if not missing.any():  # the common case in large photographs
            return images
        known = 1.0 - missing.astype(np.float32)
        made = self.network(image=in_unit_range(images), known=known, coarse=np.ascontiguousarray(coarse))
        return np.where(missing, in_type(made, images.dtype), images)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        images, missing = in_unit_range(x[..., :-1]), x[..., -1:] != 0
        return np.stack([self.restore(*pair) for pair in zip(images, missing, strict=True)])


def _halved(images: np.ndarray) -> np.ndarray:
    """Means over 2x2 pixels (n, height, width, c); at an odd side, over those there are."""
    n, height, width, channels = images.shape
    even = np.pad(images, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return even.reshape(n, -(-height // 2), 2, -(-width // 2), 2, channels).mean(axis=(2, 4))


class Enhancer(Model):
    """Correction of exposure, contrast and color by tone curves."""

    def enhance(self, x: np.ndarray, strength: float = 1.0) -> np.ndarray:
        """Enhances a photograph, in strips; see `cnnzoo.models.enhancer.Enhancer.enhance`.

        Raises:
            ValueError: For a strength outside [0, 2].
        """
        check_strength(strength)
        height, width = x.shape[:2]
        step = max(1, STRIP // width)
        strips = [slice(top, min(top + step, height)) for top in range(0, height, step)]
        rows = bilinear(SIDE, height)
        small: Any = 0.0
        for strip in strips:
            small = small + np.tensordot(rows[:, strip], in_unit_range(x[strip]), 1)
        small = bilinear(SIDE, width) @ small
        curves = self.network(image=small[None], strength=np.array([strength], np.float32))[0]
        curves, rows = bilinear(width, GRID) @ curves, bilinear(height, GRID)
        made = np.empty_like(x)
        for strip in strips:
            images = in_unit_range(x[strip])
            for a in np.split(np.tensordot(rows[strip], curves, 1), ITERATIONS, axis=2):
                images = images + a * images * (1.0 - images)
            made[strip] = in_type(images.clip(0.0, 1.0), x.dtype)
        return made

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.stack([self.enhance(image) for image in in_unit_range(images)])


def check_strength(strength: float) -> None:
    """Checks the strength of an enhancer.

    Raises:
        ValueError: It is outside [0, 2].
    """
    if not 0 <= strength <= STRONGEST:
        raise ValueError(f"`strength` must be a number between 0 and {STRONGEST:g}. Received: {strength!r}")


def bilinear(size: int, of: int) -> np.ndarray:
    """The matrix of linear interpolation, float32 (size, of); see `cnnzoo.imaging.resampling.bilinear`."""
    ratio = np.float32(of) / np.float32(size)
    centers = (np.arange(size, dtype=np.float32)[:, None] + np.float32(0.5)) * ratio - np.float32(0.5)
    away = np.abs(centers - np.arange(of, dtype=np.float32))
    weights = np.maximum(1 - away / max(ratio, np.float32(1)), 0)
    return weights / weights.sum(axis=1, keepdims=True)


class Painter(Model):
    """Style transfer in one pass, for the styles of the network."""

    largest = 2**21  # pixels of a photograph; Keras paints larger ones in strips

    def stylize(
        self,
        content: np.ndarray,
        style: Mapping[str, float] | None = None,
        *,
        mask: np.ndarray | None = None,
        keep_color: bool = False,
        progress: Any = None,
    ) -> np.ndarray:
        """Stylizes a photograph of at most `largest` pixels; see `cnnzoo.models.fast_style.FastStyle.stylize`."""
        mix = style_weights(style, self.config["styles"], 1)
        light = in_unit_range(content[None])
        made = self.network(image=light, style=mix)
        if keep_color:
            made = with_luma(light, to_channels(made, 1))
        made = in_type(made[0].clip(0.0, 1.0), content.dtype)
        return made if mask is None else np.where(mask[..., None], made, content)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        mix = style_weights(None, self.config["styles"], len(images))
        return self.network(image=in_unit_range(images), style=mix)
