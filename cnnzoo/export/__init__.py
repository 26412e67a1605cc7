"""Models as other programs load them: TensorFlow Serving, LiteRT and ONNX runtimes, none of which knows this package.

`cnnzoo.export` is this package and, called, its function `export`.
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
    """Writes `<folder>/<name>/<version>`, which the stock TensorFlow Serving takes as it is.

    The version is the next free integer. It is written aside and renamed, so that a server that watches the folder
    never sees half of it. `<folder>/models.config` and `batching.config` tell a server of all models in the folder.

        saved_model.pb, variables/       the signatures (see `cnnzoo.export.signatures`)
        batching_params.pbtxt            where the requests of several clients can be joined
        assets.extra/                    export.json, golden.npz, the card, and requests to warm a server up with
        litert/, onnx/                   {float32,float16,int8}.tflite and model.onnx, if asked for

    Args:
        model: A model, the name of a checkpoint, or the folder of a checkpoint or of a finished run.
        folder: Where all exports lie.
        name: What a client calls the model by; by default its architecture.
        litert: Whether to write it for LiteRT as well, once called TensorFlow Lite.
        onnx: Whether to write it for ONNX as well.
        data: The data set whose training images calibrate int8; by default the one it was trained on.

    Raises:
        ValueError: There is no such model, or `<folder>/<name>` holds another one.
        ModuleNotFoundError: What the extra "export" installs is not there.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        from cnnzoo.export.writer import write
    else:
        from cnnzoo.export.other_backends import write

    return write(model, Path(folder), name, litert, onnx, data)


def load_export(folder: str | Path) -> "Export":
    """An export read back, with TensorFlow alone; see `cnnzoo.export.loader.Export`.

    Args:
        folder: `<folder>/<name>` for the highest version, or that of one version.
    """
    from cnnzoo.export.loader import Export

    return Export.open(folder)


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Path:
        return export(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
