"""Matplotlib figures: image grids, before and after, training curves.

Figures are independent of pyplot: a notebook shows one as the last value of a cell, and `figure.savefig("it.png")`
writes it. The background is transparent, and the gray ink is legible on white and on black, with any style.
"""

import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.decoding import is_picture
from cnnzoo.imaging.files import read_image
from cnnzoo.utils.checks import check_integer
from cnnzoo.utils.optional import require

require("a figure", "plots", "matplotlib")

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure as MatplotlibFigure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

INK = "#808080"  # 3.9 to 1 on white and 5.3 to 1 on black
COLORS = ("#3f8fd2", "#e0792b", "#2fa36b", "#b26fd8", "#d9527f", "#9c8a1f")
WIDTH = 9.0  # inches of a full row
SMALLEST, LARGEST = 1.1, 4.5  # inches of an image's longer side
DOTS = 100  # an inch
GAP = 0.08  # inches
LINE = 0.2  # inches of a line of text
WORDS = 10  # points
# Panels shared by several quantities.
SHARED: dict[str, Callable[[str], bool]] = {
    "loss": lambda name: name.endswith("_loss"),
    "learning_rate": lambda name: name.startswith("learning_rate_"),
}
Curve = tuple[Sequence[int], Sequence[float]]  # epochs, and the values there
RULE = (
    "Images must be uint8, uint16, bool or floats in [0, 1], (height, width[, 1 or 3]) or "
    "(n, height, width[, 1 or 3]), paths, Pillow images, or a list of these"
)


