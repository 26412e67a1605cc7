"""Tests of checkpoints: saving, loading, and rejection of damaged files and invalid cards."""

import json
import os

import h5py
import numpy as np
import pytest

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.checkpoints import CheckpointError
from cnnzoo.metrics.scores import Score
from cnnzoo.registry import UnknownName
from cnnzoo.training.run_dir import Run

ABOUT = {
    "name": "lenet.test",
    "description": "a test",
    "data": {"name": "digits", "split": "train", "licence": "CC BY 4.0"},
    "recipe": {"command": "cnnzoo train lenet --data digits"},
    "scores": [Score("accuracy", 50.0, "%", "higher", 10, (40.0, 60.0)).to_json()],
    "paper": "none",
}


@pytest.fixture
def model():
    return cnnzoo.build("lenet", image_shape=(28, 28, 1), dropout=0.25)


@pytest.fixture
def saved(model, tmp_path):
    return checkpoints.save(model, tmp_path / "lenet.test", **ABOUT)


def same_weights(first, second) -> bool:
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_checkpoint_save_and_load_round_trip(model, saved):
    loaded = checkpoints.load(saved.path)
    assert same_weights(loaded, model)
    assert loaded.dropout == 0.25 and loaded.image_shape == (28, 28, 1)
    assert checkpoints.check_golden(saved, loaded) == 0.0
    assert same_weights(cnnzoo.build("lenet", weights=saved.path), model)
    assert sorted(p.name for p in saved.path.iterdir()) == ["card.json", "golden.npz", "model.weights.h5"]
    assert saved.card["parameters"] == 61_706
    assert saved.card["bytes"] == sum((saved.path / n).stat().st_size for n in saved.card["files"])


def test_checkpoint_omits_optimizer_and_preserves_random_states(model, tmp_path):
    model.compile()
    model.fit(np.zeros((4, 28, 28, 1), np.uint8), np.zeros(4, np.int64), verbose=0)
    saved = checkpoints.save(model, tmp_path / "trained", **ABOUT)
    with h5py.File(saved.path / "model.weights.h5") as file:
        assert "optimizer" not in file
    states = [s.numpy().tolist() for s in checkpoints.load(saved.path).seed_states]
    assert states == [s.numpy().tolist() for s in model.seed_states]


def test_check_golden_detects_changed_weights(saved, model):
    weight = model.trainable_variables[0]
    weight.assign(weight + 0.1)
    assert checkpoints.check_golden(saved, model) > 1e-4


def test_save_half_rounds_weights_to_float16(model, tmp_path):
    before = [w.copy() for w in model.get_weights()]
    whole = checkpoints.save(model, tmp_path / "whole", **ABOUT)
    half = checkpoints.save(model, tmp_path / "half", half=True, **ABOUT)
    loaded = checkpoints.load(half.path)
    assert same_weights(loaded, model)
    for rounded, weight in zip(loaded.get_weights(), before, strict=True):
        np.testing.assert_array_equal(rounded, weight.astype(np.float16).astype(np.float32))
    assert half.card["bytes"] < 0.6 * whole.card["bytes"]
    assert checkpoints.check_golden(half, loaded) == 0.0


def test_save_half_stores_equal_generators_once(tmp_path):
    model = cnnzoo.build("gan", image_shape=(8, 8, 1), latent_dim=4)
    model.average.set_weights([w + 0.25 for w in model.generator.get_weights()])
    about = {**ABOUT, "name": "gan.tiny"}
    two = checkpoints.save(model, tmp_path / "two", half=True, **about)
    one = checkpoints.save(model.reparameterized(), tmp_path / "one", half=True, **about)
    generator = sum(w.numpy().nbytes for w in model.generator.weights) // 2
    sizes = [(saved.path / "model.weights.h5").stat().st_size for saved in (one, two)]
    assert sizes[0] < sizes[1] - 0.99 * generator
    parameters = model.average.count_params() + model.discriminator.count_params()
    assert one.card["parameters"] == two.card["parameters"] == parameters
    loaded = cnnzoo.build("gan", weights=one.path)
    expected = [model.average.get_weights(), model.average.get_weights(), model.discriminator.get_weights()]
    for network, weights in zip((loaded.generator, loaded.average, loaded.discriminator), expected, strict=True):
        for stored, weight in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(stored, weight.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(loaded.generate(3, seed=1), cnnzoo.build("gan", weights=two.path).generate(3, seed=1))


@pytest.mark.parametrize("name", ["model.weights.h5", "golden.npz"])
@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_load_rejects_damaged_or_missing_file(saved, name, damage):
    file = saved.path / name
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "altered":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    expected = "is missing" if damage == "gone" else f"sha256 [0-9a-f]{{64}}.*{saved.card['files'][name]['sha256']}"
    with pytest.raises(CheckpointError, match=rf"{name} .*{expected}"):
        checkpoints.load(saved.path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda card: card.pop("task"), "must have the field 'task'. Received: "),
        (lambda card: card.update(color="red"), "must have only the fields .*. Received: color"),
        (lambda card: card.update(parameters="many"), "`parameters` must be of type int. Received: 'many'"),
        (lambda card: card.update(format=2), "must be of format 1 for this version of cnnzoo. Received: 2"),
        (
            lambda card: card.update(task="guess"),
            "`task` must be one of classify, reconstruct, generate.*. Received: 'guess'",
        ),
        (lambda card: card["data"].pop("licence"), "data must have the field 'licence'"),
        (lambda card: card["files"].pop("golden.npz"), "`files` must be golden.npz and .*. Received: model.weights.h5"),
        (lambda card: card["scores"][0].pop("protocol"), "scores must have the field 'protocol'"),
        (lambda card: card.update(config={"color": 1}), "Unknown configuration field 'color' of lenet"),
        (lambda card: card.update(config={"image_shape": [28, 28, 3]}), "does not match 'lenet'"),
    ],
)
def test_load_rejects_invalid_card(saved, change, complaint):
    card = json.loads((saved.path / "card.json").read_text())
    change(card)
    (saved.path / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=complaint):
        checkpoints.load(saved.path)


