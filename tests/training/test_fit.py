"""`cnnzoo.train`: files of a run, rejected settings and stopping. `test_resume.py` covers resuming."""

import json
import re
import signal
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import cnnzoo
from cnnzoo import data, registry
from cnnzoo.data.photograph_rows import is_photographs
from cnnzoo.imaging.arrays import contact_sheet
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.recipes import Recipe, adam_cosine, list_recipes, recipe
from cnnzoo.registry import UnknownName, list_models, register
from cnnzoo.training import loop
from cnnzoo.training import plan as planning
from cnnzoo.training.callbacks import CollapseWarning, Coverage, TrainingDiverged
from cnnzoo.training.status import status

BATCH = 600  # 2 steps per epoch on the digits


class Scalar(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_weight(shape=(), initializer="ones", name="value")
        self.built = True


class Toy(PhasedModel):
    """Trains two scalars by SGD, starting at 1; every log has a closed form."""

    task = "generate"
    latent_dim = 1

    def __init__(self, *, image_shape=(8, 8, 1), rate=0.1, loss="square", repeats=1, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.rate, self.loss, self.repeats = rate, loss, repeats
        self.first, self.second = Scalar(), Scalar()
        self.build()

    def phases(self):
        first = Phase("first", [self.first], lambda _: self.first.value**2, self.repeats)
        return [first, Phase("second", [self.second], self.other)]

    def other(self, _):
        v = self.second.value
        return v**2 if self.loss == "square" else v - ops.stop_gradient(v)  # otherwise value 0, gradient 1

    def forward(self, images, labels, training):
        return None

    def default_optimizers(self):
        return {"first": keras.optimizers.SGD(0.1), "second": keras.optimizers.SGD(self.rate)}

    def generate(self, n, seed=0):
        return np.full((n, 8, 8, 1), seed + 0.5 + self.first.value.numpy() / 4, "float32")


@pytest.fixture(scope="module", autouse=True)
def known():
    """Registers `Toy` as an architecture for the tests of this module."""
    register("toy")(Toy)
    yield
    del registry._classes["toy"]


def toy(out, **settings):
    return cnnzoo.train(
        "toy", out=out, **{"data": "digits", "batch_size": BATCH, "epochs": 3, "verbose": 0, **settings}
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return toy(tmp_path_factory.mktemp("fit") / "run")


def squares(rate, steps):
    """Returns the loss v^2 at each step of SGD from v = 1."""
    return (1 - 2 * rate) ** (2 * np.arange(steps))


def test_history_contains_epoch_means_of_all_logs(run):
    history = json.loads((run / "history.json").read_text())
    means = squares(0.1, 6).reshape(3, 2).mean(axis=1)
    assert [(entry["epoch"], entry["step"]) for entry in history] == [(1, 2), (2, 4), (3, 6)]
    for name, factor in {"first_loss": 1, "second_loss": 1, "loss": 2}.items():
        np.testing.assert_allclose([entry[name] for entry in history], factor * means, rtol=1e-5)


def test_run_json_records_settings_optimizers_and_versions(run):
    plan = json.loads((run / "run.json").read_text())
    assert {key: plan[key] for key in ("name", "data", "epochs", "batch_size", "seed", "steps")} == {
        "name": "toy", "data": "digits", "epochs": 3, "batch_size": BATCH, "seed": 0, "steps": 6
    }  # fmt: skip
    assert plan["config"] == {"image_shape": [8, 8, 1], "rate": 0.1, "loss": "square", "repeats": 1}
    assert plan["optimizers"]["second"]["config"]["learning_rate"] == pytest.approx(0.1)
    assert plan["versions"]["keras"] == keras.__version__


def test_final_weight_file_contains_model_weights_only(run):
    import h5py

    arrays = []
    with h5py.File(run / "model.weights.h5") as file:
        file.visititems(lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    assert arrays == [pytest.approx(0.8**6)] * 2  # two weights, no optimizer variables, no running means
    fresh = Toy()
    fresh.load_weights(run / "model.weights.h5")
    assert fresh.first.value.numpy() == pytest.approx(0.8**6)


def test_contact_sheets_use_same_noise_in_every_epoch(run):
    from skimage.io import imread

    sheets = [imread(path) for path in sorted((run / "samples").iterdir())]
    assert [path.name for path in sorted((run / "samples").iterdir())] == [f"epoch-000{i}.png" for i in (1, 2, 3)]
    for epoch, sheet in enumerate(sheets, start=1):
        value = round(255 * (0.5 + 0.8 ** (2 * epoch) / 4))
        assert np.count_nonzero(sheet == value) >= 64 * 8 * 8  # 64 images; gaps may have the same value


def test_tensorboard_contains_scalars_and_contact_sheets(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    history = json.loads((run / "history.json").read_text())
    timed = {"images_per_second", "waiting"}
    assert set(events.Tags()["scalars"]) == {"loss", "first_loss", "second_loss", "coverage", *timed}
    assert len(events.Scalars("images_per_second")) == 3
    assert all(0 < s.value < float("inf") for s in events.Scalars("images_per_second"))
    assert [s.step for s in events.Scalars("loss")] == [1, 2, 3]
    np.testing.assert_allclose([s.value for s in events.Scalars("loss")], [entry["loss"] for entry in history])
    png = (run / "samples" / "epoch-0003.png").read_bytes()
    assert events.Images("samples")[-1].encoded_image_string == png


def test_contact_sheet_shows_originals_above_reconstructions(tmp_path):
    settings = {"data": "digits", "batch_size": BATCH, "epochs": 1, "verbose": 0}
    folder = cnnzoo.train("autoencoder", out=tmp_path / "run", config={"width": 2, "hidden": 4}, **settings)
    sheet = np.asarray(Image.open(folder / "samples" / "epoch-0001.png"))
    originals = data.load("digits", "validation", shape=(28, 28, 1)).images
    columns = sheet.shape[1] // (28 + 2)
    made = cnnzoo.build("autoencoder", weights=folder).reconstruct(originals[:columns])
    expected = contact_sheet(np.concatenate([originals[:columns], made]), columns)[..., 0]
    np.testing.assert_array_equal(sheet[: 28 + 2], expected[: 28 + 2])
    assert np.abs(sheet.astype(int) - expected).max() <= 1  # rounding may differ by one gray level


def test_diverging_loss_stops_run_and_keeps_last_finite_state(tmp_path):
    # v_k = (1 - 2e5)^k; its square exceeds the float32 maximum 3.4e38 at k = 4, the loss of step 5, in epoch 3.
    with pytest.raises(TrainingDiverged, match=r"second_loss is inf in phase 'second' at step 5 of 6") as error:
        toy(tmp_path / "run", config={"rate": 1e5})
    assert [path.name for path in (tmp_path / "run/state").glob("[!.]*")] != []
    newest = tmp_path / "run/state/step-00000004"
    assert str(newest) in str(error.value) and newest.exists()
    assert not (tmp_path / "run/model.weights.h5").exists()
    found = status(tmp_path / "run")
    assert (found.state, found.epochs) == ("diverged", 2)
    assert found.problem == "second_loss is inf in phase 'second' at step 5"


def test_non_finite_weights_stop_run_and_are_not_saved(tmp_path):
    # The loss is 0 and the weight falls by 3e38 per step: it is -inf after step 2, the last step of epoch 1.
    with pytest.raises(TrainingDiverged, match=r"the weight .* is not finite in phase 'second' at step 2 of 6"):
        toy(tmp_path / "run", config={"rate": 3e38, "loss": "slope"})
    assert not (tmp_path / "run/state").exists()


def test_train_on_split_fit_logs_validation_loss(tmp_path, monkeypatch):
    held = Recipe(checkpoint="toy.held", data="digits", split="fit", epochs=2, batch_size=BATCH, expects="")
    monkeypatch.setattr(planning, "recipe", lambda name: held)
    run = cnnzoo.train("toy.held", out=tmp_path / "run", verbose=0)
    history = json.loads((run / "history.json").read_text())
    plan = json.loads((run / "run.json").read_text())
    after = squares(0.1, plan["steps"] + 1)[plan["steps_per_epoch"] :: plan["steps_per_epoch"]]
    np.testing.assert_allclose([entry["val_first_loss"] for entry in history], after, rtol=1e-5)


@pytest.mark.parametrize("end", [0.0, 0.25])
def test_learning_rate_decay_is_invariant_to_phase_repeats(end, tmp_path, monkeypatch):
    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([float(optimizer.learning_rate) for optimizer in self.model.optimizer.by_phase.values()])

    seen, falling = [], adam_cosine(0.1, "first", "second", end=end)
    often = Recipe("digits", 3, "", "toy.often", batch_size=BATCH, config={"repeats": 5}, optimizers=falling)
    monkeypatch.setattr(planning, "recipe", lambda name: often)
    cnnzoo.train("toy.often", out=tmp_path / "run", callbacks=[Note()], verbose=0)
    cosine = 0.1 * (end + (1 - end) * (1 + np.cos(np.pi * np.arange(1, 7) / 6)) / 2)
    np.testing.assert_allclose(seen, np.stack([cosine, cosine], axis=1), atol=1e-7)


def test_train_runs_callbacks_and_respects_stop_training(tmp_path):
    class Count(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1

        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    count = Count()
    run = toy(tmp_path / "run", epochs=5, callbacks=[count])
    assert count.batches == 4
    assert len(json.loads((run / "history.json").read_text())) == 2
    assert (run / "model.weights.h5").exists()


def test_callbacks_may_log_numbers_of_numpy(tmp_path):
    class Log(keras.callbacks.Callback):
        value = np.float32(0.5)

        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = self.value

    log = Log()
    run = toy(tmp_path / "run", epochs=1, callbacks=[log])
    scalars = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
    assert scalars[0]["mine"] == json.loads((run / "history.json").read_text())[0]["mine"] == 0.5
    log.value = "half"
    with pytest.raises(ValueError, match=r"Callbacks must log numbers\. Received: mine='half'"):
        toy(tmp_path / "other", epochs=1, callbacks=[log])


def test_train_restores_signal_handlers_and_random_state(tmp_path):
    import random

    def mine(number, frame):
        raise AssertionError("not during this test")

    interrupt, before = signal.getsignal(signal.SIGINT), signal.signal(signal.SIGTERM, mine)
    try:
        random.seed(7)
        toy(tmp_path / "run", epochs=1)
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is interrupt
        drawn = random.random()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert drawn == random.Random(7).random()


def test_train_works_outside_main_thread(tmp_path):
    thread = threading.Thread(target=toy, args=[tmp_path / "run"], kwargs={"epochs": 1})
    thread.start()
    thread.join()
    assert (tmp_path / "run/model.weights.h5").exists()


def test_build_model_initial_weights_depend_on_seed(tmp_path):
    def first_kernel(seed):
        model = planning.build_model({"architecture": "lenet", "config": {}, "seed": seed})
        return model.get_weights()[0]

    assert np.array_equal(first_kernel(1), first_kernel(1))
    assert not np.array_equal(first_kernel(1), first_kernel(2))


def test_train_infers_number_of_classes_from_folder(tmp_path):
    from skimage.io import imsave

    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("circle", "square", "star"):
            (tmp_path / "shapes" / split / label).mkdir(parents=True)
            for i in range(4):
                image = generator.integers(0, 256, (28, 28), dtype=np.uint8)
                imsave(tmp_path / "shapes" / split / label / f"{i}.png", image, check_contrast=False)
    settings = {"epochs": 1, "batch_size": 6, "verbose": 0, "out": tmp_path / "run"}
    run = cnnzoo.train("cnn", data=tmp_path / "shapes", **settings)
    plan = json.loads((run / "run.json").read_text())
    assert plan["config"]["classes"] == 3
    assert plan["data"] == str(tmp_path / "shapes")


def test_train_does_not_overwrite_existing_run_or_file(run, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"already holds a run; resume it with --resume"):
        toy(run)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"must be a folder, new or without a run\. Received: a file"):
        toy(tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    assert [str(toy(None, epochs=1)) for _ in range(2)] == ["runs/toy.digits", "runs/toy.digits-2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": None}, "must be the name of a data set or a folder for 'toy'. Received: None"),
        ({"data": "nowhere"}, "arrayrecord:PATH, or an existing folder. Received: 'nowhere'"),
        ({"epochs": 0}, "`epochs` must be an integer >= 1. Received: 0"),
        ({"epochs": 1.5}, "`epochs` must be an integer >= 1. Received: 1.5"),
        ({"limit": 1.5}, "`limit` must be an integer >= 1. Received: 1.5"),
        ({"frozen": 3}, r"`frozen` \(--freeze\) must be names of layers. Received: 3"),
        ({"batch_size": -3}, "`batch_size` must be an integer >= 1. Received: -3"),
        ({"seed": -1}, "`seed` must be an integer >= 0. Received: -1"),
        ({"config": {"depth": 3}}, "Unknown configuration field 'depth' of toy. Available: image_shape="),
        ({"batch_size": 100_000}, "`batch_size` must be between 1 and .*. Received: 100000"),
        ({"resume": "elsewhere"}, "`name`, `out`, `data`, `epochs`, `batch_size` must not be given with `resume`"),
    ],
)
def test_train_rejects_invalid_settings(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        toy(tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_train_rejects_unknown_or_missing_names_and_run_folders(tmp_path):
    with pytest.raises(UnknownName, match=r"Unknown recipe 'cnn\.minst'. Did you mean cnn"):
        cnnzoo.train("cnn.minst")
    with pytest.raises(UnknownName, match=r"Unknown architecture 'cnm'. Did you mean cnn"):
        cnnzoo.train("cnm", data="digits")
    with pytest.raises(ValueError, match=r"must be the folder of a training run\. Received: no run\.json"):
        cnnzoo.train(resume=tmp_path)
    with pytest.raises(ValueError, match=r"`name` must be arch.tag, .*\. Received: neither"):
        cnnzoo.train(data="digits")


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_metadata_and_optimizers_are_valid(name):
    mine = recipe(name)
    arch, tag = name.split(".")
    assert mine.checkpoint == name and arch in list_models()
    assert is_photographs(mine.data) or tag.startswith(mine.data.split("/")[0])  # photographs have other tags
    assert mine.expects and mine.summary and not mine.summary.endswith(".")
    assert mine.published.startswith("none") or (re.search(r"\(.+, \d{4}.*\)", mine.published) and mine.differs)
    model = planning.build_model({"architecture": arch, "config": mine.config, "seed": 0})
    updates = {phase.name: 100 for phase in model.phases()}
    made = mine.optimizers(updates) if mine.optimizers else model.default_optimizers()
    model.compile(made)  # raises unless every phase has an optimizer
    keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model.optimizer))


def test_list_recipes_does_not_import_keras():
    code = "import sys; from cnnzoo.recipes import *; print(*list_recipes('cnn_wide'), 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "cnn_wide.mnist False\n", done.stderr


def test_limit_selects_same_subset_before_and_after_resume(tmp_path, monkeypatch):
    seen, stream = [], data.ImageSet.stream
    monkeypatch.setattr(data.ImageSet, "stream", lambda images, *when: seen.append(images) or stream(images, *when))
    path = toy(tmp_path / "run", limit=1300, epochs=1)
    plan = json.loads((path / "run.json").read_text())
    assert plan["limit"] == 1300 and plan["steps_per_epoch"] == 2
    (path / "model.weights.h5").unlink()
    (path / "run.json").write_text(json.dumps(plan | {"epochs": 2, "steps": 4}))
    cnnzoo.train(resume=path, verbose=0)
    expected = data.load("digits", shape=(8, 8, 1)).few(1300).images
    assert len(seen) == 2 and len(expected) == 1300
    for images in seen:
        np.testing.assert_array_equal(images.images, expected)
    with pytest.raises(ValueError, match=r"`limit` must be an integer >= 1\. Received: 0"):
        toy(tmp_path / "other", limit=0)
    assert not (tmp_path / "other").exists()


def test_coverage_in_history_matches_density_coverage(tmp_path):
    from cnnzoo.data import load
    from cnnzoo.metrics.features import density_coverage

    run = cnnzoo.train(
        "dcgan", data="digits", epochs=1, batch_size=BATCH, config={"width": 2}, out=tmp_path / "run", verbose=0
    )
    logged = json.loads((run / "history.json").read_text())[0]["coverage"]
    real = load("digits", shape=(28, 28, 1)).images[: loop.COVERAGE_IMAGES].reshape(loop.COVERAGE_IMAGES, -1) / 255
    fake = cnnzoo.build("dcgan", weights=run).generate(loop.COVERAGE_IMAGES, seed=0).reshape(loop.COVERAGE_IMAGES, -1)
    assert logged == pytest.approx(density_coverage(real, fake, 5)[1])


def test_coverage_warns_when_generator_collapses():
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 1)).astype(np.uint8)
    watch = Coverage(images)

    class Generator:
        kinds = 50

        def generate(self, n, seed):
            return np.resize(images[: self.kinds], images.shape) / 255

    watch.set_model(Generator())
    logs = {}
    for kinds in (20, 50, 30):
        Generator.kinds = kinds
        watch.on_epoch_end(0, logs)
    best = watch.best
    assert best == 1.0
    Generator.kinds = 2
    with pytest.warns(CollapseWarning, match=r"the generator has collapsed: .* after epoch 7, and was 1\.00"):
        watch.on_epoch_end(6, logs)
    assert logs["coverage"] < 0.5
    early = Coverage(0 * images, best=0.09)  # best value below 0.1, as at the start of training: no warning
    early.set_model(Generator())
    early.on_epoch_end(0, logs)
    assert logs["coverage"] < 0.045
