"""`score_every`: a curve of scores on held-out validation images, without effect on the training."""

import json
import signal

import keras
import pytest

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.recipes import Recipe
from cnnzoo.recipes.json_files import write_recipe
from cnnzoo.training.scores import ValidationScores

SMALL = {"width": 2, "latent_dim": 4}


def write(folder, arch, **config):
    """Writes a recipe on the digits that holds out the validation images with and without scores."""
    write_recipe(folder, Recipe("digits", 3, "", arch, split="fit", batch_size=400, config=config))
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write(tmp_path_factory.mktemp("recipe"), "lenet", dropout=0.5)


@pytest.fixture(scope="module")
def scored(recipe, tmp_path_factory):
    """A run with scores."""
    run = tmp_path_factory.mktemp("scored") / "run"
    return cnnzoo.train(recipe, score_every=2, out=run, verbose=0)


def curve(run):
    return json.loads((run / "curve.json").read_text())


def outcome(run):
    """Returns the arrays of the last state, optimizers included, and the logs."""
    import h5py

    arrays = {}
    state = max((run / "state").iterdir())
    with h5py.File(state / "model.weights.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()].tobytes()} if hasattr(item, "dtype") else {}))
    return arrays, json.loads((run / "history.json").read_text())


def scores_of(entry):
    return {name: value for name, value in entry.items() if name not in ("epoch", "step", "core_hours")}


def test_scores_match_evaluate_and_do_not_change_training(recipe, scored, tmp_path, capsys):
    check(recipe, scored, tmp_path, capsys)


@pytest.mark.slow
def test_generator_scores_match_evaluate_and_keep_training_equal(tmp_path, capsys):
    recipe = write(tmp_path / "recipe", "dcgan", **SMALL)
    scored = cnnzoo.train(recipe, score_every=2, out=tmp_path / "scored", verbose=0)
    check(recipe, scored, tmp_path, capsys)
    assert {"frechet_over_floor", "coverage"} < set(curve(scored)[0])


def check(recipe, scored, tmp_path, capsys):
    entries = curve(scored)
    assert [(entry["epoch"], entry["step"]) for entry in entries] == [(2, 6), (3, 9)]
    assert 0 < entries[0]["core_hours"] < entries[1]["core_hours"]
    assert main(["evaluate", str(scored), "--split", "validation", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert scores_of(entries[-1]) == {score["name"]: score["value"] for score in report["scores"]}
    plain = cnnzoo.train(recipe, out=tmp_path / "plain", verbose=0)
    assert outcome(scored) == outcome(plain)
    assert not (plain / "curve.json").exists()


def test_tensorboard_contains_validation_scores(scored):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(scored / "tensorboard"))
    events.Reload()
    found = [(scalar.step, scalar.value) for scalar in events.Scalars("validation/accuracy")]
    assert found == [(entry["epoch"], pytest.approx(entry["accuracy"])) for entry in curve(scored)]
    assert len(events.Scalars("loss")) == 3


def test_resume_computes_missing_scores(recipe, scored, tmp_path, monkeypatch):
    class Stop(keras.callbacks.Callback):
        """Interrupts the run within the second epoch."""

        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 4:
                signal.raise_signal(signal.SIGINT)

    def killed(self, model, epoch):
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "default_int_handler", None)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match="stopped after step 4"):
        cnnzoo.train(recipe, score_every=2, out=run, callbacks=[Stop()], verbose=0)
    before = json.loads((run / "state/step-00000004/state.json").read_text())["core_hours"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ValidationScores, "_score", killed)
        cnnzoo.train(resume=run, verbose=0)
    assert not (run / "curve.json").exists() and (run / "state/step-00000006").exists()
    cnnzoo.train(resume=run, verbose=0)
    assert list(map(scores_of, curve(run))) == list(map(scores_of, curve(scored)))
    assert outcome(run) == outcome(scored)
    assert 0 < before < curve(run)[0]["core_hours"] < curve(run)[1]["core_hours"]


def test_resume_truncates_curve_after_resumed_state(scored, tmp_path):
    import shutil

    run = shutil.copytree(scored, tmp_path / "run")
    (run / "model.weights.h5").unlink()
    shutil.rmtree(run / "state/step-00000009")
    assert cnnzoo.train(resume=run, verbose=0) == run
    assert [entry["step"] for entry in curve(run)] == [6, 9]
    assert list(map(scores_of, curve(run))) == list(map(scores_of, curve(scored)))


def test_score_every_holds_out_validation_images(tmp_path, capsys):
    run = cnnzoo.train(
        "autoencoder",
        data="digits",
        config={**SMALL, "hidden": 4},
        batch_size=600,
        epochs=1,
        score_every=9,
        out=tmp_path / "run",
        verbose=2,
    )
    plan, [entry] = json.loads((run / "run.json").read_text()), curve(run)
    assert (plan["split"], plan["score_every"], entry["epoch"]) == ("fit", 9, 1)
    lines = capsys.readouterr().out.splitlines()
    assert "the validation images of digits are held out, for the scores" in lines
    assert lines[-1].startswith(f"validation, {entry['core_hours']:.3g} core-hours  mse {entry['mse']:.4g}")
    with pytest.raises(ValueError, match="`score_every` must not be given with `resume`"):
        cnnzoo.train(resume=run, score_every=1)


@pytest.mark.parametrize(
    ("arch", "images", "settings", "complaint"),
    [
        ("dcgan", 59, {}, r"must have 6 images or more in the split 'validation'\. Received: 4 of"),
        ("autoencoder", 9, {}, r"must have 1 images or more in the split 'validation'\. Received: 0 of"),
        ("dcgan", 60, {"config": {"image_shape": [32, 32, 1]}}, "`extractor` must be the name of a classifier"),
        ("espcn", 10, {"crop": 12}, r"Sides of photographs must be 17 pixels or more\. Received: fewer in"),
        ("autoencoder", 60, {"score_every": 0}, r"`score_every` must be an integer >= 1\. Received: 0"),
    ],
)
def test_score_every_rejects_invalid_data_and_settings(tmp_path, arch, images, settings, complaint):
    import numpy as np

    from cnnzoo.imaging.files import save_png

    for i in range(images):
        save_png(tmp_path / "pictures" / f"{i}.png", np.full((16, 16, 1), i, np.uint8))
    config = {"image_shape": [28, 28, 1]} if arch != "espcn" else {}
    given = {"epochs": 1, "score_every": 1, "config": config, **settings}
    with pytest.raises(ValueError, match=complaint) as error:
        cnnzoo.train(arch, data=tmp_path / "pictures", out=tmp_path / "run", verbose=0, **given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_core_hours_exclude_time_of_scores(recipe, tmp_path, monkeypatch):
    import time

    from cnnzoo.training import scores

    taken, clock, evaluate = [], time.process_time, scores.evaluate
    monkeypatch.setattr(time, "process_time", lambda: clock() + 3600 * len(taken))
    monkeypatch.setattr(scores, "evaluate", lambda *given: [taken.append(1), evaluate(*given)][1])
    run = cnnzoo.train(recipe, score_every=1, out=tmp_path / "run", verbose=0)
    assert len(taken) == 3 and 0 < curve(run)[-1]["core_hours"] < 1
    state = json.loads((run / "state/step-00000009/state.json").read_text())
    assert 0 < state["core_hours"] < 1
