"""The JSON of TensorFlow Serving's REST API: requests to tensors, tensors to responses, and errors.

Numbers include NaN and infinities, as in the API. A string may be {"b64": ...}, and is written so if the name of an
output ends in `_bytes`.

Source: TensorFlow Serving, "RESTful API" (its documentation), and its `json_tensor.cc` for errors.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

# HTTP status by canonical error code; 500 for all others.
HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Refusal(Exception):
    """An error response.

    Attributes:
        code: A canonical code, such as "NOT_FOUND".
        http: The HTTP status.
    """

    def __init__(self, code: str, reason: str, http: int | None = None):
        super().__init__(reason)
        self.code, self.http = code, http or HTTP.get(code, 500)

    def body(self) -> bytes:
        """The response as JSON."""
        return json.dumps({"error": str(self)}).encode()


def invalid(reason: str) -> Refusal:
    """An INVALID_ARGUMENT, status 400."""
    return Refusal("INVALID_ARGUMENT", reason)


@dataclass(frozen=True)
class PredictRequest:
    """The body of a request to predict.

    Attributes:
        signature: The name of the signature.
        rows: Whether values are by instance ("instances") rather than by input ("inputs").
        values: The JSON values.
        booleans: Whether the JSON may contain true or false.
    """

    signature: str
    rows: bool
    values: Any
    booleans: bool


def parse_json(body: bytes) -> dict[str, Any]:
    """A body as a JSON object.

    Raises:
        Refusal: It is not one.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            found = json.loads(body)  # reads NaN and Infinity, and is ten times slower
        except (ValueError, RecursionError) as error:
            raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(found, dict):
        raise invalid(f"JSON must be an object. Received: {_kind(found)}")
    return found


def parse_request(body: bytes) -> PredictRequest:
    """The body of a request to predict, parsed without the model.

    Raises:
        Refusal: It is invalid.
    """
    found = parse_json(body)
    signature = found.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid(f"`signature_name` must be a string. Received: {_kind(signature)}")
    if "instances" in found and "inputs" in found:
        raise invalid("`inputs` must not be given with `instances`. Received: both")
    if "instances" not in found and "inputs" not in found:
        raise invalid("Missing 'inputs' or 'instances' key")
    rows = "instances" in found
    values = found["instances" if rows else "inputs"]
    if rows and not (isinstance(values, list) and values):
        raise invalid(f"`instances` must be a list with at least one value. Received: {_kind(values)}")
    return PredictRequest(signature or "serving_default", rows, values, b"true" in body or b"false" in body)


