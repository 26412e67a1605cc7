"""Measures throughput of `cnnzoo serve` relative to the bare graph, and its behavior under many clients.

    python benchmarks/serving.py                 # both, five minutes
    python benchmarks/serving.py throughput      # pictures per second of espcn.x3 on 256x256 PNG files, served, bare
    python benchmarks/serving.py load            # 64 clients for two minutes, one more with invalid requests

Throughput: "bare" is the work that any server has to do: decode the PNG, run the float signature of the same export and
encode the result, in this process, with one thread per processor. "Served" sends the same pictures as JSON over the
loopback interface and reads the results, with two clients per processor. The two alternate, and each ratio is that of
one round. On a machine with other load, the ratio of CPU time is the reliable one.

Load: half of the clients upscale and half classify. Each client sends its next request after the response to the last
one. Each response is compared with a response from before the load: files must be equal, probabilities, which may come
from a batch, equal to 1e-5. Memory is the resident memory in the metrics of the server.
"""

import argparse
import http.client
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time, sleep

import numpy as np
import tensorflow as tf
from fuzz_serving import Request, bad_requests, exported, no_http, of_files, picture, resident, send, served, told

from cnnzoo.utils.terminal import print_table

CORES = os.cpu_count() or 1


def rate(work: Callable[[], None], threads: int, seconds: float, clock: Callable[[], float]) -> tuple[float, float]:
    """Returns the calls per second of several threads, and the CPU seconds per call.

    Calls in progress after `seconds` are completed and counted, and so is their time.
    """
    counts, begun, used = [0] * threads, perf_counter(), clock()

    def run(number: int) -> None:
        while perf_counter() - begun < seconds:
            work()
            counts[number] += 1

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / (perf_counter() - begun), (clock() - used) / sum(counts)


# -- throughput --------------------------------------------------------------------------------------------------------


def bare(version: Path, file: bytes) -> Callable[[], None]:
    loaded = tf.saved_model.load(str(version))

    def work() -> None:
        image = tf.cast(tf.io.decode_png(file), tf.float32) / 255.0
        larger = loaded.signatures["upscale"](image=image[None])["image"]
        tf.io.encode_png(tf.cast(tf.round(larger[0] * 255.0), tf.uint8)).numpy()

    return work


def over_http(address: str, request: Request) -> Callable[[], None]:
    local = threading.local()

    def work() -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(address, timeout=120)
        if (status := send(local.connection, request)) != 200:
            raise RuntimeError(f"the server answered {status}")

    return work


def throughput(rounds: int, seconds: float) -> bool:
    file = picture(side=256)
    with exported("espcn.x3") as folder, served(folder) as (address, _):
        sides = {
            "served": (
                over_http(address, of_files("espcn", file)),
                2 * CORES,
                seconds,
                lambda: told(address, "process_cpu_seconds"),
            ),
            "bare": (bare(folder / "espcn" / "1", file), CORES, seconds, process_time),
        }
        for side in sides.values():
            rate(*side)  # warm up
        found = {name: [] for name in sides}
        for turn in range(rounds):
            for name in sorted(sides, reverse=bool(turn % 2)):
                found[name].append(rate(*sides[name]))
    each = np.array([found["served"], found["bare"]])  # (2, rounds, 2)
    ratios = np.stack([each[0, :, 0] / each[1, :, 0], each[1, :, 1] / each[0, :, 1]], axis=1)
    table = np.concatenate([each[0], each[1], ratios], axis=1)  # (rounds, 6)
    lines = [(str(turn + 1), line) for turn, line in enumerate(table)] + [("median", np.median(table, axis=0))]
    print_table(
        "espcn.x3, 256x256 PNG; cpu s: processor seconds a picture, without those of the clients",
        ("round", "served/s", "cpu s", "bare/s", "cpu s", "served / bare", "of cpu s"),
        [(name, *(f"{value:.3f}" for value in line)) for name, line in lines],
    )
    return bool(np.median(ratios[:, 0]) >= 0.9)


# -- load --------------------------------------------------------------------------------------------------------------


