"""Faults during a run: kills, a full disk, damaged states, changed data and clock jumps."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo.training import callbacks
from cnnzoo.training.run_dir import Run

ROOT = Path(__file__).parents[2]
CONFIG = {"width": 2, "hidden": 4, "latent_dim": 2, "image_shape": [8, 8, 3]}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "own").mkdir()
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(tmp_path / "own" / f"{i:02}.png")
    return tmp_path / "own"


def train(folder, out, **settings):
    """Trains for three epochs of four steps."""
    settings = {"epochs": 3, "batch_size": 4, "seed": 4, "config": CONFIG, "verbose": 0, **settings}
    return cnnzoo.train("autoencoder", data=folder, out=out, **settings)


def outcome(run):
    weights = [w.numpy().tobytes() for w in cnnzoo.build("autoencoder", weights=run).weights]
    return weights, json.loads((run / "history.json").read_text())


def hidden(run):
    """Returns the names of leftover temporary files: hidden files other than the lock."""
    return sorted(path.name for path in run.rglob(".*") if path.name != ".lock")


class Fault(keras.callbacks.Callback):
    """Calls a function after a given number of steps, before the state of that step is saved."""

    def __init__(self, step, strike):
        super().__init__()
        self.left, self.strike = step, strike

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.strike()


class PowerCut(Exception):
    pass


def cut():
    raise PowerCut


# -- kills -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_runs_resume_bit_for_bit():
    command = [sys.executable, str(ROOT / "benchmarks/faults.py"), "--kills", "4", "--architectures", "lenet", "dcgan"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "from stream" in done.stdout and "OTHER BITS" not in done.stdout


def test_resume_from_state_within_epoch_is_bit_for_bit(folder, tmp_path, monkeypatch):
    expected = outcome(train(folder, tmp_path / "expected"))
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(callbacks, "SAVE_SHARE", 1e9)
    with pytest.raises(PowerCut):
        train(folder, tmp_path / "run", callbacks=[Fault(7, cut)])
    assert Run.open(tmp_path / "run").newest_state().step == 6
    assert outcome(cnnzoo.train(resume=tmp_path / "run", verbose=0)) == expected


def test_resume_deletes_leftover_temporary_files(folder, tmp_path):
    with pytest.raises(PowerCut):
        train(folder, tmp_path / "run", callbacks=[Fault(5, cut)])
    (tmp_path / "run/.0123456789abcdef.tmp").touch()
    (tmp_path / "run/samples/.0123456789abcdef.tmp").touch()
    (tmp_path / "run/state/.step-00000006").mkdir()
    assert hidden(cnnzoo.train(resume=tmp_path / "run", verbose=0)) == []


# -- damaged states --------------------------------------------------------------------------------------------------


def spoil_weights(state):
    content = bytearray((state / "model.weights.h5").read_bytes())
    content[len(content) // 2] ^= 1
    (state / "model.weights.h5").write_bytes(content)


def spoil_record(state):
    record = json.loads((state / "state.json").read_text())
    (state / "state.json").write_text(json.dumps({**record, "step": record["step"] - 1}))


def cut_short(state):
    (state / "state.json").write_text((state / "state.json").read_text()[:40])


@pytest.mark.parametrize("spoil", [spoil_weights, spoil_record, cut_short])
def test_resume_skips_damaged_state_with_warning(folder, tmp_path, spoil):
    run = train(folder, tmp_path / "run")
    expected = outcome(run)
    (run / "model.weights.h5").unlink()
    spoil(run / "state/step-00000012")
    with pytest.warns(UserWarning, match=r"damaged states, step-00000012; the run resumes from step 8$"):
        cnnzoo.train(resume=run, verbose=0)
    assert outcome(run) == expected


def test_resume_restarts_and_saves_if_all_states_are_damaged(folder, tmp_path):
    run = train(folder, tmp_path / "run")
    (run / "model.weights.h5").unlink()
    for state in (run / "state").iterdir():
        spoil_weights(state)
    with (
        pytest.warns(UserWarning, match=r"damaged states, step-00000012, step-00000008; the run starts again$"),
        pytest.raises(PowerCut),
    ):
        cnnzoo.train(resume=run, verbose=0, callbacks=[Fault(5, cut)])
    assert [path.name for path in (run / "state").iterdir()] == ["step-00000004"]
    assert Run.open(run).newest_state().step == 4


# -- a full disk -----------------------------------------------------------------------------------------------------


def test_train_raises_at_file_size_limit_and_resumes_bit_for_bit(folder, tmp_path):
    expected = outcome(train(folder, tmp_path / "expected"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = Fault(6, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**13, before[1])))
    try:
        with pytest.raises(
            OSError, match="File too large; free some space and resume with: cnnzoo train --resume"
        ) as error:
            train(folder, tmp_path / "run", callbacks=[full])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.filename == str(tmp_path / "run")
    assert hidden(tmp_path / "run") == []
    assert outcome(cnnzoo.train(resume=tmp_path / "run", verbose=0)) == expected


@pytest.mark.slow
def test_train_command_reports_full_disk_in_one_line(folder, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("needs user namespaces, to mount a small disk")
    run = f"{disk}/run"
    words = f"train lenet --data digits --limit 96 --batch-size 32 --epochs 4 --out {run}"
    script = (
        f"mount -t tmpfs -o size=1m tmpfs {disk}; {sys.executable} -m cnnzoo {words}; echo $?; find {disk} -name '.*'"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if any(word in line for word in ("cnnzoo", "h5py", "Error"))]
    full = f"cnnzoo train: {run}: No space left on device; free some space and resume with: cnnzoo train --resume {run}"
    assert said == [full]
    assert done.stdout.splitlines()[-2:] == ["2", f"{run}/.lock"]


# -- data and clock --------------------------------------------------------------------------------------------------


def test_train_warns_if_streamed_folder_changes_during_run(folder, tmp_path):
    change = Fault(6, lambda: Image.new("RGB", (9, 9)).save(folder / "03.png"))
    with pytest.warns(UserWarning, match=r"own has changed while .*run trained on it: other files; a new run on it"):
        train(folder, tmp_path / "run", memory=0, callbacks=[change])
    assert (tmp_path / "run/model.weights.h5").exists()


def test_clock_jumps_have_no_effect_on_weights_and_history(folder, tmp_path, monkeypatch):
    expected = outcome(train(folder, tmp_path / "expected"))
    year, clock = 365 * 86400, time.time
    jumps = [
        Fault(step, lambda by=by: monkeypatch.setattr(time, "time", lambda: clock() + by * year))
        for step, by in ((2, -20), (6, 10), (9, -1))
    ]
    with pytest.raises(PowerCut):
        train(folder, tmp_path / "run", callbacks=[*jumps, Fault(10, cut)])
    monkeypatch.setattr(time, "time", lambda: clock() - 30 * year)
    assert outcome(cnnzoo.train(resume=tmp_path / "run", verbose=0)) == expected
