"""Draws networks and curves of scores for the pages of architectures, as inline SVG in the colors of the page.

Keras's `plot_model` needs Graphviz. Other packages draw raster images, which do not follow the dark mode of the page
and are too small on a phone.
"""

import html
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

SIDE = 96  # side in pixels of the example input of networks for any image size
WIDTH, ROW, HEAD = 372, 36, 6  # width of a drawing, to fit a phone; height of a row; vertical margin
GLYPHS, WIDEST, LANE = 66, 84, 4  # center and width of the column of boxes; spacing of the skip lines to its left
TEXT, END = 116, 340  # left edge of the names, right edge of the shapes
TIMES = "\u00d7"
LONGEST = 16  # largest number of rows in a repeated block
# Layers that keep the shape are noted below the preceding layer.
BELOW = ("Normalization", "ReLU", "Activation", "Dropout")


@dataclass
class Row:
    """A layer in a drawing."""

    name: str
    shape: tuple[Any, ...]  # of the output, without the batch dimension
    parameters: int
    sources: list[int]  # rows of the inputs
    notes: list[str] = field(default_factory=list)
    repeats: int = 1  # of the block of rows from `first` to this one
    first: int = -1

    def kind(self) -> str:
        """Returns the CSS class of the color of the row."""
        kinds = {"input": "input", "Conv": "conv", "Dense": "dense", "Pool": "pool", "Gated": "conv"}
        return next((kind for part, kind in kinds.items() if part in self.name), "other")

    def key(self, own: int) -> tuple[Any, ...]:
        """Returns a key that is the same for equal rows; sources are relative to the row `own`."""
        return self.name, self.shape, self.parameters, tuple(self.notes), tuple(own - each for each in self.sources)


# -- the networks of a model -------------------------------------------------------------------------------------------


def networks(model: keras.Model) -> str:
    """Returns the networks of a model as HTML, one column of layers each; "" for a model without networks."""
    shapes = recorded_shapes(model)
    columns: dict[str, list[Row]] = {}
    for layer in model.layers:
        if layer.name == "average" or layer.name in columns:  # EMA copies and repeated networks
            continue
        if isinstance(layer, keras.Model) or list(layer._flatten_layers(include_self=False)):
            inputs = [tensor.shape for tensor in getattr(layer, "inputs", [])] or [(None, *model.image_shape)]
            any_size = any(None in shape[1:] for shape in inputs)
            columns[layer.name] = rows_of(layer, relative(shapes) if any_size else shapes)
        elif columns and id(layer) in shapes:  # such as the classes of a classifier
            known = relative(shapes) if None in tuple(model.image_shape) else shapes
            *_, rows = columns.values()
            add(rows, layer, known[id(layer)], [len(rows) - 1])
    if not columns:
        return ""
    drawings = "".join(column(name, folded(rows)) for name, rows in columns.items())
    return f'<div class="networks">{drawings}</div>'


def recorded_shapes(model: keras.Model) -> dict[int, tuple[Any, ...]]:
    """Returns {id of a layer: output shape without the batch}, for images of the model's size or of `SIDE`."""
    shape = [side or SIDE for side in model.image_shape]
    with recorder() as found:
        for layer in model.layers:
            if isinstance(layer, keras.Model):
                layer(keras.tree.map_structure(example, getattr(layer, "_inputs_struct", layer.inputs[0])))
        rest = [layer for layer in model.layers if id(layer) not in found]
        if rest and not any(layer.name == "generator" for layer in model.layers):
            model(np.zeros((1, *shape), "float32"))
    return found


def example(tensor: Any) -> np.ndarray:
    """Returns zeros in the shape of a symbolic tensor."""
    return np.zeros((1, *(side or SIDE for side in tensor.shape[1:])), "float32")


def relative(shapes: dict[int, tuple[Any, ...]]) -> dict[int, tuple[Any, ...]]:
    """Returns shapes with sides relative to the height h and the width w."""
    return {
        key: tuple(part_of("hw"[i], number / SIDE) for i, number in enumerate(shape[:-1])) + shape[-1:]
        for key, shape in shapes.items()
    }


