"""A queue of training runs: a text file with the arguments of `cnnzoo train` in each line.

Each run is a process of its own, at the lowest priority and on one core. Several queues may share a file, since a run
that another process trains is passed over.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cnnzoo.checkpoints.remote import is_remote
from cnnzoo.data.addresses import absolute
from cnnzoo.recipes.json_files import find_recipe
from cnnzoo.training.frozen import names_of
from cnnzoo.training.run_dir import Run, has_run
from cnnzoo.training.signals import stop_on_signals
from cnnzoo.utils.atomic_files import in_use, locked

NICE = 19  # the lowest priority
LOOK = 0.2  # seconds between two looks at a run

Parse = Callable[[list[str]], argparse.Namespace]


@dataclass(frozen=True)
class Line:
    """A line of a queue: its number from 1, its words, the folder of its run, and its words for resuming the run."""

    number: int
    words: tuple[str, ...]
    folder: Path
    resuming: tuple[str, ...]

    @property
    def has_begun(self) -> bool:
        return has_run(self.folder)

    @property
    def is_finished(self) -> bool:
        return self.has_begun and Run.open(self.folder).finished

    @property
    def is_in_use(self) -> bool:
        """Whether a process trains in the folder."""
        return in_use(self.folder)


def read(file: Path, parse: Parse) -> list[Line]:
    """The lines of a queue, checked.

    Args:
        file: The text file; `#` begins a comment.
        parse: Parses the words of a line, and checks their values.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line is invalid, with its number; or there is none.
    """
    lines: dict[Path, Line] = {}
    for number, text in enumerate(file.read_text("utf-8").splitlines(), start=1):
        try:
            words = [os.path.expanduser(word) for word in shlex.split(text, comments=True)]
            if not words:
                continue
            args = parse(words)
            if args.resume or args.queue or not args.out:
                raise ValueError("a run must have its folder, --out, and neither --resume nor --queue")
            if (folder := args.out.resolve()) in lines:
                raise ValueError(f"--out must be a folder of its own. Received: that of line {lines[folder].number}")
            # A run does not keep these two.
            kept = [(key, getattr(args, key)) for key in ("memory", "strategy")]
            again = [word for key, value in kept if value is not None for word in (f"--{key}", str(value))]
            lines[folder] = Line(number, tuple(words), args.out, ("--resume", str(args.out), *again))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from None
    if not lines:
        raise ValueError(f"{file} must have a line for each run. Received: none")
    return list(lines.values())


def check_settings(args: argparse.Namespace) -> None:
    """Compares the arguments of a line with the run in its folder.

    Raises:
        ValueError: The run began with others.
    """
    plan, recipe = Run.open(args.out).plan, find_recipe(args.name) if args.name else None
    kept = ("epochs", "batch_size", "seed", "crop", "limit", "clip_norm", "accumulate", "watch", "score_every")
    given = {key: getattr(args, key) for key in kept}
    given["name"] = recipe.checkpoint if recipe else args.name
    given["start"] = str(Path(args.start).resolve()) if args.start and Path(args.start).is_dir() else args.start
    if is_remote(args.start) and str(plan.get("start")).startswith(f"{args.start}@"):
        given["start"] = plan["start"]  # the commit that the run began with
    given["frozen"] = args.frozen and names_of(args.frozen)
    given["precision"] = None if args.precision == "auto" else args.precision
    addresses = args.data and (str(Path(args.data).resolve()), absolute(args.data))
    given["data"] = plan["data"] if args.data and plan["data"] in addresses else args.data
    pairs = [(key, value, plan.get(key)) for key, value in given.items()]
    pairs += [(key, value, plan["config"].get(key)) for key, value in args.config or ()]
    if other := [f"{key} {value}, not {old}" for key, value, old in pairs if value not in (None, old)]:
        raise ValueError(f"the run in {args.out} must keep the settings it began with. Received: {'; '.join(other)}")


def run(file: Path, parse: Parse) -> int:
    """Trains the runs of a queue in turn; returns the exit code, 1 if one failed.

    Finished runs are skipped, stopped ones resumed. Those that another process trains are looked at again at the end.

    Raises:
        OSError, ValueError: As `read`; or all cores have a queue already.
        KeyboardInterrupt: After SIGINT or SIGTERM, which stop the current run, once its state is saved.
    """
    lines = read(file, parse)
    with _core() as core, stop_on_signals() as stop:
        where = "" if core is None else f", on core {core}"
        print(f"queue of {len(lines)} runs{where}", flush=True)
        outcomes = {line: _take(line, core, stop) for line in lines}
        for line in [line for line in lines if outcomes[line] == "in use"]:
            outcomes[line] = _take(line, core, stop)
    if failed := [str(line.folder) for line in lines if outcomes[line] == "failed"]:
        print(f"cnnzoo train: {len(failed)} of {len(lines)} runs failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _take(line: Line, core: int | None, stop: threading.Event) -> str:
    """Trains a run if it is not finished or in use; returns "finished", "failed" or "in use"."""

    def say(text: str) -> None:
        print(f"line {line.number}, {line.folder}: {text}", flush=True)

    if line.is_finished:
        say("finished")
        return "finished"
    if line.is_in_use:
        say("in use by another process")
        return "in use"
    words = line.resuming if line.has_begun else line.words
    say(f"cnnzoo train {shlex.join(words)}")
    code = _trained(words, core, stop)
    if stop.is_set():
        say("stopped; the same command resumes the queue")
        raise KeyboardInterrupt
    if line.is_finished:
        return "finished"
    if line.is_in_use:  # another process was faster
        say("in use by another process")
        return "in use"
    say(f"failed, exit code {code}")
    return "failed"


def _trained(words: tuple[str, ...], core: int | None, stop: threading.Event) -> int:
    """The exit code of `cnnzoo train` in a process, terminated once when `stop` is set."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnzoo", "train", *words],
        start_new_session=os.name == "posix",  # so that Ctrl-C reaches it once, from here
        creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),
    )
    # Linux may share the cores among sessions, and use priorities within one only; this is the one of the session.
    with suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(str(NICE))
    # Its threads, which do not exist yet, inherit both.
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    is_told = False
    try:
        while True:
            try:
                return process.wait(LOOK)
            except subprocess.TimeoutExpired:
                if stop.is_set() and not is_told:
                    process.terminate()  # not SIGINT, which a job in the background ignores
                    is_told = True
    except KeyboardInterrupt:  # the second
        process.terminate()
        process.wait()
        raise


@contextmanager
def _core() -> Iterator[int | None]:
    """Reserves a core that no other queue of the user has; None where the system has no affinity.

    Raises:
        ValueError: There is none.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    cores = sorted(os.sched_getaffinity(0))
    for core in cores:
        folder = Path(tempfile.gettempdir()) / f"cnnzoo-{os.getuid()}" / f"core-{core}"
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(folder))
            except ValueError:
                continue
            yield core
            return
    raise ValueError(f"A queue must have a core of its own. Received: a queue on each of the {len(cores)} cores")
