"""Measures exports: difference from the golden, quality on test images, size, and time for one image.

    python benchmarks/export.py                          # all bundled checkpoints; quality only with the data at hand
    python benchmarks/export.py espcn.x3 lenet.mnist --images 1000

The size is that of the SavedModel with the graphs of all its signatures, of each file, and of the weights of the
original model. The quality is accuracy for a classifier, PSNR for super-resolution and denoising (see
`cnnzoo.export.quantization_loss.quality`). The time is the median over alternating runs on one image of the golden,
tiled to 256x256 pixels for super-resolution and denoising. LiteRT runs on one thread. The original model ("in
training") runs as a graph compiled by `tf.function`.
"""

import argparse
import tempfile
from collections.abc import Callable
from time import perf_counter

import numpy as np
import tensorflow as tf

import cnnzoo
from cnnzoo.data import DataNotFound
from cnnzoo.export.isolated_runner import Litert, Onnx
from cnnzoo.export.loader import verify
from cnnzoo.export.quantization_loss import TASKS, Function, quality
from cnnzoo.tasks.photo_inference import with_bicubic_color
from cnnzoo.utils.terminal import print_table

RUNS = 30
SIDE = 256  # of the timed image, for models of photographs of any size


def milliseconds(functions: list[Callable], given: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the median time of a call of each function; they alternate, so that foreign load affects all alike.

    The first two calls are not counted.
    """
    times = np.empty((RUNS + 2, len(functions)))
    for row in times:
        for index, function in enumerate(functions):
            begun = perf_counter()
            function(given)
            row[index] = perf_counter() - begun
    return 1000.0 * np.median(times[2:], axis=0)


def enlarged_to(side: int, image: np.ndarray) -> np.ndarray:
    """Returns an image (1, height, width, channels), tiled to (1, side, side, channels)."""
    rows, columns = (-(-side // extent) for extent in image.shape[1:3])
    return np.tile(image, (1, rows, columns, 1))[:, :side, :side]


def measured(name: str, images: int) -> list[tuple[str, ...]]:
    """Returns a row for each form of a checkpoint."""
    model, card = cnnzoo.build(name), cnnzoo.card(name)
    with tempfile.TemporaryDirectory() as folder:
        version = cnnzoo.export(name, folder, litert=True, onnx=True)
        (off,) = verify(version).values()
        export = cnnzoo.load_export(version)
        verb = "decode" if model.task == "generate" else export.about["main"]
        with np.load(version / "assets.extra" / "golden.npz") as file:
            given = {key.split("/")[2]: file[key][:1] for key in file.files if key.startswith(f"{verb}/in/")}
        if None in getattr(model, "image_shape", ()) and model.task in ("upscale", "restore"):
            given["image"] = enlarged_to(SIDE, given["image"])
        training = tf.function(lambda **x: graph_of(model, verb, **x), autograph=False, reduce_retracing=True)
        saved = sum(path.stat().st_size for path in [version / "saved_model.pb", *version.glob("variables/*")])
        forms = [
            ("in training", 0.0, lambda x: training(**x).numpy(), sum(w.numpy().nbytes for w in model.weights)),
            ("SavedModel", max(off[v] for v in export.signatures), lambda x: first(export(verb, **x)), saved),
        ]
        for path in sorted([*version.glob("litert/*"), *version.glob("onnx/*")]):
            runner = (Litert if path.suffix == ".tflite" else Onnx)(path)
            kind = f"{path.parent.name}/{path.name}"
            forms.append((kind, off[kind], runner, path.stat().st_size))
        qualities = [scored(model, lambda x, f=form[2]: f({"image": x}), card, images) for form in forms]
        times = milliseconds([form[2] for form in forms], given)
        return [
            (name, form, f"{difference:.1e}", quality, f"{size / 1e3:.0f}", f"{time:.2f}")
            for (form, difference, _, size), quality, time in zip(forms, qualities, times, strict=True)
        ]


def scored(model, function: Function, card: dict, images: int) -> str:
    """Returns the quality of `function` in place of the model, "no data", or "" for tasks without a single measure."""
    if model.task not in TASKS:
        return ""
    try:
        return f"{quality(model, function, card['data']['name'], images).value:.3f}"
    except DataNotFound:
        return "no data"


def graph_of(model, verb: str, **given):
    """Returns the output of a verb of the original model, for use in a graph."""
    if verb == "decode":
        labels = {"one_hot": tf.one_hot(given["labels"], model.classes)} if "labels" in given else {}
        return model.decoded(given["code"], **labels)
    if verb == "upscale":
        return with_bicubic_color(model, model.scale)(given["image"])
    return model(tf.concat([given["image"], given["mask"]], axis=3) if "mask" in given else given["image"])


def first(made: dict[str, np.ndarray]) -> np.ndarray:
    return next(value for key, value in made.items() if key != "class_names")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="*", default=cnnzoo.list_checkpoints())
    parser.add_argument("--images", type=int, default=2000, help="test images of a classifier")
    asked = parser.parse_args()
    for name in asked.name:
        rows = measured(name, asked.images)
        print_table("", ("checkpoint", "form", "off by", "% or dB", "kB", "ms an image"), rows)


if __name__ == "__main__":
    main()