def part_of(side: str, ratio: float) -> str:
    return side if ratio == 1 else f"{side}/{round(1 / ratio)}" if ratio < 1 else f"{round(ratio)}{side}"


@contextmanager
def recorder() -> Iterator[dict[int, tuple[int, ...]]]:
    """Records {id of a layer: its first output shape} for all layers called in the context."""
    found: dict[int, tuple[int, ...]] = {}
    original = keras.layers.Layer.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        first = made[-1] if isinstance(made, list | tuple) else made
        if id(self) not in found and hasattr(first, "shape"):
            found[id(self)] = tuple(first.shape[1:])
        return made

    keras.layers.Layer.__call__ = call
    try:
        yield found
    finally:
        keras.layers.Layer.__call__ = original


def rows_of(network: Any, shapes: dict[int, tuple[Any, ...]]) -> list[Row]:
    """Returns the rows of a network, with the layers of each branch together."""
    rows: list[Row] = []
    if isinstance(network, keras.Sequential):
        rows.append(Row("input", shape_of(network.inputs[0]), 0, []))
        for layer in network.layers:
            add(rows, layer, shapes[id(layer)], [len(rows) - 1])
        return rows
    if not isinstance(network, keras.Model):  # a layer of sublayers, called one after the other
        own = {id(layer): layer for layer in network._flatten_layers(include_self=False, recursive=False)}
        for key in shapes:
            if key in own:
                add(rows, own[key], shapes[key], [len(rows) - 1] if rows else [])
        return rows
    places: dict[int, list[int]] = {}  # {id of a tensor: source rows}

    def visit(tensor: Any) -> list[int]:
        if id(tensor) not in places:
            operation, node, _ = tensor._keras_history
            inputs = operation._inbound_nodes[node].input_tensors
            sources = [place for each in inputs for place in visit(each)]
            if type(operation).__name__ == "OnesLike":
                sources = []
            if is_drawn(operation, sources):
                before = rows[sources[0]].shape if sources else None
                shape = shapes.get(id(operation)) or shape_of(tensor, before)
                sources = [add(rows, operation, shape, sources)]
            places[id(tensor)] = sources
        return places[id(tensor)]

    for tensor in [*network.inputs, *network.outputs]:
        visit(tensor)
    return rows


def is_drawn(operation: Any, sources: list[int]) -> bool:
    """Returns True for an operation with its own row: a layer, or an operation that joins two rows."""
    return isinstance(operation, keras.layers.Layer) or len(set(sources)) > 1


def is_input(operation: Any) -> bool:
    return isinstance(operation, keras.layers.InputLayer)


