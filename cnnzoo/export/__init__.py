"""Exports for TensorFlow Serving, LiteRT and ONNX runtimes, without this package at inference.

The module is callable: `cnnzoo.export(...)` is `cnnzoo.export.export(...)`.

writer               an export as a folder of versions
signatures           the verbs of a model as TensorFlow graphs
image_codec          PNG and JPEG in a graph
saved_model          SavedModels and their versions
serving              the files of TensorFlow Serving
litert, calibration  .tflite files, and int8 ranges
quantization_loss    the loss of quality of .tflite files
onnx                 .onnx files
graphs               the .onnx files of checkpoints
loader               exports read back and verified
isolated_runner      the process of the verification
other_backends       exports from JAX and PyTorch
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnzoo.export.loader import Export


def export(
    model: Any,
    folder: str | Path,
    *,
    name: str | None = None,
    litert: bool = False,
    onnx: bool = False,
    data: str | Path | None = None,
) -> Path:
    """Writes `<folder>/<name>/<version>`, a model for an unmodified TensorFlow Serving.

    The version is the next free integer. It is written aside and renamed, so that a server never reads an unfinished
    one. `<folder>/models.config` and `batching.config` list all models in the folder for a server.

        saved_model.pb, variables/       the signatures (see `cnnzoo.export.signatures`)
        batching_params.pbtxt            if requests of several clients can be batched
        assets.extra/                    export.json, golden.npz, the card, and warm-up requests
        litert/, onnx/                   {float32,float16,int8}.tflite and model.onnx, on request

    Args:
        model: A model, the name of a checkpoint, or the folder of a checkpoint or of a finished run.
        folder: The folder of all exports.
        name: The name of the model for clients; its architecture by default.
        litert: Whether to write LiteRT (TensorFlow Lite) files as well.
        onnx: Whether to write an ONNX file as well.
        data: The data set whose training images calibrate int8; the model's training data by default.

    Raises:
        ValueError: There is no such model, or `<folder>/<name>` holds another one.
        ModuleNotFoundError: The extra "export" is not installed.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        from cnnzoo.export.writer import write
    else:
        from cnnzoo.export.other_backends import write

    return write(model, Path(folder), name, litert, onnx, data)


def load_export(folder: str | Path) -> "Export":
    """Loads an export with TensorFlow alone; see `cnnzoo.export.loader.Export`.

    Args:
        folder: `<folder>/<name>` for the highest version, or the folder of a version.

    Raises:
        ValueError: There is no export.
    """
    from cnnzoo.export.loader import Export

    return Export.open(folder)


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Path:
        return export(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
