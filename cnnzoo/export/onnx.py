"""ONNX: the main verb of a model for onnxruntime and whatever else reads the format."""

from pathlib import Path

import tensorflow as tf

from cnnzoo.export.signatures import Signature

OPSET = 18
SIDES = ("n", "height", "width")
TRIES = 8  # of which each goes wrong about once in twenty


def write_onnx(folder: Path, signature: Signature) -> None:
    """Writes model.onnx, with the inputs of the signature and one output, "output"; free sides stay free.

    Args:
        folder: Is made.
        signature: See `cnnzoo.export.signatures.portable`.

    Raises:
        RuntimeError: tf2onnx gave the output another rank in each of several tries.
    """
    import onnx
    import tf2onnx

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=key) for key, tensor in signature.inputs.items()]

    def function(*given):
        (made,) = signature.function(**dict(zip(signature.inputs, given, strict=True))).values()
        return {"output": made}

    graph = tf.function(function, input_signature=specs, autograph=False)
    # The optimizers of tf2onnx 1.17 walk through sets; in some orders they lose the Squeeze before a grey image is out.
    rank = len(next(iter(signature.outputs.values())).shape)
    for _ in range(TRIES):
        model, _ = tf2onnx.convert.from_function(graph, specs, OPSET)
        if len(model.graph.output[0].type.tensor_type.shape.dim) == rank:
            break
    else:
        raise RuntimeError(f"tf2onnx {tf2onnx.__version__} made no graph whose output has {rank} sides")
    for value in (*model.graph.input, *model.graph.output):
        for side, dimension in zip(SIDES, value.type.tensor_type.shape.dim, strict=False):
            if dimension.dim_param:  # else it would have a number of its own for a name
                dimension.dim_param = f"{value.name}_{side}" if side != "n" else side
    onnx.checker.check_model(model)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