def shape_of(tensor: Any, before: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
    """Returns the shape of a symbolic tensor; unknown sides are those of the previous row."""
    sides = before or ("h", "w")
    return tuple(side if side is not None else sides[i] for i, side in enumerate(tensor.shape[1:]))


def add(rows: list[Row], layer: Any, shape: tuple[Any, ...], sources: list[int]) -> int:
    """Adds a layer as a row, or as a note below the last row; returns the index of the row."""
    name = type(layer).__name__
    parameters = layer.count_params() if getattr(layer, "built", False) else 0
    if any(part in name for part in BELOW) and sources == [len(rows) - 1] and not rows[-1].name.startswith("input"):
        if "Dropout" not in name or layer.rate:
            rows[-1].notes.append(name.replace("Normalization", "Norm"))
        rows[-1].parameters += parameters
        return len(rows) - 1
    rows.append(Row("input" if is_input(layer) else title(layer), shape, parameters, sources))
    rows[-1].notes += settings(layer)
    return len(rows) - 1


def settings(layer: Any) -> list[str]:
    """Returns the notes below the name of a layer: stride, dilation and activation."""
    strides = getattr(layer, "strides", 1)
    stride = strides[0] if isinstance(strides, tuple) else strides
    dilation = getattr(layer, "dilation_rate", None) or getattr(layer, "dilation", 1)
    dilation = dilation[0] if isinstance(dilation, tuple) else dilation
    notes = [f"stride {stride}"] if stride != 1 and "Pool" not in type(layer).__name__ else []
    notes += [f"dilation {dilation}"] if dilation != 1 else []
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    shown = {"relu": "ReLU", "elu": "ELU", "linear": ""}.get(activation, activation)
    return [*notes, shown] if shown and "ReLU" not in type(layer).__name__ else notes


def title(layer: Any) -> str:
    """Returns the name of a layer with its kernel size."""
    name = type(layer).__name__
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if name == "GatedConv2D":
        size = (3, 3)
    size = size if isinstance(size, tuple) else (size, size) if size else None
    return f"{name} {TIMES.join(map(str, size))}" if size else name


def folded(rows: list[Row]) -> list[Row]:
    """Folds repeated blocks of rows into one block with its number of repeats."""
    keys = [row.key(i) for i, row in enumerate(rows)]
    kept: list[Row] = []
    moved: dict[int, int] = {}  # {old index of a row: new index}
    i = 0
    while i < len(rows):
        length, count = repetition(keys, i)
        for j in range(i, i + length):
            moved[j] = len(kept)
            kept.append(rows[j])
        if count > 1:
            kept[-1].repeats, kept[-1].first = count, len(kept) - length
        for j in range(i + length, i + length * count):
            moved[j] = moved[i + (j - i) % length]
        i += length * count
    for row in kept:
        row.sources = [moved[each] for each in row.sources]
    return kept


def repetition(keys: list[Any], start: int) -> tuple[int, int]:
    """Returns the length and the count of the repeated block from row `start` on that saves most rows."""
    best, saved = (1, 1), 0
    for length in range(1, min(LONGEST, (len(keys) - start) // 2) + 1):
        piece, count = keys[start : start + length], 1
        while keys[start + count * length : start + (count + 1) * length] == piece:
            count += 1
        if (count - 1) * length > saved:
            best, saved = (length, count), (count - 1) * length
    return best


# -- drawing -----------------------------------------------------------------------------------------------------------


def column(name: str, rows: list[Row]) -> str:
    """Returns a network as an HTML figure with inline SVG."""
    total = sum(row.parameters * repeats(rows, i) for i, row in enumerate(rows))
    sides = [side_of(row.shape) for row in rows]
    largest = max(sides)
    boxes = [box(row, side, largest) for row, side in zip(rows, sides, strict=True)]
    parts = [*lines(rows, boxes)]
    for i, (row, (wide, high)) in enumerate(zip(rows, boxes, strict=True)):
        y = HEAD + ROW * i + ROW / 2
        parts.append(
            f'<rect class="{row.kind()}" x="{GLYPHS - wide / 2:.1f}" y="{y - high / 2:.1f}" width="{wide:.1f}" '
            f'height="{high:.1f}" rx="2"/>'
        )
        shape = TIMES.join(map(str, row.shape))
        below = " · ".join(row.notes)
        top = y + (-2 if below or row.parameters else 4)
        parts.append(f'<text x="{TEXT}" y="{top:.0f}">{html.escape(row.name)}</text>')
        parts.append(f'<text class="end" x="{END}" y="{top:.0f}">{shape}</text>')
        if below:
            parts.append(f'<text class="less" x="{TEXT}" y="{y + 11:.0f}">{html.escape(below)}</text>')
        if row.parameters:
            parts.append(f'<text class="less end" x="{END}" y="{y + 11:.0f}">{amount(row.parameters)}</text>')
        if row.repeats > 1:
            first = HEAD + ROW * row.first + 4
            parts.append(f'<path d="M{END + 5} {first} h4 V{HEAD + ROW * (i + 1) - 4} h-4"/>')
            middle = (first + HEAD + ROW * (i + 1)) / 2
            parts.append(f'<text x="{END + 12}" y="{middle + 2:.0f}">{TIMES}{row.repeats}</text>')
    height = 2 * HEAD + ROW * len(rows)
    told = f"{name}: " + ", ".join(f"{row.name} to {TIMES.join(map(str, row.shape))}" for row in rows)
    known = f" <span>{amount(total)} parameters</span>" if total else ""
    return (
        f"<figure><figcaption>{html.escape(name.replace('_', ' '))}{known}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(told)}">{"".join(parts)}</svg>'
        "</figure>"
    )


def repeats(rows: list[Row], i: int) -> int:
    """Returns the number of repeats of a row in its network."""
    return next((row.repeats for j, row in enumerate(rows) if row.repeats > 1 and row.first <= i <= j), 1)


def side_of(shape: tuple[Any, ...]) -> float:
    """Returns the side of maps, 0 for vectors; relative heights are fractions of 1."""
    if len(shape) < 2:
        return 0.0
    first = shape[0]
    if isinstance(first, str):
        over, _, under = first.partition("h")
        return float(over or 1) / float(under[1:] or 1)
    return float(first)


def box(row: Row, side: float, largest: float) -> tuple[float, float]:
    """Returns width and height of a box, from the side of the maps and the logarithm of the channels."""
    wide = max(12.0, WIDEST * math.sqrt(side / largest)) if side else 8.0
    return wide, min(ROW - 6.0, 4 + 2.4 * math.log2(max(row.shape[-1:] or (1,)) + 1))


def lines(rows: list[Row], boxes: list[tuple[float, float]]) -> Iterator[str]:
    """Yields lines to each row from its sources: straight from the previous row, around the boxes from others."""
    taken: list[tuple[int, int, int]] = []
    for i, row in enumerate(rows):
        for source in dict.fromkeys(row.sources):
            start, end = (HEAD + ROW * each + ROW / 2 for each in (source, i))
            if source == i - 1:
                top, bottom = start + boxes[source][1] / 2, end - boxes[i][1] / 2
                yield f'<path d="M{GLYPHS} {top:.1f} V{bottom:.1f}"/>'
            elif source < i:
                used = {lane for lane, a, b in taken if a < i and source < b}
                lane = next(lane for lane in range(len(rows)) if lane not in used)
                taken.append((lane, source, i))
                left = GLYPHS - WIDEST / 2 - LANE * (lane + 1)
                from_x, to_x = (GLYPHS - boxes[each][0] / 2 for each in (source, i))
                yield f'<path d="M{from_x:.1f} {start + 3:.1f} H{left} V{end:.1f} H{to_x:.1f}"/>'


def amount(count: float) -> str:
    """Returns a number with three digits and a unit prefix."""
    for power, prefix in ((1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * power:
            return f"{count / power:.3g}{prefix}"
    return f"{count:.0f}"


# -- curves ------------------------------------------------------------------------------------------------------------


def curve(points: Sequence[tuple[float, float]], across: str, up: str) -> str:
    """Returns a plot of points (x, y) with axes from 0, labeled with the first and last value."""
    left, right, top, bottom = 44, 330, 26, 150
    most_x, most_y = (max(each) for each in zip(*points, strict=True))
    places = [(left + (right - left) * x / most_x, bottom - (bottom - top) * y / most_y) for x, y in points]
    (first_x, first_y), (last_x, last_y) = places[0], places[-1]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
    told = f"{up}: {points[0][1]:.1f} after {points[0][0]:.2f} {across}, {points[-1][1]:.1f} after {points[-1][0]:.2f}"
    return (
        f'<div class="curve"><svg viewBox="0 0 {WIDTH} 190" role="img" aria-label="{html.escape(told)}">'
        f'<path d="M{left} {top} V{bottom} H{right}"/>'
        f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>{dots}'
        f'<text x="4" y="14">{html.escape(up)}</text><text class="end less" x="{left - 5}" y="{bottom}">0</text>'
        f'<text class="end less" x="{left - 5}" y="{top + 8}">{most_y:.0f}</text>'
        f'<text class="less" x="{first_x + 7:.1f}" y="{first_y + 4:.1f}">{points[0][1]:.1f}</text>'
        f'<text class="less" x="{last_x + 6:.1f}" y="{last_y + 4:.1f}">{points[-1][1]:.1f}</text>'
        f'<text class="end less" x="{right}" y="{bottom + 16}">{most_x:.1f}</text>'
        f'<text x="{left}" y="{bottom + 34}">{html.escape(across)}</text></svg></div>'
    )
