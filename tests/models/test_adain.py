"""Tests of AdaIN: moments against NumPy, the encoder against its classifier, tiles against the whole image."""

import keras
import numpy as np
import pytest
from skimage import data

import cnnzoo
from cnnzoo.models import adain

PHOTO = data.astronaut()[60:158, 160:287]  # (98, 127, 3): sides are not multiples of the stride
STYLE = data.immunohistochemistry()[:160, :200]
OTHER = data.coins()[:160, :200]
rng = np.random.default_rng(0)


def numpy(x):
    return keras.ops.convert_to_numpy(x).astype(np.float64)


def moments(maps):
    return np.concatenate([maps.mean((1, 2)), maps.std((1, 2))], axis=1)


@pytest.fixture(scope="module")
def model():
    """A model after a short training, so that styles differ."""
    keras.utils.set_random_seed(0)
    made = cnnzoo.build("adain", width=8)
    made.compile({"decoder": keras.optimizers.Adam(5e-3)})
    photos = [data.astronaut(), data.immunohistochemistry(), data.coffee(), data.chelsea()]
    crops = np.stack([photo[i : i + 32, 100:132] for i in (60, 120, 180) for photo in photos])
    made.fit(crops, batch_size=4, epochs=40, verbose=0)
    return made


def test_normalized_sets_moments_and_preserves_structure():
    features, others = rng.gamma(2, 1, (2, 6, 5, 4)), rng.gamma(3, 2, (2, 7, 3, 4))
    made = adain.normalized(*(x.astype(np.float32) for x in (features, moments(features), moments(others))))
    np.testing.assert_allclose(moments(numpy(made)), moments(others), rtol=5e-3)
    spread = features - features.mean((1, 2), keepdims=True)
    kept = (numpy(made) - numpy(made).mean((1, 2), keepdims=True)).reshape(-1, 4)
    for i in range(4):  # the spatial structure is preserved
        assert np.corrcoef(kept[:30, i], spread[0, ..., i].ravel())[0, 1] > 0.999


def test_encoder_matches_classifier_away_from_borders():
    classifier = cnnzoo.build("vgg_small", width=8)
    for layer in classifier.backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    made = cnnzoo.build("adain", width=8)
    made.init_from(classifier)
    images = rng.random((2, 32, 32, 3)).astype(np.float32)
    whole = keras.Model(classifier.backbone.inputs[0], classifier.backbone.get_layer("block3_relu1").output)
    np.testing.assert_allclose(
        numpy(made.encoded(images))[:, 3:-3, 3:-3], numpy(whole(images))[:, 3:-3, 3:-3], atol=1e-4
    )


@pytest.mark.parametrize(("name", "config"), [("vgg_small", {"width": 16}), ("lenet", {}), ("gan", {})])
def test_init_from_rejects_models_with_other_layers(name, config):
    with pytest.raises(ValueError, match=rf"'adain' must begin with a vgg_small of equal width. Received: '{name}'"):
        cnnzoo.build("adain", width=8).init_from(cnnzoo.build(name, **config))


def test_only_decoder_is_trainable_and_lowers_style_error(model):
    fresh = cnnzoo.build("adain", width=8)
    fresh.encoder.set_weights(model.encoder.get_weights())
    assert {id(v) for v in model.trainable_variables} == {id(v) for v in model.decoder.weights}
    wanted = moments(numpy(model.encoded(STYLE[None])))

    def error(painter):
        found = moments(numpy(model.encoded(painter.stylize(PHOTO, STYLE)[None])))
        return np.sum((found - wanted) ** 2) / np.sum(wanted**2)

    assert error(model) < 0.5 * error(fresh)


def test_strength_interpolates_from_reconstruction_to_style(model):
    own, half, full = (model.stylize(PHOTO, STYLE, strength).astype(float) for strength in (0.0, 0.5, 1.0))
    assert np.abs(own - full).mean() > 2
    assert max(np.abs(half - own).mean(), np.abs(half - full).mean()) < np.abs(own - full).mean()
    np.testing.assert_array_equal(own, model.stylize(PHOTO, OTHER, 0.0))  # independent of the style
    np.testing.assert_allclose(own / 255, numpy(model(PHOTO[None]))[0], atol=2 / 255)


