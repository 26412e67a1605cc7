"""Tests `cnnzoo serve`, or an export in a plain TensorFlow process, with ten thousand malformed requests or files.

    python benchmarks/fuzz_serving.py --requests 10000 --seed 0
    python benchmarks/fuzz_serving.py --requests 10000 --seed 0 --bare

No request may end the process or get a server error (5xx). Peak memory may not exceed 1.2 times that after the largest
valid inputs, which are sent first. All requests are drawn from the seed:

- random bytes, and valid requests with a few changed bytes;
- JSON of the wrong type or depth, and long lists;
- damaged pictures, unsupported formats, and small files that declare large sizes;
- arrays over the pixel limit or out of range;
- gzip bombs, and bodies over the limit;
- invalid paths and methods, and bytes that are not HTTP.
"""

import argparse
import base64
import contextlib
import gzip
import http.client
import io
import json
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from skimage.data import astronaut

import cnnzoo
from cnnzoo.utils.terminal import print_table

LIMIT = 2**20  # bytes of a body; small, so that larger bodies are quick to send
MEGAPIXELS = 0.1
LARGEST = 316  # side of the largest picture, in pixels
GROWTH = 1.2  # largest allowed ratio of peak memory
SIGNATURES = {"espcn": "upscale_bytes", "lenet": "classify_bytes", "cgan": "generate"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def exported(*checkpoints: str) -> Iterator[Path]:
    """Exports checkpoints to a temporary folder, and yields the folder."""
    with tempfile.TemporaryDirectory() as folder:
        for name in checkpoints:
            cnnzoo.export(name, folder)
        yield Path(folder)


@contextlib.contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts a server in a separate process, and yields its address and the process."""
    command = [sys.executable, "-m", "cnnzoo", "serve", str(folder), "--port", "0", *options]
    # TensorFlow's JPEG library logs each damaged file to stderr.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"Serving on http://(\S+:\d+)", line):
                    yield found[1], process
                    break
        finally:
            process.terminate()


def told(address: str, metric: str) -> float:
    """Returns a metric of the server, such as "process_resident_memory_bytes" or "process_cpu_seconds"."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/monitoring/prometheus/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    return families[metric].samples[0].value


def resident(address: str) -> float:
    """Returns the resident memory of the server, in MB."""
    return told(address, "process_resident_memory_bytes") / 1e6


# -- requests ----------------------------------------------------------------------------------------------------------


def picture(kind: str = "PNG", side: int = 32) -> bytes:
    """Returns the content of a file of a photograph."""
    buffer = io.BytesIO()
    Image.fromarray(astronaut()[:side, :side]).save(buffer, kind)
    return buffer.getvalue()


def predict(model: str, body: bytes) -> Request:
    return Request("POST", f"/v1/models/{model}:predict", body)


def of_files(model: str, *files: bytes) -> Request:
    images = [{"b64": base64.b64encode(file).decode()} for file in files]
    return predict(model, json.dumps({"signature_name": SIGNATURES[model], "inputs": {"image_bytes": images}}).encode())


def changed(rng: random.Random, data: bytes) -> bytes:
    """Returns a copy of `data` with random changes: other bytes, a truncated end, a repeated part."""
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
    """Returns a random JSON value."""
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
    files = [picture(rng.choice(("PNG", "JPEG"))) for _ in range(rng.randint(1, 3))]
    files[rng.randrange(len(files))] = changed(rng, rng.choice(files))
    return of_files(rng.choice(("espcn", "lenet")), *files)


def huge_claim(rng: random.Random) -> Request:
    return of_files("espcn", claimed(rng))


def other_format(rng: random.Random) -> Request:
    """Returns a request with a file of an unsupported format, some of which TensorFlow can decode."""
    return of_files(rng.choice(("espcn", "lenet")), unwanted(rng))


def unwanted(rng: random.Random) -> bytes:
    side = rng.randint(1, 3000)
    kind = rng.choice(("GIF", "frames", "screen", "WEBP", "BMP", "JPEG XL", "TIFF"))
    if kind == "JPEG XL":
        return rng.choice((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")) + rng.randbytes(200)
    image, buffer = Image.new("P", (side, side)), io.BytesIO()
    if kind == "frames":
        image.save(buffer, "GIF", save_all=True, append_images=[Image.new("P", (side, side), i) for i in range(1, 6)])
    elif kind == "screen":  # a frame larger than the canvas in the header
        image.save(buffer, "GIF")
        data = bytearray(buffer.getvalue())
        data[6:10] = struct.pack("<HH", 1, 1)
        return bytes(data)
    else:
        image.convert("RGB").resize((min(side, 600),) * 2).save(buffer, kind)
    return buffer.getvalue()


def claimed(rng: random.Random) -> bytes:
    """Returns a small PNG or JPEG file with a random size in its header."""
    if rng.random() < 0.5:
        file = picture()
        return file[:16] + rng.randbytes(8) + file[24:]
    file = bytearray(picture("JPEG"))
    frame = file.index(b"\xff\xc0")  # height and width are at an offset of five bytes
    file[frame + 5 : frame + 9] = rng.randbytes(4)
    if rng.random() < 0.3:  # a second frame header
        file[frame:frame] = file[frame : frame + 19]
    return bytes(file)


def large_numbers(rng: random.Random) -> Request:
    """Returns a request with an array above the pixel limit."""
    side = rng.randint(LARGEST + 1, LARGEST + 80)
    rows = "[" + ",".join(["[" + ",".join(["[0]"] * side) + "]"] * side) + "]"
    return predict("espcn", f'{{"signature_name": "upscale", "inputs": [{rows}]}}'.encode())


def other_range(rng: random.Random) -> Request:
    """Returns a request with an array out of the range [0, 1]."""
    value = rng.choice((255, 1.5, -1, 128.0, 1e30))
    image = [[[value] for _ in range(28)] for _ in range(28)]
    body = {"signature_name": rng.choice(("classify", "serving_default")), "inputs": [image]}
    return predict("lenet", json.dumps(body).encode())


def packed(rng: random.Random) -> Request:
    """Returns a request with a gzip body that is too large, truncated or invalid, or with another encoding."""
    body = gzip.compress(b" " * rng.randint(LIMIT + 1, 64 * LIMIT), 1)
    body = rng.choice((body, body[: len(body) // 2], rng.randbytes(100), gzip.compress(rng.randbytes(50))))
    encoding = rng.choice(("gzip", "gzip", "gzip", "br", "zip"))
    return replace(predict("espcn", body), headers={"Content-Encoding": encoding})


def long(rng: random.Random) -> Request:
    """Returns a request with a long list of small invalid items."""
    item = rng.choice((b"0", b"[]", b"{}", b'""', b'{"b64": ""}', b"[[]]"))
    body = b'{"inputs": [' + b",".join([item] * rng.randint(1000, (LIMIT - 100) // (len(item) + 1))) + b"]}"
    return predict(rng.choice([*SIGNATURES]), body)


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
    noise: 12,
    wrong_json: 20,
    changed_json: 12,
    damaged_picture: 18,
    other_format: 10,
    huge_claim: 6,
    large_numbers: 1,
    other_range: 5,
    packed: 2,
    long: 1,
    deep: 4,
    path: 8,
    too_large: 1,
}


def bad_requests(seed: int) -> Iterator[tuple[str, Request]]:
    """Yields (kind, request) of malformed requests without end; a few are valid by chance."""
    rng = random.Random(seed)
    while True:
        (kind,) = rng.choices([*KINDS], [*KINDS.values()])
        yield kind.__name__, kind(rng)


def no_http(address: str, rng: random.Random) -> None:
    """Sends invalid HTTP or half a request, and disconnects."""
    host, port = address.split(":")
    starts = (b"", b"GET ", b"POST /v1/models/espcn:predict HTTP/1.1\r\nContent-Length: 99\r\n\r\n", b"\x16\x03\x01")
    with contextlib.suppress(ConnectionError), socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(rng.choice(starts) + rng.randbytes(rng.randint(1, 200)))


def send(connection: http.client.HTTPConnection, request: Request) -> int:
    """Returns the status of the response; 0 if the server closed the connection before a response was read."""
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        response = connection.getresponse()
        response.read()
    except (BrokenPipeError, ConnectionResetError, http.client.HTTPException):
        connection.close()
        return 0
    return response.status


def peak(process: int) -> float:
    """Returns the peak memory of a process, in MB."""
    return float(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1e3


def largest_allowed() -> Iterator[Request]:
    """Yields the largest valid requests, and the longest body, which gets status 400."""
    yield of_files("espcn", picture(side=LARGEST))
    yield of_files("lenet", *[picture(side=LARGEST // 8)] * 64)
    side = int(LARGEST / 3)  # the output is three times as high and wide
    image = [[[0.5]] * side] * side
    yield predict("espcn", json.dumps({"signature_name": "upscale", "inputs": [image]}).encode())
    yield predict("espcn", b'{"inputs": [' + b",".join([b"[]"] * (LIMIT // 3 - 100)) + b"]}")  # the longest body


BARE = """
import re, struct, sys
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1]).signatures["classify_bytes"]

def ask(file):
    try:
        served(image_bytes=tf.constant([file]))
        return 200
    except tf.errors.InvalidArgumentError:
        return 400

while size := sys.stdin.buffer.read(4):
    print(ask(sys.stdin.buffer.read(struct.unpack("<I", size)[0])), flush=True)
"""


def bare(requests: int, seed: int) -> None:
    """Sends malformed files to an export in a process with TensorFlow alone."""
    rng, seen = random.Random(seed), {}
    kinds = {
        "damaged": lambda: changed(rng, picture(rng.choice(("PNG", "JPEG")))),
        "another format": lambda: unwanted(rng),
        "claims to be large": lambda: claimed(rng),
        "noise": lambda: rng.choice((b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a")) + rng.randbytes(40),
    }
    with exported("lenet.mnist") as folder:
        command = [sys.executable, "-c", BARE, str(folder / "lenet" / "1")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, **pipes) as process:

            def ask(file: bytes) -> str:
                process.stdin.write(struct.pack("<I", len(file)) + file)
                process.stdin.flush()
                return process.stdout.readline().decode().strip()

            largest = io.BytesIO()
            Image.new("RGB", (4096, 4096)).save(largest, "PNG")
            for _ in range(3):
                assert ask(largest.getvalue()) == "200"
            before = peak(process.pid)
            for _ in range(requests):
                kind = rng.choice([*kinds])
                seen.setdefault(kind, Counter())[ask(kinds[kind]())] += 1
            after, alive = peak(process.pid), process.poll() is None
            process.stdin.close()
    print_table("", ("kind", "answered", "refused", "other"), [
        (kind, str(c["200"]), str(c["400"]), str(c.total() - c["200"] - c["400"])) for kind, c in sorted(seen.items())
    ])  # fmt: skip
    print(f"peak memory: {after:.0f} MB, {after / before:.2f} of the peak after pictures of 4096x4096, {before:.0f} MB")
    sys.exit(not alive or after > GROWTH * before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bare", action="store_true", help="files to an export in a process with TensorFlow alone")
    asked = parser.parse_args()
    if asked.bare:
        return bare(asked.requests, asked.seed)
    seen = {}
    with (
        exported("espcn.x3", "lenet.mnist", "cgan.mnist") as folder,
        served(folder, "--megabytes", str(LIMIT / 2**20), "--megapixels", str(MEGAPIXELS)) as (address, process),
    ):
        rng, connection = random.Random(asked.seed), http.client.HTTPConnection(address, timeout=120)
        allowed = [send(connection, request) for request in largest_allowed() for _ in range(3)]
        assert set(allowed[:9]) == {200} and set(allowed[9:]) == {400}, allowed
        before, memory = peak(process.pid), []
        for number, (kind, request) in zip(range(asked.requests), bad_requests(asked.seed), strict=False):
            seen.setdefault(kind, Counter())[send(connection, request)] += 1
            if number % 20 == 0:
                no_http(address, rng)
            if number % max(1, asked.requests // 10) == 0:
                memory.append(resident(address))
        alive = process.poll() is None and send(connection, Request("GET", "/healthz", b"")) == 200
        memory.append(resident(address))
        after = peak(process.pid)
    statuses = sorted(set().union(*seen.values()))
    rows = [(kind, *(str(seen[kind][status] or "") for status in statuses)) for kind in sorted(seen)]
    print_table("", ("kind", *("no answer" if status == 0 else str(status) for status in statuses)), rows)
    print(f"memory, MB, at the start and after each tenth: {', '.join(f'{size:.0f}' for size in memory)}")
    ratio = f"{after / before:.2f} of the peak after the largest allowed requests, {before:.0f} MB"
    print(f"peak memory: {after:.0f} MB, {ratio}")
    faults = sum(count for counts in seen.values() for status, count in counts.items() if status >= 500)
    print(f"{asked.requests} requests, {faults} of them faults of the server, which is {'alive' if alive else 'gone'}")
    sys.exit(not alive or faults > 0 or after > GROWTH * before)


if __name__ == "__main__":
    main()
