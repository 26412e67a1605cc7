"""Files of TensorFlow Serving besides a SavedModel: warm-up requests, the list of models, batching and monitoring."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnzoo.export.saved_model import NAME, versions
from cnnzoo.utils.atomic_files import write_text

if TYPE_CHECKING:
    from cnnzoo.export.signatures import Signature

WARMUP = "tf_serving_warmup_requests"

MODELS = """\
# The models of this folder, mounted at /models in a container. Written by cnnzoo export, which keeps existing entries
# and adds new models.
# Without a policy, the highest version of each model is served, and replaced as soon as a new one exists. To pin a
# version, or to serve two under labels, add for example
#     model_version_policy { specific { versions: 1 versions: 2 } }
#     version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }
"""

THREADS = """\
# For --enable_batching --enable_per_model_batching_parameters: the threads of all models; set it to the number of
# cores. Batch sizes are in the batching_params.pbtxt of a version; without that file, requests are not batched.
# Written by cnnzoo export.
num_batch_threads { value: 4 }
"""

MONITORING = """\
# For --monitoring_config_file: the metrics of Prometheus. Written by cnnzoo export.
prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""

BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 128 }
"""


def write_configs(root: Path) -> None:
    """Writes batching.config and monitoring.config if they do not exist, and adds missing models to models.config."""
    file = root / "models.config"
    text = file.read_text() if file.exists() else f"{MODELS}model_config_list {{\n}}\n"
    known = {model.name for model in read_models(root)}
    found = {path.name for path in root.iterdir() if NAME.fullmatch(path.name) and path.is_dir() and versions(path)}
    missing = sorted(found - known)
    added = "".join(
        f'  config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" }}\n' for name in missing
    )
    before, end, after = text.rpartition("}")
    write_text(file, before + added + end + after)
    for name, content in (("batching.config", THREADS), ("monitoring.config", MONITORING)):
        if not (root / name).exists():
            write_text(root / name, content)


def read_models(root: Path) -> list[Any]:
    """The entries of models.config, in order; empty without that file.

    Raises:
        ValueError: It cannot be parsed.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    file = root / "models.config"
    if not file.exists():
        return []
    try:
        config = text_format.Parse(file.read_text(), model_server_config_pb2.ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    return list(config.model_config_list.config)


def write_batching(version: Path, signatures: Mapping[str, "Signature"]) -> None:
    """Enables batching of requests, unless an input is a scalar or images of any size, which cannot be joined."""
    inputs = [tensor for signature in signatures.values() for tensor in signature.inputs.values()]
    if all(tensor.shape and None not in tensor.shape[1:] for tensor in inputs):
        (version / "batching_params.pbtxt").write_text(BATCHING)


def write_warmup(extra: Path, name: str, signatures: Mapping[str, "Signature"]) -> None:
    """Writes one request per signature; a server replays them before it reports the model as loaded."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    with tf.io.TFRecordWriter(str(extra / WARMUP)) as file:
        for verb, signature in signatures.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, verb
            for key, value in signature.example.items():
                tensor = signature.inputs[key]
                first = value[:1] if np.ndim(value) else value
                dtype = None if tensor.dtype == "string" else tensor.dtype
                request.inputs[key].CopyFrom(tf.make_tensor_proto(first, dtype=dtype))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            file.write(log.SerializeToString())
