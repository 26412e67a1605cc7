"""Tests of `cnnzoo runs`: progress and state of runs, damaged run folders, and plots of curves."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from cnnzoo.training.run_dir import Run
from cnnzoo.training.status import status
from cnnzoo.utils.atomic_files import in_use, locked, write_json
from cnnzoo.utils.json_content import LARGEST

PLAN = {"name": "dcgan.mnist", "architecture": "dcgan", "data": "mnist", "epochs": 12}
CURVE = [
    {"epoch": 3, "step": 30, "core_hours": 0.5, "frechet_over_floor": 9.0, "frechet": 20.0, "coverage": 0.5},
    {"epoch": 6, "step": 60, "core_hours": 1.0, "frechet_over_floor": 4.0, "frechet": 8.25, "coverage": 0.75},
]


def make(folder, losses=(2.0, 1.5), plan=PLAN, curve=None, hours=None, **files):
    """Writes and returns a run folder. Keywords are further JSON files, by name without suffix."""
    write = {"run": plan, "history": [{"epoch": i, "step": 10 * i, "loss": v} for i, v in enumerate(losses, start=1)]}
    for name, content in {**write, **files, **({"curve": curve} if curve else {})}.items():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / f"{name}.json", content)
    if hours is not None:
        (folder / "state/step-00000020").mkdir(parents=True)
        write_json(folder / "state/step-00000020/state.json", {"step": 20, "core_hours": hours})
    return folder


@pytest.fixture
def runs(tmp_path):
    """A folder with runs in every state."""
    folder = tmp_path / "runs"
    finished = make(folder / "finished", (1.0,) * 12, curve=CURVE, hours=1.25)
    (finished / "model.weights.h5").touch()
    make(folder / "stopped", (3.0,))
    make(folder / "diverged", diverged={"step": 25, "problem": "loss is nan at step 25"})
    make(folder / "running", ())
    (folder / "something").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "queue.log").write_text("text")
    (make(folder / "torn") / "run.json").write_text('{"name": "dc')
    make(folder / "other", plan={"scripts": {}})
    return folder


@pytest.fixture
def command(run_main, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run_main, "runs")


def test_runs_lists_each_folder_with_state(runs, command):
    with locked(runs / "running"):
        out, err = command(runs)
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()[2:]}
    assert list(lines) == ["diverged", "finished", "other", "running", "something", "stopped", "torn"]
    assert lines["finished"].endswith("12/12 finished 1 8.25 1.25")
    assert lines["stopped"].endswith("1/12 stopped 3")
    assert lines["running"].endswith("0/12 running")
    assert lines["diverged"].endswith("2/12 diverged 1.5")
    assert lines["torn"].endswith("damaged") and lines["other"].endswith("damaged")
    assert lines["something"] == "no run"
    assert out.splitlines()[0].split() == ["run", "model", "epochs", "state", "loss", "frechet", "hours"]


def test_runs_json_has_all_fields_and_problems(runs, command):
    found = {os.path.basename(run["path"]): run for run in json.loads(command(runs, "--json")[0])}
    assert found["finished"] == {
        "path": str(runs / "finished"), "state": "finished", "problem": "", "name": "dcgan.mnist",
        "architecture": "dcgan", "data": "mnist", "epochs": 12, "planned": 12, "loss": 1.0, "score_name": "frechet",
        "score": 8.25, "core_hours": 1.25,
    }  # fmt: skip
    assert found["torn"]["problem"].startswith("run.json is not JSON")
    assert found["other"]["problem"] == "name is missing"
    assert found["diverged"]["problem"] == "loss is nan at step 25"
    assert found["running"]["state"] == "stopped" and found["running"]["loss"] is None


@pytest.mark.parametrize(
    ("key", "first"), [("loss", "finished"), ("epochs", "running"), ("score", "finished"), ("run", "diverged")]
)
def test_runs_sorts_by_column_with_unknown_values_last(runs, command, key, first):
    found = json.loads(command(runs, "--json", "--sort", key)[0])
    assert os.path.basename(found[0]["path"]) == first
    if key == "loss":
        assert [run["loss"] for run in found] == [1.0, 1.5, 3.0, None, None, None, None]


def test_runs_score_option_selects_score(runs, command):
    (found,) = json.loads(command(runs / "finished", "--json", "--score", "coverage")[0])
    assert (found["score_name"], found["score"]) == ("coverage", 0.75)


def deep(path):
    path.write_text("[" * 200_000)


def large(path):
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (deep, "is not JSON"),
        (large, "is larger than 64 MB"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not JSON"),
        (lambda path: path.write_text("{}"), "holds a dict, not a list"),
        (lambda path: path.write_text("[3]"), "not subscriptable"),
        (lambda path: path.write_text('[{"step": 1}]'), "epoch is missing"),
    ],
)
def test_status_is_damaged_for_invalid_history(tmp_path, damage, problem):
    run = make(tmp_path / "run")
    (run / "history.json").unlink()
    damage(run / "history.json")
    found = status(run)
    assert found.state == "damaged" and problem in found.problem
    assert found.name == "dcgan.mnist"


@pytest.mark.parametrize("content", [b"[]", b"\xff", b"{"])
def test_run_open_rejects_damaged_plan(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"the folder of a training run. Received: run.json (holds|is not JSON)"):
        Run.open(tmp_path)


def test_runs_plot_writes_chart_and_warns_of_missing_curve(runs, command, tmp_path):
    pytest.importorskip("matplotlib")
    chart = tmp_path / "curves.png"
    out, err = command(runs / "finished", runs / "stopped", "--plot", chart)
    assert (out, err) == (f"{chart}\n", "")
    with Image.open(chart) as image:
        assert image.size == (960, 540) and image.format == "PNG"
        drawn = np.asarray(image.convert("RGB"))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20
    with pytest.warns(UserWarning, match=r"left out: .*stopped/curve.json must be written by cnnzoo train --score-ev"):
        command(runs / "finished", runs / "stopped", "--plot", chart, "--score", "frechet")
    with Image.open(chart) as image:
        assert not np.array_equal(np.asarray(image.convert("RGB")), drawn)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "nowhere must be the folder of a run, or a folder of them. Received: a path without one"),
        (["--sort", "speed"], "--sort must be one of run, model, data, epochs, state, loss, score, hours."),
        (["finished", "--plot", "a.jpg"], "--plot must be a .png file. Received: a.jpg"),
        (
            ["finished", "--plot", "a.png", "--score", "fid"],
            "--score must be one of coverage, frechet, frechet_over_floor, the ",
        ),
        (["something"], "something must have runs. Received: an empty folder"),
    ],
)
def test_runs_rejects_invalid_arguments_in_one_line(runs, command, monkeypatch, words, complaint):
    monkeypatch.chdir(runs)
    out, err = command(*words, code=2)
    assert out == "" and complaint in err and err.count("\n") == 1
    assert not list(runs.glob("a.*"))


def test_runs_imports_no_network_library_and_writes_nothing(runs):
    program = "import sys; from cnnzoo.cli import main; main(['runs', sys.argv[1]])\n"
    program += "print({'tensorflow', 'keras', 'matplotlib'} & {*sys.modules})"
    before = sorted(runs.rglob("*"))
    done = subprocess.run([sys.executable, "-c", program, str(runs)], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
    assert sorted(runs.rglob("*")) == before
    assert not in_use(runs / "stopped")
