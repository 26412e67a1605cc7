"""Explanation methods: closed forms of small networks, plain loops, and dependence of the maps on the weights."""

import json
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
from conformance import samples
from keras import layers
from PIL import Image
from skimage.transform import resize

import cnnzoo
from cnnzoo import explain
from cnnzoo.cli import main
from cnnzoo.data import load
from cnnzoo.explain.report import overlay, sheet
from cnnzoo.imaging.files import save_png
from cnnzoo.tasks.classifier import Classifier

rng = np.random.default_rng(0)
DIGITS = load("digits", "test").images[:8]
every_method = pytest.mark.parametrize("name", explain.METHODS)


class Toy(Classifier):
    """A classifier with the given backbone layers."""

    architecture = "toy"

    def __init__(self, image_shape, *backbone, classes=3):
        super().__init__(image_shape=image_shape, classes=classes)
        self.backbone = keras.Sequential([keras.Input(self.image_shape), *backbone])
        self.head = layers.Dense(classes)
        self.head.build(self.backbone.output_shape)
        self.build()


def linear(image_shape=(4, 6, 3)):
    """Returns a classifier that is linear in the pixels, and its weights (height, width, channels, classes)."""
    model = Toy(image_shape, layers.Flatten())
    return model, model.head.kernel.numpy().reshape(*image_shape, -1)


@cache
def trained():
    return cnnzoo.build("cnn.mnist")


@cache
def maps_of(name, seed=None):
    """Returns maps of the digits for the trained network's classes; a seed selects a network with shuffled weights."""
    model = trained() if seed is None else explain.randomized(trained(), seed)
    return explain.method(name)(model, DIGITS, trained().classify(DIGITS).argmax(axis=1))


def logits(model, images):
    return model.head(model.backbone(images)).numpy()


IMAGES = rng.uniform(0, 1, (2, 4, 6, 3)).astype(np.float32)


# -- maps -------------------------------------------------------------------------------------------------------------


def test_maps_of_linear_model_match_closed_form():
    model, weights = linear()
    for c in range(3):
        steepest = np.broadcast_to(np.abs(weights[..., c]).max(axis=-1), (2, 4, 6))
        np.testing.assert_allclose(explain.saliency(model, IMAGES, c), steepest, rtol=1e-5)
        np.testing.assert_allclose(explain.smooth_grad(model, IMAGES, c), steepest, rtol=1e-5)
        shares = np.sum((IMAGES - 0.25) * weights[..., c], axis=-1)
        kwargs = {"baseline": 0.25}
        np.testing.assert_allclose(explain.integrated_gradients(model, IMAGES, c, steps=3, **kwargs), shares, atol=1e-6)
        np.testing.assert_allclose(explain.occlusion(model, IMAGES, c, size=1, **kwargs), shares, atol=1e-6)


def test_maps_default_to_most_likely_class():
    found = trained().classify(DIGITS[:4]).argmax(axis=1)
    for method in (explain.saliency, explain.grad_cam):
        np.testing.assert_array_equal(method(trained(), DIGITS[:4]), method(trained(), DIGITS[:4], found))
        assert np.abs(method(trained(), DIGITS[0], int(found[0])) - method(trained(), DIGITS[0], 1)).max() > 0.1


def test_integrated_gradients_satisfy_completeness():
    images = DIGITS.astype(np.float32) / 255
    found = logits(trained(), images).argmax(axis=1)
    way = (logits(trained(), images) - logits(trained(), np.zeros_like(images)))[np.arange(len(images)), found]
    error = explain.integrated_gradients(trained(), images, steps=128).sum(axis=(1, 2)) - way
    assert np.abs(error / way).max() < 0.02  # gradients jump at the kinks of ReLUs, between midpoints
    coarse = explain.integrated_gradients(trained(), images, steps=2).sum(axis=(1, 2)) - way
    assert np.abs(error).mean() < np.abs(coarse).mean() / 4


