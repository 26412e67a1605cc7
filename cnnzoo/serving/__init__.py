"""A development server for exports, with the REST API of TensorFlow Serving, from Python packages alone.

It is for development only. Production runs TensorFlow Serving on the same folder.

    protocol          the JSON of requests and responses
    model_repository  the served models and versions
    predictor         predictions, batched if the model allows it
    batching          a worker pool with a bounded queue
    metadata          states and signatures of versions
    metrics           Prometheus metrics
    app               paths, methods, limits
    server            the socket, and the message at the start
    page              the page at /
    client            a client for this server and TensorFlow Serving, to copy
"""

from pathlib import Path

HOST, PORT, MEGABYTES, MEGAPIXELS = "127.0.0.1", 8501, 16.0, 4.0


def serve(
    exports: str | Path,
    *,
    host: str = HOST,
    port: int = PORT,
    megabytes: float = MEGABYTES,
    megapixels: float = MEGAPIXELS,
) -> None:
    """Serves the models of a folder until it is interrupted, for development only.

    Args:
        exports: A folder of models from `cnnzoo.export`.
        host: The address to listen on; by default not reachable from other machines.
        port: By default the REST port of TensorFlow Serving; 0 takes a free port.
        megabytes: The largest body of a request, in units of 2**20 bytes.
        megapixels: The largest sum of pixels in the images of one request, in units of 10**6. Upscaling takes up to
            0.7 GB of memory per megapixel.

    Raises:
        ValueError: There are no exports, one cannot be loaded, or a limit or the address is invalid.
        ModuleNotFoundError: The extra "serve" is not installed.
    """
    from cnnzoo.utils.optional import require

    require("serving", "serve", "starlette", "uvicorn", "orjson", "prometheus_client", "tensorflow_serving")
    from cnnzoo.serving.server import run

    run(Path(exports), host, port, megabytes, megapixels)
