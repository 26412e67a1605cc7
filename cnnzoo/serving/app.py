"""The paths, limits and errors of TensorFlow Serving's REST API, and a page at /.

A wrong method, or an unknown path under /v1/, is a malformed request, 400, as in TensorFlow Serving.
"""

import asyncio
import contextlib
import logging
import re
import zlib
from collections.abc import AsyncIterator, Callable
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cnnzoo.serving import metrics
from cnnzoo.serving.batching import Full, Workers
from cnnzoo.serving.metadata import metadata, status
from cnnzoo.serving.model_repository import ModelRepository
from cnnzoo.serving.page import POLICY, address, overview, page, wants_json
from cnnzoo.serving.protocol import Refusal, invalid, parse_json
from cnnzoo.utils.atomic_files import json_text

MODEL = re.compile(
    "/v1/models(?:/(?P<name>[^/:]+))?(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
    "(?::(?P<verb>predict|classify|regress)|(?P<metadata>/metadata))?"
)
BODIES = 16  # bodies of the largest size in memory at once, at most
PATIENCE = 60.0  # seconds for a body to arrive
POLL = 2.0  # seconds between two checks for new versions


class Api:
    """Everything under /v1/, as an ASGI application.

    Args:
        repository: The served models.
        workers: Answer predictions.
        most: The largest body of a request, in bytes.
        measured: Counts requests.
    """

    def __init__(self, repository: ModelRepository, workers: Workers, most: int, measured: metrics.Metrics):
        self.repository, self.workers, self.most, self.measured = repository, workers, most, measured
        self.held = 0  # bytes of bodies that are arriving or waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, start, code = Request(scope, receive), perf_counter(), "OK"
        path = scope["raw_path"].decode("ascii", "replace")
        found = MODEL.fullmatch(path)
        parts = found.groupdict() if found else dict.fromkeys(MODEL.groupindex)
        name = unquote(parts["name"] or "")
        try:
            response = _json(await self.answer(request, path, parts, name))
        except Refusal as refusal:
            code, response = refusal.code, _json(refusal.body(), refusal.http)
        except Exception:
            logging.getLogger(__name__).exception("%s %s", request.method, path)
            response = _json(Refusal(code := "INTERNAL", "the server failed").body(), 500)
        known = name if any(name == served.name for served in self.repository.all()) else ""
        self.measured.record(known, parts["verb"] or "", code, perf_counter() - start)
        await response(scope, receive, send)

    async def answer(self, request: Request, path: str, parts: dict[str, str | None], name: str) -> bytes:
        """The body of the response.

        Args:
            parts: The groups of `MODEL`.

        Raises:
            Refusal: The request is invalid, or cannot be answered.
        """
        verb = parts["verb"]
        if request.method != ("POST" if verb else "GET") or (not name and path.rstrip("/") != "/v1/models"):
            raise invalid(f"Malformed request: {request.method} {path[:200]}")
        if not name:
            raise invalid("Missing model name in request.")
        digits = parts["version"]
        if digits and (len(digits) > 19 or int(digits) >= 2**63):
            raise invalid(f"Failed to convert version: {digits[:30]} to numeric.")
        version = int(digits) if digits else None
        label = unquote(parts["label"]) if parts["label"] else None
        if not verb and not parts["metadata"]:
            return status(self.repository, name, version)  # of all versions for a label, as in TensorFlow Serving
        if not verb:
            return await asyncio.to_thread(metadata, self.repository.find(name, version, label))
        async with self.body_of(request) as body:
            servable = self.repository.find(name, version, label)
            if verb != "predict":
                await asyncio.to_thread(parse_json, body)
                raise invalid(f"The verb must be :predict. Received: :{verb}, which takes examples of features")
            try:
                future = self.workers.submit(servable, body, servable.most)
            except Full:
                raise Refusal("UNAVAILABLE", "too many requests are waiting; try again later") from None
            return await asyncio.wrap_future(future)

    @contextlib.asynccontextmanager
    async def body_of(self, request: Request) -> AsyncIterator[bytes]:
        """The decompressed body of a request; it counts as held in memory until the response.

        Raises:
            Refusal: It is too large, too slow, or not gzip; or too many bodies are arriving.
        """
        unpack = decompressor(request.headers.get("content-encoding", ""))
        chunks, sent, size, held = [], 0, 0, 0
        try:
            async with asyncio.timeout(PATIENCE):
                async for chunk in request.stream():
                    sent += len(chunk)
                    if sent > 4 * self.most:
                        break
                    if size > self.most:  # read on: a client that is still sending does not read the response
                        continue
                    chunk = unpack(chunk, self.most - size + 1)
                    size += len(chunk)
                    if size > self.most:
                        continue
                    chunks.append(chunk)
                    held += len(chunk)
                    self.held += len(chunk)
                    if self.held > BODIES * self.most:
                        raise Refusal("UNAVAILABLE", "too many requests are being sent; try again later")
            if size > self.most:
                reason = f"The body must be at most {self.most} bytes (cnnzoo serve --megabytes). Received: more"
                raise Refusal("OUT_OF_RANGE", reason, 413)
            unpack(b"", 0)
            yield b"".join(chunks)
        except TimeoutError:
            raise Refusal("DEADLINE_EXCEEDED", f"the body did not arrive in {PATIENCE:.0f} seconds", 408) from None
        except ClientDisconnect:
            raise Refusal("CANCELLED", "the client is gone") from None
        finally:
            self.held -= held


