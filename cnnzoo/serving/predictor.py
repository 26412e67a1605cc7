"""Predictions: request bodies to response bodies, batched if the model allows it.

A failing request fails alone: after a failed batch, each request runs by itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.error_codes_pb2 import Code

from cnnzoo.export.image_codec import pixels
from cnnzoo.serving.model_repository import Servable
from cnnzoo.serving.protocol import PredictRequest, Refusal, answer, invalid, parse_request, tensors

Tensors = dict[str, np.ndarray]
Read = tuple[PredictRequest, Tensors]
Result = TypeVar("Result")


class Predictor:
    """Answers requests to predict.

    Args:
        most_pixels: The largest sum of pixels in the images of a request, as files or numbers, and of a response in
            numbers.
    """

    def __init__(self, most_pixels: float):
        self.most_pixels = most_pixels
        self._pixels = tf.function(pixels, [tf.TensorSpec((), tf.string)], autograph=False)

    def __call__(self, servable: Servable, bodies: Sequence[bytes]) -> list[bytes | Exception]:
        """The response to each body, or an exception."""
        read = [attempt(partial(self.read, servable, body)) for body in bodies]
        responses: list[Any] = list(read)
        for places in batches(read, servable.most):
            requests = [cast(Read, read[place]) for place in places]
            results = run(servable, requests[0][0].signature, [given for _, given in requests])
            for place, (request, _), result in zip(places, requests, results, strict=True):
                responses[place] = result if isinstance(result, Exception) else _answer(result, request.rows)
        return responses

    def read(self, servable: Servable, body: bytes) -> Read:
        """The request in a body, and its tensors.

        Raises:
            Refusal: It is invalid, or has too many pixels.
        """
        request = parse_request(body)
        known = servable.export.about["signatures"]
        if request.signature not in known:
            allowed = ", ".join(servable.export.signatures)
            raise invalid(
                f'Serving signature name: "{request.signature[:80]}" not found in signature def. '
                f"It must be one of {allowed}"
            )
        given = tensors(request, known[request.signature]["inputs"])
        count = sum(self._count(name, values) for name, values in given.items())
        if count == np.inf:
            raise invalid("A picture must be a PNG or JPEG. Received: another file")
        if count > self.most_pixels:
            raise invalid(f"Pictures must have at most {self.most_pixels:.0f} pixels in all. Received: {count:.0f}")
        answered = pixels_answered(servable.export.about, request.signature, given)
        if answered > self.most_pixels:
            raise invalid(
                f"An answer in numbers must have at most {self.most_pixels:.0f} pixels. Received: {answered:.0f}"
            )
        return request, given

    def _count(self, name: str, values: np.ndarray) -> float:
        """The pixels of an input: of image headers, or of arrays of images; 0 for other inputs."""
        if name.endswith("_bytes"):
            return sum(float(self._pixels(file)) for file in values.flat)
        return float(np.prod(values.shape[:3])) if values.ndim == 4 else 0.0


def pixels_answered(about: Mapping[str, Any], signature: str, given: Tensors) -> float:
    """The pixels of the output images of a request, as far as they are arrays inside the graph or in the response.

    Args:
        about: The `export.json` of a model; free sides of its outputs are `scale` times those of its inputs.
        signature: The name of the signature.
        given: The inputs by name.
    """
    numbers = signature.removesuffix("_bytes")
    shapes = [output["shape"] for output in about["signatures"][numbers]["outputs"].values()]
    count = given["n"] if "n" in given else max(len(values) for values in given.values() if values.ndim)
    found = 0.0
    for _, *sides in (shape for shape in shapes if len(shape) == 4):
        if None not in sides[:2]:
            found += float(count) * sides[0] * sides[1]
        elif numbers == signature:
            found += float(np.prod(given["image"].shape[:3])) * about["config"].get("scale", 1) ** 2
    return found


def attempt(function: Callable[[], Result]) -> Result | Exception:
    """The result of a function, or its exception; TensorFlow's as a `Refusal`."""
    try:
        return function()
    except tf.errors.OpError as error:
        return refusal(error)
    except Exception as error:
        return error


def refusal(error: tf.errors.OpError) -> Refusal:
    """The error of a graph, without its stack trace."""
    lines = [line for line in error.message.splitlines() if line and not line.startswith(("\t", "Graph execution"))]
    reasons = [line for line in lines if not line.startswith(("Detected at", "<stack traces"))]
    return Refusal(Code.Name(error.error_code), " ".join(reasons) or "the graph failed")


def _answer(outputs: Tensors, rows: bool) -> bytes | Exception:
    return attempt(partial(answer, outputs, rows))


def batches(read: Sequence[Read | Exception], most: int) -> Iterable[list[int]]:
    """The indices of each batch: requests for the same signature, with at most `most` rows in all."""
    groups: dict[str, tuple[list[int], int]] = {}
    for place, request in enumerate(read):
        if isinstance(request, Exception):
            continue
        rows = rows_of(request[1])
        places, count = groups.get(request[0].signature, ([], 0))
        if places and (rows is None or count + rows > most):
            yield places
            places, count = [], 0
        groups[request[0].signature] = [*places, place], most if rows is None else count + rows
    yield from (places for places, _ in groups.values())


def rows_of(given: Tensors) -> int | None:
    """The common first side of all tensors, or None."""
    sides = {value.shape[:1] for value in given.values()}
    return sides.pop()[0] if len(sides) == 1 and () not in sides else None


def run(servable: Servable, signature: str, given: list[Tensors]) -> list[Tensors | Exception]:
    """The outputs of each request, or an exception."""
    if len(given) > 1:
        counts = [rows_of(each) or 0 for each in given]
        whole = {name: np.concatenate([each[name] for each in given]) for name in given[0]}
        made = attempt(partial(servable.export, signature, **whole))
        if not isinstance(made, Exception) and rows_of(made) == sum(counts):
            parts = {name: np.split(value, np.cumsum(counts)[:-1]) for name, value in made.items()}
            return [{name: values[place] for name, values in parts.items()} for place in range(len(given))]
    return [attempt(partial(servable.export, signature, **one)) for one in given]