def tensors(request: PredictRequest, inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The values of a request as arrays by name.

    Args:
        inputs: The "dtype" and "shape" of each input by name, as in `export.json`.

    Raises:
        Refusal: A name, dtype or shape differs.
    """
    columns = (_of_rows if request.rows else _of_columns)(request.values, inputs)
    made = {}
    for name, about in inputs.items():
        dtype, shape = about["dtype"], about["shape"]
        if dtype == "string":
            made[name] = _strings(name, columns[name], len(shape))
        else:
            made[name] = _numbers(name, columns[name], np.dtype(dtype), request.booleans)
        sides = made[name].shape
        if len(sides) != len(shape) or any(want not in (None, side) for want, side in zip(shape, sides, strict=True)):
            allowed = ", ".join("any" if want is None else str(want) for want in shape)
            raise invalid(f"`{name}` must be of shape [{allowed}]. Received: {[*sides]}")
    return made


def answer(outputs: Mapping[str, np.ndarray], rows: bool) -> bytes:
    """The JSON of outputs (n, ...): by instance if `rows`, else by name.

    Raises:
        Refusal: `rows` for outputs of different lengths.
    """
    sides = {values.shape[:1] for values in outputs.values()}
    if rows and (len(sides) > 1 or () in sides):
        shapes = ", ".join(f"{name} of shape {[*values.shape]}" for name, values in outputs.items())
        raise invalid(f"Outputs must be one for each instance; this signature takes `inputs`. Received: {shapes}")
    named = {name: _writable(name, values) for name, values in outputs.items()}
    finite = all(values.dtype.kind != "f" or np.isfinite(values).all() for values in outputs.values())
    if len(named) == 1:
        (whole,) = named.values()
    elif rows:
        whole = [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]
    else:
        whole = named
    content = {"predictions" if rows else "outputs": whole}
    if finite:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(content, default=lambda values: values.tolist()).encode()


# -- requests ----------------------------------------------------------------------------------------------------------


def _of_rows(values: list, inputs: Mapping) -> dict[str, Any]:
    objects = [_is_object(value) for value in values]
    if not any(objects):
        return {_only(inputs, "instances"): values}
    if not all(objects):
        raise invalid("All or none of `instances` must be objects. Received: some objects")
    for place, value in enumerate(values):
        if set(value) != set(inputs):
            found, allowed = (", ".join(sorted(keys)) or "none" for keys in (value, inputs))
            raise invalid(f"Element {place} of `instances` must have the keys {allowed}. Received: {found[:200]}")
    return {name: [value[name] for value in values] for name in inputs}


def _of_columns(values: Any, inputs: Mapping) -> dict[str, Any]:
    if not _is_object(values):
        return {_only(inputs, "inputs"): values}
    if missing := [name for name in inputs if name not in values]:
        raise invalid(f"Missing named input: {', '.join(missing)} in 'inputs' object. It must have {', '.join(inputs)}")
    return values


def _only(inputs: Mapping, key: str) -> str:
    if len(inputs) > 1:
        raise invalid(f"`{key}` must be objects with {', '.join(inputs)}. Received: values without names")
    return next(iter(inputs))


def _numbers(name: str, value: Any, dtype: np.dtype, booleans: bool) -> np.ndarray:
    try:
        found = np.array(value)
    except ValueError:
        raise invalid(
            f"`{name}` must be lists of equal lengths. Received: unequal lengths, or too many in one another"
        ) from None
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[dtype.kind]
    wrong = found.dtype.kind not in kinds or (booleans and dtype.kind != "b" and _has_boolean(value))
    if found.size and wrong:
        raise invalid(f"Value for {name} not of expected type: {dtype}")
    if found.size and dtype.kind in "iu":
        info = np.iinfo(dtype)
        if found.min() < info.min or found.max() > info.max:
            raise invalid(f"`{name}` must be of {dtype}. Received: {found.min()} to {found.max()}")
    with np.errstate(over="ignore"):  # a number too large for float32 is infinite
        return found.astype(dtype)


def _strings(name: str, value: Any, rank: int) -> np.ndarray:
    def read(value: Any, left: int) -> Any:
        if left and isinstance(value, list):
            return [read(each, left - 1) for each in value]
        if isinstance(value, list) or left:
            raise invalid(
                f"`{name}` must be strings inside {rank} lists. Received: {_kind(value)} inside {rank - left} lists"
            )
        return _string(name, value)

    made = np.array(read(value, rank), dtype=object)
    if made.ndim != rank:
        raise invalid(f"`{name}` must be lists of equal lengths. Received: unequal lengths")
    return made


def _string(name: str, value: Any) -> bytes:
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and not _is_object(value):
            text = "".join(value["b64"].split())
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except UnicodeEncodeError:
        raise invalid(
            f"`{name}` must be Unicode, or an object with b64. Received: a string that is not Unicode"
        ) from None
    except (binascii.Error, ValueError):
        raise invalid(f"Unable to base64 decode a value for {name}") from None
    raise invalid(f"`{name}` must be a string or an object with b64. Received: {_kind(value)}")


def _is_object(value: Any) -> bool:
    """Whether a value is an object other than the encoding of a binary string."""
    return isinstance(value, dict) and not (set(value) == {"b64"} and isinstance(value["b64"], str))


def _has_boolean(value: Any) -> bool:
    """Whether nested lists contain true or false; their depth is bounded by the rank of an array."""
    return any(map(_has_boolean, value)) if isinstance(value, list) else isinstance(value, bool)


def _kind(value: Any) -> str:
    """The JSON type of a value, in words."""
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    names = {dict: "an object", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


# -- responses ---------------------------------------------------------------------------------------------------------


def _writable(name: str, values: np.ndarray) -> Any:
    """Values for a JSON writer: an array of numbers, or lists of strings or {"b64": ...}."""
    if values.dtype != object:
        return np.asarray(values, order="C")[()]  # a scalar if it has no sides
    binary = name.endswith("_bytes")

    def written(value: Any) -> Any:
        if isinstance(value, list):
            return [written(each) for each in value]
        return {"b64": base64.b64encode(value).decode()} if binary else value.decode(errors="replace")

    return written(values.tolist())