class Figure(MatplotlibFigure):
    """A Matplotlib figure displayed by notebooks without pyplot, at twice the resolution."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=DOTS, facecolor="none", edgecolor="none")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        from io import BytesIO

        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=2 * DOTS)
        width, height = (round(DOTS * side) for side in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


def show(images: Any, titles: str | Sequence[Any] | None = None, columns: int | None = None) -> Figure:
    """A grid of images.

    Args:
        images: One image or several: an array or tensor (height, width[, 1 or 3]) or (n, height, width[, 1 or 3]), a
            path, a Pillow image, or a list of any of these, of different sizes. uint8, uint16, booleans, or floats in
            [0, 1]; floats of noisy images are clipped. Gray images are shown in gray.
        titles: One title per image, or a single title above the first.
        columns: Images per row; by default chosen by their size.

    Raises:
        ValueError: For no images, invalid images, another number of titles, or columns < 1.
    """
    shown = _each(images)
    words = _titles(titles, len(shown))
    columns = _columns(shown) if columns is None else check_integer("columns", columns, 1)
    columns = min(columns, len(shown))
    rows = [range(i, min(i + columns, len(shown))) for i in range(0, len(shown), columns)]
    return _grid([[(shown[i], words[i]) for i in row] for row in rows], columns)


def compare(before: Any, after: Any, titles: Sequence[Any] | None = None) -> Figure:
    """Images before and after processing, one above the other, or side by side for one pair, drawn at the same size.

    Args:
        before, after: Equal numbers of images, as in `show`. The sizes of a pair may differ.
        titles: The two titles; by default "before" and "after".

    Raises:
        ValueError: For invalid images, unequal numbers of them, or other than two titles.
    """
    pairs = [_each(before), _each(after)]
    if len(pairs[0]) != len(pairs[1]):
        raise ValueError(
            f"`before` and `after` must have equally many images. Received: {len(pairs[0])} and {len(pairs[1])}"
        )
    names = ["before", "after"] if titles is None else titles
    if isinstance(names, str) or len(names) != 2:
        raise ValueError(f"`titles` must be two, such as ('before', 'after'), or None. Received: {titles!r}")
    if len(pairs[0]) == 1:
        return show([pairs[0][0], pairs[1][0]], names, columns=2)
    columns = _columns(pairs[0])
    rows = []
    for start in range(0, len(pairs[0]), columns):
        for images, name in zip(pairs, names, strict=True):
            part = images[start : start + columns]
            rows.append([(image, str(name) if i == 0 else "") for i, image in enumerate(part)])
    return _grid(rows, columns)


def plot_history(run: Any) -> Figure:
    """Training curves over the epochs, one panel per quantity.

    The losses of the phases share a panel, and so do their learning rates. Validation curves are dashed. Positive
    quantities spanning more than two powers of ten get a logarithmic axis.

    Args:
        run: A run folder, or its `history.json`; a Keras `History` from `model.fit`; or a dict such as
            `History.history`. For a dict, `validation_freq` is inferred if unambiguous.

    Raises:
        ValueError: For a missing or empty history, or an ambiguous `validation_freq`.
    """
    curves = _history(run)
    panels = _panels(curves)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(WIDTH if columns > 1 else 5.0, 2.7 * rows)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis, (title, names) in zip(axes, panels.items(), strict=False):
        _panel(axis, title, {name: curves[name] for name in names})
    for axis in list(axes)[len(panels) :]:
        axis.remove()
    return figure


# -- images ------------------------------------------------------------------------------------------------------------


def _each(images: Any) -> list[np.ndarray]:
    """The single images of an argument of `show`, uint8 (height, width, 1 or 3)."""
    if is_picture(images):
        return [_drawn(read_image(images))]
    if isinstance(images, (list, tuple)):
        if not images:
            raise ValueError("`images` must have one image or more. Received: none")
        if is_picture(images[0]) or np.ndim(images[0]) >= 2:
            return [image for each in images for image in _each(each)]
    array = np.asarray(images)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3)):
        return [_drawn(array)]
    if array.ndim in (3, 4) and len(array):
        return [_drawn(image) for image in array]
    raise ValueError(f"{RULE}. Received: shape {array.shape}")


def _drawn(image: np.ndarray) -> np.ndarray:
    image = image[:, :, None] if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise ValueError(f"{RULE}. Received: an image of shape {image.shape}")
    if image.dtype == np.uint8:
        return image
    if image.dtype in (np.uint16, np.bool_):
        return to_uint8(image.astype(np.float32) / (65535 if image.dtype == np.uint16 else 1))
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"{RULE}. Received: an image of dtype {image.dtype}")
    if not (np.isfinite(image).all() and -0.5 <= image.mean() <= 1.5):  # zero-mean noise leaves the mean in range
        raise ValueError(f"{RULE}. Received: an image with values in [{image.min():g}, {image.max():g}]")
    return to_uint8(image)


def _titles(titles: str | Sequence[Any] | None, n: int) -> list[str]:
    if titles is None:
        return [""] * n
    if isinstance(titles, str):
        return [titles, *[""] * (n - 1)]
    if len(titles) != n:
        raise ValueError(
            f"`titles` must be one for each image, a single one, or None. Received: {len(titles)} titles for {n} images"
        )
    return [str(title) for title in titles]


def _columns(images: Sequence[np.ndarray]) -> int:
    """A number of columns with rows of about equal length and images of a legible size."""
    side = max(max(image.shape[:2]) for image in images)
    most = max(1, int(WIDTH / min(max(SMALLEST, side / DOTS), WIDTH / 4)))
    return math.ceil(len(images) / math.ceil(len(images) / most))


def _grid(rows: Sequence[Sequence[tuple[np.ndarray, str]]], columns: int) -> Figure:
    """Images, each with a title above it, in cells of one width."""
    every = [image for row in rows for image, _ in row]
    tallest = max(max(1.0, image.shape[0] / image.shape[1]) for image in every)
    wanted = max(max(image.shape[:2]) for image in every) / DOTS / tallest
    cell = min(max(wanted, SMALLEST if len(every) > 1 else 2 * SMALLEST), LARGEST, (WIDTH - GAP) / columns - GAP)
    titled = [_wrapped(row, cell) for row in rows]
    heights = [max(cell * image.shape[0] / image.shape[1] for image, _ in row) for row in titled]
    lines = [max(word.count("\n") + 1 if word else 0 for _, word in row) for row in titled]
    width = columns * (cell + GAP) + GAP
    height = sum(heights) + LINE * sum(lines) + GAP * (len(rows) + 1)
    figure = Figure(width, height)
    top = height
    for row, tall, many in zip(titled, heights, lines, strict=True):
        top -= GAP + LINE * many + tall
        for i, (image, word) in enumerate(row):
            place = ((GAP + i * (cell + GAP)) / width, top / height, cell / width, tall / height)
            axis = figure.add_axes(place)
            axis.set_axis_off()
            axis.set_anchor("N")
            gray = image[:, :, 0] if image.shape[2] == 1 else image
            axis.imshow(gray, cmap="gray", vmin=0, vmax=255, interpolation="auto")
            if word:
                axis.set_title(word, loc="left" if _is_of_row(row) else "center", color=INK, fontsize=WORDS, pad=3)
    return figure


def _is_of_row(row: Sequence[tuple[np.ndarray, str]]) -> bool:
    """Whether the first title is the only one of several images."""
    return len(row) > 1 and not any(word for _, word in row[1:])


def _wrapped(row: Sequence[tuple[np.ndarray, str]], cell: float) -> list[tuple[np.ndarray, str]]:
    """A row with its titles in lines of the width of an image, or of the row for a title of the row."""
    width = len(row) * cell if _is_of_row(row) else cell  # inches
    letters = max(4, int(width * 72 / (0.55 * WORDS)))
    return [(image, textwrap.fill(word, letters)) for image, word in row]


# -- histories ---------------------------------------------------------------------------------------------------------


def _history(run: Any) -> dict[str, Curve]:
    """The curve of each quantity, over epochs counted from 1."""
    curves: dict[str, Curve] = {}
    if isinstance(run, (str, Path)):
        path = Path(run) / "history.json" if Path(run).is_dir() else Path(run)
        try:
            entries = json.loads(path.read_text())
            epochs = [entry.pop("epoch") for entry in entries]
            names = [name for name in dict.fromkeys(key for entry in entries for key in entry) if name != "step"]
        except FileNotFoundError:
            raise ValueError(
                f"`run` must be the folder of a run with a finished epoch. Received: {run}, which has no history"
            ) from None
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path} must be the history of a run. Received: {error}") from None
        found = {name: [pair for pair in zip(epochs, entries, strict=True) if name in pair[1]] for name in names}
        for name, rows in found.items():
            values = [math.nan if row[name] is None else float(row[name]) for _, row in rows]  # null: not finite
            curves[name] = [epoch for epoch, _ in rows], values
    else:
        logs = getattr(run, "history", run)
        if not isinstance(logs, Mapping):
            raise ValueError(f"`run` must be a run folder, a Keras History or its dict. Received: {type(run).__name__}")
        length = max(map(len, logs.values()), default=0)
        epochs = [epoch + 1 for epoch in getattr(run, "epoch", None) or range(length)]
        frequency = (getattr(run, "params", None) or {}).get("validation_freq")
        for name, values in logs.items():
            measured = epochs if len(values) == len(epochs) else _validated(epochs, len(values), frequency)
            if measured is None or (not name.startswith("val_") and measured is not epochs):
                raise ValueError(
                    "All quantities must have equally many epochs, or come in the History of fit with its "
                    f"validation_freq. Received: {length} epochs of some and {len(values)} of {name}"
                )
            curves[name] = measured, [float(value) for value in values]
    if not (epochs and curves):
        raise ValueError(f"`run` must have one finished epoch or more. Received: {run!r}")
    return curves


def _validated(epochs: list[int], count: int, frequency: int | Sequence[int] | None) -> list[int] | None:
    """The epochs with validation, by `validation_freq`, or by the only one consistent with the count."""
    if frequency is None:
        every = range(1, max(epochs, default=0) + 1)
        fitting = [n for n in every if sum(e % n == 0 for e in epochs) == count]
        if len(fitting) != 1:
            return None
        frequency = fitting[0]
    validated = [e for e in epochs if (e % frequency == 0 if isinstance(frequency, int) else e in frequency)]
    return validated if len(validated) == count else None


def _panels(logs: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of each panel, without the sum of losses where each phase has its own."""
    phases = [name for name in logs if name.endswith("_loss") and name != "val_loss"]
    panels: dict[str, list[str]] = {"loss": []}
    for name in logs:
        plain = name.removeprefix("val_")
        if plain == "loss" and phases:
            continue
        shared = (title for title, is_one in SHARED.items() if is_one(plain))
        panels.setdefault(next(shared, plain), []).append(name)
    return {title: sorted(names, key=lambda name: name.startswith("val_")) for title, names in panels.items() if names}