def test_load_rejects_missing_or_malformed_card(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"must be a checkpoint or a finished run. Received: neither card.json nor run.json"
    ):
        checkpoints.load(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"card.json is not JSON"):
        checkpoints.load(tmp_path)
    with pytest.raises(CheckpointError, match=r"card.json cannot be read: card.json is not a file"):
        checkpoints.open_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("crash", ["write_golden", "write_card", "_replace"])
def test_save_crash_preserves_previous_checkpoint(saved, crash, monkeypatch):
    before = {p.name: p.read_bytes() for p in saved.path.iterdir()}

    def fail(*args, **kwargs):
        raise RuntimeError("the power went")

    monkeypatch.setattr(checkpoints.store, crash, fail)
    with pytest.raises(RuntimeError, match="the power went"):
        checkpoints.save(cnnzoo.build("lenet"), saved.path, **ABOUT)
    assert {p.name: p.read_bytes() for p in saved.path.iterdir()} == before
    assert os.listdir(saved.path.parent) == ["lenet.test"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_save_refuses_score_that_is_not_finite_and_preserves_previous_checkpoint(saved, value):
    score = Score("psnr", value, "dB", "higher", 10).to_json()
    with pytest.raises(CheckpointError, match=r"card.json: scores: `value` must be of type float. Received: None"):
        checkpoints.save(cnnzoo.build("lenet"), saved.path, **{**ABOUT, "scores": [score]})
    assert checkpoints.open_checkpoint(saved.path) == saved
    assert os.listdir(saved.path.parent) == ["lenet.test"]


def test_save_replaces_existing_checkpoint(saved):
    other = cnnzoo.build("lenet", image_shape=(28, 28, 1))
    checkpoints.save(other, saved.path, **ABOUT)
    assert same_weights(checkpoints.load(saved.path), other)
    assert os.listdir(saved.path.parent) == ["lenet.test"]


@pytest.fixture
def run(saved):
    """The folder of a run, with the weights of a checkpoint."""
    (saved.path / "run.json").write_text(json.dumps({**saved.card, "data": "digits"}))
    (saved.path / "card.json").unlink()
    return saved.path


@pytest.mark.parametrize("key", ["architecture", "config", "data"])
def test_load_rejects_damaged_plan_of_run(run, key):
    plan = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({name: value for name, value in plan.items() if name != key}))
    for read in (checkpoints.load, Run.open):
        with pytest.raises(
            CheckpointError, match=f"must be the folder of a training run. .*must have the field '{key}'"
        ):
            read(run)
    (run / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"Received: run.json is not JSON"):
        checkpoints.load(run)


def test_card_and_build_of_folders(saved, model):
    assert cnnzoo.card(saved.path) == cnnzoo.card(str(saved.path)) == saved.card
    for folder in (saved.path, str(saved.path)):
        with pytest.raises(ValueError, match=r"of a folder: build\('lenet', weights='.*lenet.test'\). Received: "):
            cnnzoo.build(folder)
    with pytest.raises(UnknownName, match=r"Unknown checkpoint '.*nowhere'"):
        cnnzoo.build(saved.path / "nowhere")


def test_card_of_run_is_refused(run):
    with pytest.raises(CheckpointError, match=r"`name` must be of a checkpoint, which has a card. Received: the run "):
        cnnzoo.card(run)


def test_build_rejects_weights_of_other_architecture(saved):
    with pytest.raises(ValueError, match=r"`weights` must be those of 'cnn'. Received: .* of 'lenet'"):
        cnnzoo.build("cnn", weights=saved.path)
