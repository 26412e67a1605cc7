"""Fine-tuning: runs with the initial weights of a trained model."""

import json

import keras
import numpy as np
import pytest

import cnnzoo
from cnnzoo import cli
from cnnzoo.imaging.files import save_png
from cnnzoo.registry import UnknownName


def plan(run):
    return json.loads((run / "run.json").read_text())


def first_weights(**settings):
    """Trains for one epoch; returns the run and the weights before the first step."""
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.extend(self.model.get_weights())

    return cnnzoo.train(callbacks=[Look()], verbose=0, limit=64, batch_size=32, epochs=1, **settings), seen


def test_start_uses_weights_config_and_tenth_of_learning_rate(tmp_path):
    run, seen = first_weights(start="lenet.mnist", data="digits", out=tmp_path / "run")
    trained, about = cnnzoo.build("lenet.mnist"), cnnzoo.card("lenet.mnist")
    for mine, theirs in zip(seen, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert plan(run)["name"] == plan(run)["architecture"] == "lenet" and plan(run)["start"] == "lenet.mnist"
    assert plan(run)["config"].keys() == about["config"].keys()
    assert plan(run)["config"]["augmentation"] == about["config"]["augmentation"]
    (mine,), (theirs,) = plan(run)["optimizers"].values(), about["recipe"]["optimizers"].values()
    (mine, theirs) = (each["config"]["learning_rate"]["config"] for each in (mine, theirs))
    assert mine["initial_learning_rate"] == pytest.approx(0.1 * theirs["initial_learning_rate"])
    assert mine["decay_steps"] == 2 and theirs["decay_steps"] > 2
    tuned = cnnzoo.build("lenet", weights=run)
    assert any(np.any(a != b) for a, b in zip(tuned.get_weights(), trained.get_weights(), strict=True))


def test_start_scales_peak_learning_rate_of_warmup(tmp_path):
    run = cnnzoo.train(
        start="vgg_small.cifar10", data="photos", limit=8, batch_size=8, epochs=1, out=tmp_path / "r", verbose=0
    )
    (optimizer,) = plan(run)["optimizers"].values()
    assert optimizer["config"]["learning_rate"]["config"]["initial_learning_rate"] == pytest.approx(2e-4)


def test_start_does_not_inherit_clipping_and_accumulation(tmp_path):
    settings = {"limit": 64, "batch_size": 32, "epochs": 1, "verbose": 0}
    config = {"latent_dim": 2, "width": 2, "hidden": 8}
    first = cnnzoo.train(
        "autoencoder", data="digits", config=config, clip_norm=1.0, accumulate=2, out=tmp_path / "a", **settings
    )
    for name, own, expected in (("b", {}, (None, None)), ("c", {"clip_norm": 0.5, "accumulate": 1}, (0.5, None))):
        run = cnnzoo.train(start=first, data="digits", out=tmp_path / name, **own, **settings)
        (optimizer,) = plan(run)["optimizers"].values()
        found = optimizer["config"]
        assert (found["global_clipnorm"], found["gradient_accumulation_steps"]) == expected


def test_start_accepts_run_folder_and_stores_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"latent_dim": 4, "width": 4}
    first = cnnzoo.train("dcgan", data="digits", config=config, limit=64, batch_size=32, epochs=1, out="one", verbose=0)
    run, seen = first_weights(start="one", data="digits", out="two")
    assert plan(run)["start"] == str(tmp_path / "one")
    for mine, theirs in zip(seen, cnnzoo.build("dcgan", weights=first).get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_start_with_name_uses_defaults_of_architecture(tmp_path):
    for i in range(8):
        save_png(tmp_path / "photos" / f"{i}.png", np.random.default_rng(i).integers(0, 256, (32, 32, 1), np.uint8))
    settings = {"config": {"scale": 2, "width": 16, "depth": 9}, "crop": 16, "batch_size": 8, "epochs": 1}
    out = tmp_path / "run"
    run = cnnzoo.train("espcn", start="espcn.x3", data=tmp_path / "photos", out=out, verbose=0, **settings)
    (optimizer,) = plan(run)["optimizers"].values()
    published = next(iter(cnnzoo.build("espcn").default_optimizers().values()))
    assert optimizer["config"]["learning_rate"] == pytest.approx(float(published.learning_rate))
    assert plan(run)["config"]["scale"] == 2 and plan(run)["start"] == "espcn.x3"


def test_start_rejects_invalid_arguments(tmp_path):
    with pytest.raises(UnknownName, match=r"Did you mean espcn\.x3"):
        cnnzoo.train(start="espcn.x33", data="photos")
    with pytest.raises(ValueError, match=r"`data` .* for 'espcn\.x3'\. Received: None"):
        cnnzoo.train(start="espcn.x3")
    with pytest.raises(ValueError, match="`start` must not be given with `resume`"):
        cnnzoo.train(start="espcn.x3", resume=tmp_path)
    with pytest.raises(ValueError, match="must begin with a model of equal layers"):
        cnnzoo.train("vae", start="lenet.mnist", data="digits", limit=64, epochs=1, out=tmp_path / "run", verbose=0)


def test_train_command_fine_tunes_from_checkpoint(tmp_path, capsys):
    words = ["train", "--from", "cnn.mnist", "--data", "digits", "--limit", "64", "--batch-size", "32", "--epochs", "1"]
    assert cli.main([*words, "--out", str(tmp_path / "run")]) == 0
    assert plan(tmp_path / "run")["start"] == "cnn.mnist"
    assert cli.main(["train", "--from", "cnn.mnits", "--data", "digits"]) == 2
    assert "cnn.mnist" in capsys.readouterr().err