def test_smooth_grad_approaches_saliency_as_noise_vanishes():
    sharp = explain.saliency(trained(), DIGITS[:4])

    def change(noise):
        return np.abs(explain.smooth_grad(trained(), DIGITS[:4], noise=noise, samples=4) - sharp).mean()

    assert change(0.0) < 1e-6 < change(1e-3) < change(0.15)
    # The noise of an image is the same alone and in a batch.
    alone = explain.smooth_grad(trained(), DIGITS[2], samples=4)
    np.testing.assert_allclose(alone[0], explain.smooth_grad(trained(), DIGITS[:4], samples=4)[2], atol=1e-4)


def test_occlusion_matches_plain_loop():
    image, size, stride = DIGITS[0].astype(np.float32) / 255, 8, 6
    whole = logits(trained(), image[None])[0]
    c = whole.argmax()
    total, times = np.zeros((28, 28)), np.zeros((28, 28))
    for top in (0, 6, 12, 18, 20):
        for left in (0, 6, 12, 18, 20):
            covered = image.copy()
            covered[top : top + size, left : left + size] = 0.5
            total[top : top + size, left : left + size] += whole[c] - logits(trained(), covered[None])[0, c]
            times[top : top + size, left : left + size] += 1
    found = explain.occlusion(trained(), image, size=size, stride=stride, baseline=0.5)
    np.testing.assert_allclose(found[0], total / times, atol=1e-4)


def colors(stride=1):
    """Returns a model of two positive 1x1 filters and global means, whose maps and gradients have a closed form."""
    conv = layers.Conv2D(2, 1, strides=stride, activation="relu")
    model = Toy((4, 6, 3), conv, layers.GlobalAveragePooling2D())
    kernel = rng.uniform(0, 1, (3, 2)).astype(np.float32)
    conv.set_weights([kernel[None, None], np.zeros(2, np.float32)])
    return model, IMAGES[:, ::stride, ::stride] @ kernel, model.head.kernel.numpy()  # maps (n, h, w, 2), (2, classes)


@pytest.mark.parametrize("c", range(3))
def test_grad_cam_and_grad_cam_plus_plus_match_closed_form(c):
    model, maps, weights = colors()
    slope = weights[:, c] / (4 * 6)  # equal at all positions, since the head is applied to means
    np.testing.assert_allclose(explain.grad_cam(model, IMAGES, c), np.maximum(maps @ slope, 0), atol=1e-6)
    sums = maps.sum(axis=(1, 2))  # (n, 2)
    shares = 4 * 6 * np.maximum(slope, 0) / (2 + slope * sums)  # equation 19, divided by the square of the slope
    expected = np.maximum(np.einsum("nhwk,nk->nhw", maps, shares), 0)
    np.testing.assert_allclose(explain.grad_cam_plus_plus(model, IMAGES, c), expected, atol=1e-5)


def test_grad_cam_enlarges_small_maps_bilinearly():
    model, maps, weights = colors(stride=2)
    small = np.maximum(maps @ weights[:, 1] / (2 * 3), 0)
    expected = [resize(each, (4, 6), order=1, mode="edge", anti_aliasing=False) for each in small]
    np.testing.assert_allclose(explain.grad_cam(model, IMAGES, 1), expected, atol=1e-6)


def test_feature_maps_and_filters_include_nested_networks():
    block = keras.Sequential([layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5)])
    deep = [keras.Sequential([block, layers.MaxPooling2D()]), layers.Conv2D(5, 2), layers.LeakyReLU(), layers.Flatten()]
    model = Toy((12, 12, 1), *deep)
    images = rng.uniform(0, 1, (2, 12, 12, 1)).astype(np.float32)
    maps = explain.feature_maps(model, images)
    assert [each.shape for each in maps] == [(2, 10, 10, 4), (2, 4, 4, 5)]
    np.testing.assert_allclose(maps[0], block.layers[0](images), atol=1e-6)
    np.testing.assert_allclose(maps[1].reshape(2, -1), model.backbone(images), atol=1e-6)
    assert explain.grad_cam(model, images, layer=0).shape == (2, 12, 12)
    kernel = block.layers[0].kernel.numpy()
    np.testing.assert_array_equal(explain.filters(model), [kernel[..., i] for i in range(4)])


