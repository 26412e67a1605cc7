"""Fine-tuning with frozen layers: frozen layers stay equal bit for bit, all others change."""

import json
import threading

import keras
import numpy as np
import pytest

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.training.frozen import freeze, parts

SETTINGS = {"data": "digits", "limit": 64, "batch_size": 32, "verbose": 0}
# For dcgan, with batch statistics, two optimizers and an EMA of the generator.
FROZEN = ("generator/conv2d_transpose*", "generator/batch_normalization", "discriminator/batch_normalization*")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    out = tmp_path_factory.mktemp("frozen") / "first"
    config = {"latent_dim": 4, "width": 4}
    return cnnzoo.train("dcgan", config=config, epochs=1, out=out, **SETTINGS)


@pytest.fixture(scope="module")
def tuned(first):
    return cnnzoo.train(start=first, frozen=FROZEN, epochs=2, out=first.with_name("tuned"), **SETTINGS)


def is_frozen(name):
    return name in FROZEN or name.startswith(("generator/conv2d_transpose", "discriminator/batch_normalization"))


def same(a, b):
    return [np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True)]


def test_frozen_layers_stay_bit_for_bit_and_others_change(first, tuned):
    before, after = (cnnzoo.build("dcgan", weights=run) for run in (first, tuned))
    seen = {True: 0, False: 0}
    for name, layer in parts(before).items():
        if "/" in name:
            frozen = is_frozen(name)
            equal = same(layer, parts(after)[name])
            assert all(equal) if frozen else not all(equal), name
            seen[frozen] += 1
    assert seen[True] >= 4 and seen[False] >= 4


def test_ema_of_frozen_layers_stays_bit_for_bit(first, tuned):
    before, after = (cnnzoo.build("dcgan", weights=run) for run in (first, tuned))
    names = [name.partition("/")[2] for name in parts(before) if name.startswith("generator/")]
    layers = [[x for x in model.average.layers if x.weights] for model in (before, after)]
    assert len(names) == len(layers[0])
    for name, old, new in zip(names, *layers, strict=True):
        assert all(same(old, new)) == is_frozen(f"generator/{name}"), name


def test_resume_with_frozen_layers_matches_uninterrupted_run(first, tuned, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            stop.set()

    stop = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnnzoo.training.loop.stop_on_signals", lambda: _Given(stop))
        with pytest.raises(KeyboardInterrupt):
            cnnzoo.train(start=first, frozen=FROZEN, epochs=2, out=tmp_path / "run", callbacks=[Stop()], **SETTINGS)
    run = cnnzoo.train(resume=tmp_path / "run", verbose=0)
    assert all(same(*(cnnzoo.build("dcgan", weights=each) for each in (tuned, run))))


class _Given:
    def __init__(self, event):
        self.event = event

    def __enter__(self):
        return self.event

    def __exit__(self, *_):
        pass


def test_frozen_spectral_layer_keeps_its_vector():
    model = cnnzoo.build("sngan", image_shape=(28, 28, 1), latent_dim=4, width=4)
    freeze(model, ["discriminator/spectral_conv2d"])
    model.compile()
    before = {name: layer.get_weights() for name, layer in parts(model).items() if "/spectral" in name}
    model.fit(cnnzoo.data.load("digits").images[:32], batch_size=32, verbose=0)
    for name, old in before.items():
        equal = [np.array_equal(x, y) for x, y in zip(old, parts(model)[name].get_weights(), strict=True)]
        assert all(equal) if name == "discriminator/spectral_conv2d" else not all(equal), name


def test_run_json_records_frozen_patterns(tuned):
    assert json.loads((tuned / "run.json").read_text())["frozen"] == list(FROZEN)


def test_parts_names_do_not_depend_on_earlier_builds():
    for _ in range(2):  # Keras numbers layers across models
        names = list(parts(cnnzoo.build("lenet")))
    assert names == ["backbone", "backbone/conv2d", "backbone/conv2d_1", "backbone/dense", "backbone/dense_1", "head"]


def test_frozen_rejects_invalid_patterns_before_training(first, tmp_path, capsys):
    out = tmp_path / "run"
    refusals = {
        "generator2": r"layers of 'dcgan'\. Did you mean generator .*\? Received: 'generator2'; there are .*/conv2d",
        "generator/conv9": r"Received: 'generator/conv9'; there are ",
        "generator,discriminator": r"must leave the phase 'discriminator' something to train",
    }
    for frozen, message in refusals.items():
        with pytest.raises(ValueError, match=message):
            cnnzoo.train(start=first, frozen=frozen, out=out, **SETTINGS)
    with pytest.raises(ValueError, match=r"`frozen` \(--freeze\) must be given with `start`"):
        cnnzoo.train("dcgan", frozen="generator", out=out, **SETTINGS)
    assert main(["train", "--from", str(first), "--data", "digits", "--freeze", "x", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "`frozen` (--freeze) must name layers of 'dcgan'" in line
    assert not out.exists()


def test_frozen_backbone_trains_head_only(tmp_path):
    run = cnnzoo.train(start="lenet.mnist", frozen="backbone", epochs=1, out=tmp_path / "run", **SETTINGS)
    before, after = cnnzoo.build("lenet.mnist"), cnnzoo.build("lenet", weights=run)
    assert all(same(before.backbone, after.backbone)) and not any(same(before.head, after.head))
