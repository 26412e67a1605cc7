"""Multi-worker training jobs on this machine, with a helper to kill one worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

SCRIPT = Path(__file__).parent / "scripts" / "trained_on.py"
MINUTE = 60.0  # seconds; time limit for a job to end


def start(*words: object, **environment: str) -> subprocess.Popen:
    """Starts trained_on.py and returns its process."""
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def cluster(count: int) -> list[str]:
    """Returns a TF_CONFIG for each of `count` workers on this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"type": "worker", "index": i} for i in range(count)]
    return [json.dumps({"cluster": {"worker": addresses}, "task": task}) for task in tasks]


class Lost(NamedTuple):
    """The outcome of a job with a killed worker: seconds until it ended, and the problem, or ""."""

    seconds: float
    problem: str


def kill_one(run: Path, killed: int, after: float = 0.0, number: int = signal.SIGKILL) -> Lost:
    """Starts two workers and sends a signal to one, `after` seconds after the first state. The other must end."""
    from cnnzoo.training.run_dir import Run

    with ExitStack() as stack:
        workers = [start("workers", "lenet", run, 500, TF_CONFIG=config) for config in cluster(2)]
        for each in workers:
            stack.enter_context(each)
            stack.callback(each.kill)  # ExitStack runs this before the exit of Popen, which waits
        until = time.monotonic() + 300
        while not list(run.glob("state/step-*")):
            if time.monotonic() > until or any(each.poll() is not None for each in workers):
                raise RuntimeError("the job has not begun")
            time.sleep(0.2)
        time.sleep(after)
        workers[killed].send_signal(number)
        begun, other = time.monotonic(), workers[1 - killed]
        try:
            _, err = other.communicate(timeout=2 * MINUTE)
        except subprocess.TimeoutExpired:
            return Lost(2 * MINUTE, "it goes on")
        seconds = time.monotonic() - begun
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        state = Run.open(run).newest_state()
    problem = ""
    if seconds > MINUTE:
        problem = "it took longer than a minute"
    elif other.returncode == 0 or f"another worker was lost; resume with: cnnzoo train --resume {run}" not in err:
        problem = f"it said: {err[-500:]}"
    elif said or state is None or (run / "model.weights.h5").exists():
        problem = f"it left a damaged state: {[str(each.message) for each in said]}"
    return Lost(seconds, problem)
