"""The sides of verbs in other runtimes with the exported files, and by classical methods of OpenCV."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from speed.verbs import as_bytes, given, with_pillow_color

SCALE = 3  # of the checkpoint for upscaling
STYLES = 6  # of the checkpoint for style transfer

Run = Callable[[dict[str, np.ndarray]], np.ndarray]

_held: dict[str, Any] = {}


def prepare(verb: str, size: tuple[int, int], side: str, version: str | None) -> None:
    """Builds and warms up the function of a runtime.

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
        _held["call"] = _whole(verb, x, run)
    for _ in range(2):
        _held["call"]()


def run(side: str, times: int) -> float:
    begun = perf_counter()
    for _ in range(times):
        _held["call"]()
    return perf_counter() - begun


def _whole(verb: str, x: tuple, run: Run) -> Callable:
    """Returns a function that runs a verb from its input to its result, uint8 for photographs."""
    if verb == "upscale":
        return lambda: with_pillow_color(x[0], SCALE, lambda luma: run({"image": luma}))
    if x[0].ndim == 3:
        return lambda: as_bytes(run(_inputs(x))[0])
    return lambda: run(_inputs(x))


def _inputs(x: tuple) -> dict[str, np.ndarray]:
    """Returns all possible inputs of an exported file by name."""
    images = x[0] if x[0].ndim == 4 else x[0][None]
    found = {"image": images.astype(np.float32) / 255, "strength": np.ones(1, np.float32)}
    found["style"] = np.eye(STYLES, dtype=np.float32)[:1]
    if len(x) > 1:
        found["mask"] = x[1][None].astype(np.float32)
    return found


def _onnxruntime(version: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(next(version.glob("onnx/*.onnx"))))
    names = [node.name for node in session.get_inputs()]
    return lambda arrays: session.run(None, {name: arrays[name] for name in names})[0]


def _openvino(version: Path) -> Run:
    import openvino

    model = openvino.Core().compile_model(str(next(version.glob("onnx/*.onnx"))), "CPU")
    names = [node.get_any_name() for node in model.inputs]
    return lambda arrays: model({name: arrays[name] for name in names})[0]


def _litert(version: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(version / "litert" / "float32.tflite"), num_threads=2)
    _held["interpreter"] = interpreter
    runner = interpreter.get_signature_runner()
    names = list(runner.get_input_details())

    def call(arrays: dict[str, np.ndarray]) -> np.ndarray:
        rows = ({name: arrays[name][i : i + 1] for name in names} for i in range(len(arrays["image"])))  # one at a time
        return np.concatenate([next(iter(runner(**row).values())) for row in rows])

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
