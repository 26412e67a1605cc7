"""Tests of `cnnzoo train --queue`: all lines are checked first; then each run is trained in a separate process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from cnnzoo.cli import main
from cnnzoo.utils.atomic_files import locked

# Stand-in for Python with the package: logs its arguments, priority and cores, and writes a finished run.
# Seed 13 fails. Seed 14 trains until SIGTERM.
STAND_IN = """#!{python} -S
import json, os, signal, sys, time
from pathlib import Path

stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
words = sys.argv[4:]
folder = Path(words[words.index("--resume" if "--resume" in words else "--out") + 1])
until = time.monotonic() + 5
while os.getpriority(os.PRIO_PROCESS, 0) < 19 and time.monotonic() < until:
    time.sleep(0.001)
time.sleep(0.01)
about = {{"python": sys.argv[1:4], "words": words, "nice": os.getpriority(os.PRIO_PROCESS, 0)}}
if (session := Path("/proc/self/autogroup")).exists():
    about["session"] = session.read_text().split()[-1]
if hasattr(os, "sched_getaffinity"):
    about["cores"] = sorted(os.sched_getaffinity(0))
with open("{log}", "a") as log:
    print(json.dumps(about), file=log, flush=True)
if "13" in words:
    sys.exit(2)
folder.mkdir(exist_ok=True)
(folder / "run.json").write_text(json.dumps({{"name": "cnn", "architecture": "cnn", "data": "digits", "config": {{}}}}))
if "14" in words:
    while not stopped:
        time.sleep(0.01)
    time.sleep(0.3)
    (folder / "signals").write_text(str(len(stopped)))
    sys.exit(130)
