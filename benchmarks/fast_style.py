"""Measures loss and time of one pass of `fast_style.paintings` relative to optimization on the same loss.

    python benchmarks/fast_style.py --side 512 --photographs 6 --steps 100

For each photograph of Set14 and each style, the loss (content, style and total variation, weighted as in training) is
measured for the output of the network, for the unchanged photograph, and after `--steps` iterations of L-BFGS from the
photograph. The time of a pass is compared with that of 500 steps of Adam, extrapolated from `--timed` steps. Network,
targets and loss are the same on all sides, and compiled.
"""

import argparse
from time import perf_counter

import numpy as np
from keras import ops

import cnnzoo
from cnnzoo.data.paintings import painting
from cnnzoo.data.photographs import photographs
from cnnzoo.nn.gradients import value_and_gradient
from cnnzoo.tasks.pixel_optimizers import adam, lbfgs, resized
from cnnzoo.tasks.stylizer import StyleOutputs, Targets
from cnnzoo.utils.terminal import print_table


def objective(model, photo: np.ndarray, index: int):
    """Returns a function from an image to its loss and gradient, for one photograph (1, height, width, 3) and style."""
    content = model.maps.features(ops.convert_to_tensor(photo))[model.maps.content_layer]
    goals = [ops.convert_to_tensor(goal[index : index + 1]) for goal in model.goals]
    targets = Targets(content, goals, [None] * len(goals))
    evaluate = value_and_gradient(
        lambda picture: ops.mean(
            model.stylization_loss(StyleOutputs(picture, model.maps.features(picture), targets))[0]
        )
    )
    return lambda x: tuple(map(ops.convert_to_numpy, evaluate(ops.convert_to_tensor(x))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512, help="the longer one, in pixels (default: 512)")
    parser.add_argument("--photographs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=100, help="iterations of L-BFGS (default: 100)")
    parser.add_argument("--timed", type=int, default=20, help="steps of Adam that are measured (default: 20)")
    asked = parser.parse_args()
    model = cnnzoo.build("fast_style.paintings")
    model.set_style_targets({name: painting(name).pixels for name in model.styles})
    losses: dict[str, list[float]] = {"photograph": [], "one pass": [], f"L-BFGS, {asked.steps}": []}
    passes, steps = [], []
    for number, photo in enumerate(photographs("set14", "test", 3).images[: asked.photographs]):
        ratio = asked.side / max(photo.shape[:2])
        size = tuple(round(ratio * side) for side in photo.shape[:2])
        photo = resized(photo[None] / np.float32(255), size).clip(0.0, 1.0)
        model.stylize(photo)  # the first call for an image size compiles and is not counted
        for index, style in enumerate(model.styles):
            loss = objective(model, photo, index)
            begun = perf_counter()
            made = model.stylize(photo, style)
            passes.append(perf_counter() - begun)
            if number == 0:
                loss(photo)
                begun = perf_counter()
                adam(loss, photo, asked.timed)
                steps.append((perf_counter() - begun) / asked.timed)
            pictures = (photo, made, lbfgs(loss, photo, asked.steps))
            for who, picture in zip(losses, pictures, strict=True):
                losses[who].append(float(loss(picture)[0]))
    count = f"{asked.photographs} photographs x {len(model.styles)} styles"
    rows = [(who, f"{np.mean(values):.3f}") for who, values in losses.items()]
    print_table(f"{count}, {asked.side} pixels a side at most", ("", "mean loss"), rows)
    one, many = np.median(passes), 500 * np.median(steps)
    print(f"a pass {one:.2f} s, 500 steps of Adam {many:.0f} s: 1/{many / one:.0f}")


if __name__ == "__main__":
    main()
