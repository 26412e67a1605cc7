"""Tests of fast style transfer: normalization against NumPy, styles and mixtures, strips against the whole."""

import keras
import numpy as np
import pytest
from skimage import data

import cnnzoo
from cnnzoo.models import fast_style
from cnnzoo.models.fast_style import ConditionalInstanceNormalization
from cnnzoo.tasks import painting_strips

STYLES = ("tissue", "coins")
PICTURES = {"tissue": data.immunohistochemistry()[:160, :200], "coins": np.repeat(data.coins()[:160, :200, None], 3, 2)}
FACE = data.astronaut()[60:158, 160:287]  # (98, 127, 3): sides are not multiples of the stride
rng = np.random.default_rng(0)


def numpy(x):
    return keras.ops.convert_to_numpy(x).astype(np.float64)


@pytest.fixture(scope="module")
def model():
    """A model after a short training, so that styles differ."""
    keras.utils.set_random_seed(0)
    made = cnnzoo.build("fast_style", styles=STYLES, width=8, blocks=1, network="lenet.cifar10")
    made.set_style_targets(PICTURES)
    made.compile({"painter": keras.optimizers.Adam(1e-2)})
    images = np.stack([FACE[i : i + 32, j : j + 32] for i in (0, 32, 64) for j in (0, 32, 64, 95)])
    made.fit(images, batch_size=6, epochs=30, verbose=0)
    return made


def test_instance_normalization_matches_numpy_for_mixed_styles():
    layer = ConditionalInstanceNormalization(3)
    x, mix = rng.standard_normal((2, 5, 7, 4)).astype(np.float32), np.array([[0, 1, 0], [0.5, 0, 0.5]], np.float32)
    layer.build(x.shape)
    scale, shift = rng.standard_normal((2, 3, 4)).astype(np.float32)
    layer.set_weights([scale, shift])
    found = numpy(layer(x, mix))
    for image, weights, made in zip(x, mix, found, strict=True):
        normal = (image - image.mean((0, 1))) / np.sqrt(image.var((0, 1)) + 1e-5)
        np.testing.assert_allclose(made, normal * (weights @ scale) + weights @ shift, atol=1e-5)


def test_training_reduces_error_of_each_style(model):
    fresh = cnnzoo.build("fast_style", **{key: getattr(model, key) for key in ("styles", "width", "blocks", "network")})

    def error(painter, index):
        found = model.statistics(model.maps.features(painter.stylize(FACE, STYLES[index])[None]))
        pairs = [(numpy(f), goal[index : index + 1]) for f, goal in zip(found, model.goals, strict=True)]
        return np.mean([np.sum((f - goal) ** 2) / np.sum(goal**2) for f, goal in pairs])

    for index, name in enumerate(STYLES):
        assert error(model, index) < 0.9 * error(fresh, index), name


def test_adversarial_discriminator_learns_and_is_not_shipped():
    keras.utils.set_random_seed(0)
    config = {"styles": STYLES, "width": 8, "blocks": 1, "network": "lenet.cifar10"}
    game = cnnzoo.build("fast_style", **config, adversarial_weight=1.0)
    game.set_style_targets(PICTURES)
    game.compile({name: keras.optimizers.Adam(1e-3) for name in ("discriminator", "painter")})
    images = np.stack([FACE[i : i + 32, j : j + 32] for i in (0, 32, 64) for j in (0, 32, 64, 95)])
    logs = game.fit(images, batch_size=6, epochs=8, verbose=0).history
    assert logs["discriminator_loss"][-1] < logs["discriminator_loss"][0] < 2.5  # the hinge loss of equal logits is 2
    # The logit of each style is higher for the center of its own painting than for that of the other one.
    tissue, coins = numpy(game.discriminator(2 * game.canvas - 1)).mean((1, 2))
    assert tissue[0] > coins[0] and coins[1] > tissue[1]
    alone = game.reparameterized()
    np.testing.assert_array_equal(alone.stylize(FACE, "coins"), game.stylize(FACE, "coins"))
    assert alone.count_params() < game.count_params() and len(alone.phases()) == 1


def test_training_begins_with_a_painter_without_discriminator(model):
    settings = {key: getattr(model, key) for key in ("styles", "width", "blocks", "network")}
    made = cnnzoo.build("fast_style", adversarial_weight=1.0, **settings)
    before = made.discriminator.get_weights()
    made.init_from(model)
    np.testing.assert_array_equal(made.stylize(FACE, "coins"), model.stylize(FACE, "coins"))
    assert all(map(np.array_equal, made.discriminator.get_weights(), before))
    plain = cnnzoo.build("fast_style", **settings)
    plain.init_from(made)
    np.testing.assert_array_equal(plain.stylize(FACE, "coins"), model.stylize(FACE, "coins"))
    for other in (cnnzoo.build("lenet"), cnnzoo.build("fast_style", **{**settings, "width": 4})):
        with pytest.raises(ValueError, match="must begin with a model of equal layers"):
            made.init_from(other)


