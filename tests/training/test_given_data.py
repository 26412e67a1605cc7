"""Training on images passed as objects: a `tf.data.Dataset` or another iterable."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cnnzoo
from cnnzoo.data import load
from cnnzoo.data.given import named, taken
from cnnzoo.training.run_dir import Run

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(30, 28, 28, 3), dtype=np.uint8)
LABELS = np.arange(30) % 3
SMALL = {"width": 4, "hidden": 16, "latent_dim": 4}


def dataset(images=IMAGES, labels=None):
    return tf.data.Dataset.from_tensor_slices(images if labels is None else (images, labels))


def results(run):
    """Returns the logs of a run, and its weights as bytes."""
    weights = cnnzoo.build("autoencoder", weights=run).get_weights()
    return json.loads((run / "history.json").read_text()), [each.tobytes() for each in weights]


def train(data, out, **settings):
    settings = {"config": SMALL, "epochs": 1, "batch_size": 8, "verbose": 0, **settings}
    return cnnzoo.train("autoencoder", data=data, out=out, **settings)


def test_taken_returns_same_images_for_all_kinds_of_iterables():
    pairs = zip(IMAGES, LABELS, strict=True)
    for data in (
        dataset(labels=LABELS),
        dataset(IMAGES / np.float32(255), LABELS.astype(np.uint8)),
        list(pairs),
        ([Image.fromarray(image), int(label)] for image, label in zip(IMAGES, LABELS, strict=True)),
    ):
        found = taken(data)
        np.testing.assert_array_equal(np.stack(found.images), IMAGES)
        assert found.labels.dtype == np.int64
        assert found.labels.tolist() == LABELS.tolist()
        assert found.classes == ("0", "1", "2")
    for data in (IMAGES, dataset(), iter(IMAGES), [*(IMAGES / 255)]):
        found = taken(data)
        np.testing.assert_array_equal(np.stack(found.images), IMAGES)
        assert found.labels is None
        assert found.classes == ()
    gray = taken(IMAGES[..., 0])
    assert {image.shape for image in gray.images} == {(28, 28, 1)}
    assert taken(IMAGES).name != taken(IMAGES[::-1]).name != gray.name


def test_taken_copies_images():
    mine = IMAGES.copy()
    found = taken(mine)
    mine[:] = 0
    np.testing.assert_array_equal(np.stack(found.images), IMAGES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset().repeat(), r"must be finite. Received: an infinite tf.data.Dataset; take\(n\) makes it finite"),
        (dataset().batch(10), r"\(of batches, unbatch\(\) makes images; .*\). Received: \(10, 28, 28, 3\) at 0"),
        ((IMAGES, LABELS), r"of two arrays, zip\(images, labels\)\). Received: \(30, 28, 28, 3\) at 0"),
        ((IMAGES[..., 0], LABELS), r"of two arrays, zip\(images, labels\)\). Received: \(30, 28, 28\) at 0"),
        (np.zeros((3, 8, 8, 4), np.uint8), r"must be \(height, width\) or .* Received: \(8, 8, 4\) at 0"),
        ([0, 1], r"must be \(height, width\) or \(height, width, 1 or 3\). Received: \(\) at 0"),
        (IMAGES.astype(np.int64), r"must be uint8 in \[0, 255\] or floats in \[0, 1\]. Received: int64 at 0"),
        (IMAGES.astype(np.float32), r"or floats in \[0, 1\]. Received: float32 in \[0, 255\] at 0"),
        (IMAGES / 127.5 - 1, r"or floats in \[0, 1\]. Received: float64 in \[-1, 1\] at 0"),
        (np.full((1, 8, 8, 1), np.nan), r"or floats in \[0, 1\]. Received: float64 in \[nan, nan\] at 0"),
        (dataset(labels=LABELS / 1.0), r"Labels of `data` must be integers from 0. Received: float64 0.0 at 0"),
        (dataset(labels=np.eye(30)), r"integers from 0 \(of one-hot vectors, argmax .* Received: shape \(30,\) at 0"),
        (dataset(labels=LABELS - 1), r"Labels of `data` must be integers from 0. Received: int64 -1 at 0"),
        ([(IMAGES[0], "cat")], r"Labels of `data` must be integers from 0. Received: <U3 cat at 0"),
        ([(IMAGES[0], 1), IMAGES[1]], r"All images of `data` or none must have a label. Received: 1 of 2"),
        ([(IMAGES[0], 1, 2)], r"must be an image or \(image, label\). Received: 3 values"),
        ([{"image": IMAGES[0], "label": 1}], r"an image or \(image, label\). Received: a dict of image, label"),
        ([b"x"], r"image 0 of `data` cannot be read as an image"),
        (iter(()), r"`data` must have images. Received: none"),
        (3, r"must be the name of a data set, a folder, a tf.data.Dataset or an iterable of images. Received: int"),
    ],
)  # fmt: skip
def test_train_rejects_invalid_data_objects(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        train(data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_image_shape_is_inferred_from_images_or_set_by_config(tmp_path, capsys):
    run = train(IMAGES[:, :26], tmp_path / "a", verbose=2)
    assert json.loads((run / "run.json").read_text())["config"]["image_shape"] == [28, 28, 3]
    assert "30 images, used as 28x28x3 (to choose: --config 'image_shape=[28,28,3]')" in capsys.readouterr().out
    several = [*IMAGES, np.zeros((40, 50, 1), np.uint8)]
    with pytest.raises(ValueError, match=r"must have one shape, or `config` must have an `image_shape`. Received: 2"):
        train(several, tmp_path / "b")
    run = train(several, tmp_path / "b", config={**SMALL, "image_shape": (32, 32, 1)})
    assert json.loads((run / "run.json").read_text())["fingerprint"]["images"] == 31


def test_crop_accepts_images_of_different_sizes(tmp_path):
    images = [RNG.integers(256, size=(40 + i, 50, 3), dtype=np.uint8) for i in range(6)]
    settings = {"data": iter(images), "crop": 24, "epochs": 1, "batch_size": 4, "verbose": 0}
    run = cnnzoo.train("espcn", out=tmp_path / "run", **settings)
    assert json.loads((run / "run.json").read_text())["fingerprint"]["images"] == 6


def test_classifier_trains_on_labels_and_scores_held_out_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"epochs": 1, "batch_size": 8, "score_every": 1, "verbose": 0, "config": {"image_shape": (28, 28, 3)}}
    run = cnnzoo.train("lenet", data=dataset(labels=LABELS), **settings)
    assert run.name == "lenet.given"
    plan = json.loads((run / "run.json").read_text())
    assert plan["config"]["classes"] == 3
    assert plan["fingerprint"]["images"] == 27
    assert json.loads((run / "curve.json").read_text())
    with pytest.raises(ValueError, match=r"must have labels for lenet"):
        cnnzoo.train("lenet", data=IMAGES, epochs=1, verbose=0)


def test_resume_requires_equal_images_and_is_bit_for_bit(tmp_path):
    whole = train(dataset(), tmp_path / "whole", epochs=3)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train(IMAGES, stopped, epochs=3, callbacks=[Stop()])
    plan = json.loads((stopped / "run.json").read_text())
    assert plan["data"].startswith("given:")
    with pytest.raises(ValueError, match=r"given:\w+ is images that a program gave .*: cnnzoo.train\(resume=..., data"):
        cnnzoo.train(resume=stopped, verbose=0)
    for other, message in ((IMAGES[:20], "20 images instead of 30"), (IMAGES[::-1], "other pixels or labels")):
        with pytest.raises(ValueError, match=f"must be the data that .* began with; .* Received: {message}"):
            cnnzoo.train(resume=stopped, data=other, verbose=0)
    cnnzoo.train(resume=stopped, data=iter(IMAGES), verbose=0)
    assert results(stopped) == results(whole)
    with pytest.raises(ValueError, match=r"`epochs` must not be given with `resume`"):
        cnnzoo.train(resume=stopped, data=IMAGES, epochs=4)
    named = cnnzoo.train("autoencoder", data="digits", limit=30, epochs=1, config=SMALL, out=tmp_path / "n", verbose=0)
    with pytest.raises(
        ValueError, match=r"`data` must not be given with `resume` for a run on digits. Received: a list"
    ):
        cnnzoo.train(resume=named, data=[*IMAGES])


def test_resume_command_for_given_data_is_python_call(tmp_path):
    run = train(IMAGES, tmp_path / "run")
    assert Run.open(run).resume_command == f"cnnzoo.train(resume='{tmp_path}/run', data=...)"


def test_named_data_is_loadable_only_within_context():
    with named(dataset(labels=LABELS)) as name:
        found = load(name, "validation", (14, 14, 1))
        assert found.images.shape == (3, 14, 14, 1)
        with pytest.raises(ValueError, match=r"given:\w+ is images that .*, without a split test; name other data"):
            load(name, "test")
    with pytest.raises(ValueError, match=r"given:\w+ is images that a program gave .* which are not kept"):
        load(name)
