"""The TensorFlow sides of verbs: the zoo, its bare compiled graph, and `predict` of plain Keras with Pillow."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import cnnzoo
from cnnzoo.tasks.photo_inference import with_bicubic_color
from speed.verbs import VERBS, as_bytes, given, with_pillow_color

STYLE = "wave"
_models: dict[str, Any] = {}
_held: dict[str, Callable] = {}


def exported(checkpoint: str, folder: str, litert: bool) -> str:
    """Returns the folder of an export with an ONNX file; writes it if it is missing."""
    target = Path(folder, checkpoint)
    found = sorted(target.glob("[0-9]*"))
    if not found:
        found = [cnnzoo.export(checkpoint, folder, name=checkpoint, onnx=True, litert=litert, data="photos")]
    return str(found[-1])


def prepare(
    verb: str,
    size: tuple[int, int],
    sides: tuple[str, ...] = ("zoo", "graph", "keras"),
    precision: str = "float32",
) -> float:
    """Builds and warms up the functions of the sides; returns the seconds of a call of the first side.

    Args:
        verb: One of `VERBS`.
        size: Size of the input, as in `speed.verbs.Verb`.
        sides: Any of "zoo", "graph" and "keras".
        precision: Precision of the zoo's verb.
    """
    checkpoint = VERBS[verb].checkpoint
    model = _models.setdefault(checkpoint, cnnzoo.build(checkpoint))
    model.verb_precision = precision
    x = given(verb, size)
    _held.clear()
    makers = {"zoo": _verb, "graph": _graph}
    if "keras" in VERBS[verb].peers:
        makers["keras"] = _plain
    _held.update({side: make(verb, model, x) for side, make in makers.items() if side in sides})
    for function in _held.values():
        function()
        function()
    return run(sides[0], 1)


def run(side: str, times: int) -> float:
    """Returns the seconds of a number of calls."""
    begun = perf_counter()
    for _ in range(times):
        _held[side]()
    return perf_counter() - begun


def _verb(verb: str, model: Any, x: tuple) -> Callable:
    calls = {
        "upscale": lambda: model.upscale(*x),
        "denoise": lambda: model.restore(*x),
        "inpaint": lambda: model.restore(*x),
        "enhance": lambda: model.enhance(*x),
        "stylize": lambda: model.stylize(*x, STYLE),
        "classify": lambda: model.classify(*x),
        "reconstruct": lambda: model.reconstruct(*x),
        "generate": lambda: model.generate(len(x[0])),
    }
    return calls[verb]


def _graph(verb: str, model: Any, x: tuple) -> Callable:
    """Returns the verb as one compiled function from arrays to arrays."""

    def unit(images: Any) -> Any:
        return tf.cast(images, tf.float32) / 255.0

    def inpainted(images: Any, mask: Any) -> Any:
        return model(tf.concat([unit(images), tf.cast(mask, tf.float32)], 3))

    def stylized(images: Any) -> Any:
        mix = tf.one_hot([model.styles.index(STYLE)], len(model.styles))
        return model.painter(unit(images), mix)

    functions = {
        "upscale": lambda images: with_bicubic_color(model, model.scale)(unit(images)),
        "denoise": lambda images: model(unit(images)),
        "inpaint": inpainted,
        "enhance": lambda images: model.enhanced(unit(images)),
        "stylize": stylized,
    }
    if verb in functions:

        def whole(*batch: Any) -> Any:
            made = tf.clip_by_value(functions[verb](*batch), 0.0, 1.0)
            return tf.cast(tf.round(255.0 * made), tf.uint8)

        compiled = tf.function(whole, autograph=False)
        return lambda: compiled(*(tf.constant(part[None]) for part in x)).numpy()[0]
    compiled = tf.function(model.decoded if verb == "generate" else model, autograph=False)
    if verb == "generate":
        z = model.draw(len(x[0]))
        return lambda: compiled(tf.constant(z)).numpy()
    return lambda: compiled(tf.constant(x[0])).numpy()


def _plain(verb: str, model: Any, x: tuple) -> Callable:
    """Returns the verb by `predict` of a plain Keras model of the same layers; Pillow handles the color."""
    if verb == "classify":
        plain = keras.Sequential([model.backbone, model.head, keras.layers.Softmax()])
        return lambda: plain.predict(x[0].astype(np.float32) / 255, verbose=0)
    if verb == "generate":
        z = model.draw(len(x[0]))
        return lambda: model.average.predict(z, verbose=0)
    if verb == "denoise":
        noisy = keras.Input((None, None, 3))
        plain = keras.Model(noisy, keras.layers.Subtract()([noisy, model.network(noisy)]))
        return lambda: as_bytes(plain.predict(x[0][None].astype(np.float32) / 255, verbose=0)[0])
    plain = keras.Sequential([model.network, model.to_space])

    return lambda: with_pillow_color(x[0], model.scale, lambda luma: plain.predict(luma, verbose=0))
