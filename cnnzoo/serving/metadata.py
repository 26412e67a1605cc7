"""The states of the versions of a model, and the signatures of a version, as JSON."""

import json
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.error_codes_pb2 import Code
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from cnnzoo.serving.model_repository import ModelRepository, Servable
from cnnzoo.serving.protocol import Refusal

State = get_model_status_pb2.ModelVersionStatus


def status(repository: ModelRepository, name: str, version: int | None) -> bytes:
    """The state of a version of a model, or of all versions.

    Raises:
        Refusal: There is none.
    """
    states = {known.version: (State.AVAILABLE, Code.OK, "") for known in repository.all() if known.name == name}
    states |= {at: (State.END, Code.UNKNOWN, why) for (of, at), why in repository.failed.items() if of == name}
    if version is not None and version not in states:
        raise Refusal("NOT_FOUND", f"Could not find version {version} of model {name}")
    if not states:
        raise Refusal("NOT_FOUND", f"Could not find any versions of model {name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for number in sorted(states, reverse=True) if version is None else [version]:
        state, code, reason = states[number]
        entry = response.model_version_status.add(version=number, state=state)
        entry.status.error_code, entry.status.error_message = code, reason
    return json.dumps(_as_json(response)).encode()


def metadata(servable: Servable) -> bytes:
    """The signatures in the SavedModel of a version."""
    saved = saved_model_pb2.SavedModel.FromString(Path(servable.export.path, "saved_model.pb").read_bytes())
    signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=saved.meta_graphs[0].signature_def)
    spec = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
    return json.dumps({"model_spec": spec, "metadata": {"signature_def": _as_json(signatures)}}).encode()


def _as_json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
