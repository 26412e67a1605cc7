"""The adversarial game: its settings, and what each does to it."""

import keras
import numpy as np
import pytest
from conformance import samples

import cnnzoo
from cnnzoo import losses


def tiny(**config):
    return samples.fresh("dcgan", width=2, latent_dim=4, **config)


@pytest.mark.parametrize("name", losses.OBJECTIVES)
def test_every_objective_is_what_is_trained_and_what_is_saved(name, tmp_path):
    model = tiny(loss=name, r1=0.0)
    model.compile()
    images = samples.images(model)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    game = model.forward(images.astype("float32") / 255, None, training=False)
    objective = losses.OBJECTIVES[name]
    discriminator = float(objective.discriminator(game.real_logits, game.fake_logits))
    assert logs["discriminator_loss"] == pytest.approx(discriminator)
    assert logs["generator_loss"] == pytest.approx(float(objective.generator(game.fake_logits)))
    assert all(np.isfinite(samples.steps(model, 2)["loss"]))
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").loss == name


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"loss": "logistic"}, "got loss='logistic'; allowed: non_saturating, minimax, least_squares, hinge"),
        ({"updates": "both"}, "got updates='both'; allowed: alternating, simultaneous"),
        ({"r1": -1.0}, "got r1=-1.0; allowed: r1 >= 0"),
        ({"image_shape": (30, 30, 1)}, r"got image_shape=\(30, 30, 1\); allowed: \(side, side, channels\)"),
    ],
)
def test_settings_that_make_no_game_are_refused(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build("dcgan", **config)


@pytest.fixture(scope="module")
def conditional():
    return samples.fresh("cgan", width=2, latent_dim=4, classes=3)


def test_the_classes_come_in_turn_unless_asked_for(conditional):
    in_turn = conditional.generate(7, seed=2)
    np.testing.assert_array_equal(conditional.generate(7, seed=2, labels=[0, 1, 2, 0, 1, 2, 0]), in_turn)
    all_ones = conditional.generate(7, seed=2, labels=1)
    np.testing.assert_array_equal(conditional.generate(7, seed=2, labels=np.ones(7, int)), all_ones)
    np.testing.assert_array_equal(all_ones[[1, 4]], in_turn[[1, 4]])
    assert not np.allclose(all_ones[0], in_turn[0])  # the same noise as another class


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 3], [0, -1, 2], [0.0, 1.0, 2.0], 3, [[0, 1, 2]]])
def test_labels_outside_the_classes_are_refused(conditional, labels):
    with pytest.raises(ValueError, match=r"got labels .*; allowed: 3 integers in \[0, 3\), or one"):
        conditional.generate(3, labels=labels)


def test_the_discriminator_judges_the_image_with_its_label(conditional):
    images = samples.images(conditional).astype("float32") / 255
    labels = np.arange(len(images)) % 3
    seen = np.asarray(conditional.labelled(images, labels))
    np.testing.assert_array_equal(seen[..., :1], images)
    for image, label in zip(seen, labels, strict=True):
        np.testing.assert_array_equal(image[..., 1:], np.broadcast_to(np.eye(3)[label], (28, 28, 3)))
    first, second = (conditional.forward(images, (labels + i) % 3, training=False).real_logits for i in (0, 1))
    assert not np.allclose(first, second)


def test_fakes_have_the_labels_of_the_images_beside_them(conditional):
    images, labels = np.zeros((6, 28, 28, 1), "float32"), np.array([2, 2, 0, 0, 1, 1])
    found = conditional.forward(images, labels, training=False).fakes
    z = conditional.draw((6, 4), training=False)
    expected = conditional.generator(np.concatenate([z, np.eye(3, dtype="float32")[labels]], axis=1), training=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)
