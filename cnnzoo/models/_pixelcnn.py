"""A gated PixelCNN: autoregressive probabilities for a grid of integers, in raster order.

Source: van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", 2016, arXiv:1606.05328, section 2.2
and figure 2.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from cnnzoo.nn.layers import PACKAGE


def _padded(x: Any, top: int = 0, left: int = 0, right: int = 0) -> Any:
    """x (n, rows, columns, c), zero-padded."""
    return ops.pad(x, ((0, 0), (top, 0), (left, right), (0, 0)))


def _row_above(x: Any) -> Any:
    """Each row replaced by the one above, the first by zeros."""
    return _padded(x, top=1)[:, :-1]


def _position_left(x: Any) -> Any:
    """Each position replaced by the one to its left, the first of a row by zeros."""
    return _padded(x, left=1)[:, :, :-1]


def _gate(x: Any) -> Any:
    """tanh(a) sigmoid(b) for the halves a, b of the channels: (..., 2 c) to (..., c); equation 2."""
    a, b = ops.split(x, 2, axis=-1)
    return ops.tanh(a) * ops.sigmoid(b)


@keras.saving.register_keras_serializable(PACKAGE)
class GatedLayer(keras.layers.Layer):
    """A gated layer of the vertical and horizontal stack, each (n, rows, columns, width).

    Causal padding replaces masked convolutions.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        shapes = {"up": (2 * width, (2, 3)), "left": (2 * width, (1, 2)), "across": (2 * width, 1), "out": (width, 1)}
        for name, (filters, size) in shapes.items():
            layer = layers.Conv2D(filters, size, name=name, dtype=self.dtype_policy)
            layer.build((None, None, None, 2 * width if name == "across" else width))
            setattr(self, name, layer)
        self.built = True

    def down(self, vertical: Any) -> Any:
        """The vertical stack, and its input of the horizontal one, (n, rows, columns, 2 width)."""
        above = self.up(_padded(vertical, top=1, left=1, right=1))  # (n, rows, columns, 2 width)
        return vertical + _gate(above), self.across(above)

    def along(self, horizontal: Any, across: Any) -> Any:
        """The horizontal stack."""
        return horizontal + self.out(_gate(self.left(_padded(horizontal, left=1)) + across))

    def call(self, vertical: Any, horizontal: Any) -> Any:
        vertical, across = self.down(vertical)
        return vertical, self.along(horizontal, across)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(PACKAGE)
class PixelCNN(keras.layers.Layer):
    """Integers (n, rows, columns) in [0, classes) to float32 logits (n, rows, columns, classes).

    The logits at a position depend only on the integers in the rows above and to the left in its row.

    Args:
        classes: Number of integers.
        width: Channels of each stack.
        depth: Number of gated layers.
    """

    def __init__(self, classes: int, width: int, depth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes, self.width, self.depth = classes, width, depth
        apart = keras.initializers.RandomNormal(stddev=1.0)  # one embedding vector per integer
        self.embedding = layers.Dense(width, None, False, apart, name="embedding", dtype=self.dtype_policy)
        self.gated = [GatedLayer(width, dtype=self.dtype_policy) for _ in range(depth)]
        self.hidden = layers.Conv2D(width, 1, activation="relu", name="hidden", dtype=self.dtype_policy)
        self.head = layers.Conv2D(classes, 1, dtype="float32", name="head")
        for layer, channels in ((self.embedding, classes), (self.hidden, width), (self.head, width)):
            layer.build((None, None, None, channels))
        self.built = True

    def call(self, codes: Any) -> Any:
        x = self._embedded(codes)
        vertical, horizontal = _row_above(x), _position_left(x)
        for layer in self.gated:
            vertical, horizontal = layer(vertical, horizontal)
        return self._logits(horizontal)

    def down(self, codes: Any) -> list[Any]:
        """The vertical stack: for each layer what `along` needs of the rows above, (n, rows, columns, 2 width).

        It is computed once for a row whose integers are drawn one by one.
        """
        vertical, across = _row_above(self._embedded(codes)), []
        for layer in self.gated:
            vertical, given = layer.down(vertical)
            across.append(given)
        return across

    def along(self, codes: Any, across: Sequence[Any]) -> Any:
        """The horizontal stack: the logits, from the integers and the result of `down`, or some rows of both."""
        horizontal = _position_left(self._embedded(codes))
        for layer, given in zip(self.gated, across, strict=True):
            horizontal = layer.along(horizontal, given)
        return self._logits(horizontal)

    def _embedded(self, codes: Any) -> Any:
        return self.embedding(ops.one_hot(codes, self.classes, dtype=self.compute_dtype))  # (n, rows, columns, width)

    def _logits(self, horizontal: Any) -> Any:
        return self.head(self.hidden(ops.relu(horizontal)))  # (n, rows, columns, classes)

    def get_config(self) -> dict[str, Any]:
        own = {"classes": self.classes, "width": self.width, "depth": self.depth}
        return {**super().get_config(), **own}
