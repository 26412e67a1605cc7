"""One picture that tells what a model sees in an image."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from cnnzoo import explain
from cnnzoo.explain.target import LogitExplainer, has_classes
from cnnzoo.imaging.arrays import to_channels, to_uint8
from cnnzoo.imaging.grid import COLUMNS, FAINT, GAP, MARGIN, PAPER, SIDE, Row, font, picture

TILE = 140  # pixels of a map's side; seven of them are as wide as the twelve columns of the other rows
AGAINST, FOR = np.array((33, 102, 172), np.float32), np.array((214, 40, 40), np.float32)
QUANTILE = 0.995  # of the sizes in a map gets the full colour, so that one pixel does not pale the others
LAYERS = 4  # feature maps that are shown, at most


def sheet(
    model, image, methods: Sequence[str] | None = None, label: int | None = None, names: Sequence[str] | None = None
) -> np.ndarray:
    """The maps of an image over it, the feature maps and filters of the network, and what each class is at its most.

    Args:
        model, image: See `cnnzoo.explain.target.LogitExplainer`, with its errors; one image.
        methods: Names of `cnnzoo.explain.METHODS`; by default all that the network allows.
        label: The class that is asked about; needed by a discriminator that is told classes. Of a classifier by default
            the most likely one.
        names: Of the classes; by default their numbers.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: For a method that does not exist or that the network does not allow.
    """
    target = LogitExplainer(model, image, label)
    methods = methods or [name for name in explain.METHODS if target.maps or "cam" not in name]
    maps = [explain.method(name)(model, target.images, label)[0] for name in methods]
    names = list(map(str, range(target.chosen.shape[1]))) if names is None else names
    seen = to_uint8(target.images)
    tiles = np.stack([to_channels(seen, 3)[0], *(overlay(seen[0], each) for each in maps)])
    captions = [_verdict(model, target, names), *(name.replace("_", " ") for name in methods)]
    rows = [Row(model.architecture, tiles, captions, TILE)]
    if target.maps:
        rows += [*_feature_rows(explain.feature_maps(model, target.images, label)), _filter_row(explain.filters(model))]
    rows.append(_favourites(model, target, names))
    explained, rest = picture(rows[:1]), picture(rows[1:])
    parts = [np.asarray(part) for part in (explained, _scale(explained.width), rest)]
    return np.pad(np.concatenate(parts), ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=PAPER[0])


def overlay(image: np.ndarray, each: np.ndarray) -> np.ndarray:
    """A map (height, width) over an image, uint8 (height, width, channels): red where positive, blue where negative.

    The image is grey and pale; the colour is as strong as the value is large beside the map's own largest values.
    """
    grey = 60 + 0.6 * to_channels(image[None], 1)[0].astype(np.float32)  # (height, width, 1)
    top = np.quantile(np.abs(each), QUANTILE) or np.abs(each).max() or 1.0
    share = np.clip(each / top, -1.0, 1.0)[..., None]
    return to_uint8(_colored(grey, share) / 255)


def _colored(grey: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Grey values with the colour of a share in [-1, 1] laid over them."""
    return (1 - np.abs(share)) * grey + np.abs(share) * np.where(share < 0, AGAINST, FOR)


def _verdict(model, target: LogitExplainer, names: Sequence[str]) -> str:
    asked = target.chosen[0].argmax()
    if model.task == "classify":
        return f"{names[asked]}: {100 * model.classify(target.images)[0, asked]:.1f} %"
    return f"{names[asked]}: " * has_classes(model) + f"logit {target.each(target.logit)[0]:.2f}"


def _feature_rows(maps: Sequence[np.ndarray]) -> list[Row]:
    """The most active channels of some maps from the first to the last, each map in its own scale."""
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
    return Row("filters grey=0", 0.5 + 0.5 * kernels / np.abs(kernels).max())


def _favourites(model, target: LogitExplainer, names: Sequence[str]) -> Row:
    """What gradient ascent makes of each class."""
    units = range(min(target.chosen.shape[1], COLUMNS))
    baseline = 0.0 if model.image_shape[2] == 1 else 0.5  # grey images are mostly on black
    made = explain.activation_maximization(model, units, baseline=baseline)
    return Row("activation maximised", made, [str(names[i]) for i in units] if has_classes(model) else ["real"])


def _scale(width: int) -> Image.Image:
    """A strip of a width with the colours of the maps and what they mean."""
    strip = Image.new("RGB", (width, 2 * GAP + 16), PAPER)
    pen = ImageDraw.Draw(strip)
    bar = _colored(np.full((14, 2 * SIDE, 1), 160, np.float32), np.linspace(-1, 1, 2 * SIDE)[None, :, None])
    pen.text((MARGIN, GAP), "against", FAINT, font(14))
    strip.paste(Image.fromarray(to_uint8(bar / 255)), (MARGIN + 60, GAP + 1))
    words = "for; each map in its own scale. Saliency, SmoothGrad and the CAMs have no sign."
    pen.text((MARGIN + 2 * SIDE + 70, GAP), words, FAINT, font(14))
    return strip
