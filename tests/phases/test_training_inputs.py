"""Data of `fit`, `evaluate` and `predict`: sample weights compared with hand computation, and rejected inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import samples
from scipy.special import log_softmax
from toys import IMAGES, Line, Means

import cnnzoo

TESTS = Path(__file__).parents[1]
SMALL = {"width": 4, "hidden": 16, "latent_dim": 3}
DIGITS = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1), np.uint8)
FLOATS = DIGITS.astype(np.float32) / np.float32(255)
LABELS = np.arange(12) % 3
WEIGHTS = np.linspace(0.0, 2.5, 12, dtype=np.float32)


def compiled(name: str, **config):
    model = samples.fresh(name, **config)
    model.compile(samples.optimizers(model, lambda: keras.optimizers.SGD(1e-3)))
    return model


def numbers(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x).astype(np.float64)


def line() -> Line:
    model = Line()
    model.compile()
    return model


@pytest.fixture(scope="module")
def classifier():
    """An untrained classifier."""
    return compiled("lenet", image_shape=(28, 28, 1), classes=3)


@pytest.fixture(scope="module")
def autoencoder():
    return compiled("autoencoder", **SMALL)


# -- weights -----------------------------------------------------------------------------------------------------------


def cross_entropy(model) -> np.ndarray:
    logits = numbers(model.forward(keras.ops.convert_to_tensor(FLOATS), LABELS, False).logits)
    return -log_softmax(logits, axis=1)[np.arange(12), LABELS]


def squared_error(model) -> np.ndarray:
    return np.square(FLOATS - model.reconstruct(FLOATS)).sum((1, 2, 3), dtype=np.float64)


def negative_elbo(model) -> np.ndarray:
    bounded = model.forward(keras.ops.convert_to_tensor(FLOATS), None, False)
    return numbers(bounded.kl).sum(1) - numbers(bounded.log_likelihood)[:, 0]


def noise_left(model) -> np.ndarray:
    images, denoised = map(numbers, model.forward(keras.ops.convert_to_tensor(FLOATS), None, False))
    return np.square(images - denoised).mean((1, 2, 3))


LOSSES = {
    "lenet": ({"image_shape": (28, 28, 1), "classes": 3}, cross_entropy),
    "autoencoder": (SMALL, squared_error),
    "vae": (SMALL, negative_elbo),
    "denoiser": ({"width": 4}, noise_left),
}


@pytest.mark.parametrize("name", LOSSES)
def test_sample_weight_in_evaluate_matches_hand_computation(name):
    config, by_hand = LOSSES[name]
    model = compiled(name, **config)
    losses = by_hand(model)
    told = (LABELS,) if model.needs_labels else ()
    plain = model.evaluate(FLOATS, *told, batch_size=12, verbose=0, return_dict=True)
    weighted = model.evaluate(FLOATS, *told, batch_size=12, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert plain["loss"] == pytest.approx(losses.mean(), rel=1e-5)
    assert weighted["loss"] == pytest.approx((WEIGHTS * losses).sum() / 12, rel=1e-5)
    for log in plain.keys() - {"loss"}:
        assert weighted[log] == plain[log]  # logs other than the loss are not weighted
    triples = tf.data.Dataset.from_tensor_slices((FLOATS, LABELS, WEIGHTS[:, None])).batch(12)
    assert model.evaluate(triples, verbose=0, return_dict=True) == weighted


def test_sample_weight_in_fit_matches_hand_computation():
    labels, weights = np.linspace(1, 3, 8, dtype=np.float32), np.linspace(0, 2, 8, dtype=np.float32)
    x = IMAGES[:, 0, 0, 0].astype(np.float64)
    expected = 0.5 - 0.1 * np.mean(weights * 2 * (0.5 * x - labels) * x)
    arrays, triples, batch = line(), line(), line()
    arrays.fit(IMAGES, labels, sample_weight=weights, batch_size=8, verbose=0)
    triples.fit(tf.data.Dataset.from_tensor_slices((IMAGES, labels, weights)).batch(8), verbose=0)
    batch.train_on_batch(IMAGES, labels, sample_weight=weights)
    for model in (arrays, triples, batch):
        assert float(model.w()) == pytest.approx(expected, rel=1e-6)
    logs = (
        line().fit(IMAGES, labels, validation_data=(IMAGES, labels, weights), batch_size=8, epochs=1, verbose=0).history
    )
    w = 0.5 - 0.1 * np.mean(2 * (0.5 * x - labels) * x)
    assert logs["val_loss"][0] == pytest.approx(np.mean(weights * (w * x - labels) ** 2), rel=1e-6)


@pytest.mark.parametrize("given", ["sample_weight", "class_weight"])
def test_classifier_sample_and_class_weights_match_keras(given):
    by_class = {0: 0.5, 2: 3.0}
    settings = {"sample_weight": WEIGHTS} if given == "sample_weight" else {"class_weight": by_class}
    ours, theirs = (compiled("lenet", image_shape=(28, 28, 1), classes=3) for _ in range(2))
    plain = keras.Sequential([keras.Input((28, 28, 1)), theirs.backbone, theirs.head])
    plain.compile(keras.optimizers.SGD(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fitting = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, **settings}  # batches of 8 and of 4
    logs, wanted = ours.fit(FLOATS, LABELS, **fitting).history, plain.fit(FLOATS, LABELS, **fitting).history
    np.testing.assert_allclose(logs["loss"], wanted["loss"], rtol=1e-5)
    for a, b in zip(ours.trainable_variables, plain.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-7)
    if given == "class_weight":  # with a data set, Keras itself requires the weights of all classes
        again = compiled("lenet", image_shape=(28, 28, 1), classes=3)
        stream = tf.data.Dataset.from_tensor_slices((FLOATS, LABELS)).batch(8)
        again.fit(stream, class_weight={0: 0.5, 1: 1.0}, verbose=0)


def test_sample_weight_has_no_effect_on_weight_penalty():
    model = compiled("lenet", image_shape=(28, 28, 1), classes=3, l2=1e-2)
    penalty = float(model.weight_penalty())
    found = model.evaluate(FLOATS, LABELS, sample_weight=np.zeros(12), verbose=0, return_dict=True)
    assert penalty > 0 and found["loss"] == pytest.approx(penalty, rel=1e-6)


def test_sample_weight_applies_without_labels(autoencoder):
    losses = squared_error(autoencoder)
    found = autoencoder.evaluate(FLOATS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx((WEIGHTS * losses).sum() / 12, rel=1e-5)
    before = autoencoder.get_weights()
    logs = autoencoder.fit(FLOATS, sample_weight=WEIGHTS, batch_size=12, verbose=0).history
    assert logs["loss"][0] == pytest.approx((WEIGHTS * losses).sum() / 12, rel=1e-5)
    autoencoder.set_weights(before)


@pytest.mark.parametrize(
    ("name", "config", "phase"),
    [("gan", {}, "discriminator"), ("vae", SMALL | {"free_bits": 0.1}, "elbo"), ("adain", {"width": 4}, "decoder")],
)
def test_fit_rejects_sample_weight_for_loss_of_whole_batch(name, config, phase):
    model = compiled(name, **config)
    images = DIGITS if model.image_shape[2] == 1 else np.repeat(DIGITS, 3, axis=3)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"`sample_weight` must be None for {type(model).__name__}, .*'{phase}'"):
        model.fit(images, sample_weight=WEIGHTS, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"class_weight": {0: 1.0, 7: 2.0}}, r"`class_weight` must have classes in \[0, 3\)\. Received: 0, 7"),
        ({"class_weight": {"a": 1}}, r"`class_weight` must be a dictionary.*Received: \{'a': 1\}"),
        ({"class_weight": [1.0, 2.0]}, r"`class_weight` must be a dictionary.*Received: \[1.0, 2.0\]"),
        (
            {"class_weight": {0: 1.0}, "sample_weight": WEIGHTS},
            "`class_weight` must come with .*Received: class_weight beside sample_weight",
        ),
        (
            {"sample_weight": np.ones((12, 28))},
            r"Sample weights must be one for each image.*Received: shape \(12, 28\)",
        ),
    ],
)
def test_fit_rejects_invalid_sample_and_class_weights(classifier, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        classifier.fit(DIGITS, LABELS, verbose=0, **settings)


def test_fit_rejects_no_images_and_no_classes(classifier):
    with pytest.raises(ValueError, match=r"`x` must have one image or more. Received: none"):
        classifier.fit(np.zeros((0, *classifier.image_shape), np.uint8), np.zeros(0, np.int32))
    with pytest.raises(ValueError, match=r"`batch_size` must be an integer >= 1. Received: 0"):
        classifier.fit(DIGITS, LABELS, batch_size=0)
    with pytest.raises(ValueError, match=r"`classes` must be an integer >= 2. Received: 1"):
        cnnzoo.build("lenet", classes=1)


def test_class_weight_requires_labels(autoencoder):
    with pytest.raises(ValueError, match=r"`class_weight` must come with labels.*Received: class_weight without"):
        autoencoder.fit(DIGITS, class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match=r"`class_weight` must come with labels.*Received: class_weight without"):
        autoencoder.fit(tf.data.Dataset.from_tensor_slices(DIGITS).batch(4), class_weight={0: 1.0}, verbose=0)


# -- labels ------------------------------------------------------------------------------------------------------------


def test_evaluate_accepts_labels_as_column(classifier):
    row = classifier.evaluate(DIGITS, LABELS, verbose=0, return_dict=True)
    true = (classifier.classify(DIGITS).argmax(1) == LABELS).mean()
    assert row["accuracy"] == pytest.approx(true)
    for dtype in (np.int64, np.uint8):
        assert classifier.evaluate(DIGITS, LABELS[:, None].astype(dtype), verbose=0, return_dict=True) == row
    stream = tf.data.Dataset.from_tensor_slices((DIGITS, LABELS[:, None])).batch(12)
    assert classifier.evaluate(stream, verbose=0, return_dict=True) == row


def streams(*parts) -> dict:
    """Returns the same batch as arrays and in every stream type of Keras."""

    class Pairs(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return parts if len(parts) > 1 else parts[0]

    return {
        "arrays": parts,
        "tf.data": (tf.data.Dataset.from_tensor_slices(parts).batch(12),),
        "generator": ((batch for batch in [parts]),),
        "PyDataset": (Pairs(),),
    }


@pytest.mark.parametrize("form", ["arrays", "tf.data", "generator", "PyDataset"])
@pytest.mark.parametrize("name", ["lenet", "cgan", "cvae"])
def test_fit_rejects_labels_out_of_range(name, form):
    config = {"lenet": {"image_shape": (28, 28, 1)}, "cgan": {"width": 4}, "cvae": SMALL}[name]
    model = compiled(name, classes=3, **config)
    for wrong, seen in ((LABELS + 1, r"\[1, 3\]"), (LABELS - 1, r"\[-1, 1\]")):
        before = model.get_weights()
        with pytest.raises(ValueError, match=rf"^Labels must be integers in \[0, 3\)\. Received: values in {seen}$"):
            model.fit(*streams(DIGITS, wrong)[form], verbose=0)
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.eye(3)[LABELS], r"Labels must be .* \(labels.argmax\(1\) of one-hot ones\). Received: float64 \(12, 3\)"),
        (np.eye(3, dtype=int)[LABELS], r"Labels must be integers in \[0, 3\), \(n,\) .*Received: int64 \(12, 3\)"),
        (LABELS.astype(np.float32), r"Labels must be integers .*Received: float32 \(12,\)"),
        (LABELS[:, None, None], r"Labels must be integers .*Received: int64 \(12, 1, 1\)"),
    ],
)
def test_fit_and_evaluate_reject_labels_of_wrong_dtype_or_shape(classifier, labels, complaint):
    for act in (classifier.fit, classifier.evaluate):
        with pytest.raises(ValueError, match=complaint):
            act(DIGITS, labels, verbose=0)
    with pytest.raises(ValueError, match=complaint.replace("12,", "None,").replace("float64", "float(32|64)")):
        classifier.fit(tf.data.Dataset.from_tensor_slices((DIGITS, labels)).batch(4), verbose=0)


def test_denoiser_rejects_targets():
    model = compiled("denoiser", width=4)
    with pytest.raises(
        ValueError, match=r"which Denoiser does not look at: .*Received: targets of shape \(12, 28, 28, 1\)"
    ):
        model.fit(FLOATS, FLOATS, verbose=0)


# -- images ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["arrays", "tf.data", "generator", "PyDataset"])
@pytest.mark.parametrize(
    ("images", "seen"),
    [
        (DIGITS.astype(np.float32), r"\[0, 255\]"),
        (2 * FLOATS - 1, r"\[-1, 1\]"),
        (np.where(FLOATS > 0.5, np.nan, FLOATS), r"\[\S+, \S+\]"),
    ],
)
def test_float_images_outside_unit_range_are_rejected(autoencoder, form, images, seen):
    complaint = rf"^Images must be uint8 in \[0, 255\] or floats in \[0, 1\]\. Received: values in {seen}$"
    for act in (autoencoder.fit, autoencoder.evaluate, autoencoder.predict):
        with pytest.raises(ValueError, match=complaint):
            act(*streams(images)[form], verbose=0)
    with pytest.raises(ValueError, match=complaint):
        autoencoder.fit(DIGITS, validation_data=streams(images)[form][0], epochs=1, verbose=0)
    for act in (autoencoder.train_on_batch, autoencoder.test_on_batch, autoencoder.predict_on_batch):
        with pytest.raises(ValueError, match=complaint):
            act(images)


def test_denoiser_accepts_noisy_floats_and_rejects_wrong_scale():
    model = compiled("denoiser", width=4)
    noisy = FLOATS + np.random.default_rng(1).normal(0, 0.3, FLOATS.shape).astype(np.float32)
    assert noisy.min() < -0.2 and noisy.max() > 1.2
    for act in (model.predict, lambda x, verbose: model.restore(x)):
        act(noisy, verbose=0)
        with pytest.raises(ValueError, match=r"Images must .*Received: means in \[\d+\.?\d*, \d+\.?\d*\]"):
            act(DIGITS.astype(np.float32), verbose=0)
    stream = tf.data.Dataset.from_tensor_slices(noisy).batch(5)
    np.testing.assert_allclose(model.predict(stream, verbose=0), model.predict(noisy, verbose=0), atol=1e-6)
    with pytest.raises(ValueError, match="Received: means"):
        model.predict(tf.data.Dataset.from_tensor_slices(DIGITS.astype(np.float32)).batch(5), verbose=0)
    with pytest.raises(ValueError, match="Received: values"):  # fit adds noise to clean images
        model.fit(noisy, verbose=0)


def test_mask_is_excluded_from_image_range_check():
    model = samples.fresh("inpainter", width=4, depth=1)
    holes = samples.inputs(model, 2).astype(np.float32)
    holes[..., :3] /= 255  # the mask stays at 255
    assert model.predict(holes, verbose=0).shape == (2, 24, 24, 3)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"image": DIGITS, "label": LABELS}, "`x` must be .*Received: a dictionary of image, label"),
        ([DIGITS, LABELS], "`x` must be an array of images.*Received: a list"),
        (None, "`x` must be an array of images.*Received: a NoneType"),
        (
            tf.data.Dataset.from_tensor_slices({"image": DIGITS, "label": LABELS}).batch(4),
            "A batch must be images, pairs .*Received: a dictionary of image, label in a batch",
        ),
        (
            tf.data.Dataset.from_tensor_slices((DIGITS, LABELS, WEIGHTS, LABELS)).batch(4),
            "A batch must be images, pairs .*Received: batches of 4 parts",
        ),
    ],
)
def test_fit_and_evaluate_reject_other_data_structures(classifier, data, complaint):
    for act in (classifier.fit, classifier.evaluate):
        with pytest.raises(ValueError, match=complaint):
            act(data, verbose=0)


def test_label_check_of_stream_works_with_jit_compile():
    model = samples.fresh("lenet", image_shape=(28, 28, 1), classes=3)
    model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match=r"Received: values in \[1, 3\]"):
        model.fit(tf.data.Dataset.from_tensor_slices((DIGITS, LABELS + 1)).batch(12), verbose=0)
    assert np.isfinite(model.fit(FLOATS, LABELS, sample_weight=WEIGHTS, verbose=0).history["loss"][0])


# -- batches -----------------------------------------------------------------------------------------------------------


def test_repeated_phase_reuses_images_of_small_batch():
    model = Means()
    model.compile()
    model.fit(np.array([0.25, 1.0], np.float32).reshape(2, 1, 1, 1), batch_size=2, shuffle=False, verbose=0)
    a = 0.0
    for mean in (0.25, 1.0, 0.25):
        a -= 0.5 * (a - mean)
    assert float(model.a()) == pytest.approx(a) and float(model.b()) == pytest.approx(0.5 * 0.25)


@pytest.mark.parametrize(
    ("name", "config", "jit"),
    [
        ("gan", {}, False),
        ("wgan_gp", {"width": 4}, False),
        pytest.param("gan", {}, True, marks=pytest.mark.slow),
    ],
)
def test_gan_training_is_finite_with_short_last_batch(name, config, jit):
    model = samples.fresh(name, critic_steps=2, **config)
    model.compile(jit_compile=jit)
    history = model.fit(DIGITS[:5], batch_size=4, epochs=2, verbose=0).history  # last batch: one image for two updates
    assert np.isfinite([value for values in history.values() for value in values]).all()
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_adain_rejects_batch_of_one_image():
    model = compiled("adain", width=4)
    photographs = np.repeat(DIGITS, 3, axis=3)
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=r"must have 2 images or more. Received: 5 images with batch_size=4, which leaves a batch of 1"
    ):
        model.fit(photographs[:5], batch_size=4, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"A batch must have 2 images or more on each device. Received: fewer"):
        model.evaluate(tf.data.Dataset.from_tensor_slices(photographs[:1]).batch(4), verbose=0)
    model.evaluate(photographs[:6], batch_size=4, verbose=0)


@pytest.mark.slow
def test_uneven_and_empty_replicas_match_one_device():
    """Two replicas: the batch of one image leaves one replica empty, the batch of six is split into 4 and 2."""
    found = result("uneven_replicas.py")
    for name, (moved, apart, logs, finite) in found.items():
        assert finite, name
        if name in ("line", "autoencoder"):  # without batch normalization, whose statistics are per replica
            assert moved > 0 and apart < 1e-4 * moved, name
            np.testing.assert_allclose(logs[0], logs[1], rtol=1e-5, err_msg=name)


# -- metrics, settings of Keras ----------------------------------------------------------------------------------------


def test_compile_metrics_are_logged_monitored_and_saved(tmp_path):
    model = samples.fresh("lenet", image_shape=(28, 28, 1), classes=3)
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")
    weighted = [keras.metrics.SparseCategoricalAccuracy(name="weighted_accuracy")]
    model.compile("sgd", metrics=[top, "accuracy"], weighted_metrics=weighted)
    stop = keras.callbacks.EarlyStopping("val_top2", patience=9)
    logs = model.fit(DIGITS, LABELS, validation_data=(DIGITS, LABELS, WEIGHTS), callbacks=[stop], verbose=0).history
    names = {"loss", "accuracy", "top2", "weighted_accuracy"}
    assert set(logs) == names | {f"val_{name}" for name in names} and set(model.metrics_names) == names
    chances = model.classify(DIGITS)
    hits, best = chances.argmax(1) == LABELS, np.argsort(chances, axis=1)[:, -2:]
    assert logs["val_accuracy"][-1] == pytest.approx(hits.mean())
    assert logs["val_top2"][-1] == pytest.approx((best == LABELS[:, None]).any(1).mean())
    assert logs["val_weighted_accuracy"][-1] == pytest.approx((hits * WEIGHTS).sum() / WEIGHTS.sum())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    scores = loaded.evaluate(DIGITS, LABELS, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert scores == {name: pytest.approx(logs[f"val_{name}"][-1], rel=1e-6) for name in names}


def test_compile_rejects_unsupported_metrics_and_loss():
    with pytest.raises(
        ValueError,
        match=r"^The settings of Autoencoder.compile must .*; its losses and metrics are its own. Received: metrics$",
    ):
        samples.fresh("autoencoder", **SMALL).compile(metrics=["mse"])
    with pytest.raises(
        ValueError, match=r"^The settings of LeNet.compile must .*metrics; its loss is its own. Received: loss$"
    ):
        samples.fresh("lenet").compile(loss="mse")


def test_compile_rejects_shared_optimizers():
    model, adam = samples.fresh("gan"), keras.optimizers.Adam(1e-4)
    with pytest.raises(
        ValueError, match=r"one for each of the phases discriminator, generator. Received: one for several"
    ):
        model.compile({"discriminator": adam, "generator": adam})
    trained, sgd = samples.fresh("autoencoder", **SMALL), keras.optimizers.SGD(0.1)
    trained.compile(sgd)
    trained.compile(sgd)
    with pytest.raises(
        ValueError,
        match=r"The optimizer of the phase 'reconstruction' must be a new one. Received: an optimizer of another",
    ):
        samples.fresh("autoencoder", **SMALL).compile(sgd)


def test_build_rejects_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"must be 'channels_last'. Received: 'channels_first'"):
            cnnzoo.build("cnn")
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_build_rejects_unsupported_backend(backend):
    line = "import cnnzoo\ntry:\n    cnnzoo.build('cnn')\nexcept ValueError as error:\n    print(error)"
    env = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", line], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == f"`KERAS_BACKEND` must be one of tensorflow, jax. Received: {backend}\n"


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("lenet", {"image_shape": (28, 28, 1)}),
        ("gan", {}),
        pytest.param("inpainter", {"width": 4, "depth": 1}, marks=pytest.mark.slow),
    ],
)
def test_keras_export_matches_model_outputs(name, config, tmp_path):
    model = samples.fresh(name, **config)
    inputs = samples.inputs(model, 2).astype(np.float32)
    inputs = inputs / 255 if model.task != "generate" else inputs
    model.export(tmp_path / name, verbose=False)
    export = tf.saved_model.load(tmp_path / name)
    np.testing.assert_allclose(export.serve(inputs), numbers(model(inputs)), atol=1e-5)


def test_plot_history_draws_curves_with_validation_freq(autoencoder):
    settings = {"validation_data": DIGITS, "validation_freq": 3, "epochs": 5, "verbose": 0}
    history = autoencoder.fit(DIGITS, **settings)
    (axis, *_) = cnnzoo.plot_history(history).axes
    drawn = {line.get_linestyle(): line.get_xdata().tolist() for line in axis.lines}
    assert drawn == {"-": [1, 2, 3, 4, 5], "--": [3]}


# -- JAX ---------------------------------------------------------------------------------------------------------------


def result(script: str, **environment: str) -> dict:
    env = {**os.environ, "PYTHONPATH": str(TESTS), "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    done = subprocess.run(
        [sys.executable, str(TESTS / "scripts" / script)], env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_jax_backend_weights_and_checks_inputs_like_tensorflow():
    found = result("jax_inputs.py", KERAS_BACKEND="jax")
    labels, weights = np.linspace(1, 3, 8, dtype=np.float32), np.linspace(0, 2, 8, dtype=np.float32)
    x = IMAGES[:, 0, 0, 0].astype(np.float64)
    assert found["weighted"] == pytest.approx(0.5 - 0.1 * np.mean(weights * 2 * (0.5 * x - labels) * x), rel=1e-6)
    assert set(found["logs"]) == {"loss", "accuracy", "top2", "val_loss", "val_accuracy", "val_top2"}
    assert found["logs"]["val_top2"] == [pytest.approx(found["top2"])]
    assert found["short"] and found["column"]
    range_of_labels, of_stream, weights_of_a_game, scale, alone = found["refusals"]
    assert range_of_labels == of_stream == "Labels must be integers in [0, 3). Received: values in [1, 3]"
    assert weights_of_a_game.startswith("`sample_weight` must be None for GAN")
    assert scale.endswith("Received: values in [0, 255]")
    assert alone == "A batch must have 2 images or more. Received: 1"
