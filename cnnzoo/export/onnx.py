"""ONNX files: the main verb of a model for onnxruntime and other runtimes."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from cnnzoo.export.signatures import Signature

OPSET = 18
SIDES = ("n", "height", "width", "channels")
TRIES = 8  # each fails about once in twenty


def write_onnx(folder: Path, signature: Signature) -> None:
    """Writes model.onnx, with the inputs of the signature and one output, "output"; free sides stay free.

    Args:
        folder: A new folder.
        signature: See `cnnzoo.export.signatures.portable`.

    Raises:
        RuntimeError: tf2onnx gave the output a wrong rank in every try.
    """
    import onnx
    import tf2onnx

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=key) for key, tensor in signature.inputs.items()]

    def function(*given: Any) -> dict[str, Any]:
        (made,) = signature.function(**dict(zip(signature.inputs, given, strict=True))).values()
        return {"output": made}

    graph = tf.function(function, input_signature=specs, autograph=False)
    # The optimizers of tf2onnx 1.17 iterate over sets; in some orders they drop the Squeeze before a gray output.
    rank = len(next(iter(signature.outputs.values())).shape)
    for _ in range(TRIES):
        model, _ = tf2onnx.convert.from_function(graph, specs, OPSET)
        if len(model.graph.output[0].type.tensor_type.shape.dim) == rank:
            break
    else:
        raise RuntimeError(f"tf2onnx {tf2onnx.__version__} made no graph whose output has {rank} sides")
    for value in (*model.graph.input, *model.graph.output):
        for side, dimension in zip(SIDES, value.type.tensor_type.shape.dim, strict=False):
            if dimension.dim_param:  # otherwise its name is a generated number
                dimension.dim_param = f"{value.name}_{side}" if side != "n" else side
    onnx.checker.check_model(model)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
