"""The adversarial game: its settings, and what each does to it."""

import keras
import numpy as np
import pytest

import cnnzoo
from cnnzoo import losses
from conformance import samples


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