def load(clients: int, seconds: float) -> bool:
    requests = {
        "upscale 64x64": of_files("espcn", picture(side=64)),
        "classify": of_files("lenet", picture(side=28)),
    }
    times, errors, memory = {kind: [] for kind in requests}, [], []
    with exported("espcn.x3", "lenet.mnist") as folder, served(folder) as (address, process):
        wanted = {kind: answer(address, request) for kind, request in requests.items()}
        begun = perf_counter()

        def good(kind: str) -> None:
            connection = http.client.HTTPConnection(address, timeout=120)
            while perf_counter() - begun < seconds:
                sent = perf_counter()
                try:
                    connection.request("POST", requests[kind].path, requests[kind].body)
                    response = connection.getresponse()
                    content = response.read()
                    if response.status != 200 or not same(content, wanted[kind]):
                        errors.append(f"{kind}: {response.status} {content[:80]!r}")
                except (OSError, http.client.HTTPException) as error:
                    errors.append(f"{kind}: {error!r}")
                    connection.close()
                times[kind].append((sent - begun, perf_counter() - sent))
            connection.close()

        def garbage() -> None:
            rng, connection = random.Random(0), http.client.HTTPConnection(address, timeout=120)
            for number, (_, request) in enumerate(bad_requests(0)):
                if perf_counter() - begun >= seconds:
                    return connection.close()
                status = send(connection, request)
                bad[status] = bad.get(status, 0) + 1
                if number % 10 == 0:
                    no_http(address, rng)

        bad = {}
        kinds = [[*requests][number % 2] for number in range(clients)]
        running = [threading.Thread(target=good, args=(kind,)) for kind in kinds] + [threading.Thread(target=garbage)]
        for thread in running:
            thread.start()
        while perf_counter() - begun < seconds:
            sleep(min(5.0, seconds / 20))
            memory.append((perf_counter() - begun, resident(address)))
        for thread in running:
            thread.join()
        alive = process.poll() is None
    warm = 0.25 * seconds
    rows = []
    for kind, measured in {**times, "all": [pair for each in times.values() for pair in each]}.items():
        late = [taken for at, taken in measured if at >= warm]
        middle, slow = np.percentile(late, [50, 99])
        rows.append((kind, str(len(measured)), f"{1000 * middle:.0f}", f"{1000 * slow:.0f}", f"{slow / middle:.2f}"))
    print_table(f"{clients} clients", ("request", "answered", "p50, ms", "p99, ms", "p99 / p50"), rows)
    steady = [size for at, size in memory if at >= warm]
    third = max(1, len(steady) // 3)
    first, last = np.mean(steady[:third]), np.mean(steady[-third:])
    print(f"memory, MB, every few seconds: {', '.join(f'{size:.0f}' for _, size in memory)}")
    print(f"after warm-up {first:.0f} MB, at the end {last:.0f} MB ({100 * (last / first - 1):+.1f} %)")
    print(f"{sum(bad.values())} bad requests, answered {dict(sorted(bad.items()))}")
    print(f"{len(errors)} errors{': ' if errors else ''}{'; '.join(errors[:3])}")
    tail = all(float(row[-1]) <= 5 for row in rows)
    return alive and not errors and tail and last <= 1.02 * first and not any(status >= 500 for status in bad)


def same(content: bytes, wanted: bytes) -> bool:
    """Returns True if two responses are equal, up to rounding for probabilities."""
    if content == wanted:
        return True
    made, known = (json.loads(each)["outputs"] for each in (content, wanted))
    return isinstance(made, dict) and np.allclose(made["probabilities"], known["probabilities"], atol=1e-5, rtol=0)


def answer(address: str, request: Request) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=120)
    connection.request(request.method, request.path, request.body)
    content = connection.getresponse().read()
    connection.close()
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["throughput", "load"])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120.0, help="of load (default: 120)")
    parser.add_argument("--rounds", type=int, default=8, help="of throughput, 10 seconds each side (default: 8)")
    asked = parser.parse_args()
    reached = {}
    if asked.what != "load":
        reached["at least 90 % of the bare graph"] = throughput(asked.rounds, 10.0)
    if asked.what != "throughput":
        reached["no error, no growth of memory, p99 at most 5 p50"] = load(asked.clients, asked.seconds)
    for goal, is_so in reached.items():
        print(f"{goal}: {'yes' if is_so else 'no'}")
    sys.exit(not all(reached.values()))


if __name__ == "__main__":
    main()
