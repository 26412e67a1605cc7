"""The loss of quality of LiteRT files, on test images."""

import tempfile
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnzoo.data import load
from cnnzoo.data.photographs import photographs
from cnnzoo.evaluation import restoration
from cnnzoo.export.isolated_runner import Litert
from cnnzoo.metrics.classification import accuracy
from cnnzoo.metrics.scores import Score
from cnnzoo.tasks.photo_inference import with_bicubic_color
from cnnzoo.utils.optional import require

TASKS = ("classify", "upscale", "restore")  # with a single number for quality
PHOTOGRAPHS = 10  # at most: LiteRT on one thread is slow on a desktop

Function = Callable[[np.ndarray], np.ndarray]  # the portable verb on one image, float32 (1, height, width, channels)


def quality(model: Any, function: Function, data: str, limit: int | None = None) -> Score:
    """The quality of `function` in place of a model on test images: accuracy in percent, or PSNR in dB.

    Args:
        model: A classifier, or a model for super-resolution or denoising, with the inputs of `function`.
        function: The exported model.
        data: The training data of the model, whose test images are used; for photographs, the first of the usual test
            sets (see `cnnzoo.evaluation.restoration.evaluation_sets`).
        limit: Use at most this number of images of a classifier; photographs are the first `PHOTOGRAPHS`.

    Raises:
        DataNotFound: The test images are not on this machine.
    """
    if model.task == "classify":
        found = load(data, "test", shape=model.image_shape).few(limit)
        if found.labels is None:
            raise ValueError(f"{data} must have labels for accuracy. Received: none")
        chances = np.concatenate([function(image[None] / np.float32(255)) for image in found.images])
        return Score("accuracy", 100 * accuracy(chances, found.labels), "%", "higher", len(chances))
    first = restoration.evaluation_sets(model, data, "test")[0]
    shown = photographs(first, "test", 3 if model.task == "upscale" else model.image_shape[2]).few(PHOTOGRAPHS)
    verb: dict[str, Any]
    if model.task == "upscale":
        enlarge = with_bicubic_color(lambda image: function(np.asarray(image)), model.scale)
        verb = {"scale": model.scale, "upscale": lambda image: np.asarray(enlarge(image[None] / np.float32(255)))[0]}
    else:
        verb = {"sigma": model.sigma, "restore": lambda image: function(image[None])[0]}
    stand_in = SimpleNamespace(image_shape=model.image_shape, **verb)
    scores = restoration.BY_TASK[model.task](stand_in, shown, baselines=False)
    main = restoration.MAIN_PROTOCOL
    usual = [score for score in scores if score.protocol.get("protocol", main) == main]
    ratios = [score for score in usual if score.unit == "dB"]  # one per noise level
    about = {**ratios[0].protocol, **({"sigma": list(restoration.SIGMAS)} if len(ratios) > 1 else {})}
    return Score("psnr", float(np.mean([s.value for s in ratios])), "dB", "higher", ratios[0].n, protocol=about)


def litert_costs(model: Any, data: str) -> list[Score]:
    """The loss of quality of each LiteRT file, in percent of images or dB; negative if it is better than the model.

    Args:
        model: The published model; no scores for other tasks than `TASKS`.
        data: Its training data, which also calibrate int8.

    Raises:
        DataNotFound: Images are not on this machine.
        ModuleNotFoundError: LiteRT is not installed; the message has the package.
    """
    if model.task not in TASKS:
        return []
    require("the cost of LiteRT files", "export", "ai_edge_litert")
    import cnnzoo

    costs = []
    with tempfile.TemporaryDirectory() as folder:
        version = cnnzoo.export(model, folder, litert=True, data=data)
        whole = quality(model, lambda image: np.asarray(model(image)), data)
        for path in sorted(version.glob("litert/*.tflite")):
            runner = Litert(path)
            found = quality(model, partial(_run_litert, runner), data)
            about = {"of": whole.name, "by Keras": round(whole.value, 4), **whole.protocol}
            cost = whole.value - found.value
            costs.append(Score(f"litert_{path.stem}_cost", cost, whole.unit, "lower", whole.n, protocol=about))
    return costs


def _run_litert(runner: Litert, image: np.ndarray) -> np.ndarray:
    return runner({"image": image})
