"""Tests of the GANs: the effect of each configuration field on training and generation."""

import keras
import numpy as np
import pytest
from conformance import samples
from keras import ops
from scipy.stats import norm, truncnorm

import cnnzoo
from cnnzoo.nn import gan_losses


def tiny(name="dcgan", **config):
    return samples.fresh(name, **{"width": 2, "latent_dim": 4, **config})


def floats(model) -> np.ndarray:
    return samples.images(model).astype("float32") / 255


@pytest.mark.parametrize("name", gan_losses.OBJECTIVES)
def test_objective_matches_logged_losses_and_is_saved(name, tmp_path):
    model = tiny(loss=name)
    model.compile(run_eagerly=True)
    images = samples.images(model)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    game = model.forward(floats(model), None, training=False)
    objective = gan_losses.OBJECTIVES[name]
    pairs = [game.real_logits] if objective.is_paired else []
    discriminator = objective.discriminator(game.real_logits, game.fake_logits)
    discriminator += 0.5 * 0.5 * ops.mean(ops.square(game.estimated_slope()))
    assert logs["discriminator_loss"] == pytest.approx(float(discriminator), rel=1e-5)
    assert logs["generator_loss"] == pytest.approx(float(objective.generator(game.fake_logits, *pairs)), rel=1e-5)
    assert all(np.isfinite(samples.steps(model, 2)["loss"]))
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").loss == name


@pytest.mark.parametrize("regularizer", gan_losses.REGULARIZERS)
@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan_gp", "sngan"])
def test_regularizer_adds_weighted_penalty_in_any_network(name, regularizer):
    width = {} if name == "gan" else {"width": 2}
    model = samples.fresh(name, loss="hinge", regularizer=regularizer, regularizer_weight=3.0, critic_steps=1, **width)
    last = model.discriminator.trainable_variables[-1]
    last.assign(1e5 * last)  # the gradients of a fresh network are too small for a one-sided penalty
    game = model.forward(floats(model), None, training=False)
    plain = float(gan_losses.OBJECTIVES["hinge"].discriminator(game.real_logits, game.fake_logits))
    added = float(model.discriminator_loss(game)) - plain
    entry = gan_losses.REGULARIZERS[regularizer]
    slope = game.estimated_slope if entry.estimated else game.slope
    expected = 3.0 * sum(float(entry.penalty(slope(points))) for points in entry.points)
    assert added == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert added > 0 or model.spectral


def test_slope_points_are_images_fakes_and_interpolations():
    model = tiny(loss="hinge")
    game = model.forward(floats(model), None, training=False)
    seen, logits = {}, game.logits

    def judged(x):
        seen[points] = x
        return logits(x)

    game.logits = judged
    for points in ("images", "fakes", "between"):
        game.slope(points)
    np.testing.assert_allclose(seen["images"], 2 * floats(model) - 1, atol=1e-6)
    np.testing.assert_allclose(seen["fakes"], game.fakes, atol=1e-6)
    share = (np.asarray(seen["between"]) - game.fakes) / (game.reals - game.fakes)
    share = np.asarray(share).reshape(len(share), -1)
    np.testing.assert_allclose(share, np.broadcast_to(np.median(share, axis=1, keepdims=True), share.shape), atol=1e-2)
    assert share.min() + 1e-2 >= 0 and share.max() <= 1 + 1e-2 and np.ptp(share[:, 0]) > 0.1  # one share per image