def decompressor(encoding: str) -> Callable[[bytes, int], bytes]:
    """A function of (bytes, limit) that decompresses the next bytes of a body up to a limit; b"" checks the end.

    Raises:
        Refusal: A Content-Encoding other than gzip, or bytes that are not gzip.
    """
    if encoding.lower() in ("", "identity"):
        return lambda chunk, limit: chunk
    if encoding.lower() not in ("gzip", "x-gzip"):
        raise Refusal(
            "INVALID_ARGUMENT", f"Content-Encoding must be one of gzip, identity. Received: {encoding[:40]}", 415
        )
    unpacker = zlib.decompressobj(wbits=31)

    def unpack(chunk: bytes, limit: int) -> bytes:
        if not chunk and not unpacker.eof:
            raise invalid("The gzip body must be complete. Received: one that ends early")
        try:
            unpacked = unpacker.decompress(chunk, limit) if chunk else b""
        except zlib.error as error:
            raise invalid(f"The body must be gzip. Received: {error}") from None
        if unpacker.unused_data:
            raise invalid("The gzip body must end with its stream. Received: bytes after it")
        return unpacked

    return unpack


def application(repository: ModelRepository, workers: Workers, most: int) -> Starlette:
    """The server as an ASGI application, which loads new versions while it runs.

    Args:
        repository: The served models.
        workers: Answer predictions: a servable and bodies to bodies.
        most: The largest body of a request, in bytes.
    """
    measured = metrics.Metrics()

    async def front(request: Request) -> Response:
        content = overview(repository, address(request.headers.get("host", ""), request.scope.get("server")))
        vary = {"Vary": "Accept"}
        if wants_json(request.headers.get("accept", "")):
            return Response(json_text(content) + "\n", media_type="application/json", headers=vary)
        return HTMLResponse(page(content), headers={**vary, "Content-Security-Policy": POLICY})

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def prometheus(request: Request) -> Response:
        return PlainTextResponse(measured.page())

    async def refused(request: Request, error: HTTPException) -> Response:
        return _json(Refusal("", error.detail).body(), error.status_code)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        watcher = asyncio.create_task(_watch(repository))
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.to_thread(workers.close)

    handlers: dict[Any, Any] = {HTTPException: refused}
    return Starlette(
        routes=[
            Route("/", front),
            Route("/healthz", health),
            Route(metrics.PATH, prometheus),
            Route("/v1/{path:path}", Api(repository, workers, most, measured)),
        ],
        exception_handlers=handlers,
        lifespan=lifespan,
    )


async def _watch(repository: ModelRepository) -> None:
    """Checks for new versions every `POLL` seconds."""
    while True:
        await asyncio.sleep(POLL)
        try:
            await asyncio.to_thread(repository.refresh)
        except (ValueError, OSError) as error:  # such as a half-written file; loaded versions stay
            logging.getLogger(__name__).warning("%s", error)


def _json(body: bytes, http: int = 200) -> Response:
    return Response(body, http, media_type="application/json")
