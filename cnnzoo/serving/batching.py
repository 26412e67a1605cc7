"""Threads that work on what waits in one bounded queue, so that who takes requests in never has to wait for them.

What has waited longest is worked on first. A thread that becomes free takes with it what else waits for the same thing,
up to as many as that allows: the more is waiting the more is joined, and nobody waits for others to come.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any


class Full(Exception):
    """As much is waiting as may."""


@dataclass(frozen=True, eq=False)
class Job:
    """One thing to do; jobs of one key may be done together, `most` at once."""

    key: Hashable
    most: int
    payload: Any
    future: Future = field(default_factory=Future)


class Workers:
    """Threads behind a queue.

    Args:
        work: Takes a key and payloads and gives for each what its future becomes, a result or an exception.
        threads: How many.
        waiting: How many jobs may wait.
    """

    def __init__(self, work: Callable[[Any, Sequence[Any]], Sequence[Any]], threads: int, waiting: int):
        self.work, self.waiting = work, waiting
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._open = True
        self._threads = [Thread(target=self._run, name=f"worker {i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, key: Hashable, payload: Any, most: int = 1) -> Future:
        """Puts a job into the queue and returns at once.

        Raises:
            Full: As much is waiting as may.
        """
        job = Job(key, most, payload)
        with self._changed:
            if len(self._jobs) >= self.waiting or not self._open:
                raise Full
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Takes no more jobs, and returns when those that are there are done."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while jobs := self._take():
            self._do([job for job in jobs if job.future.set_running_or_notify_cancel()])
            del jobs  # what was asked for last is not held until something else is

    def _take(self) -> list[Job]:
        """The oldest job and those like it; none when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or not self._open)
            if not self._jobs:
                return []
            first = self._jobs.popleft()
            if first.most == 1:
                return [first]
            alike = [job for job in self._jobs if job.key == first.key][: first.most - 1]
            for job in alike:
                self._jobs.remove(job)
            return [first, *alike]

    def _do(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        try:
            results = self.work(jobs[0].key, [job.payload for job in jobs])
        except Exception as error:
            results = [error] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
