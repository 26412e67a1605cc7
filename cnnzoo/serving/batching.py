"""A worker pool with a bounded queue and dynamic batching.

The oldest job is taken first. A free thread takes all waiting jobs with the same key, up to the batch size of that key:
batches grow with load, and no job waits for others to arrive.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any


class Full(Exception):
    """The queue is full."""


@dataclass(frozen=True, eq=False)
class Job:
    """One job; jobs of one key may be processed together, at most `most` at once."""

    key: Hashable
    most: int
    payload: Any
    future: Future = field(default_factory=Future)


class Workers:
    """Threads with a queue.

    Args:
        work: Takes a key and payloads, and returns a result or an exception for each.
        threads: The number of threads.
        waiting: The largest number of waiting jobs.
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
        """Adds a job to the queue and returns its future.

        Raises:
            Full: The queue is full, or closed.
        """
        job = Job(key, most, payload)
        with self._changed:
            if len(self._jobs) >= self.waiting or not self._open:
                raise Full
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Refuses new jobs, and returns when all waiting jobs are done."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while jobs := self._take():
            self._do([job for job in jobs if job.future.set_running_or_notify_cancel()])
            del jobs  # frees the payloads before the next wait

    def _take(self) -> list[Job]:
        """The oldest job and others with its key; empty once the queue is closed and empty."""
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