def test_style_mixture_lies_between_styles(model):
    first, second = (model.stylize(FACE, name).astype(float) for name in STYLES)
    assert np.abs(first - second).mean() > 2
    half = model.stylize(FACE, {"tissue": 2, "coins": 2}).astype(float)
    assert max(np.abs(half - first).mean(), np.abs(half - second).mean()) < np.abs(first - second).mean()
    np.testing.assert_array_equal(model.stylize(FACE, np.array([1.0, 0.0])), first)
    np.testing.assert_array_equal(model.stylize(FACE), first)


def test_stylize_preserves_shape_and_dtype(model):
    as_bytes = model.stylize(FACE, "coins")
    assert as_bytes.shape == FACE.shape and as_bytes.dtype == np.uint8
    deep = model.stylize(FACE.astype(np.uint16) * 257, "coins")
    floats = model.stylize(FACE / np.float32(255), "coins")
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    np.testing.assert_allclose(deep / 257, as_bytes, atol=0.6)  # rounding to 8 bits
    np.testing.assert_allclose(255 * floats, as_bytes, atol=0.6)


def test_mask_preserves_photograph_and_keep_color_preserves_gray(model):
    mask = np.zeros(FACE.shape[:2], bool)
    mask[20:60, 30:80] = True
    made = model.stylize(FACE, mask=mask)
    np.testing.assert_array_equal(made[~mask], FACE[~mask])
    np.testing.assert_array_equal(made[mask], model.stylize(FACE)[mask])
    gray = np.repeat(FACE[..., :1], 3, axis=2)
    kept = model.stylize(gray, keep_color=True)
    assert np.abs(kept.astype(int) - kept[..., :1]).max() <= 1  # still gray


def test_stylize_in_strips_matches_whole_photograph(model, monkeypatch):
    photo = data.astronaut()[:301, :203]  # sides are not multiples of the stride
    whole = model.stylize(photo / np.float32(255), "tissue")
    monkeypatch.setattr(fast_style, "WHOLE", 0)
    monkeypatch.setattr(painting_strips, "STRIP", 5000)  # about 25 rows of the largest map
    done = []
    strips = model.stylize(photo / np.float32(255), "tissue", progress=lambda *parts: done.append(parts))
    assert done == [(i, 7) for i in range(1, 8)]
    np.testing.assert_allclose(strips, whole, atol=2e-4)  # 0.05 gray levels: different summation order


@pytest.mark.parametrize(
    ("style", "complaint"),
    [
        ("tisue", "`style` must be one of tissue, coins.*Received: 'tisue'"),
        ({"tissue": 1, "silk": 2}, "must be one of tissue, coins"),
        ({"tissue": 0}, "must be numbers >= 0, not all 0. Received: "),
        ({"tissue": -1, "coins": 2}, "must be numbers >= 0, not all 0. Received: "),
        (np.ones(3), "must be one of tissue, coins"),
    ],
)
def test_stylize_rejects_invalid_styles(model, style, complaint):
    with pytest.raises(ValueError, match=complaint):
        model.stylize(FACE, style)


def test_fast_style_without_style_targets_is_not_trained(tmp_path):
    made = cnnzoo.build("fast_style", styles=STYLES, width=4, blocks=1, network="lenet.cifar10")
    made.set_style_targets(PICTURES)
    made.compile()
    made.save(tmp_path / "model.keras")  # without the targets
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    images = np.stack([FACE[:32, :32]] * 2)
    with pytest.raises(ValueError, match=r"The style targets must be set first, by set_style_targets"):
        loaded.evaluate(images, verbose=0)
    loaded.set_style_targets(PICTURES)
    assert loaded.evaluate(images, verbose=0) == pytest.approx(made.evaluate(images, verbose=0), rel=1e-5)


def test_fast_style_rejects_missing_and_duplicate_styles(model):
    with pytest.raises(ValueError, match=r"`pictures` must have one of each style. Received: none of coins"):
        model.set_style_targets({"tissue": PICTURES["tissue"]})
    with pytest.raises(ValueError, match=r"`styles` must be different names. Received: "):
        cnnzoo.build("fast_style", styles=("wave", "wave"))
