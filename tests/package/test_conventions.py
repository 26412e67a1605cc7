"""Keras conventions (callbacks, saving, cloning, summaries) on one architecture of each task."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from conformance import samples
from keras import callbacks as keras_callbacks

import cnnzoo

GRAY = {"image_shape": (28, 28, 1)}
CONFIGS = {
    "lenet": GRAY,
    "vae": GRAY | {"latent_dim": 4},
    "dcgan": GRAY | {"width": 4, "latent_dim": 4},
    "denoiser": {"depth": 2, "width": 4},
    "inpainter": {"width": 4, "depth": 2},
    "espcn": {"scale": 2, "width": 4},
}
NEVER = {"min_delta": 1e9, "patience": 0}  # no value improves by that much


class Interruption(keras_callbacks.Callback):
    """Interrupts training at the beginning of the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def fresh(name: str, seed: int = 0):
    keras.utils.set_random_seed(seed)
    model = cnnzoo.build(name, **CONFIGS[name])
    model.compile()
    return model


def fit(model, *callbacks, epochs: int = 3, validation: bool = False) -> dict[str, list[float]]:
    batch = samples.batch(model)
    settings = {"batch_size": samples.BATCH, "shuffle": False, "verbose": 0, "callbacks": list(callbacks)}
    if validation:
        settings["validation_data"] = batch
    return model.fit(*batch, epochs=epochs, **settings).history


@pytest.fixture(scope="module", params=CONFIGS)
def trained(request, tmp_path_factory):
    """A model trained for three epochs with Keras callbacks: its name, itself, its history, and the output folder."""
    folder, model = tmp_path_factory.mktemp(request.param), fresh(request.param)
    history = fit(
        model,
        keras_callbacks.TensorBoard(folder / "tensorboard", histogram_freq=3),
        keras_callbacks.ModelCheckpoint(folder / "best.keras", monitor="val_loss", save_best_only=True),
        keras_callbacks.ModelCheckpoint(folder / "{epoch}.weights.h5", save_weights_only=True),
        keras_callbacks.ReduceLROnPlateau(monitor=f"val_{model.metrics_names[-1]}", factor=0.5, mode="min", **NEVER),
        keras_callbacks.CSVLogger(folder / "log.csv"),
        keras_callbacks.TerminateOnNaN(),
        validation=True,
    )
    return request.param, model, history, folder


def called(model) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(samples.inputs(model)))


def test_fit_evaluate_and_predict_agree(trained):
    _, model, history, _ = trained
    assert set(model.metrics_names) == {
        key for key in history if not key.startswith("val_") and "learning_rate" not in key
    }
    assert {f"val_{name}" for name in model.metrics_names} <= set(history)
    scores = model.evaluate(*samples.batch(model), batch_size=samples.BATCH, verbose=0, return_dict=True)
    for name, value in scores.items():
        assert value == pytest.approx(history[f"val_{name}"][-1], rel=1e-4, abs=1e-6), name
    np.testing.assert_allclose(model.predict(samples.inputs(model), verbose=0), called(model), atol=1e-5)


def test_reduce_lr_on_plateau_lowers_rate_of_every_phase(trained):
    name, model, history, _ = trained
    phases = [phase.name for phase in model.phases()]
    assert (len(phases) > 1) == (name == "dcgan")
    for phase, optimizer in model.default_optimizers().items():
        log = history[f"learning_rate_{phase}" if len(phases) > 1 else "learning_rate"]
        published = float(optimizer.learning_rate)
        np.testing.assert_allclose(log, [published, published, published / 2], rtol=1e-6)
        np.testing.assert_allclose(float(model.optimizer.by_phase[phase].learning_rate), published / 4, rtol=1e-6)


def test_learning_rate_scheduler_sets_rate_of_every_phase():
    model = fresh("dcgan")
    rates = {name: float(optimizer.learning_rate) for name, optimizer in model.optimizer.by_phase.items()}
    logs = fit(model, keras_callbacks.LearningRateScheduler(lambda epoch, rate: rate / (epoch + 1)), epochs=2)
    for name, rate in rates.items():
        np.testing.assert_allclose(logs[f"learning_rate_{name}"], [rate, rate / 2], rtol=1e-6)