def test_activation_maximization_activates_classes_and_channels():
    made = explain.activation_maximization(trained(), range(10), steps=60)
    assert made.dtype == np.float32 and made.min() >= 0 and made.max() <= 1
    assert trained().classify(made).diagonal().min() > 0.9
    channels = [0, 7, 9]
    made = explain.activation_maximization(trained(), channels, layer=0, steps=30)
    answers = explain.feature_maps(trained(), made)[0].mean(axis=(1, 2))
    usual = explain.feature_maps(trained(), DIGITS)[0].mean(axis=(1, 2))
    assert (answers[range(3), channels] > 2 * usual[:, channels].max(axis=0)).all()


# -- faithfulness of the maps -----------------------------------------------------------------------------------------


@every_method
def test_maps_beat_random_maps_in_deletion_and_insertion(name):
    maps, chance = maps_of(name), np.random.default_rng(0).random(DIGITS.shape[:3])
    assert explain.deletion(trained(), DIGITS, maps).mean() < explain.deletion(trained(), DIGITS, chance).mean()
    assert explain.insertion(trained(), DIGITS, maps).mean() > explain.insertion(trained(), DIGITS, chance).mean()


@every_method
def test_maps_change_with_shuffled_weights(name):
    maps, first, second = maps_of(name), maps_of(name, seed=0), maps_of(name, seed=1)
    # Maps of two shuffled networks still share the image and the border effects of the network.
    assert explain.rank_correlation(maps, first).mean() < explain.rank_correlation(first, second).mean() + 0.15 < 0.9
    np.testing.assert_allclose(explain.rank_correlation(maps, 2 * maps), 1)


def test_randomized_permutes_weights_and_preserves_model():
    before = trained().get_weights()
    first, second, other = (explain.randomized(trained(), seed).get_weights() for seed in (0, 0, 1))
    for old, new, again, shuffled in zip(before, first, second, other, strict=True):
        np.testing.assert_array_equal(np.sort(old, axis=None), np.sort(new, axis=None))
        np.testing.assert_array_equal(new, again)
        assert not np.array_equal(old, new) and not np.array_equal(new, shuffled)
    assert all(np.array_equal(old, new) for old, new in zip(before, trained().get_weights(), strict=True))


def test_deletion_and_insertion_match_plain_loop():
    image, ranks = DIGITS[3], rng.permutation(28 * 28).reshape(28, 28)
    away, put = [], []
    for step in range(8):
        chosen = (ranks >= 28 * 28 - 112 * step)[..., None]  # largest values first
        away.append(trained().classify(np.where(chosen, 51, image).astype(np.uint8))[0, 3])
        put.append(trained().classify(np.where(chosen, image, 51).astype(np.uint8))[0, 3])
    for score, curve in ((explain.deletion, away), (explain.insertion, put)):
        area = sum((a + b) / 14 for a, b in pairwise(curve))
        np.testing.assert_allclose(score(trained(), image, ranks[None], 3, baseline=0.2, steps=7), [area], atol=1e-5)


# -- every model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cnnzoo.list_models())
def test_explain_accepts_classifiers_and_gans_and_rejects_others(name):
    model = samples.fresh(name)
    images = samples.images(model, 4)[:3]
    if model.task != "classify" and not hasattr(model, "discriminator"):
        with pytest.raises(ValueError, match=f"must be a classifier or a GAN. Received: {name}"):
            explain.saliency(model, images)
        return
    classes = [1, 0, 2] if model.task == "generate" and model.needs_labels else None
    before = model.get_weights()
    for method in (explain.saliency, explain.integrated_gradients, explain.occlusion, explain.grad_cam_plus_plus):
        if method is explain.grad_cam_plus_plus and not explain.feature_maps(model, images, classes):
            continue
        maps = method(model, images, classes)
        assert maps.shape == images.shape[:3] and maps.dtype == np.float32 and np.isfinite(maps).all()
    # The explained score is the model's logit of each image by itself: covering the whole image loses all of it.
    lost = explain.occlusion(model, images, classes, size=images.shape[1])
    for i, image in enumerate(images / np.float32(255)):
        full, black = (own_logit(model, x[None], classes and classes[i]) for x in (image, 0 * image))
        np.testing.assert_allclose(lost[i], (full - black)[full.argmax()], atol=1e-5)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def own_logit(model, image, label):
    """Returns the logits of one image, from the model's own networks."""
    if model.task == "classify":
        return logits(model, image)[0]
    if model.task == "generate":
        return model.discriminator(model.with_labels(2 * image - 1, np.array([label or 0]))).numpy()[0]
    return model.discriminator(image).numpy().mean(axis=(1, 2))[0]


