"""The socket of the server, and the message at its start."""

import os
import shlex
import socket
from pathlib import Path

import uvicorn

from cnnzoo.serving.app import application
from cnnzoo.serving.batching import Workers
from cnnzoo.serving.model_repository import ModelRepository
from cnnzoo.serving.predictor import Predictor
from cnnzoo.utils import server_limits

WAITING = 256  # requests in the queue
CONNECTIONS = 1024  # clients at once


def run(exports: Path, host: str, port: int, megabytes: float, megapixels: float) -> None:
    """See `cnnzoo.serving.serve`."""
    server_limits.check(port, megabytes, megapixels)
    with _bound(host, port) as listener:
        repository = ModelRepository(exports)
        workers = Workers(Predictor(megapixels * 1e6), os.cpu_count() or 1, WAITING)
        config = uvicorn.Config(
            application(repository, workers, int(megabytes * 2**20)),
            log_level="error",  # one line per malformed request would let clients fill the disk
            access_log=False,
            server_header=False,
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=10,
        )
        listener.listen(CONNECTIONS)
        print(greeting(repository, *listener.getsockname()[:2]), flush=True)
        uvicorn.Server(config).run(sockets=[listener])


def greeting(repository: ModelRepository, host: str, port: int) -> str:
    """The message at the start: the addresses, and the commands for TensorFlow Serving."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    served = repository.all()
    models = [f"  {address}/v1/models/{x.name}/versions/{x.version}  {', '.join(x.export.signatures)}" for x in served]
    mount = shlex.quote(f"{repository.folder.resolve()}:/models")
    return "\n".join(
        [
            f"Serving on {address} (open it for the lines that ask each model); Ctrl-C ends it.",
            *models,
            "",
            "This is for trying exports. Production is TensorFlow Serving, which takes the same folder:",
            f"  docker run -p 8500:8500 -p 8501:8501 -v {mount} tensorflow/serving \\",
            "    --model_config_file=/models/models.config --monitoring_config_file=/models/monitoring.config",
            "or, on Kubernetes, several of them, as many as it takes:",
            f"  kubectl apply -f {shlex.quote(str(deploy_dir() / 'kubernetes.yaml'))}",
        ]
    )


def deploy_dir() -> Path:
    """The folder of the manifests: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "deploy"
    return inside if inside.is_dir() else package.parent / "deploy"


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to an address, not listening yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio recognizes TCP and sets TCP_NODELAY.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        rule = "The address must be of this machine with a free port, or with 0 for any"
        raise ValueError(f"{rule}. Received: {host}:{port}: {error.strerror}") from None
    return listener