def _panel(axis: Axes, title: str, curves: Mapping[str, Curve]) -> None:
    plain = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    for name, (epochs, values) in curves.items():
        color = COLORS[plain.index(name.removeprefix("val_")) % len(COLORS)]
        is_validation = name.startswith("val_")
        label = name.removeprefix("val_").removesuffix("_loss").removeprefix("learning_rate_").replace("_", " ")
        if len(plain) == 1:
            label = "validation" if is_validation else "training"
        elif is_validation:
            label = f"{label}, validation"
        dot = "o" if len(epochs) == 1 else None
        axis.plot(epochs, values, "--" if is_validation else "-", color=color, label=label, linewidth=1.8, marker=dot)
    every = [value for _, values in curves.values() for value in values if math.isfinite(value)]
    if every and min(every) > 0 and max(every) > 100 * min(every):
        axis.set_yscale("log")
    axis.set_title(title.replace("_", " "), color=INK, fontsize=WORDS + 1)
    axis.set_xlabel("epoch", color=INK, fontsize=WORDS)
    axis.set_facecolor("none")
    axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    axis.tick_params(which="both", colors=INK, labelsize=WORDS - 1)
    axis.grid(True, color=INK, alpha=0.25, linewidth=0.6)
    for name, spine in axis.spines.items():
        spine.set_color(INK)
        spine.set_visible(name in ("left", "bottom"))
    if len(curves) > 1:
        axis.legend(labelcolor=INK, fontsize=WORDS - 1, frameon=False)
