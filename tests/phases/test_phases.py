"""The training step, compared with hand computation and between backends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from conformance import noise, samples
from toys import IMAGES, Game, Line, Means

import cnnzoo
from cnnzoo.phases import PhasedModel

TESTS = Path(__file__).parents[1]


def game_by_hand(updates: str, steps: int) -> tuple[float, float, float, list[float]]:
    """Returns a, b, the EMA of a and the sums of both losses, in float64."""
    a, b, average, sums = 1.0, 2.0, 1.0, []
    for step in range(1, steps + 1):
        first = a * b + 0.5 * a * a
        new_a = a - 0.1 * (b + a)
        at = new_a if updates == "alternating" else a
        sums.append(first - at * b)
        a, b = new_a, b + 0.2 * at
        average += (1 - min(0.9, (1 + step) / (10 + step))) * (a - average)
    return a, b, average, sums


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_alternating_and_simultaneous_updates_match_hand_computation(updates):
    model = Game(updates=updates)
    model.compile()
    history = model.fit(IMAGES, batch_size=8, epochs=4, verbose=0).history
    a, b, average, sums = game_by_hand(updates, 4)
    found = [float(number()) for number in (model.a, model.b, model.average)]
    np.testing.assert_allclose(found, [a, b, average], atol=5e-7)  # a few rounding errors of numbers near 1
    np.testing.assert_allclose(history["loss"], sums, rtol=1e-6)
    assert set(history) == {"loss", "first_loss", "second_loss"}


def test_fit_step_is_sgd_and_evaluate_logs_mean_over_images():
    labels = np.linspace(1, 3, 8, dtype=np.float32)
    model = Line()
    model.compile()
    x = IMAGES[:, 0, 0, 0].astype(np.float64)
    logs = model.evaluate(IMAGES, labels, batch_size=5, verbose=0, return_dict=True)  # batches of 5 and 3
    assert logs["loss"] == pytest.approx(np.mean((0.5 * x - labels) ** 2), rel=1e-6)
    model.fit(IMAGES, labels, batch_size=8, verbose=0)
    expected = 0.5 - 0.1 * np.mean(2 * (0.5 * x - labels) * x)
    assert float(model.w()) == pytest.approx(expected, rel=1e-6)


def test_repeated_phase_uses_one_share_of_batch_per_repeat():
    model = Means()
    model.compile()
    images = np.array([1, 4, 0, 2, 8, 3, 7], np.float32).reshape(7, 1, 1, 1) / 8  # three shares of two
    logs = model.fit(images, batch_size=7, shuffle=False, verbose=0).history
    a, losses = 0.0, []
    for mean in ((1 + 2) / 16, (4 + 8) / 16, (0 + 3) / 16):
        losses.append(0.5 * (a - mean) ** 2)
        a -= 0.5 * (a - mean)
    assert float(model.a()) == pytest.approx(a)
    assert float(model.b()) == pytest.approx(0.5 * 1.5 / 8)  # the first share
    assert logs["often_loss"] == [pytest.approx(np.mean(losses))]
    assert logs["loss"] == [pytest.approx(np.mean(losses) + 0.5 * (1.5 / 8) ** 2)]
    whole = model.evaluate(images, batch_size=7, verbose=0, return_dict=True)
    assert whole["often_loss"] == pytest.approx(0.5 * (a - images.mean()) ** 2)


def test_learning_rate_of_optimizer_is_separate_for_each_phase():
    line = Line()
    line.compile("sgd")
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    line.fit(IMAGES, np.zeros(8), epochs=2, callbacks=[halve], verbose=0)
    assert float(line.optimizer.by_phase["fit"].learning_rate) == pytest.approx(0.01 / 4)
    game = Game()
    game.compile()
    for touch in (lambda: game.optimizer.learning_rate, lambda: setattr(game.optimizer, "learning_rate", 0.1)):
        with pytest.raises(AttributeError, match="Each phase must have its own learning rate"):
            touch()
    game.fit(IMAGES, callbacks=[halve], verbose=0)
    assert float(game.optimizer.by_phase["first"].learning_rate) == pytest.approx(0.1 / 2)
    assert float(game.optimizer.by_phase["second"].learning_rate) == pytest.approx(0.2 / 2)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"optimizer": "sgd"}, "must be a dict with one for each of the phases first, second. Received: one optimizer"),
        ({"optimizer": {"first": "sgd"}}, "`optimizer` must name the phases first, second. Received: first"),
        ({"loss": "mse"}, "Game.compile must .*; its losses and metrics are its own. Received: loss"),
        ({"metrics": ["mae"]}, "Game.compile must .*Received: metrics"),
    ],
)
def test_compile_rejects_invalid_arguments(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        Game().compile(**arguments)


def test_fit_and_evaluate_reject_missing_labels_and_wrong_shape():
    line = Line()
    line.compile()
    with pytest.raises(ValueError, match=r"Line must be trained on pairs .*Received: images alone"):
        line.fit(IMAGES, verbose=0)
    with pytest.raises(ValueError, match=r"Images must have shape \(n, 1, 1, 1\). Received: \(4, 2, 1, 1\)"):
        line.evaluate(IMAGES.reshape(4, 2, 1, 1), np.zeros(4), verbose=0)


@pytest.mark.parametrize("missing", ["phases", "forward", "default_optimizers"])
def test_phased_model_raises_for_undefined_methods(missing):
    arguments = (None, None, False) if missing == "forward" else ()
    with pytest.raises(TypeError, match=rf"define {missing}\(\)|must be passed to compile"):
        getattr(PhasedModel(), missing)(*arguments)


def test_save_weights_includes_optimizer_and_random_states(tmp_path):
    model = cnnzoo.build("gan")
    model.compile()
    model.fit(np.zeros((8, 28, 28, 1), np.uint8), batch_size=4, verbose=0)
    model.save_weights(tmp_path / "gan.weights.h5")
    shapes = []
    with h5py.File(tmp_path / "gan.weights.h5") as file:
        file.visititems(lambda path, item: shapes.append((path, item.shape)) if hasattr(item, "shape") else None)
    slots = [path for path, _ in shapes if path.startswith("optimizer/")]
    # Two moments per weight, iterations and learning rate per phase, and the step counter.
    assert len(slots) == 2 * len(model.trainable_variables) + 2 * 2 + 1
    assert [path for path, shape in shapes if "seed" in path and shape == (2,)]


# -- TensorFlow and JAX ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(request, tmp_path_factory):
    """The weight folder, and the logs of each architecture on TensorFlow and on JAX from equal weights."""
    folder, models = tmp_path_factory.mktemp("backends"), {}
    with pytest.MonkeyPatch.context() as patch:
        noise.replace(patch.setattr)
        for name in samples.asked_for(request):
            models[name] = samples.repeating(name)
            models[name].compile(
                samples.optimizers(models[name], lambda: keras.optimizers.Adam(1e-3)), run_eagerly=True
            )
            models[name].save_weights(folder / f"{name}.weights.h5")
        env = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(TESTS)}
        command = [sys.executable, str(TESTS / "scripts" / "jax_steps.py"), str(folder), *models]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=env, text=True, **pipes) as jax:
            try:
                logs = {name: samples.steps(model, 3) for name, model in models.items()}
                out, errors = jax.communicate(timeout=1200)
            finally:
                jax.kill()
    assert jax.returncode == 0, errors[-3000:]
    return folder, logs, json.loads(out.splitlines()[-1])


some_architectures = samples.few("cnn", "dcgan", "vae", "wgan_gp")


@some_architectures
def test_losses_agree_between_the_backends(name, both):
    _, tensorflow, jax = both
    assert tensorflow[name].keys() == jax["logs"][name].keys()
    for log, values in tensorflow[name].items():
        # The weights are equal for the first loss; only the sums of batch normalization are in another order. Where a
        # gradient is nearly 0, Adam turns rounding into full steps, so that later losses may differ more.
        assert jax["logs"][name][log][0] == pytest.approx(values[0], rel=1e-5, abs=1e-6), log
        np.testing.assert_allclose(jax["logs"][name][log], values, rtol=2e-3, atol=1e-4, err_msg=log)


@some_architectures
def test_weights_saved_on_jax_load_on_tensorflow_bit_for_bit(name, both):
    folder, _, jax = both
    model = samples.repeating(name, seed=3)
    model.compile(samples.optimizers(model, lambda: keras.optimizers.Adam(1e-3)))
    model.load_weights(folder / f"{name}.jax.weights.h5")
    found = [*model.variables, *model.optimizer.variables]
    assert len(found) == len(jax["sums"][name])
    for variable, expected in zip(found, jax["sums"][name], strict=True):
        values = np.ascontiguousarray(variable.numpy())
        values = values if values.dtype.kind == "f" else values.astype(np.int64)
        assert samples.digest(values) == expected, variable.path


def test_jax_backend_does_not_import_tensorflow(both):
    assert both[2]["tensorflow"] is False
