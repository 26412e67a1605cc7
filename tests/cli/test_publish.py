"""Tests of publishing: a finished run becomes a checkpoint with scores, or is rejected."""

import importlib
import json
import shutil

import h5py
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import cnnzoo
from cnnzoo import checkpoints, recipes
from cnnzoo.checkpoints import CheckpointError
from cnnzoo.cli import publish as publishing
from cnnzoo.cli.publish import publish
from cnnzoo.data import load
from cnnzoo.evaluation import evaluate

SETTINGS = {"data": "digits", "epochs": 1, "batch_size": 256, "seed": 7, "expects": "little"}
RECIPES = {
    "lenet": recipes.Recipe(**SETTINGS, summary="LeNet on scanned digits", config={"image_shape": (28, 28, 1)}),
    "autoencoder": recipes.Recipe(
        **SETTINGS, summary="A tiny autoencoder", config={"width": 2, "hidden": 4, "latent_dim": 4}
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs of the two test recipes, by name. The recipes are registered for this module only."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        for arch, own in RECIPES.items():
            patch.setitem(importlib.import_module(f"cnnzoo.recipes.{arch}").RECIPES, "digits", own)
        names = [f"{arch}.digits" for arch in RECIPES]
        yield {name: cnnzoo.train(name, out=folder / name, verbose=0) for name in names}


@pytest.fixture(scope="module")
def published(runs, tmp_path_factory):
    return publish(runs["lenet.digits"], tmp_path_factory.mktemp("published"))


def plan(run):
    return json.loads((run / "run.json").read_text())


def altered(run, folder, **changes):
    """Returns a copy of a run with changed entries in `run.json`."""
    shutil.copytree(run, folder)
    (folder / "run.json").write_text(json.dumps(plan(run) | changes))
    return folder


def same_weights(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_publish_preserves_trained_weights(runs, published):
    assert published.path.name == "lenet.digits"
    assert sorted(p.name for p in published.path.iterdir()) == ["card.json", "golden.npz", "model.weights.h5"]
    model = cnnzoo.build("lenet", weights=published.path)
    assert same_weights(model, cnnzoo.build("lenet", weights=runs["lenet.digits"]))
    assert checkpoints.check_golden(published, model) == 0.0
    assert checkpoints.open_checkpoint(published.path) == published


def test_published_card_has_test_split_scores(published):
    expected = evaluate(checkpoints.load(published.path), "digits")
    score, *costs = published.card["scores"]
    assert [score] == [score.to_json() for score in expected.scores]
    assert score["name"] == "accuracy" and score["n"] == 360
    assert all(cost["n"] == 360 and cost["protocol"]["by Keras"] == round(score["value"], 4) for cost in costs)


def test_published_card_has_litert_accuracy_costs(published, tmp_path):
    on_card = {score["name"]: score["value"] for score in published.card["scores"]}
    version = cnnzoo.export(published.path, tmp_path, litert=True)
    held_out = load("digits", "test", shape=(28, 28, 1))
    for form in ("float32", "float16", "int8"):
        interpreter = Interpreter(str(version / "litert" / f"{form}.tflite"))
        interpreter.allocate_tensors()
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        right = 0
        for image, label in zip(held_out.images, held_out.labels, strict=True):
            shown = image[None] / np.float32(255)
            if form == "int8":
                step, zero = taken["quantization"]
                shown = np.round(shown / step) + zero
            interpreter.set_tensor(taken["index"], shown.astype(taken["dtype"]))
            interpreter.invoke()
            right += interpreter.get_tensor(given["index"])[0].argmax() == label
        assert on_card[f"litert_{form}_cost"] == pytest.approx(on_card["accuracy"] - 100 * right / 360)


def test_published_card_records_data_paper_and_recipe(runs, published):
    card, made = published.card, plan(runs["lenet.digits"])
    assert card["name"] == "lenet.digits" and card["description"] == "LeNet on scanned digits"
    assert card["data"] == {"name": "digits", "split": "train", "licence": "CC BY 4.0"}
    assert card["paper"].startswith("LeCun et al.") and "\n" not in card["paper"]
    kept = ("epochs", "steps", "batch_size", "seed", "limit", "precision", "optimizers", "versions")
    assert card["recipe"] == {"command": "cnnzoo train lenet.digits", **{key: made[key] for key in kept}}
    assert card["recipe"]["seed"] == 7 and card["config"] == made["config"]


def test_publish_scores_large_model_with_float16_weights(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "LARGE", 100)
    run = runs["autoencoder.digits"]
    made = publish(run, tmp_path)
    types = set()
    with h5py.File(made.path / "model.weights.h5") as file:
        file.visititems(lambda _, item: types.add(item.dtype.str) if isinstance(item, h5py.Dataset) else None)
    assert "<f2" in types and "<f4" not in types
    stored, trained = checkpoints.load(made.path), checkpoints.load(run)
    assert not same_weights(stored, trained)
    on_card = next(score["value"] for score in made.card["scores"] if score["name"] == "mse")
    assert on_card == evaluate(stored, "digits")["mse"].value != evaluate(trained, "digits")["mse"].value


def test_publish_preserves_float32_weights_of_small_model(runs, tmp_path):
    made = publish(runs["autoencoder.digits"], tmp_path)
    assert same_weights(checkpoints.load(made.path), checkpoints.load(runs["autoencoder.digits"]))
    assert made.card["paper"] == "none; a plain convolutional network"


def test_publish_main_replaces_checkpoint_and_prints_scores(runs, tmp_path, capsys):
    (tmp_path / "lenet.digits").mkdir()
    (tmp_path / "lenet.digits" / "old").write_text("old")
    publishing.main([str(runs["lenet.digits"]), "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    scores = checkpoints.open_checkpoint(tmp_path / "lenet.digits").card["scores"]
    assert [line.split() for line in lines[-5:-1]] == [[s["name"], f"{s['value']:.6g}", "%"] for s in scores]
    assert lines[-1] == str(tmp_path / "lenet.digits")
    assert [path.name for path in tmp_path.iterdir()] == ["lenet.digits"]
    assert not (tmp_path / "lenet.digits" / "old").exists()


def test_rescore_replaces_scores_in_place(runs, tmp_path, capsys):
    made = publish(runs["autoencoder.digits"], tmp_path)
    before = {path.name: path.read_bytes() for path in made.path.iterdir()}
    old = {**made.card, "scores": [{"name": "mse", "value": 9.0, "protocol": {}}]}
    (made.path / "card.json").write_text(json.dumps(old))
    publishing.main(["--rescore", "autoencoder.digits", "--out", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[-1] == str(made.path)
    assert {path.name: path.read_bytes() for path in made.path.iterdir()} == before
    assert publishing.rescore("autoencoder.digits", tmp_path) == made


def test_rescore_refuses_score_that_is_not_finite(published, tmp_path, monkeypatch):
    made = shutil.copytree(published.path, tmp_path / "lenet.digits")
    before = (made / "card.json").read_bytes()
    score = {**published.card["scores"][0], "value": float("nan")}
    monkeypatch.setattr(publishing, "_scores", lambda *_: [score])
    with pytest.raises(CheckpointError, match=r"card\.json: scores: `value` must be of type float"):
        publishing.rescore("lenet.digits", tmp_path)
    assert (made / "card.json").read_bytes() == before


def test_rescore_rejects_altered_or_missing_checkpoint(published, tmp_path):
    made = shutil.copytree(published.path, tmp_path / "lenet.digits")
    (made / "model.weights.h5").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="was cut short or altered"):
        publishing.rescore("lenet.digits", tmp_path)
    with pytest.raises(CheckpointError, match=r"card\.json cannot be read"):
        publishing.rescore("lenet.digist", tmp_path)


@pytest.mark.parametrize("line", [[], ["runs/lenet.digits", "--rescore", "lenet.digits"]])
def test_publish_main_requires_either_run_or_rescore(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        publishing.main(line)
    assert stopped.value.code == 2 and "--rescore" in capsys.readouterr().err


def test_publish_rejects_unfinished_run(runs, tmp_path):
    run = altered(runs["lenet.digits"], tmp_path / "run")
    (run / "model.weights.h5").unlink()
    with pytest.raises(CheckpointError, match=r"is not finished; resume it with: cnnzoo train --resume"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_rejects_run_without_recipe(runs, tmp_path):
    run = altered(runs["lenet.digits"], tmp_path / "run", name="lenet")
    with pytest.raises(ValueError, match=r"must be trained from a recipe, arch\.tag. Received: a run of 'lenet'"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_rejects_folder_without_run(tmp_path):
    with pytest.raises(ValueError, match=r"must be the folder of a training run\. Received: no run\.json"):
        publish(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_rejects_weights_of_other_architecture(runs, tmp_path):
    run = altered(runs["lenet.digits"], tmp_path / "run")
    cnnzoo.build("cnn").save_weights(run / "model.weights.h5", overwrite=True)
    with pytest.raises(CheckpointError, match=r"model\.weights\.h5 does not match 'lenet'"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", [{"epochs": 2}, {"seed": 8}, {"data": "photos"}, {"batch_size": 64}, {"limit": 9}])
def test_publish_rejects_run_with_settings_unlike_recipe(runs, tmp_path, change):
    run = altered(runs["lenet.digits"], tmp_path / "run", **change)
    with pytest.raises(ValueError, match=f"must be as its recipe says. Received: another {next(iter(change))}$"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_rejects_run_with_config_unlike_recipe(runs, tmp_path):
    config = plan(runs["autoencoder.digits"])["config"] | {"hidden": 8}
    run = altered(runs["autoencoder.digits"], tmp_path / "run", config=config)
    with pytest.raises(ValueError, match="another config hidden"):
        publish(run, tmp_path / "out")


def test_publish_rejects_run_with_start_unlike_recipe(runs, tmp_path):
    run = altered(runs["lenet.digits"], tmp_path / "run", start="lenet.mnist")
    with pytest.raises(ValueError, match=r"another start$"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_rejects_run_with_optimizer_unlike_recipe(runs, tmp_path):
    optimizers = plan(runs["lenet.digits"])["optimizers"]
    optimizers["classifier"]["config"]["learning_rate"] = 0.5  # of an older recipe
    run = altered(runs["lenet.digits"], tmp_path / "run", optimizers=optimizers)
    with pytest.raises(ValueError, match=r"another optimizer of classifier$"):
        publish(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_publish_check_lists_differences_and_preserves_card(published, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "lenet.digits"
    shutil.copytree(published.path, folder)
    command = ["--check", "--out", str(tmp_path)]
    assert publishing.main(command) == 0
    assert capsys.readouterr().out == "lenet.digits: agrees\n"
    card = json.loads((folder / "card.json").read_text())
    monkeypatch.setattr(publishing, "_scores", lambda *_: card["scores"])  # just measured above
    accuracy, cost, *rest = card["scores"]
    tipped = {**accuracy, "value": accuracy["value"] + 100 / 360}  # one image more: within the tolerance
    (folder / "card.json").write_text(json.dumps({**card, "scores": [tipped, cost, *rest]}))
    assert publishing.main(command) == 0
    wrong = {**accuracy, "value": accuracy["value"] + 200 / 360, "n": 359, "protocol": {"interval": "normal"}}
    written = json.dumps({**card, "scores": [wrong, {**cost, "name": "speed"}, *rest]})
    (folder / "card.json").write_text(written)
    capsys.readouterr()
    assert publishing.main(["--check", "lenet.digits", "--out", str(tmp_path)]) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "lenet.digits: differs"
    assert [line.split(":")[0].strip() for line in lines] == ["speed", cost["name"], *["accuracy"] * 3]
    assert f"card {wrong['value']:.6g}, measured {accuracy['value']:.6g} %" in lines[2]
    assert "interval: card 'normal', measured 'Wilson, 95 %'" in lines[3] and "n: card 359, measured 360" in lines[4]
    assert (folder / "card.json").read_text() == written


def test_publish_check_exits_1_for_missing_checkpoint(published, tmp_path, capsys):
    assert publishing.main(["--check", "lenet.digist", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("lenet.digist: differs\n    not compared: ")


def test_publish_graphs_writes_onnx_and_compares_with_golden(tmp_path, monkeypatch):
    folder = shutil.copytree(checkpoints.saved_models_dir() / "denoiser.gray_s25", tmp_path / "denoiser.gray_s25")
    before = checkpoints.open_checkpoint(folder)
    bare = checkpoints.attach(before, {})
    assert publishing.main(["--graphs", "denoiser.gray_s25", "--out", str(tmp_path)]) == 0
    made = checkpoints.open_checkpoint(folder)
    assert sorted(made.card["files"]) == sorted((*bare.card["files"], "network.onnx"))
    assert {**made.card, "files": 0, "bytes": 0} == {**before.card, "files": 0, "bytes": 0}
    assert made.card["bytes"] == sum(path.stat().st_size for path in made.path.iterdir() if path.name != "card.json")
    monkeypatch.setattr(checkpoints, "TOLERANCE", 0.0)
    with pytest.raises(CheckpointError, match="differ from its golden by"):
        publishing.graphs("denoiser.gray_s25", tmp_path)