(folder / "model.weights.h5").touch()
"""


@pytest.fixture
def queue(tmp_path, monkeypatch, capfd):
    """Runs a queue of lines with the stand-in; returns stdout, stderr and the logs of the started processes."""
    monkeypatch.chdir(tmp_path)
    stand_in, log = tmp_path / "python", tmp_path / "log"
    stand_in.write_text(STAND_IN.format(python=sys.executable, log=log))
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def run(*lines, code=0):
        (tmp_path / "queue.txt").write_text("\n".join(lines))
        assert main(["train", "--queue", "queue.txt"]) == code
        started = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return *capfd.readouterr(), started

    return run


def line(out, *words):
    return " ".join(["cnn", "--data", "digits", "--out", out, *words])


def begun(folder, finished=False, **plan):
    folder.mkdir()
    known = {"name": "cnn", "architecture": "cnn", "data": "digits", "config": {}}
    (folder / "run.json").write_text(json.dumps({**known, **plan}))
    if finished:
        (folder / "model.weights.h5").touch()


def test_queue_skips_resumes_and_starts_runs_despite_failure(queue, tmp_path):
    begun(tmp_path / "done", finished=True)
    begun(tmp_path / "half")
    lines = [line("bad", "--seed 13"), "", "# a comment", line("done"), line("half"), line("'a new one' # the last")]
    out, err, started = queue(*lines, code=1)
    assert [each["words"] for each in started] == [
        ["cnn", "--data", "digits", "--out", "bad", "--seed", "13"],
        ["--resume", "half"],
        ["cnn", "--data", "digits", "--out", "a new one"],
    ]
    assert all(each["python"] == ["-m", "cnnzoo", "train"] and each["nice"] == 19 for each in started)
    assert started[0].get("session", "19") == "19"
    assert [len(each.get("cores", [0])) for each in started] == [1, 1, 1]
    assert "line 1, bad: failed, exit code 2" in out and "line 4, done: finished" in out
    assert err == "cnnzoo train: 1 of 4 runs failed: bad\n"
    assert queue(*lines[1:])[2] == started  # no run is left to train


def test_queue_retries_locked_run_at_end(queue, tmp_path):
    begun(tmp_path / "other")
    begun(tmp_path / "always")
    held = threading.Event()

    def hold():
        with locked(tmp_path / "other"):
            held.set()
            wait_for(tmp_path / "mine/model.weights.h5")

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with locked(tmp_path / "always"):
        out, err, started = queue(line("other"), line("mine"), line("last"), line("always"))
    other.join()
    assert [each["words"][-1] for each in started] == ["mine", "last", "other"]
    assert out.count("in use by another process") == 3 and err == ""


def wait_for(path, seconds=60):
    until = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_queue_stops_on_signal_and_sends_run_one_sigterm(queue, tmp_path, number):
    def strike():
        wait_for(tmp_path / "run/run.json")
        os.kill(os.getpid(), number)

    hand = threading.Thread(target=strike)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hand.start()
    try:
        out, _, started = queue(line("run", "--seed 14"), line("next"), code=130)
    finally:
        hand.join()
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "run/signals").read_text() == "1"
    assert len(started) == 1 and "line 1, run: stopped; the same command resumes the queue" in out


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_queues_in_parallel_use_distinct_cores(queue, tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as others:
        for n, core in enumerate(cores):
            out, _, started = queue(line(f"run{n}"))
            assert started[-1]["cores"] == [core] and f"queue of 1 runs, on core {core}" in out
            others.enter_context(locked(tmp_path / f"cnnzoo-{os.getuid()}" / f"core-{core}"))  # simulates another queue
        _, err, started = queue(line("one_more"), code=2)
    assert f"must have a core of its own. Received: a queue on each of the {len(cores)} cores" in err
    assert len(started) == len(cores)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("cnn --data digits", "a run must have its folder, --out, and neither --resume nor --queue"),
        ("--resume good", "a run must have its folder, --out, and neither --resume nor --queue"),
        ("--queue queue.txt", "a run must have its folder, --out, and neither --resume nor --queue"),
        (line("x", "--epochs 0"), "--epochs must be an integer >= 1. Received: 0"),
        (line("x", "--epoch"), "argument --epochs: expected one argument"),
        (line("x", "--nothing"), "unrecognized arguments: --nothing"),
        (line("x", "--config nothing=1"), "Unknown configuration field 'nothing' of cnn"),
        (line("x", "'"), "No closing quotation"),
        ("cnn.mnits --out x", "Did you mean cnn.mnist"),
        ("cnn --data digit --out x", "Did you mean digits"),
        (line("./good"), "--out must be a folder of its own. Received: that of line 1"),
        (
            line("begun", "--seed 3 --epochs 5"),
            "run in begun must keep the settings it began with. Received: epochs 5, n",
        ),
        (line("begun", "--config width=2"), "Received: width 2, not 4"),
        ("cnn --data mnist --out begun", "Received: data mnist, not digits"),
        ("dcgan --data digits --out begun", "Received: name dcgan, not cnn"),
    ],
)
def test_queue_rejects_invalid_line_before_first_run(queue, tmp_path, wrong, complaint):
    begun(tmp_path / "begun", epochs=4, seed=3, config={"width": 4})
    out, err, started = queue(line("good"), "", wrong, code=2)
    assert err.startswith("cnnzoo train: queue.txt, line 3: ") and complaint in err and err.count("\n") == 1
    assert out == "" and started == [] and not (tmp_path / "good").exists()


def test_queue_rejects_empty_or_missing_file_and_other_options(queue, capfd):
    assert "queue.txt must have a line for each run. Received: none" in queue("# nothing", code=2)[1]
    assert main(["train", "--queue", "nowhere.txt"]) == 2
    assert main(["train", "cnn", "--queue", "queue.txt", "--epochs", "3"]) == 2
    err = capfd.readouterr().err
    assert "nowhere.txt: No such file or directory" in err
    assert "--queue must be given alone. Received: also name, epochs" in err


@pytest.mark.slow
def test_queue_resumes_real_training_after_sigterm(tmp_path):
    begins = "lenet --data digits --limit 200 --epochs 40 --score-every 20 --out run"
    (tmp_path / "queue.txt").write_text(
        f"{begins}\nlenet --data nowhere/ --out bad\n".replace("nowhere/", str(tmp_path))
    )
    command = [sys.executable, "-m", "cnnzoo", "train", "--queue", "queue.txt"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as first:
        wait_for(tmp_path / "run/history.json")
        first.send_signal(signal.SIGTERM)
        assert "stopped after step" in first.stdout.read()
    assert first.returncode == 130 and not (tmp_path / "run/model.weights.h5").exists()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert second.returncode == 1 and "1 of 2 runs failed: bad" in second.stderr
    plan = json.loads((tmp_path / "run/run.json").read_text())
    assert plan["versions"]["cpus"] == 1 or not hasattr(os, "sched_getaffinity")
    curve = json.loads((tmp_path / "run/curve.json").read_text())
    assert [entry["epoch"] for entry in curve] == [20, 40] and {"accuracy", "core_hours"} < set(curve[0])


def test_queue_resume_preserves_memory_and_strategy(queue, tmp_path):
    begun(tmp_path / "half")
    _, _, started = queue(line("half", "--memory 2GB --strategy mirrored"))
    words = ["--resume", "half", "--memory", "2000000000", "--strategy", "mirrored"]
    assert [each["words"] for each in started] == [words]
    queue(line("half", "--memory lots"), code=2)
