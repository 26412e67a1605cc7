"""Scores of models that paint photographs: how near they come to the styles, and how much of the content stays."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from cnnzoo.data.paintings import painting
from cnnzoo.data.photographs import photographs
from cnnzoo.images import to_uint8
from cnnzoo.metrics.scores import Score
from cnnzoo.models._stylizer import Seen, Targets

PAINTED = "bsd100"
PHOTOGRAPHS = 12  # that are painted in each style

Progress = Callable[[int, int], None]


def measure(model, data: str, split: str, limit: int | None, progress: Progress | None) -> list[Score]:
    """The losses of content and style (see `cnnzoo.models._stylizer.Stylizer`) of painted photographs.

    A model is measured on BSD100, or on `data` where that is not what it was trained on; in all of its styles, and
    beside it the photographs as they are.

    Raises:
        ValueError: A painting is not on this machine.
    """
    trained_on = split == "test" and "+" in data
    found = photographs(PAINTED if trained_on else data, split, 3).few(limit or PHOTOGRAPHS)
    model.look_at({name: painting(name).pixels for name in model.styles})
    losses: dict[str, list[list[float]]] = {"": [], "photograph": []}  # of each picture: content and style
    for done, photo in enumerate(found.images, start=1):
        content = model.maps.features(photo[None])[model.maps.content_layer]
        for index, style in enumerate(model.styles):
            goal = Targets(content, [layer[index : index + 1] for layer in model.goals], [None] * len(model.goals))
            for who, picture in {"": to_uint8(model.stylize(photo, style)), "photograph": photo}.items():
                picture = ops.convert_to_tensor(picture[None].astype(np.float32) / 255)
                _, parts = model.stylization_loss(Seen(picture, model.maps.features(picture), goal))
                losses[who].append([float(parts["content"]), float(parts["style"])])
        if progress is not None:
            progress(done, len(found.images))
    about: dict[str, Any] = {
        "data": found.name,
        "network": model.network,
        "sha256": model.maps.sha256,
        "statistic": model.statistic,
        "styles": len(model.styles),
        "mean over": "photographs and styles",
    }
    scores = []
    for who, values in losses.items():
        for quantity, value in zip(("content_loss", "style_loss"), np.mean(values, axis=0), strict=True):
            name = f"{who}_{quantity}" if who else quantity
            scores.append(Score(name, float(value), "", "" if who else "lower", len(values), protocol=about))
    return scores