@pytest.mark.parametrize("points", ["images", "fakes"])
def test_estimated_slope_matches_mean_squared_gradient(points):
    model = samples.fresh("gan", image_shape=(4, 4, 1), latent_dim=2)
    image = np.tile(np.random.default_rng(0).uniform(0, 1, (1, 4, 4, 1)).astype("float32"), (4000, 1, 1, 1))
    game = model.forward(image, None, training=True)
    if points == "fakes":
        game.fakes = game.fakes[:1] * np.ones((4000, 1, 1, 1), "float32")  # one fake, many directions
    estimates = np.square(game.estimated_slope(points)[:, 0])
    exact = np.sum(np.square(game.slope(points)[0]))
    standard_error = estimates.std() / np.sqrt(len(estimates))
    assert abs(estimates.mean() - exact) < 4 * standard_error + 0.03 * exact  # the steps cross kinks of the network


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (
            {"loss": "logistic"},
            "`loss` must be one of non_saturating, minimax, least_squares, hinge.*Received: 'logistic'",
        ),
        ({"updates": "both"}, "`updates` must be one of alternating, simultaneous.*Received: 'both'"),
        (
            {"regularizer": "r3"},
            "`regularizer` must be one of None, gradient_penalty, one_sided_gradient_penalty, r1.*Received: 'r3'",
        ),
        ({"regularizer_weight": -1.0}, "`regularizer_weight` must be a number > 0.*Received: -1.0"),
        (
            {"regularizer": None, "regularizer_weight": 1.0},
            "`regularizer_weight` must be .*with a regularizer.*Received: 1.0",
        ),
        (
            {"regularizer": "gradient_penalty"},
            "`regularizer` must be one of None, r1, .* with loss='non_saturating'.*Received: 'gradient_penalty'",
        ),
        (
            {"loss": "wasserstein", "regularizer": None},
            "`loss` must be used with a regularizer or spectral.*Received: 'wasserstein'",
        ),
        (
            {"label_smoothing": 0.1, "loss": "hinge"},
            "`label_smoothing` must be .* one of non_saturating, minimax, least.*Received: 0.1",
        ),
        ({"label_smoothing": 0.5}, "`label_smoothing` must be at least 0 and below 0.5.*Received: 0.5"),
        ({"augmentation": ["blur"]}, "`augmentation` must be any of color, translation, cutout. Received: 'blur'"),
        ({"critic_steps": 0}, "`critic_steps` must be 1, or more.*Received: 0"),
        ({"critic_steps": 2}, "`critic_steps` must be 1, or more with updates='alternating'.*Received: 2"),
        ({"classes": 1}, "`classes` must be 0 for none, or an integer >= 2.*Received: 1"),
        ({"conditioning": "telling"}, "`conditioning` must be one of concatenation, projection.*Received: 'telling'"),
        ({"ema_decay": 1.0}, "`ema_decay` must be at least 0 and below 1.*Received: 1.0"),
        ({"image_shape": (30, 30, 1)}, r"`image_shape` must be \(side, side, channels\).*Received: \(30, 30, 1\)"),
        ({"hidden": -1}, "`hidden` must be an integer >= 0. Received: -1"),
    ],
)
def test_gan_rejects_invalid_configuration(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build("dcgan", **config)


@pytest.mark.parametrize(
    ("name", "config", "smoothing"),
    [
        ("gan", {}, 0.0),
        ("gan", {"label_smoothing": 0.1}, 0.1),
        ("gan", {"loss": "hinge", "regularizer": "r1"}, 0.0),
        ("dcgan", {}, 0.0),
        ("wgan_gp", {}, 0.0),
    ],
)
def test_label_smoothing_applies_only_if_configured(name, config, smoothing):
    model = samples.fresh(name, latent_dim=4, **config)
    game = model.forward(floats(model), None, training=False)
    loss = gan_losses.OBJECTIVES[model.loss].discriminator
    smooth = {"smoothing": smoothing} if smoothing else {}
    model.regularizer = None  # only the loss
    expected = loss(game.real_logits, game.fake_logits, **smooth)
    np.testing.assert_allclose(model.discriminator_loss(game), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def conditional():
    return samples.fresh("cgan", width=2, latent_dim=4, classes=3)


def test_generate_cycles_through_classes_by_default(conditional):
    in_turn = conditional.generate(7, seed=2)
    np.testing.assert_array_equal(conditional.generate(7, seed=2, labels=[0, 1, 2, 0, 1, 2, 0]), in_turn)
    all_ones = conditional.generate(7, seed=2, labels=1)
    np.testing.assert_array_equal(conditional.generate(7, seed=2, labels=np.ones(7, int)), all_ones)
    np.testing.assert_array_equal(all_ones[[1, 4]], in_turn[[1, 4]])
    assert not np.allclose(all_ones[0], in_turn[0])  # the same noise, another class


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 3], [0, -1, 2], [0.0, 1.0, 2.0], 3, [[0, 1, 2]]])
def test_generate_rejects_invalid_labels(conditional, labels):
    with pytest.raises(ValueError, match=r"`labels` must be 3 integers in \[0, 3\), or one. Received: "):
        conditional.generate(3, labels=labels)


def test_generate_truncation_matches_scipy_and_rejects_zero(conditional):
    quantiles = norm.cdf(np.random.default_rng(5).standard_normal((6, 4), dtype=np.float32).astype(float))
    expected = truncnorm(-0.5, 0.5).ppf(quantiles).astype("float32")
    assert np.abs(expected).max() <= 0.5
    np.testing.assert_allclose(conditional.draw(6, 5, truncation=20.0), conditional.draw(6, 5), rtol=1e-5)
    told = conditional.with_labels(expected, np.arange(6) % 3)
    np.testing.assert_allclose(conditional.generate(6, seed=5, truncation=0.5), conditional.generated(told), atol=1e-6)
    with pytest.raises(ValueError, match=r"`truncation` must be a number > 0.*Received: 0"):
        conditional.generate(6, truncation=0)


