"""Measures the latency and memory of `cnnzoo app` under many concurrent users.

    python benchmarks/app.py                     # 20 users for two minutes, after one user alone; under three minutes

Each user repeatedly uploads a photograph of 512x512 pixels, enlarges it 3 times and downloads the result. The time is
measured from the upload to the last byte of the result and of the pictures of the page. Each result must have the same
bytes as the result for that photograph before the load. Memory is the resident memory of the server and its children.

Exit code 1 means an error, memory growth of more than 2 % after the first quarter, or a 95th percentile above 3 times
the time of one user times the number of users.
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import psutil
from gradio_client import Client, handle_file
from PIL import Image
from skimage.data import astronaut

from cnnzoo.utils.terminal import print_table

ALONE = 8  # enlargements of one user


@contextmanager
def served() -> Iterator[tuple[str, psutil.Process]]:
    """Starts the app, yields its address and process, and stops it at the end."""
    command = [sys.executable, "-m", "cnnzoo", "app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield re.search(r"http://\S+", line)[0], psutil.Process(process.pid)  # type: ignore[index]
        finally:
            process.send_signal(signal.SIGINT)


class User:
    """A user of the page, with a photograph."""

    def __init__(self, address: str, photograph: Path, downloads: Path) -> None:
        self.client = Client(address, download_files=downloads, verbose=False)
        self.photograph = photograph
        buttons = {each["id"] for each in self.client.config["components"] if each["props"].get("value") == "Enlarge"}
        (self.enlarge,) = (
            each["id"]
            for each in self.client.config["dependencies"]
            if {target for target, _ in each["targets"]} & buttons
        )

    def enlarged(self) -> bytes:
        """Returns the file of the photograph, enlarged 3 times.

        Raises:
            RuntimeError: The page shows an error.
        """
        inputs: list[Any] = [handle_file(str(self.photograph)), 3, "clean", 0]
        _, _, button, problem = self.client.predict(*inputs, fn_index=self.enlarge)
        if problem:
            raise RuntimeError(problem)
        return Path(button["value"]).read_bytes()


def resident(process: psutil.Process) -> float:
    """Returns the resident memory of a process and its children, in MB."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6


def load(users: int, seconds: float, folder: Path) -> bool:
    photographs = [folder / f"{turns}.png" for turns in range(4)]
    for turns, path in enumerate(photographs):
        Image.fromarray(np.rot90(astronaut(), turns)).save(path)
    times: list[tuple[float, float]] = []
    errors: list[str] = []
    memory: list[tuple[float, float]] = []
    with served() as (address, process):
        visitors = [User(address, photographs[i % 4], folder / f"{i}") for i in range(users)]
        wanted = {user.photograph: user.enlarged() for user in visitors[:4]}
        alone = []
        for _ in range(ALONE):
            begun = perf_counter()
            visitors[0].enlarged()
            alone.append(perf_counter() - begun)
        begun = perf_counter()

        def visit(user: User) -> None:
            while (sent := perf_counter()) - begun < seconds:
                try:
                    if user.enlarged() != wanted[user.photograph]:
                        errors.append(f"{user.photograph.name}: another result than before")
                except Exception as error:  # any error would be visible to a user
                    errors.append(repr(error))
                times.append((sent - begun, perf_counter() - sent))

        running = [threading.Thread(target=visit, args=(user,)) for user in visitors]
        for thread in running:
            thread.start()
        while perf_counter() - begun < seconds:
            sleep(min(2.0, seconds / 20))
            memory.append((perf_counter() - begun, resident(process)))
        for thread in running:
            thread.join()
    one, late = float(np.median(alone)), float(np.percentile([taken for _, taken in times], 95))
    rows = [
        ("one alone", str(ALONE), one, float(np.percentile(alone, 95))),
        (f"{users} at once", str(len(times)), float(np.median([taken for _, taken in times])), late),
    ]
    print_table(
        "512x512 pixels, 3 times enlarged, from the upload to the result",
        ("users", "enlargements", "p50, s", "p95, s"),
        [(name, n, f"{middle:.2f}", f"{slow:.2f}") for name, n, middle, slow in rows],
    )
    ratio = late / (one * users)
    print(f"p95 of {users} users: {ratio:.2f} times that of one user times {users}")
    steady = [size for at, size in memory if at >= 0.25 * seconds]
    third = max(1, len(steady) // 3)
    first, last = np.mean(steady[:third]), np.mean(steady[-third:])
    print(f"memory, MB, over time: {', '.join(f'{size:.0f}' for _, size in memory[:: max(1, len(memory) // 12)])}")
    print(f"after warm-up {first:.0f} MB, at the end {last:.0f} MB ({100 * (last / first - 1):+.1f} %)")
    print(f"{len(errors)} errors{': ' if errors else ''}{'; '.join(errors[:3])}")
    return not errors and ratio <= 3 and bool(last <= 1.02 * first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(not load(asked.users, asked.seconds, Path(folder)))


if __name__ == "__main__":
    main()
