"""Resumed runs: changed data, changed versions, two writers, and syncing files before renaming them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import cnnzoo
from cnnzoo.data import load
from cnnzoo.data.fingerprint import fingerprint
from cnnzoo.imaging.files import save_png
from cnnzoo.utils.atomic_files import json_text, locked, write_json


@pytest.fixture
def folder(tmp_path):
    """A data folder with two classes of twelve 8x8 pictures."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for i in range(12):
            save_png(tmp_path / "pets" / "train" / label / f"{i}.png", rng.integers(0, 256, (8, 8, 1), np.uint8))
    return tmp_path / "pets"


@pytest.fixture
def begun(folder, tmp_path):
    """An unfinished run of one step: its final weights are deleted."""
    run = cnnzoo.train("lenet", data=folder, out=tmp_path / "run", epochs=1, batch_size=16, verbose=0)
    (run / "model.weights.h5").unlink()
    return run


def edit_plan(run, **changes):
    plan = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", {**plan, **changes})


def test_resume_accepts_unchanged_data(begun):
    assert cnnzoo.train(resume=begun, verbose=0) == begun
    assert cnnzoo.build("lenet", weights=begun).class_names == ("cat", "dog")


def picture(path):
    save_png(path, np.zeros((8, 8, 1), np.uint8))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda pets: picture(pets / "train/cat/new.png"), "25 images instead of 24"),
        (
            lambda pets: picture(pets / "train/ant/0.png"),
            "`classes` must be an integer >= 3, the classes of .*pets. Received: 2",
        ),
        (lambda pets: (pets / "train/cat").rename(pets / "train/cow"), "the classes cow, dog instead of cat, dog"),
        (lambda pets: picture(pets / "train/cat/0.png"), "must be the data that .*. Received: other pixels or labels"),
    ],
)
def test_resume_refuses_changed_data(begun, folder, change, complaint):
    picture(folder / "test/cat/0.png")
    edit_plan(begun, fingerprint=fingerprint(load(folder, shape=(28, 28, 1))))  # all of train, with a test split
    change(folder)
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.train(resume=begun, verbose=0)
    assert not (begun / "model.weights.h5").exists()


def test_resume_warns_of_other_versions_or_missing_fingerprint(begun):
    versions = json.loads((begun / "run.json").read_text())["versions"]
    edit_plan(begun, versions={**versions, "keras": "3.0.0", "cpus": 96})
    with pytest.warns(UserWarning, match=r"resumed with keras .* instead of 3\.0\.0, cpus \d+ instead of 96; its bits"):
        cnnzoo.train(resume=begun, verbose=0)
    (begun / "model.weights.h5").unlink()
    plan = json.loads((begun / "run.json").read_text())
    del plan["fingerprint"]
    write_json(begun / "run.json", {**plan, "versions": versions})
    with pytest.warns(UserWarning, match="has no fingerprint of its data"):
        cnnzoo.train(resume=begun, verbose=0)


def test_resume_rejects_run_locked_by_another_process(begun, tmp_path):
    program = "import sys; from pathlib import Path; from cnnzoo.utils.atomic_files import locked\n"
    program += "with locked(Path(sys.argv[1])):\n"
    program += "    print('in', flush=True)\n    sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(begun)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match=r"run must be used by one process at a time. Received: a folder in use"):
            cnnzoo.train(resume=begun, verbose=0)
        other.kill()  # releases the lock
    with locked(begun):
        pass
    assert cnnzoo.train(resume=begun, verbose=0) == begun


def test_train_syncs_files_before_rename(tmp_path, monkeypatch):
    events, sync, replace = [], os.fsync, os.replace

    def fsync(descriptor):
        events.append(("sync", os.path.realpath(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def renamed(source, target):
        events.append(("rename", os.fspath(source)))
        replace(source, target)

    if not os.path.exists("/proc/self/fd"):
        pytest.skip("needs /proc to name the file of a descriptor")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", renamed)
    run = cnnzoo.train("lenet", data="digits", limit=32, epochs=1, batch_size=16, out=tmp_path / "run", verbose=0)
    renames = [i for i, (kind, _) in enumerate(events) if kind == "rename"]
    assert {"run.json", "history.json", "model.weights.h5", "state"} <= {p.name for p in run.iterdir()}
    for i in renames:
        source = events[i][1]
        assert ("sync", source) in events[:i], source
        assert events[i + 1] == ("sync", os.path.dirname(source))  # the folder, to make the new name durable
    state = next(source for kind, source in events if kind == "rename" and os.path.basename(source)[:6] == ".step-")
    synced = {os.path.basename(path) for kind, path in events if kind == "sync" and path.startswith(state)}
    assert {"model.weights.h5", "state.json"} <= synced


def test_train_loads_only_train_and_validation_splits(folder, tmp_path, monkeypatch):
    from cnnzoo.training import loop, plan

    splits, load = [], plan.load_split

    def recorded(plan, split, *most, **more):
        splits.append(split)
        return load(plan, split, *most, **more)

    monkeypatch.setattr(loop, "load_split", recorded)
    monkeypatch.setattr(plan, "load_split", recorded)
    config = {"image_shape": [8, 8, 1], "width": 4}
    cnnzoo.train("autoencoder", data=folder, config=config, epochs=1, batch_size=8, out=tmp_path / "run", verbose=0)
    assert set(splits) == {"train", "validation"}


def test_evaluate_matches_classes_by_name(folder, tmp_path):
    run = cnnzoo.train("lenet", data=folder, out=tmp_path / "run", epochs=1, batch_size=16, verbose=0)
    model = cnnzoo.build("lenet", weights=run)
    save_png(tmp_path / "one/test/dog/0.png", np.zeros((8, 8, 1), np.uint8))
    found = cnnzoo.evaluate(model, str(tmp_path / "one"))["accuracy"]
    black = np.zeros((1, *model.image_shape), np.uint8)
    assert found.value == 100.0 * (model.classify(black).argmax() == 1)
    save_png(tmp_path / "other/test/emu/0.png", np.zeros((8, 8, 1), np.uint8))
    with pytest.raises(ValueError, match=r"must have only the classes cat, dog\. Received: emu"):
        cnnzoo.evaluate(model, str(tmp_path / "other"))


def test_json_text_writes_null_for_non_finite_numbers():
    text = json_text({"psnr": float("inf"), "list": [float("nan"), 1.5], "label": 3})
    assert json.loads(text) == {"psnr": None, "list": [None, 1.5], "label": 3}