@pytest.mark.parametrize("way", ["concatenation", "projection"])
@pytest.mark.parametrize("name", ["gan", "dcgan", "sngan"])
def test_conditioning_affects_generator_and_discriminator(name, way):
    settings = {} if name == "gan" else {"width": 2, "critic_steps": 1}
    model = samples.fresh(name, classes=3, conditioning=way, latent_dim=4, **settings)
    if way == "projection":  # the initial scale and shift are equal for all classes
        for weight in model.average.weights:
            if weight.name in ("scale", "shift"):
                weight.assign(weight + np.arange(3)[:, None])
    images, labels = floats(model), np.arange(samples.BATCH) % 3
    first, second = (model.forward(images, (labels + i) % 3, training=False).real_logits for i in (0, 1))
    assert np.all(first != second)
    zero, one = (model.generate(4, labels=label) for label in (0, 1))
    assert all(not np.allclose(a, b) for a, b in zip(zero, one, strict=True))
    model.compile(run_eagerly=True)
    assert np.isfinite(model.fit(images, labels, batch_size=8, shuffle=False, verbose=0).history["loss"]).all()


def test_projection_adds_inner_product_of_features_and_class():
    model = tiny(classes=3, conditioning="projection")
    image, labels = floats(model), np.arange(samples.BATCH) % 3
    dense = [layer for layer in model.discriminator.layers if isinstance(layer, keras.layers.Dense)]
    of_logit, of_class = sorted(dense, key=lambda layer: layer.units)
    features = keras.Model(model.discriminator.inputs, of_logit.input)(model.with_labels(image, labels))
    kernel, bias = of_logit.get_weights()
    expected = features @ kernel + bias + np.sum(features * of_class.get_weights()[0][labels], axis=1, keepdims=True)
    np.testing.assert_allclose(
        model.forward(image, labels, training=False).logits(image), expected, rtol=1e-4, atol=1e-6
    )


def test_default_weight_of_regularizer_follows_it():
    config = cnnzoo.build("gan").get_config()
    assert config["regularizer_weight"] is None
    fields = {key: value for key, value in config.items() if key != "name"}
    for regularizer in ("approximate_r1", "r1", None):
        model = cnnzoo.build("gan", **{**fields, "regularizer": regularizer, "spectral": True})
        expected = gan_losses.REGULARIZERS[regularizer].weight if regularizer else 0.0
        assert model.penalty_weight == expected
    assert cnnzoo.build("gan", regularizer_weight=3.0).penalty_weight == 3.0


def test_augmentation_applies_to_images_and_fakes_only_in_training():
    model = tiny(augmentation=["translation", "cutout"])
    game = model.forward(floats(model), None, training=True)
    assert not np.allclose(game.reals, 2 * floats(model) - 1)
    still = model.forward(floats(model), None, training=False)
    np.testing.assert_allclose(still.reals, 2 * floats(model) - 1, atol=1e-6)
    cut = [np.mean(keras.ops.convert_to_numpy(forward.fakes) == 0) for forward in (game, still)]
    assert cut[0] > 0.1 > cut[1]
    model.compile(run_eagerly=True)
    before = model.generator.get_weights()
    samples.steps(model, 1)
    assert not np.array_equal(before[0], model.generator.get_weights()[0])  # the gradient passes through


@pytest.mark.parametrize("name", ["dcgan", "cgan"])
def test_hidden_layer_precedes_feature_maps_of_dcgan_generator(name, tmp_path):
    def dense_units(model):
        networks = [network.layers for network in (model.generator, model.average, model.discriminator)]
        return [[layer.units for layer in every if isinstance(layer, keras.layers.Dense)] for every in networks]

    maps = 7 * 7 * 4
    assert dense_units(tiny(name)) == [[maps], [maps], [1]]
    model = tiny(name, hidden=5)
    assert dense_units(model) == [[5, maps], [5, maps], [1]]
    first = next(layer for layer in model.generator.layers if isinstance(layer, keras.layers.Dense))
    assert first.kernel.shape[0] == 4 + (10 if name == "cgan" else 0)  # the noise, and the label
    before = [np.array(w) for w in model.generator.trainable_weights]
    model.compile()
    samples.steps(model, 1)
    after = model.generator.trainable_weights
    assert all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    model.save(tmp_path / "model.keras")
    assert dense_units(keras.saving.load_model(tmp_path / "model.keras")) == dense_units(model)


def test_fakes_have_labels_of_real_images(conditional):
    images, labels = np.zeros((6, 28, 28, 1), "float32"), np.array([2, 2, 0, 0, 1, 1])
    found = conditional.forward(images, labels, training=False).fakes
    z = conditional.random((6, 4), training=False)
    expected = conditional.generator([z, ops.convert_to_tensor(np.eye(3, dtype="float32")[labels])], training=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_generate_rejects_labels_without_classes():
    with pytest.raises(ValueError, match=r"`labels` must be None with a dcgan without classes. Received: labels"):
        tiny().generate(2, labels=1)
