"""Measures commands of the command line from start to finish, each run in a separate process."""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from PIL import Image

from speed.rounds import Worker, in_turns
from speed.verbs import holes, photograph

COMMANDS = {
    "upscale": ["upscale", "IN", "OUT", "--scale", "3"],
    "denoise": ["denoise", "IN", "OUT"],
    "inpaint": ["inpaint", "IN", "OUT", "--mask", "MASK"],
    "enhance": ["enhance", "IN", "OUT"],
    "list": ["list"],
}
SIDE = 512


def measured(name: str, rounds: int, other: str | None) -> dict[str, Any]:
    """Returns a row: the time of a command of this checkout relative to its peers.

    The peers are the import of TensorFlow alone and the same command of another installation.

    Args:
        name: One of `COMMANDS`.
        rounds: Number of clean rounds.
        other: Path of the `cnnzoo` command of the other installation; None for no such peer.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = {
            key: str(Path(folder, file)) for key, file in (("IN", "in.jpg"), ("OUT", "out.png"), ("MASK", "m.png"))
        }
        Image.fromarray(photograph((SIDE, SIDE))).save(paths["IN"], quality=92)
        Image.fromarray(255 * holes((SIDE, SIDE))[:, :, 0].astype("uint8")).save(paths["MASK"])
        command = [paths.get(word, word) for word in COMMANDS[name]]
        sides = {"zoo": [sys.executable, "-m", "cnnzoo", *command]}
        sides["tensorflow"] = [sys.executable, "-c", "import tensorflow"]
        if other:
            sides["other"] = [other, *command]
        worker, peaks = Worker("speed.commands"), {}

        def timed(side: str) -> float:
            seconds, peaks[side] = worker.ask("run", sides[side])
            Path(paths["OUT"]).unlink(missing_ok=True)
            return seconds

        try:
            for side in sides:
                timed(side)  # fills the disk caches
            times = in_turns({side: partial(timed, side) for side in sides}, [worker], rounds)
        finally:
            worker.close()
    return {
        "title": f"cnnzoo {name}",
        "milliseconds": {side: 1000 * times.median(side) for side in sides},
        "ratio": {side: times.ratio("zoo", side) for side in sides if side != "zoo"},
        "peak": peaks,
        "dirty": times.dirty,
        "loaded": times.loaded,
    }


def run(command: list[str]) -> tuple[float, float]:
    """Returns the seconds of a command and its peak memory in bytes.

    Called in a small process, because Linux includes the memory of the parent in the peak memory of a child.
    """
    begun = perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{complaint.decode()}")
    return perf_counter() - begun, usage.ru_maxrss * 1024