def few_maps():
    """Returns saliency and Grad-CAM maps of two digits as lists."""
    return {name: explain.method(name)(trained(), DIGITS[:2]).tolist() for name in ("saliency", "grad_cam")}


def test_maps_match_across_tensorflow_and_jax():
    script = """if True:
        import json, keras, test_explain as t
        print(json.dumps([keras.backend.backend(), t.few_maps()]))
    """
    paths = os.pathsep.join(str(path) for path in Path(__file__).parents[:3])
    env = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ran, found = json.loads(done.stdout.splitlines()[-1])
    assert ran == "jax"
    for name, maps in few_maps().items():
        np.testing.assert_allclose(found[name], maps, atol=1e-3 * np.abs(maps).max(), err_msg=name)


# -- invalid arguments ------------------------------------------------------------------------------------------------

SMALL = np.zeros((8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (
            lambda m: explain.method("gradcam"),
            "`method` must be one of saliency, .*, grad_cam, grad_cam_plus.*Received: 'gradcam'",
        ),
        (lambda m: explain.saliency(m, SMALL), r"Images must .*Received: shape \(8, 8, 1\)"),
        (lambda m: explain.saliency(m, DIGITS[0], 10), r"`classes` must be one integer in \[0, 10\). Received: 10"),
        (lambda m: explain.smooth_grad(m, DIGITS[0], noise=-1), "`noise` must be a number >= 0.*Received: -1"),
        (lambda m: explain.smooth_grad(m, DIGITS[0], samples=0), "`samples` must be an integer >= 1.*Received: 0"),
        (lambda m: explain.integrated_gradients(m, DIGITS[0], steps=0), "`steps` must be an integer >= 1.*Received: 0"),
        (
            lambda m: explain.integrated_gradients(m, DIGITS[0], baseline=255),
            "`baseline` must be between 0 and 1.*Received: 255",
        ),
        (lambda m: explain.occlusion(m, DIGITS[0], size=29), "`size` must be between 1 and 28.*Received: 29"),
        (lambda m: explain.occlusion(m, DIGITS[0], size=4, stride=5), "`stride` must be between 1 and 4.*Received: 5"),
        (lambda m: explain.grad_cam(m, DIGITS[0], layer=3), "`layer` must be between -3 and 2.*Received: 3"),
        (
            lambda m: explain.grad_cam(linear((28, 28, 1))[0], DIGITS[0]),
            "must have convolutions. Received: toy, which has no feature maps",
        ),
        (lambda m: explain.filters(linear()[0]), "must have convolutions. Received: toy"),
        (lambda m: explain.activation_maximization(m, [64], layer=2), r"`units` must be .*, 0 to 63. Received: \[64\]"),
        (
            lambda m: explain.deletion(m, DIGITS[0], np.zeros((28, 28))),
            r"`maps` must have the shape \(1, .*Received: \(28, 28\)",
        ),
        (
            lambda m: explain.insertion(m, DIGITS[0], DIGITS[:1, ..., 0], steps=0),
            "`steps` must be an integer >= 1.*Received: 0",
        ),
    ],
)
def test_explain_functions_reject_invalid_arguments(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(trained())


def test_activation_maximization_rejects_units_of_unconditional_discriminator():
    model = samples.fresh("dcgan")
    assert len(explain.activation_maximization(model, [0], steps=1)) == 1
    for units in ([1], [0, -1]):
        with pytest.raises(ValueError, match=r"`units` must be in \[0, 1\) with a dcgan\. Received: \[-?[01]"):
            explain.activation_maximization(model, units, steps=1)
    for units, steps in (([], 1), ([0], -1)):
        with pytest.raises(ValueError, match=r"`units` must be one or more, and `steps` >= 0. Received: \["):
            explain.activation_maximization(model, units, steps=steps)


def test_explain_sheet_rejects_several_images():
    with pytest.raises(ValueError, match=r"`image` must be one image. Received: 2"):
        sheet(trained(), DIGITS[:2])


def test_explain_does_not_warn_of_light_ground_in_its_own_images():
    assert trained().ground == "dark"  # a warning would be an error
    explain.deletion(trained(), DIGITS[:1], DIGITS[:1, ..., 0], baseline=1.0, steps=2)
    explain.activation_maximization(trained(), [3], baseline=1.0, steps=1)
    with pytest.warns(UserWarning, match="dark on light"):
        explain.insertion(trained(), 255 - DIGITS[:1], DIGITS[:1, ..., 0], steps=1)


def test_saliency_rejects_images_smaller_than_receptive_field():
    backbone = [layers.Conv2D(2, 5, activation="relu"), layers.Conv2D(2, 5), layers.GlobalAveragePooling2D()]
    model = Toy((None, None, 1), *backbone)
    assert explain.saliency(model, np.zeros((9, 9, 1), np.uint8), 0).shape == (1, 9, 9)
    with pytest.raises(ValueError, match=r"^Images must have sides of 9 pixels or more. Received: 8x8 pixels$"):
        explain.saliency(model, SMALL)


def test_explain_rejects_unsuitable_classes_or_model():
    image = DIGITS[0]
    with pytest.raises(ValueError, match=r"`classes` must be integers in \[0, 10\) with a cgan, .*Received: None"):
        explain.saliency(cnnzoo.build("cgan", width=2), image)
    with pytest.raises(ValueError, match=r"`classes` must be None with a dcgan, which has no classes. Received: "):
        explain.saliency(cnnzoo.build("dcgan", width=2), image, 3)
    with pytest.raises(ValueError, match=r"must be a classifier. Received: dcgan"):
        explain.deletion(cnnzoo.build("dcgan", width=2), image, image[None, ..., 0])


# -- report -----------------------------------------------------------------------------------------------------------


def test_overlay_is_red_for_positive_and_blue_for_negative():
    image = np.full((2, 2, 3), 200, np.uint8)
    plain = overlay(image, np.zeros((2, 2), np.float32))
    assert (plain == plain[0, 0, 0]).all()
    colored = overlay(image, np.array([[3.0, -3.0], [0.0, 1.5]], np.float32)).astype(int)
    red, blue, gray, half = colored.reshape(4, 3)
    assert red[0] > 150 > 100 > red[2] and blue[2] > 150 > 100 > blue[0]
    np.testing.assert_array_equal(gray, plain[0, 0])
    np.testing.assert_allclose(half, (red + gray) / 2, atol=1)


@pytest.mark.parametrize(
    "words",
    [["cgan.mnist", "--label", "3", "--method", "occlusion"], ["gan.mnist"], ["cnn.mnist", "--method", "grad_cam"]],
    ids=" ".join,
)
def test_explain_command_writes_report(words, tmp_path, capsys):
    save_png(tmp_path / "digit.png", np.kron(DIGITS[0], np.ones((2, 2, 1), np.uint8)))
    out = tmp_path / "deep" / "report.png"
    assert main(["explain", words[0], str(tmp_path / "digit.png"), *words[1:], "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    colors = np.asarray(Image.open(out)).reshape(-1, 3)
    assert len(np.unique(colors, axis=0)) > 100


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["vae.mnist"], "`model` must be a classifier or a GAN. Received: vae"),
        (["cnn.mnist", "--method", "gradcam"], "Received: 'gradcam'. "),
        (["gan.mnist", "--method", "grad_cam"], "Received: gan, which has no feature maps"),
        (["cgan.mnist"], "--label must be an integer in [0, 10) with 'cgan.mnist', which judges"),
        (["lenet.mnist", "--label", "10"], "--label must be an integer in [0, 10). Received: 10"),
        (
            ["gan.mnist", "--label", "3"],
            "--label must not be given with 'gan.mnist', which has no classes. Received: 3",
        ),
    ],
)
def test_explain_command_reports_errors_in_one_line(words, complaint, tmp_path, capsys):
    save_png(tmp_path / "digit.png", DIGITS[0])
    try:
        code = main(["explain", words[0], str(tmp_path / "digit.png"), *words[1:]])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    said = capsys.readouterr().err
    assert complaint in said and said.count("\n") == 1
