"""ONNX: the main verb of a model for onnxruntime and whatever else reads the format."""

from pathlib import Path

import tensorflow as tf

from cnnzoo.export.signatures import Signature

OPSET = 18
SIDES = ("n", "height", "width")


def write_onnx(folder: Path, signature: Signature) -> None:
    """Writes model.onnx, with the inputs of the signature and one output, "output"; free sides stay free.

    Args:
        folder: Is made.
        signature: See `cnnzoo.export.signatures.portable`.
    """
    import onnx
    import tf2onnx

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=key) for key, tensor in signature.inputs.items()]

    def function(*given):
        (made,) = signature.function(**dict(zip(signature.inputs, given, strict=True))).values()
        return {"output": made}

    graph = tf.function(function, input_signature=specs, autograph=False)
    model, _ = tf2onnx.convert.from_function(graph, specs, OPSET)
    for value in (*model.graph.input, *model.graph.output):
        for side, dimension in zip(SIDES, value.type.tensor_type.shape.dim, strict=False):
            if dimension.dim_param:  # else it would have a number of its own for a name
                dimension.dim_param = f"{value.name}_{side}" if side != "n" else side
    onnx.checker.check_model(model)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
