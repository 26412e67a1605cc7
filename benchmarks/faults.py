"""Tests the recovery of training after crashes: killed and resumed runs, killed workers, and the cost of states.

    python benchmarks/faults.py --kills 50
    python benchmarks/faults.py --workers 10
    python benchmarks/faults.py --states dcgan vgg_small --steps 10000

`--kills` trains small models of all architectures from a folder in memory, from the same folder streamed, and from its
shards. It kills each training once or twice (SIGKILL), resumes it, and compares its weights, states and history with
those of an uninterrupted run, bit for bit. With `--term` the signal is SIGTERM, on which a run saves its state. With
`--log FILE` and `--minutes N` it stops after N minutes, and continues when it is called again.

`--workers` starts jobs of two workers on this machine and kills one worker of each, alternately the first and the
second. It measures the seconds until the other worker has ended, and checks the last state.

`--states` measures the time to write a state; `--steps` measures the memory of a training over many steps.
"""

import argparse
import hashlib
import json
import os
import random
import select
import signal
import statistics
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
from PIL import Image

import cnnzoo
from cnnzoo.data.packing import build
from cnnzoo.registry import architecture
from cnnzoo.training.run_dir import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import workers
from conformance.samples import AT_MOST, SIDE

PICTURES, BATCH, EPOCHS = 24, 8, 8  # three steps and a state in each epoch
SOURCES = ("memory", "stream", "shards")  # a folder in memory, a streamed folder, streamed shards
EARLY = 0.25  # share of the kills timed before the first step


def say(line: str) -> None:
    print(line, flush=True)


class FirstStep(keras.callbacks.Callback):
    """Reports the first step of a training."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self.tell = tell

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tell("s")
        self.tell = lambda word: None


class Training:
    """`cnnzoo.train` in a separate process, forked after the imports, which dominate the time of a short training."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.is_over = False
        self._ear, mouth = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            warnings.simplefilter("ignore")

            def tell(word: str) -> object:
                return os.write(mouth, word.encode())

            try:
                cnnzoo.train(callbacks=[FirstStep(tell)], verbose=0, **settings)
                tell("d")
            except KeyboardInterrupt:  # by SIGTERM
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            os._exit(0)
        os.close(mouth)

    def wait(self, word: str, seconds: float = 300.0) -> bool:
        """Waits for "s", the first step, or "d", the end; returns False after a timeout.

        Raises:
            RuntimeError: The training failed.
        """
        until = time.monotonic() + seconds
        if self.is_over:
            return True
        while select.select([self._ear], [], [], max(0.0, until - time.monotonic()))[0]:
            found = os.read(self._ear, 1).decode()
            if found in (word, "d"):  # a finished run has no first step when it is resumed
                self.is_over = found == "d"
                return True
            if not found:
                raise RuntimeError("the training has failed")
        return False

    def end(self, number: int = signal.SIGKILL) -> float:
        """Sends a signal to the process, and returns the seconds until it has ended."""
        begun = time.monotonic()
        os.kill(self._process, number)
        os.waitpid(self._process, 0)
        os.close(self._ear)
        return time.monotonic() - begun


class Times(NamedTuple):
    """Seconds of an uninterrupted run: to its first step, and from there to its end."""

    start: float
    steps: float


@dataclass
class Figures:
    """Counts of the runs and kills.

    Attributes:
        kills: Number of kills of running trainings.
        early: Number of kills timed before the first step.
        within: Number of kills that left a state to resume from.
        runs: Number of compared runs, including runs that ended before their kill.
        slowest: Longest time from a signal to the end of the process, in seconds.
        differing: Runs whose results differ from those of the uninterrupted run, or with leftover files.
    """

    kills: int = 0
    early: int = 0
    within: int = 0
    runs: int = 0
    slowest: float = 0.0
    differing: list[str] = field(default_factory=list)


def settings_of(arch: str) -> dict[str, Any]:
    """Returns the settings of a short training of a small model."""
    fields = architecture(arch).config_fields()
    config = {name: most for name, most in AT_MOST.items() if fields.get(name, 0) > most}
    if "network" in fields:
        config["network"] = "lenet.cifar10"
    settings = {
        "name": arch,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "seed": 3,
        "precision": "float32",
        "config": config,
    }
    return {**settings, "crop": SIDE} if None in fields.get("image_shape", ()) else settings