def test_model_checkpoint_saves_best_and_last_epoch(trained):
    name, model, history, folder = trained
    last = fresh(name, seed=1)
    last.load_weights(folder / "3.weights.h5")
    np.testing.assert_array_equal(called(last), called(model))
    best = keras.saving.load_model(folder / "best.keras")
    scores = best.evaluate(*samples.batch(model), batch_size=samples.BATCH, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(min(history["val_loss"]), rel=1e-4)


def test_tensorboard_logs_every_metric(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, model, history, folder = trained
    for part, names in (("train", model.metrics_names), ("validation", model.metrics_names)):
        events = EventAccumulator(str(folder / "tensorboard" / part), size_guidance={"tensors": 0}).Reload()
        for name in names:
            values = [
                float(np.frombuffer(e.tensor_proto.tensor_content, "f4")[0]) for e in events.Tensors(f"epoch_{name}")
            ]
            np.testing.assert_allclose(values, history[name if part == "train" else f"val_{name}"], rtol=1e-6)


def test_early_stopping_infers_direction_of_each_metric(trained):
    """Without a mode, training stops at the second epoch, as no value improves by `min_delta`."""
    name, model, _, _ = trained
    stoppers = [
        keras_callbacks.EarlyStopping(monitor=f"{part}{log}", **NEVER, restore_best_weights=True)
        for log in model.metrics_names
        for part in ("", "val_")
        if (name, log) != ("vae", "kl")  # kl is better neither high nor low
    ]
    assert len(fit(model, *stoppers, epochs=4, validation=True)["loss"]) == 2
    for stopper in stoppers:
        assert stopper.stopped_epoch == 1, stopper.monitor
        lower = stopper.monitor.endswith(("loss", "likelihood"))
        assert stopper._is_improvement(-2e9, 0.0) == lower and stopper._is_improvement(2e9, 0.0) != lower


def test_early_stopping_requires_mode_for_kl():
    with pytest.raises(ValueError, match="Pass `mode='max'`"):
        fit(fresh("vae"), keras_callbacks.EarlyStopping(monitor="kl"))


def test_backup_and_restore_resumes_bit_for_bit(tmp_path):
    name = "dcgan"
    whole = fresh(name)
    wanted = fit(whole, epochs=4)["loss"]
    with pytest.raises(KeyboardInterrupt):
        fit(fresh(name), keras_callbacks.BackupAndRestore(tmp_path), Interruption(), epochs=4)
    again = fresh(name, seed=1)
    assert fit(again, keras_callbacks.BackupAndRestore(tmp_path), epochs=4)["loss"] == wanted[2:]
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_fit_on_iterables_does_not_warn_about_shuffle(recwarn):
    """Datasets and generators define their own order, so Keras need not warn."""
    model = fresh("lenet")
    model.fit(cnnzoo.pipeline("digits", batch_size=256).take(1), verbose=0)
    model.fit((samples.batch(model) for _ in range(1)), verbose=0)
    assert [str(w.message) for w in recwarn if "shuffle" in str(w.message)] == []


def test_saved_models_load_in_new_process_importing_cnnzoo(tmp_path):
    wanted = {}
    for name in CONFIGS:
        model = fresh(name)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", samples.inputs(model))
        wanted[name] = called(model)
    script = f"""
import sys
import cnnzoo
assert "keras" not in sys.modules
import keras, json, numpy as np
found = {{}}
for name in {list(CONFIGS)}:
    model = keras.saving.load_model(f"{tmp_path}/{{name}}.keras")
    assert type(model).__module__ == f"cnnzoo.models.{{name}}" and model.compiled
    found[name] = keras.ops.convert_to_numpy(model(np.load(f"{tmp_path}/{{name}}.npy"))).tolist()
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        np.testing.assert_allclose(value, wanted[name], atol=1e-6)


def test_summary_shows_sub_networks(trained):
    _, model, _, _ = trained
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    model.summary(print_fn=lines.append, expand_nested=True, show_trainable=True)
    text = "\n".join(lines)
    networks = {layer.name for phase in model.phases() for layer in phase.layers}
    assert networks and all(name in text for name in networks)
    assert f"{sum(int(np.prod(w.shape)) for w in model.trainable_weights):,}" in text


def test_model_plot_clone_and_json_round_trip(trained):
    _, model, _, _ = trained
    assert type(model).__name__ in keras.utils.model_to_dot(model, expand_nested=True, show_shapes=True).to_string()
    for other in (
        keras.models.clone_model(model),
        type(model).from_config(model.get_config()),
        keras.models.model_from_json(model.to_json()),
    ):
        assert type(other) is type(model) and other.get_config() == model.get_config()
        other.set_weights(model.get_weights())
    np.testing.assert_array_equal(called(other), called(model))
