"""Style transfer in Keras: `stylize`, and 500 steps of Adam after Keras's example "Neural style transfer"."""

from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import cnnzoo
from cnnzoo.data.sources import shipped_photographs
from cnnzoo.models.style_transfer import StyleOutputs
from cnnzoo.tasks.pixel_optimizers import RATE, resized


def adam(side: int, steps: int) -> tuple[float, float]:
    """Returns the seconds and the final loss of Adam.

    In each step, content, style and image pass through the network in one batch.
    """
    model, content, style = _given(side)
    given = ops.convert_to_tensor(np.concatenate([content, style]))
    picture, optimizer = keras.Variable(content), keras.optimizers.Adam(RATE)
    optimizer.build([picture])

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            maps = model.maps.features(ops.concatenate([given, picture]))
            first, second, third = ({name: x[i : i + 1] for name, x in maps.items()} for i in range(3))
            outputs = StyleOutputs(ops.convert_to_tensor(picture), third, model.targets(first, second))
            loss = ops.mean(model.stylization_loss(outputs)[0])
        optimizer.apply_gradients([(tape.gradient(loss, picture.value), picture)])
        picture.assign(ops.clip(picture, 0.0, 1.0))
        return loss

    begun = perf_counter()
    for _ in range(steps):
        float(step())
    seconds = perf_counter() - begun
    return seconds, _loss(model, content, style, ops.convert_to_numpy(picture))


def stylized(side: int, steps: int) -> tuple[float, float]:
    """Returns the seconds and the final loss of `stylize` of a new model, including compilation."""
    model, content, style = _given(side)
    begun = perf_counter()
    made = model.stylize(content, style[0], steps=steps, side=side)
    return perf_counter() - begun, _loss(model, content, style, made)


def goal(side: int) -> dict[str, Any]:
    """Returns the inputs of PyTorch's loop: content, targets, name of the network and weights of the loss."""
    model, content, style = _given(side)
    seen, painted = model.maps.features(content), model.maps.features(style)
    targets = model.targets(seen, painted)
    return {
        "content": content,
        "wanted": ops.convert_to_numpy(targets.content),
        "style": [ops.convert_to_numpy(statistic) for statistic in targets.style],
        "network": model.network,
        "weights": (model.content_weight, model.style_weight, model.variation_weight),
    }


def _given(side: int) -> tuple[Any, np.ndarray, np.ndarray]:
    photographs = shipped_photographs("train")
    pictures = [photographs[name][None].astype(np.float32) / 255 for name in ("astronaut", "coffee")]
    content, style = (resized(picture, (side, side)).clip(0.0, 1.0) for picture in pictures)
    return cnnzoo.build("style_transfer"), content, style


def _loss(model: Any, content: np.ndarray, style: np.ndarray, made: np.ndarray) -> float:
    objective = model.objective(ops.convert_to_tensor(content), [style], [1.0])
    return float(objective(ops.convert_to_tensor(made)))
