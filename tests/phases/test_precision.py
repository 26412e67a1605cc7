"""Training steps in bfloat16, and fused operations of TensorFlow compared with those of Keras."""

import keras
import numpy as np
import pytest
from conformance import samples
from skimage.metrics import peak_signal_noise_ratio
from toys import IMAGES, Line

import cnnzoo
from cnnzoo.data.sources import shipped_photographs
from cnnzoo.nn.layers import BatchNormalization, DepthToSpace
from cnnzoo.phases import precision

TRAINING_PRECISION = None  # the default of the machine
PICTURES = np.random.default_rng(0).random((64, 28, 28, 1), dtype=np.float32)

needs_bfloat16 = pytest.mark.skipif(
    precision._available() != precision.PRECISIONS, reason="needs a CPU with avx512_bf16 or amx_bf16"
)


class PlainAdam(keras.optimizers.Adam):
    """Adam with the update of Keras; only the class `Adam` itself is fused."""


def trained(seed=0, optimizer=None, **settings):
    keras.utils.set_random_seed(seed)
    model = cnnzoo.build("autoencoder", width=4, hidden=16, latent_dim=4)
    model.compile(optimizer, **settings)
    history = model.fit(PICTURES, batch_size=32, epochs=3, shuffle=False, verbose=0).history
    return model, np.array(history["loss"])


@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.1}, {"beta_1": 0.5, "epsilon": 1e-3}])
def test_fused_adam_matches_keras(options):
    (fused, _), (plain, _) = (
        trained(optimizer=kind(0.01, **options), precision="float32") for kind in (keras.optimizers.Adam, PlainAdam)
    )
    # Adam divides by the square root of tiny numbers, and their rounding differs.
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)
    kept = [optimizer.by_phase["reconstruction"] for optimizer in (fused.optimizer, plain.optimizer)]
    assert int(kept[0].iterations) == int(kept[1].iterations) == 6
    for ours, theirs in zip(kept[0]._momentums, kept[1]._momentums, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.parametrize("settings", [{"weight_decay": 0.1}, {"amsgrad": True}, {"use_ema": True, "ema_momentum": 0.5}])
def test_adam_settings_without_fused_update_match_keras(settings):
    weights = []
    for kind in (keras.optimizers.Adam, PlainAdam):
        model, _ = trained(optimizer=kind(0.01, **settings), precision="float32")
        weights.append(model.get_weights())
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(6, 5, 4, 7), (9, 3), (1, 1, 1, 2)])
def test_batch_normalization_matches_keras(shape):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, found = tf.constant(rng.normal(1.0, 3.0, shape).astype(np.float32)), []
    for kind in (keras.layers.BatchNormalization, BatchNormalization):
        layer = kind(momentum=0.9)
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2.0, shape[-1]))
        layer.beta.assign(np.linspace(-1.0, 1.0, shape[-1]))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            total = tf.reduce_sum(tf.sin(y))
        slopes = tape.gradient(total, [x, layer.gamma.value, layer.beta.value])
        found.append([y, *slopes, layer.moving_mean.value, layer.moving_variance.value, layer(x, training=False)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_depth_to_space_is_equal_in_training_and_inference():
    x = np.random.default_rng(0).random((2, 3, 5, 18), dtype=np.float32)
    layer = DepthToSpace(3)
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))


@needs_bfloat16
def test_bfloat16_is_close_to_float32_and_deterministic():
    weights, losses = {}, {}
    for name, choice in (("one", "float32"), ("two", "bfloat16"), ("three", "bfloat16"), ("four", "auto")):
        model, losses[name] = trained(precision=choice)
        weights[name] = model.get_weights()
    assert any((a != b).any() for a, b in zip(weights["one"], weights["two"], strict=True))
    np.testing.assert_allclose(losses["two"], losses["one"], rtol=0.01)  # 8 significant bits: 1 in 256 per product
    for name in ("three", "four"):
        for ours, theirs in zip(weights[name], weights["two"], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@needs_bfloat16
def test_evaluate_after_bfloat16_training_matches_float32():
    model, _ = trained(precision="bfloat16")
    exact = cnnzoo.build("autoencoder", width=4, hidden=16, latent_dim=4)
    exact.set_weights(model.get_weights())
    exact.compile(precision="float32")
    assert model.evaluate(PICTURES, verbose=0) == exact.evaluate(PICTURES, verbose=0)


@needs_bfloat16
@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"jit_compile": True}])
def test_compile_rejects_bfloat16_in_eager_mode_and_with_xla(settings):
    with pytest.raises(ValueError, match=r"`precision` must be one of auto, float32 here \(.*Received: 'bfloat16'"):
        Line().compile(precision="bfloat16", **settings)
    model = Line()
    model.compile(**settings)
    assert model.precision == "float32"


