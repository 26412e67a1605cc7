"""Measures time ratios in interleaved rounds, with each side in a separate process.

In a round every side does the same work, one after another; the order rotates from round to round. A round is dirty,
and repeated, if other processes used more than `FOREIGN` of the processors, or if a side took more than `SLOW` times
its median. A result is the median of the ratios of the clean rounds.
"""

import multiprocessing
import os
import statistics
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import Any

FOREIGN = 0.06  # largest share of all processors for other processes
SLOW = 1.35  # largest ratio of a time to the median
MOST = 3  # largest number of rounds, repeated ones included, as a multiple of the requested number
CORES = os.cpu_count() or 1


class Worker:
    """A process for one side of a comparison, with its own libraries, threads and memory.

    Args:
        module: The module of the functions to run.
    """

    def __init__(self, module: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_answer, args=(theirs, module), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, function: str, *given: Any, **named: Any) -> Any:
        """Calls a function of the module in the process, and returns its result.

        Raises:
            RuntimeError: The function failed.
        """
        self.pipe.send((function, given, named))
        result, complaint = self.pipe.recv()
        if complaint:
            raise RuntimeError(f"{function} of the other process failed:\n{complaint}")
        return result

    def close(self) -> None:
        self.pipe.close()
        self.process.join(30)

    def processor_seconds(self) -> float:
        """Returns the CPU seconds of the process and of its children that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def _answer(pipe: Any, module: str) -> None:
    import_module("cnnzoo")  # first, because it silences the logs of TensorFlow
    functions = import_module(module)
    while True:
        try:
            name, given, named = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((getattr(functions, name)(*given, **named), ""))
        except Exception:
            pipe.send((None, traceback.format_exc()))


@dataclass(frozen=True)
class Times:
    """The seconds of each side in the clean rounds.

    Attributes:
        seconds: {side: seconds in the order of the rounds}.
        dirty: Number of rounds that were not clean.
        loaded: True if too few rounds were clean; `seconds` then has the rounds with the least foreign load.
    """

    seconds: dict[str, list[float]]
    dirty: int
    loaded: bool

    def median(self, side: str) -> float:
        return statistics.median(self.seconds[side])

    def ratio(self, side: str, peer: str) -> tuple[float, float, float]:
        """Returns the median and the quartiles of the ratios of the rounds: (median, lower, upper)."""
        ratios = [a / b for a, b in zip(self.seconds[side], self.seconds[peer], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else 3 * ratios
        return middle, low, high


def in_turns(work: Mapping[str, Callable[[], float]], workers: Sequence[Worker], rounds: int) -> Times:
    """Runs all sides in interleaved rounds until enough rounds are clean.

    Args:
        work: {side: function that does a fixed amount of work and returns its seconds}.
        workers: The processes of the sides; their load does not count as foreign.
        rounds: Number of clean rounds.
    """
    sides, taken = list(work), []
    clean: list[dict[str, float]] = []
    while len(clean) < rounds and len(taken) < MOST * rounds:
        turned = sides[len(taken) % len(sides) :] + sides[: len(taken) % len(sides)]
        busy, own, begun = _busy_seconds(), _own_seconds(workers), perf_counter()
        found = {side: work[side]() for side in turned}
        passed = perf_counter() - begun
        foreign = (_busy_seconds() - busy) - (_own_seconds(workers) - own)
        taken.append((foreign / (CORES * passed), found))
        quiet = [seconds for share, seconds in taken if share <= FOREIGN]
        clean = [seconds for seconds in quiet if all(seconds[s] <= SLOW * _median(quiet, s) for s in sides)]
    kept = clean if len(clean) >= rounds else [found for _, found in sorted(taken, key=lambda pair: pair[0])[:rounds]]
    seconds = {side: [found[side] for found in kept] for side in sides}
    return Times(seconds, len(taken) - len(clean), len(clean) < rounds)


def _median(rounds: list[dict[str, float]], side: str) -> float:
    return statistics.median(found[side] for found in rounds)


def _own_seconds(workers: Sequence[Worker]) -> float:
    return sum(os.times()[:4]) + sum(worker.processor_seconds() for worker in workers)


def _busy_seconds() -> float:
    """Returns the busy seconds of all processors since boot, including time stolen by the hypervisor."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, stolen, *_ = map(int, file.readline().split()[1:])
    return (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")
