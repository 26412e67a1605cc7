"""`clip_norm` and `accumulate` of a run: clipped and averaged gradients, compared with plain gradient descent."""

import json
import os
import signal

import keras
import numpy as np
import pytest

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.recipes import Recipe

SMALL = {"latent_dim": 2, "width": 2, "hidden": 8}


def trained(out, rate=0.01, batch_size=64, limit=64, epochs=1, callbacks=(), **settings):
    """Returns the weights after SGD without momentum, from the same initial weights, as one vector."""
    recipe = Recipe(
        "digits",
        epochs,
        "",
        "autoencoder",
        batch_size=batch_size,
        limit=limit,
        config=SMALL,
        optimizers=lambda updates: {name: keras.optimizers.SGD(rate) for name in updates},
    )
    return weights(cnnzoo.train(recipe, out=out, callbacks=callbacks, verbose=0, **settings))


def weights(run):
    model = cnnzoo.build("autoencoder", weights=run)
    return np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.fixture(scope="module")
def initial(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("initial") / "run", rate=1e-30)


def test_accumulate_matches_one_large_batch(tmp_path, initial):
    one = trained(tmp_path / "one", epochs=2) - initial
    four = trained(tmp_path / "four", epochs=2, batch_size=16, accumulate=4) - initial
    assert np.linalg.norm(four - one) < 1e-5 * np.linalg.norm(one)
    assert np.linalg.norm(trained(tmp_path / "small", batch_size=16) - initial - one) > 1e-3 * np.linalg.norm(one)


def test_clip_norm_rescales_gradient_and_keeps_direction(tmp_path, initial):
    free = trained(tmp_path / "free") - initial
    step = np.linalg.norm(free)
    norm = float(step) / 0.01  # the gradient norm: the update divided by the learning rate
    clipped = trained(tmp_path / "clipped", clip_norm=norm / 8) - initial
    assert np.linalg.norm(8 * clipped - free) < 1e-4 * step
    np.testing.assert_array_equal(trained(tmp_path / "longer", clip_norm=8 * norm) - initial, free)


def test_resume_within_accumulation_is_bit_for_bit(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:  # the second of the three batches of an update
                os.kill(os.getpid(), signal.SIGTERM)

    settings = {"batch_size": 16, "limit": 96, "accumulate": 3, "clip_norm": 1e-2}
    whole = trained(tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", callbacks=[Stop()], **settings)
    np.testing.assert_array_equal(weights(cnnzoo.train(resume=tmp_path / "stopped", verbose=0)), whole)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"clip_norm": 0}, r"`clip_norm` must be a finite number > 0\. Received: 0"),
        ({"clip_norm": float("nan")}, r"`clip_norm` must be a finite number > 0\. Received: nan"),
        ({"accumulate": 0}, r"`accumulate` must be an integer >= 1\. Received: 0"),
        ({"accumulate": 2.0}, r"`accumulate` must be an integer >= 1\. Received: 2\.0"),
        ({"accumulate": 2}, r"`accumulate` must be at most 1, the steps of the run\. Received: 2"),
    ],
)
def test_clip_norm_and_accumulate_reject_invalid_values(tmp_path, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.train("autoencoder", data="digits", limit=16, epochs=1, out=tmp_path / "run", verbose=0, **settings)
    assert not (tmp_path / "run").exists()


def test_clip_norm_rejects_optimizer_with_clipping(tmp_path):
    recipe = Recipe(
        "digits",
        1,
        "",
        "autoencoder",
        batch_size=16,
        config=SMALL,
        optimizers=lambda updates: {name: keras.optimizers.SGD(clipvalue=1.0) for name in updates},
    )
    with pytest.raises(ValueError, match=r"with an optimizer that clips by clipvalue=1\.0\. Received: 2"):
        cnnzoo.train(recipe, clip_norm=2, out=tmp_path / "run", verbose=0)


def test_train_command_sets_clip_norm_and_accumulate(tmp_path):
    run = tmp_path / "run"
    data = ["--data", "digits", "--limit", "32", "--batch-size", "8", "--epochs", "1", "--config", "width=2"]
    assert main(["train", "dcgan", *data, "--clip-norm", "0.5", "--accumulate", "2", "--out", str(run)]) == 0
    optimizers = json.loads((run / "run.json").read_text())["optimizers"]
    configs = [optimizer["config"] for optimizer in optimizers.values()]
    assert [(c["global_clipnorm"], c["gradient_accumulation_steps"]) for c in configs] == [(0.5, 2)] * 2
