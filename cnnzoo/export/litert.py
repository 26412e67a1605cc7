"""LiteRT, once called TensorFlow Lite: the main verb of a model for phones, in three precisions.

The batch is one image, since what runs on phones wants fixed shapes; sides that are free for the model are free here
too, by `resize_tensor_input`.
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


def write_litert(folder: Path, model, images: np.ndarray, data: str | None) -> None:
    """Writes float32.tflite, float16.tflite and, where it can be had, int8.tflite.

    In int8 all computation is on integers, inputs and outputs included; the ranges of all tensors are those seen on
    training images, but for the outermost values where every grey value counts (see `cnnzoo.export.calibration`). There
    is none of an inpainter, whose smooth filling divides by what int8 rounds to 0, of an enhancer, whose curves would
    each round the picture anew, nor of a model that infers labels, whose sums of logarithms the integer kernels of
    LiteRT 2.3 abort on.

    Args:
        folder: Is made.
        model: What was trained; says how images become its inputs in training.
        images: See `cnnzoo.export.signatures.portable`.
        data: The data set of the images that int8 is calibrated on.
    """
    folder.mkdir()
    shipped = for_inference(model)  # has the variables of the graph
    signature = single(portable(shipped, images))
    _convert(folder / "float32.tflite", signature)
    _convert(folder / "float16.tflite", signature, supported_types=[tf.float16])
    if is_integral(model):
        seen = list(calibration(model, data))
        if model.task in ("upscale", "restore"):  # classifiers gain nothing by it
            ranged(shipped, np.concatenate([one["image"] for one in seen]))
            signature = single(portable(shipped, images))
        _convert(folder / "int8.tflite", signature, seen)


def single(signature: Signature) -> Signature:
    """The signature of a batch of one, as a graph."""
    inputs = {key: replace(tensor, shape=(1, *tensor.shape[1:])) for key, tensor in signature.inputs.items()}
    return traced(replace(signature, inputs=inputs))


def _convert(file: Path, signature: Signature, seen: list | None = None, supported_types: Sequence = ()) -> None:
    """Writes one file, in integers if there is something that they are calibrated on."""
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
        # of the calibrator about itself
        warnings.filterwarnings("ignore", r"[\s\S]*tf.lite.Interpreter is deprecated", UserWarning)
        file.write_bytes(converter.convert())


def is_integral(model) -> bool:
    """Whether a model can be computed in integers alone."""
    return model.task not in ("inpaint", "stylize", "enhance") and not hasattr(model, "infer")


def calibrating(data: str, shape: tuple) -> Any:
    """The training images of a data set; where they are not on this machine, images that installed packages hold.

    Those are scans of digits for grey models of one size, else photographs (see `cnnzoo.data.sources`); a warning says
    so. `benchmarks/quality/calibration.py` measures the difference.
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


def calibration(model, data: str | None) -> Iterator[dict[str, np.ndarray]]:
    """Inputs of the portable signature, one image at a time, as the model's own training makes them.

    Raises:
        ValueError: The model takes images, and there are none.
    """
    if model.task == "generate":
        for i, z in enumerate(model.draw(CALIBRATION)):
            labels = {"labels": np.array([i % model.classes], np.int32)} if model.classes else {}
            yield {"code": z[None], **labels}
        return
    if data is None:
        raise ValueError("got a model without the name of its data, which int8 is calibrated on; allowed: data=NAME")
    images = calibrating(data, model.image_shape)
    count = min(CALIBRATION, images.steps_per_epoch(1))  # those that there are
    images = unit_range(ops.convert_to_tensor(next(images.batches(count, 0))[0]))
    if model.task == "upscale":
        side = images.shape[1] // model.scale * model.scale
        images = model.small(images[:, :side, :side])
    if model.task == "restore":
        images = model.with_noise(images, 0, 1)
    for image in ops.convert_to_numpy(images):
        yield {"image": image[None]}
