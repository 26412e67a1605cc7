"""LiteRT (TensorFlow Lite) files: the main verb of a model for phones, in three precisions.

The batch is one image, since delegates on phones need fixed shapes; free sides of the model can be set by
`resize_tensor_input`.
"""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from cnnzoo.data import DataNotFound, load, training_images
from cnnzoo.data.photographs import Crops, Photographs
from cnnzoo.data.sources import shipped_photographs
from cnnzoo.export.calibration import ranged
from cnnzoo.export.saved_model import save
from cnnzoo.export.signatures import Signature, portable, traced
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.nn.batchnorm_folding import for_inference
from cnnzoo.nn.layers import unit_range

CALIBRATION = 100  # images


def write_litert(folder: Path, model: Any, images: np.ndarray, data: str | None) -> None:
    """Writes float32.tflite, float16.tflite and, if supported, int8.tflite.

    int8 computes on integers alone, inputs and outputs included. Ranges come from training images; for super-resolution
    and denoising they are percentiles (see `cnnzoo.export.calibration`). Not supported are an inpainter, whose smooth
    filling divides by values that int8 rounds to 0; an enhancer, whose curves would each round the image; and a model
    that infers labels, since the integer kernels of LiteRT 2.3 abort on its sums of logarithms.

    Args:
        folder: A new folder.
        model: The trained model, which prepares its inputs as in training.
        images: See `cnnzoo.export.signatures.portable`.
        data: The data set of the calibration images.
    """
    folder.mkdir()
    shipped = for_inference(model)  # holds the variables of the graph
    signature = single(portable(shipped, images))
    _convert(folder / "float32.tflite", signature)
    _convert(folder / "float16.tflite", signature, supported_types=[tf.float16])
    if is_integral(model):
        seen = list(calibration(model, data))
        if model.task in ("upscale", "restore"):  # no gain for classifiers
            ranged(shipped, np.concatenate([inputs["image"] for inputs in seen]))
            signature = single(portable(shipped, images))
        _convert(folder / "int8.tflite", signature, seen)


def single(signature: Signature) -> Signature:
    """The signature of a batch of one, as a graph."""
    inputs = {key: replace(tensor, shape=(1, *tensor.shape[1:])) for key, tensor in signature.inputs.items()}
    return traced(replace(signature, inputs=inputs))


def _convert(file: Path, signature: Signature, seen: list | None = None, supported_types: Sequence = ()) -> None:
    """Writes one file, in int8 if there is calibration data."""
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        save(Path(scratch), {"serving_default": signature})
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        if supported_types or seen:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = supported_types
        if seen:
            converter.representative_dataset = lambda: seen
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        # raised by the calibrator itself
        warnings.filterwarnings("ignore", r"[\s\S]*tf.lite.Interpreter is deprecated", UserWarning)
        file.write_bytes(converter.convert())


def is_integral(model: Any) -> bool:
    """Whether a model supports int8."""
    return model.task not in ("inpaint", "stylize", "enhance") and not hasattr(model, "infer")


def calibration_images(data: str, shape: tuple) -> Any:
    """The training images of a data set; if they are not on this machine, images of installed packages, with a warning.

    Those are scans of digits for gray models of a fixed size, else photographs (see `cnnzoo.data.sources`).
    `benchmarks/quality/calibration.py` measures the difference.
    """
    try:
        return training_images(data, "train", shape)
    except DataNotFound:
        height, width, channels = shape
        name = "digits" if channels == 1 and height else "photos"
        warnings.warn(f"{data} is not on this machine; int8 is calibrated on {name} instead", stacklevel=2)
        if height and width:
            return load(name, "train", shape)
        found = shipped_photographs("train")
        images = tuple(to_channels(image[None], channels)[0] for image in found.values())
        return Crops(Photographs(name, "train", images, tuple(found)), 64)


def calibration(model: Any, data: str | None) -> Iterator[dict[str, np.ndarray]]:
    """Inputs of the portable signature, one image at a time, prepared as in training.

    Raises:
        ValueError: The model takes images, and `data` is None.
    """
    if model.task == "generate":
        for i, z in enumerate(model.draw(CALIBRATION)):
            labels = {"labels": np.array([i % model.classes], np.int32)} if model.classes else {}
            yield {"code": z[None], **labels}
        return
    if data is None:
        raise ValueError("`data` must be the name of the data that int8 is calibrated on. Received: None")
    images = calibration_images(data, model.image_shape)
    count = min(CALIBRATION, images.steps_per_epoch(1))  # or all, if there are fewer
    images = unit_range(ops.convert_to_tensor(next(images.batches(count, 0))[0]))
    if model.task == "upscale":
        side = images.shape[1] // model.scale * model.scale
        images = model.small(images[:, :side, :side])
    if model.task == "restore":
        images = model.with_noise(images, 0, 1)
    for image in ops.convert_to_numpy(images):
        yield {"image": image[None]}
