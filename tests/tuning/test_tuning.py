"""`cnnzoo.tune`: trials scored on validation images, resumed searches, and searches with one or several workers."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from toys import Shade

import cnnzoo
from cnnzoo import registry
from cnnzoo.data import load
from cnnzoo.imaging.files import save_png
from cnnzoo.registry import UnknownName, register
from cnnzoo.tuning import Search, oracles
from cnnzoo.tuning.space import to_hyperparameters

ASKED = {
    "name": "shade",
    "data": "digits",
    "tuner": "random",
    "trials": 3,
    "epochs": 1,
    "limit": 256,
    "seed": 3,
    "config": {"slope": 2.0},
    "verbose": 0,
}


@pytest.fixture(scope="module", autouse=True)
def known():
    """Registers `Shade` as an architecture for the tests of this module."""
    register("shade")(Shade)
    yield
    del registry._classes["shade"]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    return cnnzoo.tune(**ASKED, out=tmp_path_factory.mktemp("tuning") / "search")


def gray(run):
    """Returns the only weight of a run."""
    return cnnzoo.build("shade", weights=run).get_weights()[0]


def as_numbers(search):
    """Returns the values and the score of each trial, which are equal for equal searches."""
    return {trial.name: (dict(trial.values), pytest.approx(trial.score.value, rel=1e-5)) for trial in search.trials}


def test_tune_scores_trials_by_validation_error(search):
    held_out = load("digits", "validation", (8, 8, 1)).images / 255
    for trial in search.trials:
        error = held_out.var() + (held_out.mean() - gray(search.path / "trials" / trial.name)) ** 2
        assert trial.score.value == pytest.approx(error, rel=1e-5)
        assert (trial.score.name, trial.score.better, trial.score.n) == ("mse", "lower", len(held_out))
    scores = [trial.score.value for trial in search.trials]
    assert search.best.score.value == min(scores) and len(set(scores)) == 3


def test_trials_share_budget_and_exclude_validation_images(search):
    train, held_out = (load("digits", split).images for split in ("fit", "validation"))
    assert not {image.tobytes() for image in train} & {image.tobytes() for image in held_out}
    for trial in search.trials:
        plan = json.loads((search.path / "trials" / trial.name / "run.json").read_text())
        assert (plan["split"], plan["limit"], plan["epochs"], plan["seed"]) == ("fit", 256, 1, 3)
        assert plan["batch_size"] == trial.values["batch_size"]
        rate = plan["optimizers"]["shade"]["config"]["learning_rate"]
        assert rate == pytest.approx(trial.values["learning_rate"], rel=1e-6)


def test_first_trial_uses_defaults_of_architecture(search):
    first = search.trials[0]
    assert first.default and first.values == {"learning_rate": 0.01, "batch_size": 128, "start": 0.5}
    assert search.default is first and not any(trial.default for trial in search.trials[1:])
    assert str(search).startswith(f"best: trial {search.best.name}, mse {search.best.score} on 143 validation images")


def test_best_recipe_reproduces_trial_bit_for_bit(search, tmp_path):
    run = cnnzoo.train(search.recipe, out=tmp_path / "run", verbose=0)
    assert gray(run) == gray(search.path / "trials" / search.best.name)
    longer = cnnzoo.train(search.recipe / "recipe.json", epochs=2, limit=300, out=tmp_path / "longer", verbose=0)
    plan = json.loads((longer / "run.json").read_text())
    assert (plan["epochs"], plan["limit"], plan["split"], plan["name"]) == (2, 300, "fit", "shade")


def test_train_rejects_invalid_recipe_files(tmp_path):
    with pytest.raises(
        ValueError, match=r"must be a recipe of cnnzoo tune. Received: no runs/search/best/recipe\.json"
    ):
        cnnzoo.train("runs/search/best")
    file = tmp_path / "recipe.json"
    for content, message in {
        b"{": "holds no recipe: recipe.json is not JSON: Expecting",
        b"\xff": "holds no recipe: recipe.json is not JSON: ",
        b"[]": "holds no recipe: recipe.json holds a list, not a dict",
        b"{}": "it must be an object with architecture, data, .*. Received: no architecture",
        b'{"architecture": "cnn", "rate": 1}': "its fields must be architecture, data, .*. Received: rate",
    }.items():
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            cnnzoo.train(file)
    with pytest.raises(ValueError, match=r"must be a recipe of cnnzoo tune. Received: no .*json/x/recipe\.json"):
        cnnzoo.train(file / "x")
    for content in (b"[]", b"\xff", b"{}", b'{"trials": [{}]}'):
        (tmp_path / "trials.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"must be the folder of a search. Received: \S"):
            Search.open(tmp_path)


def test_search_open_and_repeated_tune_return_same_search(search):
    assert Search.open(search.path) == search
    again = cnnzoo.tune(**ASKED, out=search.path)  # the search is finished: no training
    assert again == search


def test_tensorboard_contains_hyperparameters_and_score(search):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    trial = search.trials[1]
    events = EventAccumulator(str(search.path / "trials" / trial.name / "tensorboard"))
    events.Reload()
    assert events.Scalars("mse")[-1].value == pytest.approx(trial.score.value)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    shown = HParamsPluginData.FromString(content).session_start_info.hparams
    assert {key: value.number_value for key, value in shown.items()} == trial.values


def test_tune_resumes_interrupted_search(search, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        trials = 0

        def on_train_begin(self, logs=None):
            self.trials += 1

        def on_epoch_end(self, epoch, logs=None):
            if self.trials == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cnnzoo.tune(**ASKED, out=tmp_path / "search", callbacks=[Interrupt()])
    left = Search.open(tmp_path / "search")
    assert [trial.status for trial in left.trials] == ["completed"] and not left.finished
    assert (tmp_path / "search/best/recipe.json").exists()

    class Count(keras.callbacks.Callback):
        trials = 0

        def on_train_begin(self, logs=None):
            Count.trials += 1

    resumed = cnnzoo.tune(**ASKED, out=tmp_path / "search", callbacks=[Count()])
    assert Count.trials == 2 and resumed.finished
    assert as_numbers(resumed) == as_numbers(search)


def test_tune_rejects_file_and_folder_of_another_search(search, tmp_path):
    before = (search.path / "trials.json").read_bytes()
    with pytest.raises(
        ValueError, match=r"search of shade on digits with trials=3, to resume it.* on digits with trials=5"
    ):
        cnnzoo.tune(**{**ASKED, "trials": 5}, out=search.path)
    with pytest.raises(ValueError, match=r"a search of shade on digits with .*. Received: a search of cnn on digits"):
        cnnzoo.tune(**{**ASKED, "name": "cnn", "config": {}}, out=search.path)
    assert (search.path / "trials.json").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"must be a folder, new or of the same search. Received: a file"):
        cnnzoo.tune(**ASKED, out=tmp_path / "file")


def test_tune_marks_diverged_trial_as_failed_and_continues(tmp_path, capsys):
    asked = {**ASKED, "space": {"learning_rate": [1e30, 0.01, 0.02]}, "verbose": 1}
    found = cnnzoo.tune(**asked, out=tmp_path / "search")
    status = {trial.values["learning_rate"]: trial.status for trial in found.trials}
    assert status == {1e30: "failed", 0.01: "completed", 0.02: "completed"}
    failed = next(trial for trial in found.trials if trial.status == "failed")
    assert "is not finite" in failed.error or "loss is" in failed.error
    out = capsys.readouterr().out
    assert f"trial {failed.name} (" in out and "failed, " in out and f"to train it: cnnzoo train {found.recipe}" in out
    with pytest.raises(ValueError, match=r"none of the 1 trials in .* was completed; the first: "):
        cnnzoo.tune(**{**ASKED, "space": {"learning_rate": [1e30]}}, out=tmp_path / "hopeless")


def test_hyperband_continues_best_trial(tmp_path):
    asked = {**ASKED, "tuner": "hyperband", "trials": 4, "epochs": 3}
    found = cnnzoo.tune(**asked, out=tmp_path / "search")
    assert [trial.epochs for trial in found.trials] == [1, 1, 1, 3]
    short = min(found.trials[:3], key=lambda trial: trial.score.value)
    last = found.trials[3]
    assert last.values == short.values and last is found.best
    history = json.loads((found.path / "trials" / last.name / "history.json").read_text())
    earlier = json.loads((found.path / "trials" / short.name / "history.json").read_text())
    assert history[:1] == earlier and len(history) == 3
    run = cnnzoo.train(found.recipe, out=tmp_path / "run", verbose=0)  # one training instead of two parts
    assert gray(run) == gray(found.path / "trials" / last.name)


def test_tune_command_runs_bayesian_search_within_space(tmp_path, capsys):
    from cnnzoo.cli import main

    words = "tune shade --data digits --trials 4 --epochs 1 --limit 256 --config slope=2 --json"
    spaces = ["--space", "learning_rate=1e-4..1e-1", "--space", "batch_size=[64, 128]"]
    assert main([*words.split(), *spaces, "--out", str(tmp_path / "search")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == Search.open(tmp_path / "search").to_json()
    assert [trial["status"] for trial in found["trials"]] == ["completed"] * 4
    assert all(1e-4 <= trial["values"]["learning_rate"] <= 1e-1 for trial in found["trials"])
    assert len({trial["values"]["learning_rate"] for trial in found["trials"]}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "vae.mnist"}, "`name` must be an architecture, .*. Received: the checkpoint 'vae.mnist'"),
        (
            {"name": "style_transfer", "config": {}},
            "`name` must be one of auto.*. Received: 'style_transfer', which has",
        ),
        ({"tuner": "grid"}, "`tuner` must be one of random, hyperband, bayesian. Received: 'grid'"),
        ({"objective": "loss"}, "`objective` must be one of mse, psnr for shade. Received: 'loss'"),
        ({"objective": "accuracy"}, "`objective` must be one of mse, psnr for shade. Received: 'accuracy'"),
        ({"space": {"depth": [1]}}, "must be of learning_rate, batch_size, start.* for shade. Received: depth"),
        ({"space": {"image_shape": [[28, 28, 1]]}}, "The fields in `space` must be of .*. Received: image_shape"),
        ({"space": {}}, r"`space` must have at least one of learning_rate, batch_size.*\. Received: \{\}"),
        ({"space": {"start": []}}, r"`start` must be a list of values, or a tuple .*. Received: \[\]"),
        ({"space": {"start": (8, 2)}}, r"`start` must be .* with low < high. Received: \(8, 2\)"),
        ({"space": {"slope": [2, 4]}}, "must be in one of `space` and `config`. Received: slope in both"),
        ({"trials": 0}, "`trials` must be an integer >= 1. Received: 0"),
        ({"epochs": 0}, "`epochs` must be an integer >= 1. Received: 0"),
        ({"limit": 0}, "`limit` must be an integer >= 1. Received: 0"),
        ({"limit": 9}, "`batch_size` must be between 1 and 9, the size of digits. Received: 64"),
        ({"seed": -1}, "`seed` must be an integer >= 0. Received: -1"),
        ({"crop": 64}, "`crop` must not be given with 'shade', .*. Received: crop=64"),
        ({"config": {"slope": "steep"}}, "`slope` must be a number, such as .*. Received: 'steep'"),
        ({"data": [0.5]}, "`data` must be the name of a data set, or a folder. Received: a list"),
        ({"data": "nowhere"}, "`data` must be one of .*. Received: 'nowhere'"),
        ({"name": "dcgan", "config": {"image_shape": [32, 32, 1]}}, "no shipped classifier judges images"),
    ],
)
def test_tune_rejects_invalid_arguments(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        cnnzoo.tune(**{**ASKED, **change}, out=tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_tune_rejects_data_without_validation_images_before_training(tmp_path):
    for i in range(9):  # a tenth is none
        save_png(tmp_path / f"own/{i}.png", np.full((8, 8, 1), 9 * i, np.uint8))
    asked = {**ASKED, "data": tmp_path / "own", "limit": None, "space": {"batch_size": [2]}}
    with pytest.raises(ValueError, match=r"must have 1 images or more in the split 'validation'. Received: 0"):
        cnnzoo.tune(**asked, out=tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_tune_takes_numpy_numbers_in_config(search):
    again = cnnzoo.tune(**{**ASKED, "config": {"slope": np.float32(2)}}, out=search.path)
    assert again == search


def test_tune_rejects_unknown_names_and_malformed_space(tmp_path, capsys):
    from cnnzoo.cli import main

    with pytest.raises(UnknownName, match="Did you mean autoencoder"):
        cnnzoo.tune("autoencodr", data="digits")
    with pytest.raises(ValueError, match=r"must be the folder of a search. Received: no trials\.json"):
        Search.open(tmp_path)
    for domain, message in (
        ("latent_dim=8", "--space must be KEY=[16, 32, 64] or KEY=LOW..HIGH. Received: 'latent_dim=8'"),
        ("learning_rate=1e-2..1e-4", "(low, high) with low < high. Received: (0.01, 0.0001)"),
    ):
        with pytest.raises(SystemExit):
            main(["tune", "vae", "--data", "digits", "--space", domain])
        assert message in capsys.readouterr().err


def test_tune_rejects_invalid_distributed_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(ValueError, match=r"must be set together\. Received: no KERASTUNER_ORACLE_PORT, KERA"):
        cnnzoo.tune(**ASKED, out=tmp_path / "search")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    for port in ("70000", "²"):
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", port)
        with pytest.raises(ValueError, match=rf"_ORACLE_PORT must be between 1 and 65535\. Received: '{port}'"):
            cnnzoo.tune(**ASKED, out=tmp_path / "search")
    monkeypatch.delenv("KERASTUNER_ORACLE_IP")
    with pytest.raises(ValueError, match=r"must be set together\. Received: no KERASTUNER_ORACLE_IP$"):
        cnnzoo.tune(**ASKED, out=tmp_path / "search")
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(taken.getsockname()[1]))
        with pytest.raises(
            ValueError, match=r"A chief must have an address of this machine and a free port\. Received: "
        ):
            cnnzoo.tune(**ASKED, out=tmp_path / "search")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.slow
def test_distributed_search_completes_after_worker_is_killed(search, tmp_path):
    script, root = Path(__file__).parents[1] / "scripts" / "tuned_together.py", Path(__file__).parents[2]
    asked, folder, marker = json.dumps({**ASKED, "verbose": 1}), tmp_path / "search", tmp_path / "marker"
    common = {
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")]),
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(free_port()),
    }
    processes = {}

    def start(who: str, *more: str) -> None:
        env = {**os.environ, **common, "KERASTUNER_TUNER_ID": who}
        with (tmp_path / f"{who}.log").open("w") as log:
            command = [sys.executable, str(script), str(folder), asked, *more]
            processes[who] = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)

    def logs() -> str:
        return "\n".join(path.read_text()[-3000:] for path in tmp_path.glob("*.log"))

    try:
        start("chief")
        start("tuner0", str(marker))
        deadline = time.monotonic() + 120
        while not marker.exists():  # until a worker is within the first trial
            assert time.monotonic() < deadline and processes["tuner0"].poll() is None, logs()
            time.sleep(0.1)
        start("tuner1")
        processes["tuner0"].kill()
        for who in ("tuner1", "chief"):
            assert processes[who].wait(timeout=180) == 0, logs()
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    found = Search.open(folder)
    assert found.finished and as_numbers(found) == as_numbers(search)
    assert "trial 0: " in (tmp_path / "tuner1.log").read_text()


def oracle_in(folder, kind, trials, seed):
    space = {"learning_rate": (1e-4, 1.0)}
    settings = {"objective": ("mse", "lower"), "trials": trials, "epochs": 1, "seed": seed}
    oracle = oracles.make_oracle(kind, **settings, hyperparameters=to_hyperparameters(space))
    oracle.on_trial_ended = lambda *_: None
    oracle._set_project_dir(str(folder), "search")
    return oracle


def test_oracle_reassigns_trials_of_silent_workers_after_reload(tmp_path, monkeypatch):
    before = oracle_in(tmp_path, "random", trials=2, seed=0)
    begun = {who: before.create_trial(who) for who in ("tuner0", "tuner1")}
    chief = oracle_in(tmp_path, "random", trials=2, seed=0)
    chief.reload(alone=False)
    mine = chief.create_trial("tuner1")
    assert mine.trial_id == begun["tuner1"].trial_id
    chief.take_back()
    assert chief.create_trial("tuner2").status == "IDLE"  # no worker has been silent for too long yet
    monkeypatch.setattr(oracles, "SILENCE", -1.0)
    chief.take_back()
    taken = chief.create_trial("tuner2")
    assert taken.trial_id in {trial.trial_id for trial in begun.values()}
    for trial, error in ((taken, 0.5), (begun["tuner0"], 0.25), (begun["tuner1"], 0.75)):
        if trial.trial_id not in chief.end_order:
            chief.update_trial(trial.trial_id, {"mse": error})
        trial.status = "COMPLETED"
        chief.end_trial(trial)
    assert sorted(chief.end_order) == ["0", "1"]
    assert chief.trials[taken.trial_id].score == 0.5  # late results are ignored
    assert [chief.create_trial(who).status for who in ("tuner0", "tuner1", "tuner2")] == ["STOPPED"] * 3
    alone = oracle_in(tmp_path, "random", trials=2, seed=0)
    alone.reload()
    assert alone.create_trial("tuner0").status == "STOPPED" and len(alone.get_best_trials(2)) == 2


def test_bayesian_oracle_avoids_region_of_failed_trials(tmp_path):
    oracle = oracle_in(tmp_path, "bayesian", trials=9, seed=1)
    drawn = []
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        rate = trial.hyperparameters.values["learning_rate"]
        drawn.append(rate)
        if rate > 0.1:  # higher rates score better, until training diverges
            trial.status = "FAILED"
        else:
            oracle.update_trial(trial.trial_id, {"mse": -np.log(rate)})
            trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert len(set(drawn)) == len(drawn) == 9
    assert sum(rate > 0.1 for rate in drawn) <= 3  # if failures were ignored, all of the last five trials would fail
    assert max(rate for rate in drawn if rate <= 0.1) > 0.05
