"""Sends an image to a server of exports, over REST or gRPC; this file needs nothing else of cnnzoo.

    cnnzoo export espcn.x3 exports/ && cnnzoo serve exports/
    python -m cnnzoo.serving.client photo.jpg larger.png

TensorFlow Serving takes the same calls. Only it serves gRPC, which needs `pip install grpcio
tensorflow-serving-api`:

    python -m cnnzoo.serving.client photo.jpg larger.png --grpc localhost:8500
    python -m cnnzoo.serving.client noisy.png clean.png --model denoiser --signature restore_bytes
"""

import argparse
import base64
import http.client
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

NO_FILES = "The signature must be one of files to files. Received: {!r}, with other outputs"


class Refused(Exception):
    """The server refused a request, with its message, or does not answer as one of exports."""


def by_rest(files: list[bytes], address: str, model: str, signature: str, timeout: float = 60.0) -> list[bytes]:
    """PNG or JPEG files to PNG files, over REST.

    Args:
        address: Such as http://localhost:8501.
        model, signature: Such as "espcn" and "upscale_bytes".
        timeout: Seconds.

    Raises:
        Refused: The server refused the request, it is no server of exports, or the signature gives no files.
        OSError: There is no such server, or the request timed out.
        ValueError: The address is no URL.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"The address must start with http:// or https://. Received: {address}")
    images = [{"b64": base64.b64encode(file).decode()} for file in files]
    body = json.dumps({"signature_name": signature, "inputs": {"image_bytes": images}}).encode()
    request = urllib.request.Request(f"{address}/v1/models/{model}:predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            outputs = json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        raise Refused(f"{error.code}: {_reason(error)}") from None
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        raise Refused(f"{address} must be a server of exports. Received: another answer") from None
    try:
        return [base64.b64decode(image["b64"]) for image in outputs]
    except (KeyError, TypeError):
        raise Refused(NO_FILES.format(signature)) from None


def _reason(error: urllib.error.HTTPError) -> str:
    """The message of the server, or the standard one of the status for a page of another server."""
    try:
        return json.load(error)["error"]
    except (ValueError, KeyError, TypeError):
        return error.reason


def by_grpc(files: list[bytes], address: str, model: str, signature: str, timeout: float = 60.0) -> list[bytes]:
    """PNG or JPEG files to PNG files, over gRPC, at an address such as localhost:8500.

    Raises:
        Refused: The server refused the request, there is none, or the signature gives no files.
    """
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(files))
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]  # the default is 4 MB
    with grpc.insecure_channel(address, unlimited) as channel:
        try:
            response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout)
        except grpc.RpcError as error:
            raise Refused(f"{error.code().name}: {error.details()}") from None
    if "image_bytes" not in response.outputs:
        raise Refused(NO_FILES.format(signature))
    return list(response.outputs["image_bytes"].string_val)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m cnnzoo.serving.client",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("picture", type=Path)
    parser.add_argument("out", type=Path, help="a .png file")
    parser.add_argument("--rest", metavar="ADDRESS", default="http://localhost:8501", help="(default: %(default)s)")
    parser.add_argument("--grpc", metavar="ADDRESS", help="use gRPC, such as localhost:8500")
    parser.add_argument("--model", default="espcn", help="(default: %(default)s)")
    parser.add_argument("--signature", default="upscale_bytes", help="one of files to files (default: %(default)s)")
    args = parser.parse_args()
    send, address = (by_grpc, args.grpc) if args.grpc else (by_rest, args.rest)
    try:
        (made,) = send([args.picture.read_bytes()], address, args.model, args.signature)
        args.out.write_bytes(made)
    except (Refused, OSError, ValueError) as error:
        print(f"client: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
