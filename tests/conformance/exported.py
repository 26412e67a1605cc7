"""Contents of a SavedModel, read without loading the model."""

import math
from pathlib import Path

import numpy as np

# Stock operations of TensorFlow: part of every server build, without access to files or Python.
_NAMES = """
    Abs AddV2 All Any Assert AssignVariableOp AvgPool BatchMatMulV2 BatchToSpaceND BiasAdd BitwiseOr Cast ConcatV2
    Const Conv2D Conv2DBackpropInput Cumsum DecodeJpeg DecodePng DecodeRaw DepthToSpace DepthwiseConv2dNative
    DisableCopyOnRead Elu EncodePng EnsureShape Equal Exp ExpandDims ExtractJpegShape Fill FloorDiv FloorMod
    GatherV2 Greater GreaterEqual Identity If LeakyRelu LeftShift Less LessEqual Log LogicalAnd LogicalNot LogicalOr
    MatMul Max MaxPool Maximum Mean MergeV2Checkpoints Minimum MirrorPad Mul Neg NoOp NotEqual OneHot OnesLike Pack
    Pad Placeholder Prod Range ReadVariableOp RealDiv Relu Reshape RestoreV2 Reverse Round Rsqrt SaveV2
    ScaleAndTranslate Select SelectV2 Shape ShardedFilename Sigmoid Size Softmax Softplus SpaceToBatchND Split Sqrt
    Square SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessRandomNormalV2
    StatelessRandomUniformFullIntV2 StatelessRandomUniformV2 StatelessWhile StaticRegexFullMatch StopGradient
    StridedSlice StringJoin StringLength Sub Substr Sum Tanh TensorListFromTensor TensorListGetItem
    TensorListReserve TensorListSetItem TensorListStack Tile TopKV2 Transpose VarHandleOp Where While ZerosLike"""
STOCK = frozenset(_NAMES.split())


def graph(folder: Path):
    """Returns the GraphDef of a version."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


def weights(folder: Path) -> int:
    """Returns the number of scalars in the variables of a version."""
    import tensorflow as tf

    held = tf.train.list_variables(str(folder / "variables" / "variables"))
    return sum(math.prod(shape) for name, shape in held if name.endswith("VARIABLE_VALUE"))


def operations(whole) -> set[str]:
    """Returns the names of all operations of a graph, including those of its functions."""
    inside = (node for function in whole.library.function for node in function.node_def)
    return {node.op for nodes in (whole.node, inside) for node in nodes}


def golden(folder: Path) -> dict[str, tuple[dict, dict]]:
    """Returns the inputs and the outputs of the golden of a version, by verb."""
    found = {}
    with np.load(folder / "assets.extra" / "golden.npz") as file:
        for key in file.files:
            verb, way, name = key.split("/")
            found.setdefault(verb, ({}, {}))[way == "out"][name] = file[key]
    return found
