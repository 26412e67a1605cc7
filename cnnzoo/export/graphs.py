"""Graphs of a checkpoint: its photograph verb as ONNX files, whose weights are those in its weights file.

A graph holds the operations alone. Its weights are external data of ONNX: places in `model.weights.h5`, where Keras
stores arrays uncompressed. So the weights are stored once, and a graph is a few dozen kilobytes.

`cnnzoo.runtime` runs them. Their integers are in the metadata: `scale`, `margin` and `stride`, as for
`cnnzoo.imaging.tiling.tiled`.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from cnnzoo import checkpoints
from cnnzoo.checkpoints.card import COARSE, NETWORK, WEIGHTS
from cnnzoo.export.onnx import write_onnx
from cnnzoo.export.signatures import Signature, Tensor, main, verbs
from cnnzoo.imaging.smooth_filling import filled_smoothly, halved, refilled
from cnnzoo.models import denoiser, enhancer

SMALLEST = 64  # numbers of a weight; smaller ones stay in the graph
OUTPUT_FIRST = (3, 2, 0, 1)  # kernels of ONNX (out, in, height, width), from those of Keras (height, width, in, out)


def graphs(model: Any) -> dict[str, tuple[Signature, dict[str, int]]]:
    """The graphs of a model and their integers, by file name; none if its task is not one of photographs."""
    if model.task == "inpaint":
        return _of_inpainter(model)
    if model.task == "enhance":
        return {NETWORK: (_curves(model), {})}
    if model.task == "upscale":
        return {NETWORK: (_main(model), {"scale": model.scale, "margin": max(model.margin, 2)})}
    if model.task == "restore" and hasattr(model, "noisy"):
        return {NETWORK: (_main(model), {"margin": model.margin, "stride": denoiser.STRIDE})}
    if model.task == "stylize" and getattr(model, "styles", ()):
        return {NETWORK: (_main(model), {})}
    return {}


def _main(model: Any) -> Signature:
    return verbs(model, checkpoints.sample_images(model))[main(model)]


def _curves(model: Any) -> Signature:
    """The tone curves of a small photograph."""
    # A free batch: of one image, tf2onnx 1.17 takes the global features for a bias.
    sides, grid = (None, enhancer.SIDE, enhancer.SIDE, 3), (None, enhancer.GRID, enhancer.GRID, 3 * enhancer.ITERATIONS)
    inputs = {"image": Tensor("float32", sides, "in [0, 1]"), "strength": Tensor("float32", (None,), "from 0 to 2")}

    def function(image: Any, strength: Any) -> dict[str, Any]:
        return {"curves": enhancer.strengthened(model.curves(image), ops.reshape(strength, (-1, 1, 1, 1)))}

    return Signature("Curves of a photograph", inputs, {"curves": Tensor("float32", grid, "in [-1, 1]")}, function, {})


def _of_inpainter(model: Any) -> dict[str, tuple[Signature, dict[str, int]]]:
    """The smooth filling at the stride of the network, and a tile filled from it."""
    free = (1, None, None)
    images, masks = Tensor("float32", (*free, model.image_shape[2]), "in [0, 1]"), Tensor("float32", (*free, 1), "")
    depth = model.depth

    def coarse(total: Any, share: Any) -> dict[str, Any]:
        return {"filled": filled_smoothly(total, share, finest=depth)}

    def tile(image: Any, known: Any, coarse: Any) -> dict[str, Any]:
        smooth = refilled(halved(image * known, known, depth - 1), coarse)
        return {"image": ops.clip(model.refined(image, 1.0 - known, smooth), 0.0, 1.0)}

    margin = model.margin + model.smooth_margin
    whole = Signature("Coarsely filled", {"total": images, "share": masks}, {"filled": images}, coarse, {})
    parts = Signature("Filled", {"image": images, "known": masks, "coarse": images}, {"image": images}, tile, {})
    return {COARSE: (whole, {}), NETWORK: (parts, {"margin": margin, "stride": model.stride})}


def add_graphs(checkpoint: checkpoints.Checkpoint) -> checkpoints.Checkpoint:
    """Writes the graphs of a checkpoint beside its weights, and adds them to its card.

    Raises:
        ModuleNotFoundError: The extra "export" is not installed.
        CheckpointError: The files of the checkpoint differ from its card.
    """
    files = {}
    for name, (signature, integers) in graphs(checkpoints.load(checkpoint.path)).items():
        with tempfile.TemporaryDirectory() as folder:
            write_onnx(Path(folder) / "onnx", signature)
            files[name] = _linked(Path(folder) / "onnx" / "model.onnx", checkpoint.path / WEIGHTS, integers)
    return checkpoints.attach(checkpoint, files)


def _linked(file: Path, weights: Path, integers: dict[str, int]) -> bytes:
    """An ONNX file with its weights replaced by places in a weights file, and with integers in its metadata."""
    import onnx
    from onnx import helper, numpy_helper

    model, stored = onnx.load(file), _arrays(weights)
    for tensor in list(model.graph.initializer):
        value = numpy_helper.to_array(tensor)
        if value.size < SMALLEST or value.dtype != np.float32:
            continue
        found = next((each for each in stored if _same(each, value)), None)
        if found is None:
            continue
        array, offset = found
        model.graph.initializer.remove(tensor)
        name, nodes = tensor.name, []
        transposed = array.ndim == 4
        if transposed:
            nodes.append(helper.make_node("Transpose", [f"{name}/stored"], [name], perm=OUTPUT_FIRST))
            name = f"{name}/stored"
        if array.dtype == np.float16:
            nodes.insert(0, helper.make_node("Cast", [f"{name}/half"], [name], to=onnx.TensorProto.FLOAT))
            name = f"{name}/half"
        shape = array.shape if transposed else value.shape
        linked = onnx.TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(array.dtype), dims=shape)
        linked.data_location = onnx.TensorProto.EXTERNAL
        place = {"location": WEIGHTS, "offset": offset, "length": array.nbytes}
        linked.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in place.items())
        model.graph.initializer.append(linked)
        for node in reversed(nodes):
            model.graph.node.insert(0, node)
    _without_names(model)
    helper.set_model_props(model, {key: str(value) for key, value in integers.items()})
    return model.SerializeToString()


def _without_names(model: Any) -> None:
    """Drops the names of nodes, and numbers the values between them: half of the bytes of a graph."""
    del model.graph.value_info[:]
    ends = {value.name for value in (*model.graph.input, *model.graph.output)}
    short: dict[str, str] = {"": ""}  # of an input that is not given

    def numbered(names: Any) -> None:
        names[:] = [name if name in ends else short.setdefault(name, str(len(short))) for name in names]

    for node in model.graph.node:
        node.name = ""
        numbered(node.input)
        numbered(node.output)
    for tensor in model.graph.initializer:
        tensor.name = short[tensor.name]


def _arrays(weights: Path) -> list[tuple[np.ndarray, int]]:
    """The arrays of a weights file that lie uncompressed in one piece, each with its place in bytes."""
    import h5py

    found: list[tuple[np.ndarray, int]] = []

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks is None and (place := item.id.get_offset()) is not None:
            found.append((item[()], place))

    with h5py.File(weights) as file:
        file.visititems(add)
    return found


def _same(stored: tuple[np.ndarray, int], value: np.ndarray) -> bool:
    """Whether a stored array is that of an initializer: a kernel with its axes in the order of ONNX, or any other."""
    array = stored[0].transpose(OUTPUT_FIRST) if stored[0].ndim == 4 else stored[0]
    if array.ndim == 4 and array.shape != value.shape:
        return False
    return array.size == value.size and np.array_equal(array.ravel(), value.ravel())
