"""A server for trying exports, with the REST API of TensorFlow Serving and nothing to install but Python packages.

It is for a look at what a client sends and gets. What production runs is TensorFlow Serving itself, on the same folder.

    protocol    the JSON of requests and answers
    servables   which versions of which models are served
    predicting  requests answered, several at once where their model allows it
    batching    the threads that work, and the queue before them
    metrics     what Prometheus reads
    app         paths, methods, limits
    server      the socket, and what is said at the start
    page        what a browser sees at /
    client      asks this server or TensorFlow Serving; may be copied out of here
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
    """Serves the models of a folder until it is interrupted.

    Args:
        exports: The folder that `cnnzoo.export` wrote models into.
        host: The address to listen on; by default none that other machines reach.
        port: By default that of the REST API of TensorFlow Serving; 0 takes a free one.
        megabytes: The largest body of a request, in units of 2**20 bytes.
        megapixels: How many the pictures of one request may have together, in units of 10**6. Enlarging takes up to
            0.7 GB of memory for each.

    Raises:
        ValueError: There are no exports, one cannot be loaded, or a limit or the address makes no sense.
        ModuleNotFoundError: What the extra "serve" installs is not there.
    """
    from cnnzoo.utils.optional import require

    require("serving", "serve", "starlette", "uvicorn", "orjson", "prometheus_client", "tensorflow_serving")
    from cnnzoo.serving.server import run

    run(Path(exports), host, port, megabytes, megapixels)
