"""Runs on streamed pictures: equal bit for bit to runs in memory, also after a resume within an epoch."""

import json

import keras
import numpy as np
import pytest
from callbacks import StopAt
from PIL import Image

import cnnzoo
from cnnzoo import data
from cnnzoo.data import memory
from cnnzoo.data.streamed import StreamedSet

CONFIG = {"width": 2, "hidden": 4, "latent_dim": 2, "image_shape": [8, 8, 3]}
SAID = "pictures are read from the disk while training: decoded they take 6.14 KB, more than 0 B, the given limit"


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "own").mkdir()
    for i in range(40):
        pixels = rng.integers(0, 256, (*rng.integers(8, 30, 2), 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "own" / f"{i:02}.png")
    return tmp_path / "own"


def train(folder, out, **settings):
    settings = {"epochs": 1, "batch_size": 10, "seed": 4, "config": CONFIG, "verbose": 0, **settings}
    return cnnzoo.train("autoencoder", data=folder, out=out, **settings)


def weights(run):
    return [w.numpy() for w in cnnzoo.build("autoencoder", weights=run).weights]


def assert_equal(one, other):
    for left, right in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def seen(monkeypatch):
    """The types of the image sets used for batches, one per call of `stream`."""
    kinds, stream = [], data.ImageSet.stream
    monkeypatch.setattr(data.ImageSet, "stream", lambda images, *at: kinds.append(type(images)) or stream(images, *at))
    return kinds


def test_train_from_stream_matches_memory_and_prints_notice(folder, tmp_path, capsys, seen):
    whole, stream = train(folder, tmp_path / "whole"), train(folder, tmp_path / "stream", memory=0, verbose=2)
    assert f"{SAID} (to choose: --memory 4GB)" in capsys.readouterr().out.splitlines()
    assert seen == [data.ImageSet, StreamedSet]
    assert_equal(whole, stream)
    assert "memory" not in json.loads((stream / "run.json").read_text())


@pytest.mark.parametrize(("before", "after"), [(0, 0), (None, 0), (0, None)])
def test_resume_within_epoch_of_stream_is_bit_for_bit(before, after, folder, tmp_path, seen):
    expected = train(folder, tmp_path / "expected", batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "run", batch_size=4, memory=before, callbacks=[StopAt(3)])
    resumed = cnnzoo.train(resume=tmp_path / "run", memory=after, verbose=0)
    kinds = {0: StreamedSet, None: data.ImageSet}
    assert seen == [data.ImageSet, kinds[before], kinds[after]]
    assert_equal(expected, resumed)


def test_resume_rejects_changed_stream(folder, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(folder, tmp_path / "run", memory=0, callbacks=[StopAt(1)])
    Image.new("RGB", (9, 9)).save(folder / "03.png")
    for most in (0, None):
        with pytest.raises(ValueError, match=r"must be the data that .* began with.*Received: other"):
            cnnzoo.train(resume=tmp_path / "run", memory=most, verbose=0)


def test_train_raises_for_unreadable_picture_during_training(folder, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                (folder / "07.png").write_bytes(b"no picture")

    with pytest.raises(ValueError, match=r"07\.png cannot be read as an image: no known format; move .*skip'$"):
        train(folder, tmp_path / "run", epochs=9, memory=0, callbacks=[Spoil()])


def test_score_every_on_stream_matches_memory(folder, tmp_path, monkeypatch, capsys):
    whole = train(folder, tmp_path / "whole", score_every=1)
    monkeypatch.setattr(memory, "free", lambda: 0)
    stream = train(folder, tmp_path / "stream", score_every=1, verbose=1)
    assert "pictures are read from the disk while training" in capsys.readouterr().out
    curves = [json.loads((run / "curve.json").read_text())[0] for run in (whole, stream)]
    assert all(curve.pop("core_hours") >= 0 for curve in curves) and curves[0] == curves[1]


def test_train_rejects_negative_memory(folder, tmp_path):
    with pytest.raises(ValueError, match=r"`memory` must be an integer >= 0\. Received: -5"):
        train(folder, tmp_path / "run", memory=-5)
    assert not (tmp_path / "run").exists()
