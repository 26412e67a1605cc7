"""LiteRT, once called TensorFlow Lite: the main verb of a model for phones, in three precisions.

The batch is one image, since what runs on phones wants fixed shapes; sides that are free for the model are free here
too, by `resize_tensor_input`.
"""

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from keras import ops

from cnnzoo.data import training_images
from cnnzoo.export.signatures import Signature, traced
from cnnzoo.export.writing import save
from cnnzoo.layers import unit_range

CALIBRATION = 100  # images


def write_litert(folder: Path, signature: Signature, model, data: str | None) -> None:
    """Writes float32.tflite, float16.tflite and, where it can be had, int8.tflite.

    In int8 all computation is on integers, inputs and outputs included; the ranges of all tensors are those seen on
    training images. There is none of an inpainter, whose smooth filling divides by what int8 rounds to 0, of an
    enhancer, whose curves would each round the picture anew, nor of a model that infers labels, whose sums of
    logarithms the integer kernels of LiteRT 2.3 abort on.

    Args:
        folder: Is made.
        signature: See `cnnzoo.export.signatures.portable`.
        model: Says how images become its inputs in training.
        data: The data set of the images.
    """
    folder.mkdir()
    inputs = {key: replace(tensor, shape=(1, *tensor.shape[1:])) for key, tensor in signature.inputs.items()}
    single = traced(replace(signature, inputs=inputs))
    with tempfile.TemporaryDirectory() as scratch:
        save(Path(scratch), {"serving_default": single})
        for precision in ("float32", "float16", *(["int8"] if is_integral(model) else [])):
            converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
            if precision != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if precision == "int8":
                converter.representative_dataset = lambda: calibration(model, data)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.int8
            with warnings.catch_warnings():  # of the calibrator about itself
                warnings.filterwarnings("ignore", r"[\s\S]*tf.lite.Interpreter is deprecated", UserWarning)
                (folder / f"{precision}.tflite").write_bytes(converter.convert())


def is_integral(model) -> bool:
    """Whether a model can be computed in integers alone."""
    return model.task not in ("inpaint", "stylize", "enhance") and not hasattr(model, "infer")


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
    images = training_images(data, "train", model.image_shape)
    images = unit_range(ops.convert_to_tensor(next(images.batches(CALIBRATION, 0))[0]))
    if model.task == "upscale":
        side = images.shape[1] // model.scale * model.scale
        images = model.small(images[:, :side, :side])
    if model.task == "restore":
        images = model.with_noise(images, 0, 1)
    for image in ops.convert_to_numpy(images):
        yield {"image": image[None]}
