"""Measures the time of `StyleTransfer.stylize` to the loss that Keras's example reaches in 500 steps of Adam.

    python benchmarks/style_transfer.py photo.jpg painting.jpg --side 512

The reference is Keras's example "Neural style transfer". It starts from the content at its full size, with the style at
the same size. Each step passes content, style and image through the network in one batch, and takes a step down the
gradient: here by Adam with a learning rate of 0.02, clipped to [0, 1]. `stylize` optimizes from coarse to fine with
L-BFGS. Network, targets and loss are the same on both sides. Both are compiled, and compilation is included in the
times.

With `--once`, the features of content and style are computed only once for the reference, which saves two thirds of its
work. With `--timed 20`, only 20 of its steps are taken and their time is extrapolated to all steps; there is then no
loss to compare. The table has the loss and the time for each number of steps of `stylize`, and the ratio of the time to
that of the reference.
"""

import argparse
from collections.abc import Callable
from time import perf_counter

import numpy as np
from keras import ops

import cnnzoo
from cnnzoo.data.paintings import painting
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.models.style_transfer import StyleOutputs, StyleTransfer
from cnnzoo.nn.gradients import value_and_gradient
from cnnzoo.tasks.pixel_optimizers import adam, resized
from cnnzoo.utils.terminal import print_table


def usual(model: StyleTransfer, content: np.ndarray, style: np.ndarray, once: bool) -> Callable[..., tuple]:
    """Returns a function from an image (1, height, width, 3) to the loss of Keras's example and its gradient."""
    given = ops.convert_to_tensor(np.concatenate([content, style]))

    def loss(picture):
        maps = model.maps.features(ops.concatenate([given, picture]))
        first, second, third = ({name: x[i : i + 1] for name, x in maps.items()} for i in range(3))
        return ops.mean(model.stylization_loss(StyleOutputs(picture, third, model.targets(first, second)))[0])

    evaluate = value_and_gradient(model.objective(ops.convert_to_tensor(content), [style], [1.0]) if once else loss)
    return lambda x: tuple(map(ops.convert_to_numpy, evaluate(ops.convert_to_tensor(x))))


def _unit_range(name: str) -> np.ndarray:
    """Returns a picture as float32 (1, height, width, 3) in [0, 1]."""
    return to_channels(painting(name).pixels[None], 3) / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content", help="a photograph")
    parser.add_argument("style", help="a picture, or the name of a painting")
    parser.add_argument("--side", type=int, default=512, help="the longer one, in pixels (default: 512)")
    parser.add_argument("--network", help="that sees the pictures (default: the model's own)")
    parser.add_argument("--reference", type=int, default=500, help="steps of Adam (default: 500)")
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 125, 150], help="of stylize, at each scale")
    parser.add_argument("--once", action="store_true", help="show Adam's network content and style once, not each step")
    parser.add_argument("--timed", type=int, help="steps of Adam that are measured (default: all of the reference)")
    asked = parser.parse_args()
    model = cnnzoo.build("style_transfer", **({"network": asked.network} if asked.network else {}))
    content, style = (_unit_range(asked.content), _unit_range(asked.style))
    ratio = asked.side / max(content.shape[1:3])
    size = tuple(round(ratio * side) for side in content.shape[1:3])
    content, style = (resized(picture, size).clip(0.0, 1.0) for picture in (content, style))
    loss = model.objective(ops.convert_to_tensor(content), [style], [1.0])

    taken = asked.timed or asked.reference
    begun = perf_counter()
    evaluate = usual(model, content, style, asked.once)
    evaluate(content)  # compiles; this time is not extrapolated
    compiling, begun = perf_counter() - begun, perf_counter()
    made = adam(evaluate, content, taken)
    seconds = (perf_counter() - begun) * asked.reference / taken
    whole = compiling + seconds
    value = f"{float(loss(ops.convert_to_tensor(made))):.4f}" if taken == asked.reference else f"({taken} steps taken)"
    rows = [(f"Adam, {asked.reference} steps", value, f"{whole:.1f}", "1.000")]
    for steps in asked.steps:
        begun = perf_counter()
        made = model.stylize(content, style[0], steps=steps, side=asked.side)
        seconds = perf_counter() - begun
        value = f"{float(loss(ops.convert_to_tensor(made))):.4f}"
        rows.append((f"stylize, {steps} steps a scale", value, f"{seconds:.1f}", f"{seconds / whole:.3f}"))
    title = f"{content.shape[2]}x{content.shape[1]} pixels, {model.network}"
    print_table(title, ("", "loss", "seconds", "of Adam's"), rows)


if __name__ == "__main__":
    main()
