"""Scores of models that paint photographs: how near they come to the styles, and how much of the content stays."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from cnnzoo import hub
from cnnzoo.data.paintings import painting, paintings
from cnnzoo.data.photographs import photographs
from cnnzoo.metrics.scores import Score
from cnnzoo.tasks.stylizer import StyleOutputs, Targets

PAINTED = "bsd100"
PHOTOGRAPHS = 12  # that are painted in each style

Progress = Callable[[int, int], None]


def measure(model, data: str, split: str, limit: int | None, progress: Progress | None) -> list[Score]:
    """The losses of content and style (see `cnnzoo.tasks.stylizer.Stylizer`) of painted photographs.

    A model is measured on BSD100, or on `data` where that is not what it was trained on; in all of its styles, or those
    of all paintings if it takes any, seen by the network of `fast_style`; and beside it the photographs as they are.

    Raises:
        ValueError: A painting is not on this machine.
    """
    trained_on = split == "test" and "+" in data
    found = photographs(PAINTED if trained_on else data, split, 3).few(limit or PHOTOGRAPHS)
    judge = model if hasattr(model, "styles") else hub.build("fast_style", styles=tuple(paintings()))
    pictures = {name: painting(name).pixels for name in judge.styles}
    judge.set_style_targets(pictures)
    losses: dict[str, list[list[float]]] = {"": [], "photograph": []}  # of each picture: content and style
    for done, photo in enumerate(found.images, start=1):
        content = judge.maps.features(photo[None])[judge.maps.content_layer]
        for index, style in enumerate(judge.styles):
            goal = Targets(content, [layer[index : index + 1] for layer in judge.goals], [None] * len(judge.goals))
            made = model.stylize(photo, style if model is judge else pictures[style])
            for who, picture in {"": made, "photograph": photo}.items():
                picture = ops.convert_to_tensor(picture[None].astype(np.float32) / 255)
                _, parts = judge.stylization_loss(StyleOutputs(picture, judge.maps.features(picture), goal))
                losses[who].append([float(parts["content"][0]), float(parts["style"][0])])
        if progress is not None:
            progress(done, len(found.images))
    about: dict[str, Any] = {
        "data": found.name,
        "network": judge.network,
        "sha256": judge.maps.sha256,
        "statistic": judge.statistic,
        "styles": len(judge.styles),
        "mean over": "photographs and styles",
    }
    scores = []
    for who, values in losses.items():
        for quantity, value in zip(("content_loss", "style_loss"), np.mean(values, axis=0), strict=True):
            name = f"{who}_{quantity}" if who else quantity
            scores.append(Score(name, float(value), "", "" if who else "lower", len(values), protocol=about))
    return scores
