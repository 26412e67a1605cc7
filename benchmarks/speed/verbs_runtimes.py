"""Other runtimes with the exported files, and OpenCV's classical methods."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from speed.verbs import given

_held: dict[str, Any] = {}


def prepare(verb: str, size: tuple[int, int], side: str, version: str | None) -> None:
    """Makes the function of a runtime.

    Args:
        verb, size: See `speed.verbs`.
        side: "onnxruntime", "openvino", "litert" or "opencv".
        version: The folder of an export; None for OpenCV.
    """
    x = given(verb, size)
    if side == "opencv":
        _held["call"] = _classical(verb, x)
    else:
        run = {"onnxruntime": _onnxruntime, "openvino": _openvino, "litert": _litert}[side](Path(str(version)))
        _held["call"] = lambda: _from_floats(run(_as_floats(x)), size)
    for _ in range(2):
        _held["call"]()


def run(side: str, times: int) -> float:
    begun = perf_counter()
    for _ in range(times):
        _held["call"]()
    return perf_counter() - begun


def _as_floats(x: tuple) -> list[np.ndarray]:
    """The inputs of an exported file: images in [0, 1], and a mask."""
    images = x[0] if x[0].ndim == 4 else x[0][None]
    return [images.astype(np.float32) / 255, *(mask[None].astype(np.float32) for mask in x[1:])]


def _from_floats(made: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.rint(255 * made.clip(0, 1)).astype(np.uint8) if size[1] else made


def _named(names: list[str], arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays by the names of a file's inputs: the image, then the mask; a style has all its weight on the first one."""
    ordered = sorted(names, key=lambda name: ("image" not in name, name))
    return dict(zip(ordered, arrays, strict=False))


def _onnxruntime(version: Path) -> Callable:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(next(version.glob("onnx/*.onnx"))))
    inputs = session.get_inputs()
    extra = {i.name: i.shape for i in inputs if "image" not in i.name and "mask" not in i.name}
    names = [i.name for i in inputs if i.name not in extra]
    more = {name: _first_style(shape) for name, shape in extra.items()}
    return lambda arrays: session.run(None, {**_named(names, arrays), **more})[0]


def _first_style(shape: Any) -> np.ndarray:
    weights = np.zeros((1, int(shape[-1])), np.float32)
    weights[0, 0] = 1
    return weights


def _openvino(version: Path) -> Callable:
    import openvino

    model = openvino.Core().compile_model(str(next(version.glob("onnx/*.onnx"))), "CPU")
    shapes = {i.get_any_name(): i.partial_shape for i in model.inputs}
    names = [name for name in shapes if "image" in name or "mask" in name]
    more = {name: _first_style([s.get_length()]) for name, (_, s) in shapes.items() if name not in names}
    return lambda arrays: model({**_named(names, arrays), **more})[0]


def _litert(version: Path) -> Callable:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(version / "litert" / "float32.tflite"), num_threads=2)
    _held["interpreter"] = interpreter
    runner = interpreter.get_signature_runner()
    names = list(runner.get_input_details())

    def call(arrays: list[np.ndarray]) -> np.ndarray:
        made = [
            next(iter(runner(**_named(names, [x[i : i + 1] for x in arrays])).values())) for i in range(len(arrays[0]))
        ]
        return np.concatenate(made)

    return call


def _classical(verb: str, x: tuple) -> Callable:
    import cv2

    if verb == "denoise":
        return lambda: cv2.fastNlMeansDenoisingColored(x[0], None, 10, 10, 7, 21)
    if verb == "inpaint":
        return lambda: cv2.inpaint(x[0], x[1].astype(np.uint8), 3, cv2.INPAINT_TELEA)
    clahe = cv2.createCLAHE(2.0, (8, 8))

    def equalized() -> np.ndarray:
        lab = cv2.cvtColor(x[0], cv2.COLOR_RGB2LAB)
        lab[:, :, 0] = clahe.apply(lab[:, :, 0])
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)

    return equalized
