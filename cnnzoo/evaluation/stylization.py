"""Scores of style transfer: content loss and style loss of stylized photographs."""

from typing import Any

import numpy as np
from keras import ops

from cnnzoo import hub
from cnnzoo.data.paintings import painting, paintings
from cnnzoo.data.photographs import Photographs, photographs
from cnnzoo.evaluation.options import Options
from cnnzoo.evaluation.restoration import evaluation_sets
from cnnzoo.metrics.scores import Score
from cnnzoo.tasks.stylizer import StyleOutputs, Targets

PHOTOGRAPHS = 12  # stylized in each style


def measure(model: Any, data: str, split: str, options: Options) -> list[Score]:
    """The content and style losses (see `cnnzoo.tasks.stylizer.Stylizer`) of stylized photographs and of the originals.

    The photographs are those of `cnnzoo.evaluation.restoration.evaluation_sets`. The styles are all of the model,
    or all paintings for a model of any style, whose losses are taken in the network of `fast_style`.

    Raises:
        ValueError: A painting is not on this machine.
    """
    (test_set,) = evaluation_sets(model, data, split)
    found, pictures = images(model, test_set, split, options.limit)
    judge = model if hasattr(model, "styles") else hub.build("fast_style", styles=tuple(pictures))
    judge.set_style_targets(pictures)
    losses: dict[str, list[list[float]]] = {"": [], "photograph": []}  # (content, style) of each picture
    for done, photo in enumerate(found.images, start=1):
        content = judge.maps.features(photo[None])[judge.maps.content_layer]
        for index, style in enumerate(judge.styles):
            goal = Targets(content, [layer[index : index + 1] for layer in judge.goals], [None] * len(judge.goals))
            made = model.stylize(photo, style if model is judge else pictures[style])
            for method, picture in {"": made, "photograph": photo}.items():
                picture = ops.convert_to_tensor(picture[None].astype(np.float32) / 255)
                _, parts = judge.stylization_loss(StyleOutputs(picture, judge.maps.features(picture), goal))
                losses[method].append([float(parts["content"][0]), float(parts["style"][0])])
        if options.progress is not None:
            options.progress(done, len(found.images))
    about: dict[str, Any] = {
        "data": found.name,
        "network": judge.network,
        "sha256": judge.maps.sha256,
        "statistic": judge.statistic,
        "styles": len(judge.styles),
        "mean over": "photographs and styles",
    }
    scores = []
    for method, values in losses.items():
        for quantity, value in zip(("content_loss", "style_loss"), np.mean(values, axis=0), strict=True):
            name = f"{method}_{quantity}" if method else quantity
            scores.append(Score(name, float(value), "", "" if method else "lower", len(values), protocol=about))
    return scores


def images(model: Any, data: str, split: str, limit: int | None = None) -> tuple[Photographs, dict[str, np.ndarray]]:
    """The photographs that a model stylizes in a test, and the paintings of its styles, or all of them, by name.

    Raises:
        ValueError: A painting or the photographs are not on this machine.
    """
    pictures = {name: painting(name).pixels for name in getattr(model, "styles", paintings())}
    if not pictures:
        raise ValueError("The paintings must be on this machine, by: cnnzoo data get paintings. Received: none")
    return photographs(data, split, 3).few(limit or PHOTOGRAPHS), pictures
