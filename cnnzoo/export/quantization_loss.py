"""What LiteRT's forms of a model cost in quality, on test images."""

import tempfile
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from cnnzoo.data import load
from cnnzoo.data.photographs import photographs
from cnnzoo.evaluation import restoration
from cnnzoo.export.isolated_runner import Litert
from cnnzoo.metrics.classification import accuracy
from cnnzoo.metrics.scores import Score
from cnnzoo.tasks.photo_inference import with_bicubic_color
from cnnzoo.utils.optional import require

TASKS = ("classify", "upscale", "restore")  # whose quality one number says
PHOTOGRAPHS = 10  # at most: a phone's runtime, on one thread, is slow on a desk

Function = Callable[[np.ndarray], np.ndarray]  # the portable verb on one image, float32 (1, height, width, channels)


def quality(model, function: Function, data: str, limit: int | None = None) -> Score:
    """How well `function` does what a model is for: the accuracy in percent, or the PSNR in dB, on test images.

    Args:
        model: A classifier, or what enlarges or denoises; says what `function` takes.
        function: Stands for the model.
        data: The data set that the model was trained on, whose test images are used; of one that was trained on
            photographs, the first of the usual sets to test on (see `cnnzoo.evaluation.restoration.sets_of`).
        limit: Use only so many images of a classifier; of photographs the first `PHOTOGRAPHS` are used.

    Raises:
        DataNotFound: The test images are not on this machine.
    """
    if model.task == "classify":
        found = load(data, "test", shape=model.image_shape).few(limit)
        named = np.concatenate([function(image[None] / np.float32(255)) for image in found.images])
        return Score("accuracy", 100 * accuracy(named, found.labels), "%", "higher", len(named))
    first = restoration.sets_of(model, data, "test")[0]
    shown = photographs(first, "test", 3 if model.task == "upscale" else model.image_shape[2]).few(PHOTOGRAPHS)
    if model.task == "upscale":
        enlarge = with_bicubic_color(lambda image: function(np.asarray(image)), model.scale)
        verb = {"scale": model.scale, "upscale": lambda image: np.asarray(enlarge(image[None] / np.float32(255)))[0]}
    else:
        verb = {"sigma": model.sigma, "restore": lambda image: function(image[None])[0]}
    alone = SimpleNamespace(image_shape=model.image_shape, **verb)
    scores = restoration.MEASURED[model.task](alone, shown, beside=False)
    usual = [score for score in scores if score.protocol.get("protocol", restoration.SHOWN) == restoration.SHOWN]
    ratios = [score for score in usual if score.unit == "dB"]  # one for each level of noise
    about = {**ratios[0].protocol, **({"sigma": list(restoration.SIGMAS)} if len(ratios) > 1 else {})}
    return Score("psnr", float(np.mean([s.value for s in ratios])), "dB", "higher", ratios[0].n, protocol=about)


def litert_costs(model, data: str) -> list[Score]:
    """By how much each LiteRT file is worse than the model, in percent of the images or dB; below 0 where it is better.

    Args:
        model: As it is published. Of other tasks than `TASKS` there are no scores.
        data: The data set it was trained on, which also calibrates int8.

    Raises:
        DataNotFound: Images are not on this machine.
        ModuleNotFoundError: LiteRT is not installed; the message says what is to be.
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
            found = quality(model, lambda image, runner=runner: runner({"image": image}), data)
            about = {"of": whole.name, "by Keras": round(whole.value, 4), **whole.protocol}
            cost = whole.value - found.value
            costs.append(Score(f"litert_{path.stem}_cost", cost, whole.unit, "lower", whole.n, protocol=about))
    return costs
