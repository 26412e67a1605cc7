"""A report of attribution maps, feature maps and filters, as one image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from cnnzoo import explain
from cnnzoo.explain.target import LogitExplainer, has_classes
from cnnzoo.imaging.arrays import to_channels, to_uint8
from cnnzoo.imaging.grid import COLUMNS, FAINT, GAP, MARGIN, PAPER, SIDE, Row, font, picture

TILE = 140  # side of a map in pixels; seven are as wide as the twelve columns of the other rows
AGAINST, FOR = np.array((33, 102, 172), np.float32), np.array((214, 40, 40), np.float32)
QUANTILE = 0.995  # of the absolute values gets the full color, for robustness to outliers
LAYERS = 4  # maximum number of feature maps


def sheet(
    model: Any,
    image: Any,
    methods: Sequence[str] | None = None,
    label: int | None = None,
    names: Sequence[str] | None = None,
) -> np.ndarray:
    """Attribution maps over an image, feature maps, filters, and an activation maximization of each class.

    Args:
        model, image: See `cnnzoo.explain.target.LogitExplainer`, with its errors; one image.
        methods: Names of `cnnzoo.explain.METHODS`; by default all applicable ones.
        label: The class to explain; required for a conditional discriminator. Default for a classifier: the most likely
            one.
        names: Class names; by default their numbers.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: For an unknown or inapplicable method, or several images.
    """
    target = LogitExplainer(model, image, label)
    if len(target.images) != 1:
        raise ValueError(f"`image` must be one image. Received: {len(target.images)}")
    methods = methods or [name for name in explain.METHODS if target.maps or "cam" not in name]
    maps = [explain.method(name)(model, target.images, label)[0] for name in methods]
    names = list(map(str, range(target.chosen.shape[1]))) if names is None else names
    seen = to_uint8(target.images)
    tiles = np.stack([to_channels(seen, 3)[0], *(overlay(seen[0], each) for each in maps)])
    captions = [_prediction(model, target, names), *(name.replace("_", " ") for name in methods)]
    rows = [Row(model.architecture, tiles, captions, TILE)]
    if target.maps:
        rows += [*_feature_rows(explain.feature_maps(model, target.images, label)), _filter_row(explain.filters(model))]
    rows.append(_maximization_row(model, target, names))
    explained, rest = picture(rows[:1]), picture(rows[1:])
    parts = [np.asarray(part) for part in (explained, _scale(explained.width), rest)]
    return np.pad(np.concatenate(parts), ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=PAPER[0])


def overlay(image: np.ndarray, each: np.ndarray) -> np.ndarray:
    """A map (height, width) over an image, uint8 (height, width, channels): red where positive, blue where negative.

    The image is in pale gray; the opacity of the color is relative to the largest values of the map.
    """
    gray = 60 + 0.6 * to_channels(image[None], 1)[0].astype(np.float32)  # (height, width, 1)
    top = np.quantile(np.abs(each), QUANTILE) or np.abs(each).max() or 1.0
    share = np.clip(each / top, -1.0, 1.0)[..., None]
    return to_uint8(_colored(gray, share) / 255)


def _colored(gray: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Gray values blended with the color of a value in [-1, 1]."""
    return (1 - np.abs(share)) * gray + np.abs(share) * np.where(share < 0, AGAINST, FOR)


def _prediction(model: Any, target: LogitExplainer, names: Sequence[str]) -> str:
    label = target.chosen[0].argmax()
    if model.task == "classify":
        return f"{names[label]}: {100 * model.classify(target.images)[0, label]:.1f} %"
    logit = f"logit {target.each(target.logit)[0]:.2f}"
    return f"{names[label]}: {logit}" if has_classes(model) else logit


def _feature_rows(maps: Sequence[np.ndarray]) -> list[Row]:
    """The most active channels of evenly spaced maps, each map in its own scale."""
    chosen = np.unique(np.linspace(0, len(maps) - 1, min(len(maps), LAYERS)).round().astype(int))
    rows = []
    for i in chosen:
        features = np.moveaxis(maps[i][0], -1, 0)  # (c, h, w)
        strongest = np.argsort(-features.mean((1, 2)), kind="stable")[:COLUMNS]
        shown = np.clip(features[strongest, ..., None] / max(features.max(), 1e-12), 0.0, 1.0)
        rows.append(Row(f"map-{i} {'x'.join(map(str, maps[i].shape[1:]))} most-active", shown))
    return rows


def _filter_row(kernels: np.ndarray) -> Row:
    kernels = kernels[:COLUMNS]
    return Row("filters gray=0", 0.5 + 0.5 * kernels / np.abs(kernels).max())


def _maximization_row(model: Any, target: LogitExplainer, names: Sequence[str]) -> Row:
    """Activation maximization of each class."""
    units = range(min(target.chosen.shape[1], COLUMNS))
    baseline = 0.0 if model.image_shape[2] == 1 else 0.5  # gray images are mostly on black
    made = explain.activation_maximization(model, units, baseline=baseline)
    return Row("activation maximized", made, [str(names[i]) for i in units] if has_classes(model) else ["real"])


def _scale(width: int) -> Image.Image:
    """The color scale with its legend."""
    strip = Image.new("RGB", (width, 2 * GAP + 16), PAPER)
    pen = ImageDraw.Draw(strip)
    bar = _colored(np.full((14, 2 * SIDE, 1), 160, np.float32), np.linspace(-1, 1, 2 * SIDE)[None, :, None])
    pen.text((MARGIN, GAP), "against", FAINT, font(14))
    strip.paste(Image.fromarray(to_uint8(bar / 255)), (MARGIN + 60, GAP + 1))
    words = "for; each map in its own scale. Saliency, SmoothGrad and the CAMs have no sign."
    pen.text((MARGIN + 2 * SIDE + 70, GAP), words, FAINT, font(14))
    return strip
