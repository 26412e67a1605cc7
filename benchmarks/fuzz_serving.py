"""Ten thousand bad requests to `cnnzoo serve`: none may end it, none may be answered with a fault of its own (5xx).

    python benchmarks/fuzz_serving.py --requests 10000 --seed 0

They are noise, good requests with a few bytes changed, JSON of the wrong kind, damaged pictures, paths and methods that
are none, bodies over the limit, and what is not HTTP at all. All are drawn from the seed.
"""

import argparse
import base64
import contextlib
import http.client
import io
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from skimage.data import astronaut

import cnnzoo
from cnnzoo.terminal import print_table

LIMIT = 2**20  # bytes of a body, so that larger ones are soon sent
SIGNATURES = {"espcn": "upscale_bytes", "lenet": "classify_bytes", "cgan": "generate"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes


@contextlib.contextmanager
def exported(*checkpoints: str) -> Iterator[Path]:
    """A folder with exports of checkpoints, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for name in checkpoints:
            cnnzoo.export(name, folder)
        yield Path(folder)


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The address of a server of its own process, and the process."""
    command = [sys.executable, "-m", "cnnzoo", "serve", str(folder), "--port", "0", *options]
    # On stderr TensorFlow's JPEG library tells of each damaged file.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"Serving on http://(\S+:\d+)", line):
                    yield found[1], process
                    break
        finally:
            process.terminate()


def told(address: str, metric: str) -> float:
    """A number that the server tells of itself: "process_resident_memory_bytes", "process_cpu_seconds"."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/monitoring/prometheus/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    return families[metric].samples[0].value


def resident(address: str) -> float:
    """The memory that the server has, in MB."""
    return told(address, "process_resident_memory_bytes") / 1e6


# -- what is sent ------------------------------------------------------------------------------------------------------


def picture(kind: str = "PNG", side: int = 32) -> bytes:
    """A photograph as a file."""
    buffer = io.BytesIO()
    Image.fromarray(astronaut()[:side, :side]).save(buffer, kind)
    return buffer.getvalue()


def predict(model: str, body: bytes) -> Request:
    return Request("POST", f"/v1/models/{model}:predict", body)


def of_files(model: str, *files: bytes) -> Request:
    images = [{"b64": base64.b64encode(file).decode()} for file in files]
    return predict(model, json.dumps({"signature_name": SIGNATURES[model], "inputs": {"image_bytes": images}}).encode())


def changed(rng: random.Random, data: bytes) -> bytes:
    """Bytes of which some are others, and some may be missing at the end or twice in the middle."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    if data and rng.random() < 0.2:
        place = rng.randrange(len(data))
        data[place:place] = data[place : place + 64]
    return bytes(data)


def anything(rng: random.Random, depth: int = 4):
    """A JSON value."""
    if depth and rng.random() < 0.4:
        return [anything(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if depth and rng.random() < 0.3:
        names = ("image", "image_bytes", "b64", "seed", "labels", "code", "\ud800", "")
        return {rng.choice(names): anything(rng, depth - 1) for _ in range(rng.randint(0, 3))}
    numbers = (0, -1, 0.5, 2**31, -(2**63), 10**400, 1e308, float("nan"), float("inf"))
    return rng.choice((None, True, False, "", "aGk=", "\0", "\ud800", *numbers))


def noise(rng: random.Random) -> Request:
    return predict(rng.choice([*SIGNATURES]), rng.randbytes(rng.randint(0, 300)))


def wrong_json(rng: random.Random) -> Request:
    names = ("signature_name", "inputs", "instances", "examples")
    request = {name: anything(rng) for name in names if rng.random() < 0.6}
    if rng.random() < 0.6:
        request["signature_name"] = rng.choice(("serving_default", "decode", *SIGNATURES.values()))
    return predict(rng.choice([*SIGNATURES]), json.dumps(request).encode())


def changed_json(rng: random.Random) -> Request:
    good = of_files(rng.choice(("espcn", "lenet")), picture())
    return predict(good.path.split("/")[3].split(":")[0], changed(rng, good.body))


def damaged_picture(rng: random.Random) -> Request:
    files = [picture(rng.choice(("PNG", "JPEG", "GIF"))) for _ in range(rng.randint(1, 3))]
    files[rng.randrange(len(files))] = changed(rng, rng.choice(files))
    return of_files(rng.choice(("espcn", "lenet")), *files)


def huge_claim(rng: random.Random) -> Request:
    """A small file that says that it is large."""
    file = picture()
    return of_files("espcn", file[:16] + rng.randbytes(8) + file[24:])


def deep(rng: random.Random) -> Request:
    opened = rng.choice((b"[", b'{"inputs":', b'{"instances":['))
    return predict("espcn", b'{"inputs": ' + opened * rng.randint(1, 50_000))


def path(rng: random.Random) -> Request:
    parts = (
        "/v1",
        "/models",
        "/espcn",
        "/versions",
        "/labels",
        "/1",
        "/" + "9" * 30,
        "/metadata",
        ":predict",
        ":classify",
    )
    odd = ("/%00", "/..", "//", "/%2e%2e", "?x=1", ":", "/é".encode().hex())
    method = rng.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"))
    start = rng.choice(("/", "/v1/", "/v1/models", "/v1/models/lenet"))
    return Request(method, start + "".join(rng.choices(parts + odd, k=rng.randint(0, 4))), b"{}")


def too_large(rng: random.Random) -> Request:
    return predict("espcn", b" " * rng.randint(LIMIT + 1, 2 * LIMIT))


KINDS = {
    noise: 20,
    wrong_json: 25,
    changed_json: 15,
    damaged_picture: 20,
    huge_claim: 5,
    deep: 5,
    path: 9,
    too_large: 1,
}


def bad_requests(seed: int) -> Iterator[tuple[str, Request]]:
    """Bad requests without end, with their kind; a few of them happen to be good."""
    rng = random.Random(seed)
    while True:
        (kind,) = rng.choices([*KINDS], [*KINDS.values()])
        yield kind.__name__, kind(rng)


def no_http(address: str, rng: random.Random) -> None:
    """Sends what is no request, or half of one, and goes."""
    host, port = address.split(":")
    starts = (b"", b"GET ", b"POST /v1/models/espcn:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n", b"\x16\x03\x01")
    with contextlib.suppress(ConnectionError), socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(rng.choice(starts) + rng.randbytes(rng.randint(1, 200)))


def send(connection: http.client.HTTPConnection, request: Request) -> int:
    """The status of the answer; it may be that of a body that was cut off, whose connection then is closed."""
    try:
        connection.request(request.method, request.path, request.body)
        response = connection.getresponse()
        response.read()
    except (BrokenPipeError, ConnectionResetError, http.client.HTTPException):
        connection.close()
        return 0
    return response.status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    seen = {}
    with (
        exported("espcn.x3", "lenet.mnist", "cgan.mnist") as folder,
        served(folder, "--megabytes", str(LIMIT / 2**20), "--megapixels", "0.1") as (address, process),
    ):
        rng, connection = random.Random(asked.seed), http.client.HTTPConnection(address, timeout=120)
        memory = []
        for number, (kind, request) in zip(range(asked.requests), bad_requests(asked.seed), strict=False):
            seen.setdefault(kind, Counter())[send(connection, request)] += 1
            if number % 20 == 0:
                no_http(address, rng)
            if number % max(1, asked.requests // 10) == 0:
                memory.append(resident(address))
        alive = process.poll() is None and send(connection, Request("GET", "/healthz", b"")) == 200
        memory.append(resident(address))
    statuses = sorted(set().union(*seen.values()))
    rows = [(kind, *(str(seen[kind][status] or "") for status in statuses)) for kind in sorted(seen)]
    print_table("", ("kind", *("no answer" if status == 0 else str(status) for status in statuses)), rows)
    print(f"memory, MB, at the start and after each tenth: {', '.join(f'{size:.0f}' for size in memory)}")
    faults = sum(count for counts in seen.values() for status, count in counts.items() if status >= 500)
    print(f"{asked.requests} requests, {faults} of them faults of the server, which is {'alive' if alive else 'gone'}")
    sys.exit(not alive or faults > 0)


if __name__ == "__main__":
    main()
