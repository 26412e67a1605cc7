"""Tests of ESPCN with a discriminator, and of the interpolation between faithful and sharp."""

import keras
import numpy as np
import pytest
from conformance import samples
from skimage.data import astronaut

import cnnzoo
from cnnzoo.tasks import compiled


@pytest.fixture(scope="module")
def trained():
    """A model initialized from an ESPCN, after a few training steps, and that ESPCN."""
    start = cnnzoo.build("espcn", scale=2, expansion=0, width=8, depth=2)
    model = cnnzoo.build("espcn_gan", scale=2, width=8, depth=2, judge_width=8)
    model.init_from(start)
    model.compile(samples.optimizers(model, lambda: keras.optimizers.Adam(1e-3)))
    samples.steps(model, 4)
    return model, start


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return astronaut()[100:140, 200:243]


def test_sharpness_endpoints_are_initial_and_trained_network(trained, photograph):
    model, start = trained
    np.testing.assert_array_equal(model.upscale(photograph, sharpness=0.0), start.upscale(photograph))
    sharp = model.upscale(photograph)
    np.testing.assert_array_equal(model.upscale(photograph, sharpness=1.0), sharp)
    assert model.reparameterized() is model
    assert np.abs(sharp.astype(int) - start.upscale(photograph)).max() > 0
    gray = photograph[None, :, :, :1]
    np.testing.assert_array_equal(np.asarray(model(gray)), np.asarray(model.between(1.0)(gray)))


def test_upscale_traces_once_and_follows_the_weights(trained, photograph, monkeypatch):
    model, traced = cnnzoo.build("espcn_gan", scale=2, width=8, depth=2, judge_width=8), []
    graph = compiled.Graph
    monkeypatch.setattr(compiled, "Graph", lambda *given: traced.append(1) or graph(*given))
    model.upscale(photograph, sharpness=0.5)
    model.network.set_weights(trained[0].network.get_weights())
    for sharpness in (0.5, 0.7):
        made, counted = model.upscale(photograph, sharpness=sharpness), len(traced)
        np.testing.assert_array_equal(made, model.between(sharpness).upscale(photograph))
        assert counted == 1
        traced.pop()  # of `between`
    model.upscale(photograph)
    model.upscale(photograph, sharpness=1.0)
    assert len(traced) == 2


def test_save_preserves_faithful_network(trained, tmp_path, photograph):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for sharpness in (0.0, 0.4):
        expected = model.upscale(photograph, sharpness=sharpness)
        np.testing.assert_array_equal(again.upscale(photograph, sharpness=sharpness), expected)


def test_classifier_and_faithful_network_are_not_trained(trained):
    model, start = trained
    for weight, kept in zip(start.network.get_weights(), model.faithful.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weight)
    assert sum(w.numpy().size for w in model.network.weights) == sum(w.numpy().size for w in start.network.weights)
    trained_ones = {id(v) for layer in (model.network, model.discriminator) for v in layer.trainable_variables}
    assert {id(v) for v in model.trainable_variables} == trained_ones


def test_zero_loss_weights_match_plain_espcn_training(photograph):
    """Without content and adversarial loss, the model is an ESPCN: equal weights after equal steps."""
    plain = cnnzoo.build("espcn", scale=2, expansion=0, width=8, depth=1)
    model = cnnzoo.build(
        "espcn_gan", scale=2, width=8, depth=1, judge_width=8, content_weight=0.0, adversarial_weight=0.0
    )
    model.init_from(plain)
    for each in (plain, model):
        each.compile(samples.optimizers(each, lambda: keras.optimizers.SGD(0.1)))
        samples.steps(each, 2)
    for a, b in zip(plain.network.get_weights(), model.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_espcn_gan_rejects_invalid_arguments(trained):
    model, _ = trained
    with pytest.raises(ValueError, match=r"`sharpness` must be between 0 and 1.*Received: 1.5"):
        model.between(1.5)
    with pytest.raises(ValueError, match=r"'espcn_gan' must begin with a model of equal layers. Received: 'espcn'"):
        model.init_from(cnnzoo.build("espcn", scale=2))
    with pytest.raises(ValueError, match=r"`expansion` must be 0.*Received: 8"):
        cnnzoo.build("espcn_gan", expansion=8)