def test_compile_rejects_unavailable_precision(monkeypatch):
    monkeypatch.setattr(precision, "_available", lambda: ("float32",))
    with pytest.raises(ValueError, match=r"one of auto, float32 here \(bfloat16 needs .*Received: 'bfloat16'"):
        Line().compile(precision="bfloat16")
    with pytest.raises(ValueError, match="Received: 'float16'"):
        Line().compile(precision="float16")
    model = Line()
    model.compile()
    assert model.precision == "float32"


@needs_bfloat16
def test_load_model_restores_available_precision_or_warns(tmp_path, monkeypatch):
    model = Line()
    model.compile(precision="bfloat16")
    model.fit(IMAGES, np.ones(8, np.float32), verbose=0)
    model.save(tmp_path / "line.keras")
    assert keras.models.load_model(tmp_path / "line.keras").precision == "bfloat16"
    monkeypatch.setattr(precision, "_available", lambda: ("float32",))
    with pytest.warns(UserWarning, match="compiled with precision='auto'"):
        assert keras.models.load_model(tmp_path / "line.keras").precision == "float32"


@needs_bfloat16
def test_resume_keeps_precision_and_is_bit_for_bit(tmp_path):
    import json

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    settings = {"data": "digits", "limit": 256, "batch_size": 32, "epochs": 1, "precision": "bfloat16", "verbose": 0}
    settings["config"] = {"hidden": 16, "latent_dim": 4, "width": 4}
    whole = cnnzoo.train("autoencoder", out=tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        cnnzoo.train("autoencoder", out=tmp_path / "cut", callbacks=[Stop()], **settings)
    assert json.loads((tmp_path / "cut" / "run.json").read_text())["precision"] == "bfloat16"
    cut = cnnzoo.train(resume=tmp_path / "cut", verbose=0)
    models = [cnnzoo.build("autoencoder", weights=folder) for folder in (whole, cut)]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_bfloat16
def test_verb_precision_bfloat16_is_close_and_reversible():
    model = cnnzoo.build("espcn.x3")
    photograph = shipped_photographs("train")["astronaut"][:96, :120]
    exact = model.upscale(photograph)
    model.verb_precision = "bfloat16"
    rounded = model.upscale(photograph)
    assert 0 < np.abs(rounded.astype(int) - exact).max() <= 8
    assert peak_signal_noise_ratio(exact, rounded) > 50
    model.verb_precision = "float32"
    np.testing.assert_array_equal(model.upscale(photograph), exact)


def test_verb_precision_rejects_unavailable_value(monkeypatch):
    monkeypatch.setattr(precision, "_available", lambda: ("float32",))
    model = Line()
    with pytest.raises(ValueError, match=r"`verb_precision` must be one of auto, float32 here .*Received: 'bfloat16'"):
        model.verb_precision = "bfloat16"
    assert model.verb_precision == "float32"


@pytest.mark.parametrize(("arch", "config"), [("dcgan", {}), ("cnn", {"l2": 1e-4})], ids=["dcgan", "cnn"])
def test_bfloat16_policy_trains(arch, config):
    keras.config.set_dtype_policy("bfloat16")
    try:
        model = samples.fresh(arch, **config)
        model.compile(run_eagerly=True)
        assert np.isfinite(samples.steps(model, 1)["loss"]).all()
    finally:
        keras.config.set_dtype_policy("float32")
