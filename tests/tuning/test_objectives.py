"""Search spaces and objectives of hyperparameter searches."""

import numpy as np
import pytest

import cnnzoo
from cnnzoo.data import load
from cnnzoo.registry import architecture, list_models
from cnnzoo.tuning.objectives import measure, objectives
from cnnzoo.tuning.space import check_space, decode, encode, parse, to_hyperparameters, within


def test_space_domains_parse_sample_and_round_trip():
    assert parse("a=[1, null]") == ("a", [1, None]) and parse("b=1e-4..1e-2") == ("b", (1e-4, 1e-2))
    space = {"depth": (1, 4), "content": (0.0, 1.0), "masks": [["box"], ["text"]]}
    space = check_space(architecture("inpainter"), space)
    drawn = to_hyperparameters(space)
    for seed in range(50):
        values = decode(space, {hp.name: hp.random_sample(seed) for hp in drawn.space})
        assert isinstance(values["depth"], int) and values["masks"] in (["box"], ["text"])
        assert all(within(space[key], value) for key, value in values.items())
        assert decode(space, encode(space, values)) == values
    rates = to_hyperparameters({"learning_rate": (1e-4, 1e-2)}).space[0]
    logarithms = np.log10([rates.random_sample(seed) for seed in range(400)])
    assert np.mean(logarithms < -3) == pytest.approx(0.5, abs=0.1)  # four standard deviations


@pytest.mark.parametrize("name", list_models())
def test_search_space_contains_defaults_of_architecture(name):
    cls = architecture(name)
    if not objectives(cls):
        return
    space = check_space(cls, cls.search_space)
    own = {**cls.config_fields(), "batch_size": 128}
    assert {"learning_rate", "batch_size"} <= set(space)
    assert [key for key in space if key != "learning_rate" and not within(space[key], own[key])] == []
    for optimizer in cnnzoo.build(name).default_optimizers().values():
        assert within(space["learning_rate"], float(f"{float(optimizer.learning_rate):.6g}"))  # stored as float32


def test_measure_matches_accuracy_and_likelihood_bounds():
    held_out = load("digits", "validation", (28, 28, 1))
    model = cnnzoo.build("lenet.mnist")
    right = np.mean(model.classify(held_out.images).argmax(axis=1) == held_out.labels)
    assert measure(model, "accuracy", "digits").value == pytest.approx(100 * right)

    model, images = cnnzoo.build("vae.fashion_mnist"), (held_out.images / 255).astype(np.float32)
    weights = np.concatenate([model.log_weights(images, 25, seed=seed) for seed in (7, 8)])
    weights = weights.astype(float)
    bound = weights.max(axis=0) + np.log(np.mean(np.exp(weights - weights.max(axis=0)), axis=0))
    found = measure(model, "iw_nll", "digits")
    error = 3 * bound.std() / np.sqrt(50)  # `measure` makes other random draws
    assert found.value == pytest.approx(-bound.mean(), abs=error) and found.n == len(images)
    elbo = measure(model, "negative_elbo", "digits")
    assert elbo.value > found.value and elbo.value == pytest.approx(-weights.mean(), abs=error)


def test_measure_matches_frechet_distance_to_validation_images():
    model, judge = cnnzoo.build("dcgan.mnist"), cnnzoo.build("lenet.mnist")
    real = judge.features(load("digits", "validation", (28, 28, 1)).images).astype(float)
    fake = judge.features(model.generate(len(real), seed=0)).astype(float)
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(a @ b).real.clip(0))  # their sum is the trace of the matrix square root of a @ b
    distance = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2) + np.trace(a + b) - 2 * roots.sum()
    assert measure(model, "frechet", "digits").value == pytest.approx(distance, rel=1e-3)


@pytest.mark.parametrize("name", ["espcn.x2", "denoiser.gray_s25", "inpainter.photos64"])
def test_measure_matches_psnr_on_held_out_photographs(name, tmp_path):
    from skimage import data

    from cnnzoo.data.photographs import photographs
    from cnnzoo.evaluation import restoration
    from cnnzoo.imaging.files import save_png

    for i in range(10):  # one of the ten is held out
        save_png(tmp_path / f"train/any/{i}.png", data.astronaut()[40 * i : 40 * i + 80, 100:180])
    model, folder = cnnzoo.build(name), str(tmp_path)
    held_out = photographs(folder, "validation", model.image_shape[2] if model.task == "restore" else None)
    assert len(held_out.images) == 1
    if model.task == "inpaint":
        middle = held_out.images[0][None, 8:72, 8:72]
        scores = restoration.inpainting(model, folder, middle)
    else:
        scores = {"upscale": restoration.upscaling, "restore": restoration.denoising}[model.task](model, held_out)
    objective = next(iter(objectives(type(model))))
    found = measure(model, objective, folder)
    assert found.value == pytest.approx(scores[0].value) and found.unit == "dB" and found.better == "higher"


def test_measure_rejects_photographs_too_small_for_ssim(tmp_path):
    from cnnzoo.imaging.files import save_png

    for i in range(10):
        save_png(tmp_path / f"train/any/{i}.png", np.full((12, 12, 1), 9 * i, np.uint8))
    with pytest.raises(ValueError, match=r"Sides of photographs must be 15 pixels or more. Received: fewer in "):
        measure(cnnzoo.build("espcn.x2"), "psnr", str(tmp_path))