def test_stylize_preserves_shape_and_dtype(model):
    as_bytes = model.stylize(PHOTO, OTHER)
    assert as_bytes.shape == PHOTO.shape and as_bytes.dtype == np.uint8
    deep = model.stylize(PHOTO.astype(np.uint16) * 257, OTHER)
    floats = model.stylize(PHOTO / np.float32(255), OTHER / np.float32(255))
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    np.testing.assert_allclose(deep / 257, as_bytes, atol=0.6)  # rounding to 8 bits
    np.testing.assert_allclose(255 * floats, as_bytes, atol=0.6)
    batch = model.stylize(np.stack([PHOTO[:5, :7], PHOTO[5:10, :7]]), STYLE)
    np.testing.assert_array_equal(batch[1], model.stylize(PHOTO[5:10, :7], STYLE))


def test_mask_preserves_photograph_and_keep_color_preserves_gray(model):
    mask = np.zeros(PHOTO.shape[:2], bool)
    mask[20:60, 30:80] = True
    made = model.stylize(PHOTO, STYLE, mask=mask)
    np.testing.assert_array_equal(made[~mask], PHOTO[~mask])
    np.testing.assert_array_equal(made[mask], model.stylize(PHOTO, STYLE)[mask])
    gray = np.repeat(PHOTO[..., :1], 3, axis=2)
    kept = model.stylize(gray, STYLE, keep_color=True)
    assert np.ptp(kept.astype(int), axis=2).max() <= 1  # still gray
    assert np.ptp(model.stylize(gray, STYLE).astype(int), axis=2).max() > 10


def test_stylize_tiling_matches_whole_with_equal_moments(model, monkeypatch):
    whole = model.stylize(PHOTO, STYLE).astype(float)
    monkeypatch.setattr(adain, "TILE", 16)
    parts = model.stylize(PHOTO, STYLE).astype(float)
    assert not np.array_equal(parts, whole)  # the moments are accumulated over tiles
    assert np.abs(parts - whole).mean() <= 2
    # With the moments of the whole photograph there are no seams: the results are equal.
    monkeypatch.setattr(model, "_moments_of_photo", lambda photo: model.moments(photo[None]).numpy())
    joined = model.stylize(PHOTO, STYLE).astype(float)
    np.testing.assert_allclose(joined, whole, atol=1)  # rounding to 8 bits


def test_tiling_preserves_moments_of_constant_image(model, monkeypatch):
    even = np.full((64, 48, 3), (200, 90, 40), np.uint8)
    monkeypatch.setattr(adain, "TILE", 16)
    np.testing.assert_allclose(model._moments_of_photo(even), numpy(model.moments(even[None])), atol=1e-3)


@pytest.mark.parametrize(
    ("content", "style", "strength", "message"),
    [
        (PHOTO, STYLE, 1.5, r"`strength` must be between 0 and 1.*Received: 1.5"),
        (PHOTO, STYLE, float("nan"), r"`strength` must be between 0 and 1.*Received: nan"),
        (PHOTO, np.stack([STYLE, STYLE]), 1.0, r"`style` must be one .*Received: shape \(2, 160, 200, 3\)"),
        (PHOTO, STYLE[:0], 1.0, r"Images must be .*Received: "),
        (PHOTO[..., :1], STYLE, 1.0, r"Images must be .*Received: "),
    ],
)
def test_stylize_rejects_invalid_input(model, content, style, strength, message):
    with pytest.raises(ValueError, match=message):
        model.stylize(content, style, strength)


def test_adain_rejects_fixed_image_shape():
    with pytest.raises(ValueError, match=r"`image_shape` must be \(None, None, 3\).*Received: \(32, 32, 3\)"):
        cnnzoo.build("adain", image_shape=(32, 32, 3))
