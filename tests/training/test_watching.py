"""Logs of a run: gradient norms, speed and the share of waiting time."""

import json
import time

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import cnnzoo
from cnnzoo import data
from cnnzoo.training.watching import Waiting

TINY = {"dcgan": {"width": 4, "latent_dim": 4, "image_shape": (28, 28, 1)}, "lenet": {"image_shape": (28, 28, 1)}}


@pytest.mark.parametrize("name", ["lenet", "dcgan"])
def test_watch_gradients_logs_gradient_norm_of_each_phase(name):
    model = cnnzoo.build(name, **TINY[name])
    model.watch_gradients()
    # An SGD update at learning rate 1 equals the gradient. The norm is measured before clipping.
    phases = {phase.name: phase.variables for phase in model.phases()}
    clipped = {"discriminator": 1e9}
    model.compile({key: keras.optimizers.SGD(1.0, global_clipnorm=clipped.get(key)) for key in phases})
    before = {key: [v.numpy() for v in variables] for key, variables in phases.items()}
    digits = data.load("digits")
    batch = next(digits.batches(16, 0)) if name == "lenet" else (digits.images[:16],)
    logs = model.train_on_batch(*batch, return_dict=True)
    for key, variables in phases.items():
        moved = [v.numpy() - old for v, old in zip(variables, before[key], strict=True)]
        expected = np.sqrt(sum(np.square(each, dtype=np.float64).sum() for each in moved))
        found = logs.pop("gradient" if len(phases) == 1 else f"{key}_gradient")
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert not [key for key in logs if "gradient" in key]
    assert not [key for key in model.test_on_batch(*batch, return_dict=True) if "gradient" in key]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run with `watch=True` and a run without."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"data": "digits", "epochs": 2, "batch_size": 32, "limit": 96, "verbose": 0}
    return [cnnzoo.train("lenet", out=folder / str(watch), watch=watch, **settings) for watch in (True, None)]


def lines(run):
    return [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]


def test_scalars_are_written_as_json_lines_and_to_tensorboard(runs):
    for run, watched in zip(runs, (True, False), strict=True):
        found, history = lines(run), json.loads((run / "history.json").read_text())
        assert [(each["epoch"], each["step"]) for each in found] == [(1, 3), (2, 6)]
        for line, entry in zip(found, history, strict=True):
            assert entry.items() <= line.items() and ("gradient" in entry) == watched
            assert line.keys() - entry.keys() == {"images_per_second", "waiting"}
            assert line["images_per_second"] > 0 and 0 < line["waiting"] <= 1
        events = EventAccumulator(str(run / "tensorboard")).Reload()
        for name in found[0].keys() - {"epoch", "step"}:
            shown = [(event.step, event.value) for event in events.Scalars(name)]
            assert shown == [(each["epoch"], pytest.approx(each[name], rel=1e-5)) for each in found]


def test_watch_has_no_effect_on_weights(runs):
    one, other = (cnnzoo.build("lenet", weights=run).get_weights() for run in runs)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_resume_drops_scalars_after_resumed_state(tmp_path, runs):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    settings = {"data": "digits", "epochs": 2, "batch_size": 32, "limit": 96, "verbose": 0, "watch": True}
    with pytest.raises(KeyboardInterrupt):
        cnnzoo.train("lenet", out=tmp_path / "run", callbacks=[Stop()], **settings)
    (first,) = lines(tmp_path / "run")
    with (tmp_path / "run/scalars.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 2, "step": 6, "loss": 9.0}) + "\n")  # an epoch without a saved state
    cnnzoo.train(resume=tmp_path / "run", verbose=0)
    assert lines(tmp_path / "run")[0] == first
    assert [each["gradient"] for each in lines(tmp_path / "run")] == [each["gradient"] for each in lines(runs[0])]


def test_waiting_measures_seconds_until_next_batch():
    import tensorflow as tf

    def slow(i):
        time.sleep(0.1)
        return i

    count = tf.data.Dataset.counter().map(lambda i: tf.numpy_function(slow, [i], tf.int64))
    generator = (slow(i) for i in range(99))
    for batches in (count, generator):
        waiting = Waiting()
        taken = iter(waiting.through(batches))
        assert [int(next(taken)) for _ in range(3)] == [0, 1, 2]
        assert waiting.seconds >= 0.3


def test_watch_rejects_non_boolean(tmp_path):
    with pytest.raises(ValueError, match=r"`watch` must be True or False\. Received: 'all'"):
        cnnzoo.train("lenet", data="digits", watch="all", out=tmp_path / "run")