def trained_architectures() -> list[str]:
    """Returns all architectures but `style_transfer`, which `cnnzoo.train` does not train."""
    return [name for name in cnnzoo.list_models() if name != "style_transfer"]


def make_data(folder: Path) -> dict[str, str]:
    """Writes pictures of two classes and shards of them; returns the path of each source."""
    rng = np.random.default_rng(0)
    for i in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8)).resize((28, 30), Image.Resampling.BICUBIC)
        path = folder / "pictures" / "train" / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse.save(path)
    build(folder / "pictures", folder / "shards")
    pictures = str(folder / "pictures")
    return {"memory": pictures, "stream": pictures, "shards": str(folder / "shards")}


def arrays(file: Path) -> dict[str, str]:
    """Returns {name: SHA-256} of the arrays in a file of weights."""
    found = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = hashlib.sha256(item[()].tobytes()).hexdigest()

    with h5py.File(file) as opened:
        opened.visititems(visit)
    return found


def result(run: Path) -> tuple[Any, ...]:
    """Returns the compared parts of a run: trained weights, last state, history and leftover temporary files."""
    state = max(run.glob("state/step-*"))
    left = sorted(path.name for path in run.rglob(".*") if path.name != ".lock")
    return (
        arrays(run / "model.weights.h5"),
        arrays(state / "model.weights.h5"),
        json.loads((run / "history.json").read_text()),
        left,
    )


def train(settings: dict[str, Any]) -> Times:
    """Trains to the end; returns the times."""
    begun = time.monotonic()
    training = Training(settings)
    try:
        training.wait("s")
        stepped = time.monotonic()
        if not training.wait("d"):
            raise TimeoutError("the training goes on")
    finally:
        training.end()
    return Times(stepped - begun, time.monotonic() - stepped)


def resume(run: Path, memory: dict[str, int]) -> None:
    """Resumes a run to its end."""
    training = Training({"resume": str(run), **memory})
    try:
        if not training.wait("d"):
            raise TimeoutError("the training goes on")
    finally:
        training.end()


def kill_runs(
    folder: Path,
    kills: int,
    archs: Sequence[str],
    figures: Figures,
    number: int,
    seed: int,
    until: float,
    keep: Callable[[], object],
) -> None:
    """Interrupts each training once or twice by a signal at random moments, resumes it, and compares the result.

    Architectures and `SOURCES` alternate.

    Args:
        folder: An empty folder.
        kills: Total number of kills, including those in `figures`.
        archs: Architectures.
        figures: Counts to continue.
        number: Number of the signal.
        seed: Seed of the moments.
        until: Value of `time.monotonic()` after which no new run starts.
        keep: Called after each run.
    """
    rng, data = random.Random(f"{seed} {figures.runs}"), make_data(folder)
    expected: dict[str, tuple[Any, Times]] = {}
    while figures.kills < kills and time.monotonic() < until:
        arch, source = archs[figures.runs % len(archs)], SOURCES[figures.runs % len(SOURCES)]
        settings = settings_of(arch)
        if source == "shards" and "crop" in settings:  # crops need files
            source = "memory"
        if arch not in expected:
            unbroken = folder / f"{arch}-unbroken"
            times = train({**settings, "data": data["memory"], "out": str(unbroken)})
            expected[arch] = result(unbroken), times
        bits, times = expected[arch]
        run = folder / f"{figures.runs}-{arch}-{source}"
        memory = {} if source == "memory" else {"memory": 0}
        moments = []
        for _ in range(rng.choice((1, 2))):
            is_begun = (run / "run.json").exists()
            asked = {"resume": str(run)} if is_begun else {**settings, "data": data[source], "out": str(run)}
            is_early = rng.random() < EARLY
            moment = rng.uniform(0, times.start if is_early else times.steps)
            training = Training({**asked, **memory})
            try:
                if not is_early:
                    training.wait("s")
                if training.wait("d", moment):  # it ended before its kill
                    break
            finally:
                figures.slowest = max(figures.slowest, training.end(number))
            moments.append(f"{'start' if is_early else 'first step'} + {moment:.2f} s")
            figures.kills, figures.early = figures.kills + 1, figures.early + is_early
            figures.within += any(run.glob("state/step-*"))
        if not (run / "run.json").exists():
            train({**settings, "data": data[source], "out": str(run), **memory})
        resume(run, memory)
        figures.runs += 1
        same = result(run) == bits
        if not same:
            figures.differing.append(run.name)
        keep()
        verdict = "the same bits" if same else "OTHER BITS"
        say(f"{figures.kills} kills: {arch} from {source}, killed at {', '.join(moments) or 'no time'}: {verdict}")


