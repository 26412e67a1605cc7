"""GAN objectives and penalties against hand computation, and input gradients against exact derivatives."""

import keras
import numpy as np
import pytest
from conformance import samples
from keras import ops
from scipy.special import expit

from cnnzoo.nn import gan_losses
from cnnzoo.nn.gradients import input_gradient


def check(found, expected, rtol=1e-5):
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=rtol)


REAL, FAKE = np.array([[2.0], [-0.5], [0.25]], np.float32), np.array([[-1.5], [0.5], [3.0]], np.float32)


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("non_saturating", -np.log(expit(REAL)) - np.log(1 - expit(FAKE)), -np.log(expit(FAKE))),
        ("minimax", -np.log(expit(REAL)) - np.log(1 - expit(FAKE)), np.log(1 - expit(FAKE))),
        ("least_squares", ((REAL - 1) ** 2 + FAKE**2) / 2, (FAKE - 1) ** 2 / 2),
        # By hand: max(0, 1 - x) is 0, 1.5 and 0.75 on the images, max(0, 1 + x) is 0, 1.5 and 4 on the fakes.
        ("hinge", np.array([0.0, 3.0, 4.75]), np.array([1.5, -0.5, -3.0])),
        ("wasserstein", FAKE - REAL, -FAKE),
        ("relativistic", -np.log(expit(REAL - FAKE)), -np.log(expit(FAKE - REAL))),
    ],
)
def test_gan_objectives_match_hand_computation(name, discriminator, generator):
    objective = gan_losses.OBJECTIVES[name]
    check(objective.discriminator(REAL, FAKE), np.mean(discriminator))
    check(objective.generator(FAKE, *([REAL] if objective.is_paired else [])), np.mean(generator))


def test_logistic_gan_loss_is_exact_at_equilibrium_and_extremes():
    undecided, sure = np.zeros((4, 1), np.float32), np.full((1, 1), -1e4, np.float32)
    game = gan_losses.OBJECTIVES["non_saturating"]
    check(game.discriminator(undecided, undecided), 2 * np.log(2))
    check(game.generator(sure), 1e4)  # every fake is rejected
    check(gan_losses.OBJECTIVES["minimax"].generator(-sure), -1e4)  # every fake is accepted


@pytest.mark.parametrize("name", [name for name, o in gan_losses.OBJECTIVES.items() if o.has_labels])
def test_label_smoothing_lowers_targets_of_real_images(name):
    smoothing = 0.1
    logistic = -0.9 * np.log(expit(REAL)) - 0.1 * np.log(1 - expit(REAL)) - np.log(1 - expit(FAKE))
    expected = ((REAL - 0.9) ** 2 + FAKE**2) / 2 if name == "least_squares" else logistic
    check(gan_losses.OBJECTIVES[name].discriminator(REAL, FAKE, smoothing), np.mean(expected))


# Gradients with norms 0.5, 1 and 3.
SLOPES = np.array([[[[0.3, 0.4]]], [[[0.0, 1.0]]], [[[-3.0, 0.0]]]], np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gradient_penalty", (0.25 + 0.0 + 4.0) / 3),
        ("one_sided_gradient_penalty", (0.0 + 0.0 + 4.0) / 3),
        ("r1", 0.5 * (0.25 + 1.0 + 9.0) / 3),
        ("r2", 0.5 * (0.25 + 1.0 + 9.0) / 3),
        ("r1_r2", 0.5 * (0.25 + 1.0 + 9.0) / 3),
        ("approximate_r1", 0.5 * (0.25 + 1.0 + 9.0) / 3),
        ("approximate_r1_r2", 0.5 * (0.25 + 1.0 + 9.0) / 3),
    ],
)
def test_penalty_of_each_regularizer_matches_hand_computation(name, expected):
    check(gan_losses.REGULARIZERS[name].penalty(SLOPES), expected)


@pytest.mark.parametrize("name", gan_losses.REGULARIZERS)
def test_penalty_is_differentiable_at_zero_gradient(name):
    import tensorflow as tf

    flat = tf.zeros((2, 3))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        penalty = gan_losses.REGULARIZERS[name].penalty(flat)
    assert np.isfinite(tape.gradient(penalty, flat)).all()


def test_input_gradient_matches_backpropagation_by_hand():
    model = samples.fresh("gan", image_shape=(2, 2, 1), latent_dim=2)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 2, 2, 1)).astype(np.float32)
    found = input_gradient(model, lambda x: model.discriminator(x, training=False), ops.convert_to_tensor(x))
    *hidden, last, _ = model.discriminator.get_weights()
    layers = list(zip(hidden[::2], hidden[1::2], strict=True))
    for image, gradient in zip(x, ops.convert_to_numpy(found), strict=True):
        activity, slopes = image.ravel().astype(np.float64), []
        for kernel, bias in layers:
            activity = activity @ kernel + bias
            slopes.append(np.where(activity > 0, 1.0, 0.2))
            activity = activity * slopes[-1]
        back = last[:, 0]
        for (kernel, _), slope in zip(reversed(layers), reversed(slopes), strict=True):
            back = kernel @ (slope * back)
        np.testing.assert_allclose(gradient.ravel(), back, rtol=1e-4, atol=1e-7)


def test_input_gradient_is_differentiable():
    import tensorflow as tf

    dense = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((4,)), dense])
    weights = np.array([[1.0], [2.0], [-2.0], [4.0]], np.float32)  # the gradient of the logit, with norm 5
    dense.kernel.assign(weights)
    with tf.GradientTape() as tape:
        penalty = gan_losses.gradient_penalty(input_gradient(model, model, tf.zeros((3, 4))))
    check(penalty, 16.0)
    check(tape.gradient(penalty, dense.kernel.value), 2 * 4 * weights / 5)  # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|


@pytest.mark.parametrize("name", ["gan", "dcgan"])
def test_estimated_slope_matches_exact_directional_derivative(name, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr("cnnzoo.models.gan.NUDGE", 1e-3)  # so small that few steps cross a kink of the network
    model = samples.fresh(name, latent_dim=2, **({} if name == "gan" else {"width": 2}))
    images = np.random.default_rng(0).uniform(0, 1, (4, 28, 28, 1)).astype(np.float32)
    game = model.forward(images, None, training=True)
    along = np.random.default_rng(1).standard_normal(images.shape).astype(np.float32)
    monkeypatch.setattr(model, "random", lambda shape, training: along)
    with tf.GradientTape() as tape:
        reals = tf.Variable(game.reals)
        logits = game.logits(reals)[:, 0]
    each = tape.jacobian(logits, reals).numpy()  # (logits, images, height, width, channels)
    found = ops.convert_to_numpy(game.estimated_slope())[:, 0]
    exact = np.einsum("lnhwc,nhwc->l", each, along)
    assert np.linalg.norm(found - exact) < 0.1 * np.linalg.norm(exact)
    np.testing.assert_allclose(ops.convert_to_numpy(game.slope("images")), each.sum(axis=0), rtol=1e-3, atol=1e-5)
    squares = np.square(each).sum(axis=(2, 3, 4))  # the expectation of the squared estimate, by logit and image
    own = np.trace(squares) / squares.sum()
    assert own == 1.0 if name == "gan" else own < 0.99
