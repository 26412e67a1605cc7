"""Equal commands give runs equal bit for bit, also after a kill or an interrupt and a resume."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import pytest
from callbacks import StopAt
from skimage.data import camera

from cnnzoo import train
from cnnzoo.imaging.files import save_png
from cnnzoo.training.run_dir import Run

# 3 epochs of 12 steps. The networks are small and draw noise in every step.
SETTINGS = {
    "dcgan": {"config": {"width": 4, "latent_dim": 8}},  # two optimizers, batch statistics, an EMA generator
    "cnn": {"config": {"dropout": 0.4}},
}
CHILD = """
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits it ignored
import keras
import cnnzoo

class Kill(keras.callbacks.Callback):  # strikes in the middle of an epoch, and of the run
    def __init__(self, number, step):
        super().__init__()
        self.number, self.left = number, step
    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)

commands = json.loads(sys.argv[1])
for command in commands:
    callbacks = [Kill(*command.pop("kill"))] if "kill" in command else []
    try:
        cnnzoo.train(callbacks=callbacks, verbose=0, **command)
    except KeyboardInterrupt as stopped:
        print("stopped:", stopped)
if "no tensorflow" in sys.argv:
    assert not [name for name in sys.modules if name.partition(".")[0] == "tensorflow"]
"""


def commands(backend, folder, *kwargs, code=0, flags=()):
    """Runs `train` once per set of keywords in one new process; returns the printed output."""
    env = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    args = [sys.executable, "-c", CHILD, json.dumps(kwargs), *flags]
    done = subprocess.run(args, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done.stdout


def arrays(path):
    """Returns {name: sha256} of the arrays in a weight file."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = hashlib.sha256(item[()].tobytes()).hexdigest()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def outcome(run):
    return arrays(run / "model.weights.h5"), json.loads((run / "history.json").read_text())


def states(run):
    return sorted(path.name for path in (run / "state").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "arch"), [("tensorflow", "dcgan"), ("jax", "cnn")])
def test_resume_after_kill_or_interrupt_is_bit_for_bit(tmp_path, backend, arch):
    pytest.importorskip(backend)
    flags = ["no tensorflow"] if backend == "jax" else []
    run = {"name": arch, "data": "digits", "epochs": 3, "batch_size": 110, "seed": 5, **SETTINGS[arch]}
    killed = commands(backend, tmp_path, {**run, "out": "killed", "kill": [signal.SIGKILL, 20]}, code=-signal.SIGKILL)
    assert killed == ""
    per_epoch = json.loads((tmp_path / "killed/run.json").read_text())["steps_per_epoch"]
    assert per_epoch < 20 < 2 * per_epoch  # the kill was within the second epoch
    assert states(tmp_path / "killed") == [f"step-{per_epoch:08d}"]

    printed = commands(
        backend,
        tmp_path,
        {**run, "out": "interrupted", "kill": [signal.SIGINT, 20]},
        {"resume": "interrupted", "kill": [signal.SIGTERM, 3]},
        {"resume": "interrupted"},
        {"resume": "killed"},
        {**run, "out": "straight"},
        flags=flags,
    )
    assert printed.splitlines() == [
        f"stopped: stopped after step {step}; resume with: cnnzoo train --resume interrupted" for step in (20, 23)
    ]
    expected = outcome(tmp_path / "straight")
    assert [entry["step"] for entry in expected[1]] == [per_epoch, 2 * per_epoch, 3 * per_epoch]
    assert outcome(tmp_path / "interrupted") == expected
    assert outcome(tmp_path / "killed") == expected
    assert states(tmp_path / "straight") == [f"step-{epochs * per_epoch:08d}" for epochs in (2, 3)]


def test_resume_uses_newest_undamaged_state(tmp_path):
    folder = tmp_path / "run"
    train("cnn", data="digits", epochs=2, batch_size=256, out=folder, **SETTINGS["cnn"], verbose=0)
    expected = outcome(folder)
    (folder / "model.weights.h5").unlink()
    newest = folder / "state" / states(folder)[-1]
    shutil.copytree(newest, newest.with_name(f".{newest.name}"))  # leftover of a kill during writing
    weights = newest / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-100])

    barren = tmp_path / "barren"  # a run killed before its first state
    barren.mkdir()
    shutil.copy(folder / "run.json", barren)

    with pytest.warns(UserWarning, match="has damaged states"):
        assert Run.open(folder).newest_state().step == expected[1][0]["step"]
    assert Run.open(barren).newest_state() is None
    with pytest.warns(UserWarning, match=f"damaged states, {newest.name}; the run resumes from step"):
        train(resume=folder, verbose=0)
    train(resume=barren, verbose=0)
    assert outcome(folder) == outcome(barren) == expected
    assert states(folder) == [f"step-{entry['step']:08d}" for entry in expected[1]]


def test_resume_of_finished_run_returns_without_training(tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"architecture": "lenet", "config": {}, "data": "digits", "epochs": 4}))
    (folder / "model.weights.h5").write_bytes(b"done")
    assert train(resume=folder) == Path(folder)
    assert "is finished: 4 epochs" in capsys.readouterr().out


def test_resume_within_epoch_prints_all_epochs_of_the_run(tmp_path, capsys):
    folder, seen = tmp_path / "run", []
    with pytest.raises(KeyboardInterrupt, match="stopped after step 6"):
        train("lenet", data="digits", epochs=3, batch_size=330, out=folder, callbacks=[StopAt(6)], verbose=2)
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append(count.params["epochs"]))
    train(resume=folder, callbacks=[count], verbose=2)
    lines = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert lines == ["1/3", "2/3", "3/3"]
    assert seen == [3, 3]


def test_resume_with_random_degradation_is_bit_for_bit(tmp_path):
    save_png(tmp_path / "photos" / "a.png", camera()[:120, :150, None])
    folder, config = tmp_path / "run", {"scale": 2, "width": 4, "depth": 1, "degradation": "real"}
    data = str(tmp_path / "photos")
    train("espcn", data=data, epochs=2, batch_size=4, crop=24, out=folder, config=config, verbose=0)
    expected = outcome(folder)
    (folder / "model.weights.h5").unlink()
    shutil.rmtree(folder / "state" / states(folder)[-1])
    train(resume=folder, verbose=0)
    assert outcome(folder) == expected