def kills(args: argparse.Namespace) -> bool:
    """Kills and resumes runs; returns True if all results are bit-identical to those of uninterrupted runs."""
    before = json.loads(args.log.read_text()) if args.log and args.log.exists() else {}
    figures, number = Figures(**before), signal.SIGTERM if args.term else signal.SIGKILL
    until = time.monotonic() + 60 * args.minutes
    archs = args.architectures or trained_architectures()

    def keep() -> None:
        if args.log:
            args.log.write_text(json.dumps(asdict(figures)))

    with tempfile.TemporaryDirectory() as folder:
        kill_runs(Path(folder), args.kills, archs, figures, number, args.seed, until, keep)
    same = figures.runs - len(figures.differing)
    say(
        f"{figures.kills} kills in {figures.runs} runs, {figures.early} of them before the first step, {figures.within}"
    )
    say(f"with a state to go on from; {same} runs ended in the same bits; the slowest end: {figures.slowest:.1f} s")
    return not figures.differing


def lost(count: int) -> bool:
    """Kills workers; returns True if each job ended within a minute and left no damaged state."""
    found = []
    for i in range(count):
        with tempfile.TemporaryDirectory() as folder:
            one = workers.kill_one(Path(folder) / "run", i % 2, random.Random(i).uniform(0, 5))
        found.append(one)
        say(f"worker {i % 2} killed: over after {one.seconds:.1f} s{one.problem and f', but {one.problem}'}")
    good, seconds = sum(not one.problem for one in found), [one.seconds for one in found]
    say(
        f"{good} of {count} over within a minute, with a whole state; median {statistics.median(seconds):.1f} s, "
        f"most {max(seconds):.1f} s"
    )
    return good == count


def states(arch: str) -> None:
    """Prints the time to write a state of a model with its default configuration."""
    with tempfile.TemporaryDirectory() as folder:
        model = cnnzoo.build(arch)
        model.compile()
        height, width, channels = model.image_shape
        images = np.zeros((8, height or 64, width or 64, channels), np.uint8)
        model.fit(*((images, np.arange(8)) if model.needs_labels else (images,)), batch_size=8, verbose=0)
        run = Run.create(Path(folder), {})
        seconds = []
        for step in range(7):
            begun = time.perf_counter()
            run.save_state(model, step, [], 0.0)
            seconds.append(time.perf_counter() - begun)
        size = sum(path.stat().st_size for path in (max(Path(folder).glob("state/step-*"))).iterdir())
        middle = statistics.median(seconds)
        say(f"{arch}: a state of {size / 1e6:.1f} MB takes {middle:.2f} s, {middle / 60:.2%} of a minute")


def memory(arch: str, steps: int) -> None:
    """Prints the resident memory after each tenth of the steps of a training."""
    import psutil

    found: list[float] = []

    class Memory(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            found.append(psutil.Process().memory_info().rss / 1e6)

    settings = {**settings_of(arch), "epochs": -(-steps // (1437 // BATCH)), "verbose": 0}
    with tempfile.TemporaryDirectory() as folder:
        cnnzoo.train(data="digits", out=Path(folder) / "run", callbacks=[Memory()], **settings)
    tenths = [found[len(found) * i // 10 - 1] for i in range(1, 11)]
    say(f"{arch}: {', '.join(f'{each:.0f}' for each in tenths)} MB after each tenth of {len(found)} steps")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=0, help="trainings to kill")
    parser.add_argument("--architectures", nargs="+", help="those to kill (default: all)")
    parser.add_argument("--term", action="store_true", help="by SIGTERM instead of SIGKILL")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no other run after that time")
    parser.add_argument("--log", type=Path, help="a file of figures, which are continued")
    parser.add_argument("--workers", type=int, default=0, help="jobs to kill a worker of")
    parser.add_argument("--states", nargs="+", default=[], metavar="ARCHITECTURE", help="measure the writing of states")
    parser.add_argument("--steps", type=int, default=0, help="measure the memory of a small vae over so many steps")
    args = parser.parse_args()
    good = not args.kills or kills(args)
    good = (not args.workers or lost(args.workers)) and good
    for arch in args.states:
        states(arch)
    if args.steps:
        memory("vae", args.steps)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
