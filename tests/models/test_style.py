"""Tests of style transfer: statistics against NumPy, feature networks, optimization, output and the command."""

import threading
import urllib.request

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from skimage import data

import cnnzoo
from cnnzoo import registry
from cnnzoo.cli import main
from cnnzoo.data import DataNotFound
from cnnzoo.features import random
from cnnzoo.features.maps import FeatureMaps
from cnnzoo.imaging.color import rgb_to_full_ycbcr, with_luma
from cnnzoo.imaging.files import read_image
from cnnzoo.models.style_transfer import StyleTransfer
from cnnzoo.nn.gradients import value_and_gradient
from cnnzoo.nn.losses import gram_matrix, mean_and_deviation, total_variation

rng = np.random.default_rng(0)
FACE = data.astronaut()[60:188:2, 160:288:2]  # (64, 64, 3) uint8
TISSUE = data.immunohistochemistry()[100:180, 100:196]  # (80, 96, 3) uint8
IMAGE, STYLE = FACE / np.float32(255), TISSUE / np.float32(255)


@pytest.fixture(scope="module")
def model():
    return cnnzoo.build("style_transfer", network="lenet.cifar10")  # a small network


def evaluation(model):
    """Returns a function from an image to its loss and gradient, with content IMAGE and style STYLE."""
    function = value_and_gradient(model.objective(ops.convert_to_tensor(IMAGE[None]), [STYLE[None]], [1.0]))
    return lambda x: tuple(ops.convert_to_numpy(y) for y in function(ops.convert_to_tensor(x[None], "float32")))


def numpy(x):
    return ops.convert_to_numpy(x).astype(np.float64)


# -- style statistics -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_gram_matrix_and_moments_match_numpy(weighted):
    maps = rng.standard_normal((2, 5, 7, 3)).astype(np.float32)
    weights = rng.random((2, 5, 7, 1), dtype=np.float32) if weighted else np.ones((2, 5, 7, 1), np.float32)
    weights /= weights.sum((1, 2, 3), keepdims=True)
    given = (weights,) if weighted else ()
    grams, moments = (numpy(statistic(maps, *given)) for statistic in (gram_matrix, mean_and_deviation))
    for features, w, gram, moment in zip(maps, weights, grams, moments, strict=True):
        rows, w = (x.astype(np.float64).reshape(35, -1) for x in (features, w))
        w = w[:, 0]
        np.testing.assert_allclose(gram, (rows * w[:, None]).T @ rows, atol=1e-6)
        mean = np.average(rows, 0, w)
        deviation = np.sqrt(np.average((rows - mean) ** 2, 0, w))
        np.testing.assert_allclose(moment, [*mean, *deviation], atol=1e-6)


def test_total_variation_matches_loop():
    images = rng.random((2, 4, 5, 3)).astype(np.float32)
    for image, found in zip(images.astype(np.float64), numpy(total_variation(images)), strict=True):
        down = [image[i + 1, j] - image[i, j] for i in range(3) for j in range(5)]
        right = [image[i, j + 1] - image[i, j] for i in range(4) for j in range(4)]
        expected = sum(np.mean([(step**2 + 0.03**2) ** 0.5 - 0.03 for step in steps]) for steps in (down, right))
        assert found == pytest.approx(expected, rel=1e-5)
    assert float(total_variation(np.ones((1, 4, 5, 3), np.float32))[0]) == 0.0


# -- feature networks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "style_layers", "content_layer", "least"),
    [
        ("random_vgg", 5, "conv4_2", 16),
        ("random_scales", 4, "conv3_1", 8),
        ("lenet.cifar10", 2, "conv1_1", 14),
    ],
)
def test_feature_maps_have_vgg_layer_names(network, style_layers, content_layer, least):
    maps = FeatureMaps(network)
    found = maps.features(IMAGE[None])
    assert tuple(found) == maps.layers
    assert maps.style_layers == tuple(f"conv{block}_1" for block in range(1, style_layers + 1))
    assert (maps.content_layer, maps.least_side) == (content_layer, least)
    for name, features in found.items():
        assert features.shape[1] == pytest.approx(64 / 2 ** (int(name[4]) - 1), abs=6)  # LeNet does not pad


@pytest.mark.parametrize("make", [random.random_vgg, random.random_scales])
def test_random_networks_are_deterministic(make):
    for a, b in zip(make().get_weights(), make().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_random_vgg_responses_are_normalized():
    x = random._picture()[None].astype(np.float32)
    for layer in random.random_vgg().layers[1:]:
        if isinstance(layer, keras.layers.Conv2D):
            layer.activation = keras.activations.linear
            answers = layer(x)
            np.testing.assert_allclose(numpy(answers).mean((0, 1, 2)), 0.0, atol=1e-3)
            np.testing.assert_allclose(numpy(answers).std((0, 1, 2)), 1.0, atol=1e-3)
            x = ops.relu(answers)
        else:
            x = layer(x)


def test_vgg19_layers_and_preprocessing_match_keras(monkeypatch):
    """Layer names and the channel order can be checked without the trained weights."""
    vgg19 = keras.applications.VGG19
    monkeypatch.setattr("cnnzoo.features.vgg19._unreachable", lambda: "")
    monkeypatch.setattr(keras.applications, "VGG19", lambda include_top, weights: vgg19(include_top, weights=None))
    maps = FeatureMaps("vgg19")
    assert len(maps.layers) == 16
    assert maps.style_layers == tuple(f"conv{block}_1" for block in range(1, 6))
    assert (maps.content_layer, maps.least_side) == ("conv4_2", 16)
    kernel, bias = maps._model.layers[1].get_weights()
    x = keras.applications.vgg19.preprocess_input(FACE[None].astype(np.float32))
    expected = np.maximum(np.einsum("ijc,ijco->o", x[0, 9:12, 9:12], kernel) + bias, 0)
    np.testing.assert_allclose(numpy(maps.features(FACE[None])["conv1_1"])[0, 10, 10], expected, rtol=1e-4, atol=1e-3)


def test_vgg19_raises_without_hanging_for_unresponsive_host(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    answer = threading.Event()

    def hang(*args, **options):
        answer.wait(60)
        raise OSError("at last")

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    with pytest.raises(DataNotFound, match=r"no answer.*random_vgg or random_scales"):
        cnnzoo.build("style_transfer", network="vgg19")
    answer.set()


# -- optimization -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", ["gram", "moments"])
def test_gradient_matches_finite_differences(statistic):
    """Compares slopes along random directions and along the gradient. The loss is in single precision."""
    evaluate = evaluation(cnnzoo.build("style_transfer", network="random_vgg", statistic=statistic))
    picture = (0.5 * IMAGE + 0.25 + 0.05 * rng.standard_normal(IMAGE.shape)).astype(np.float32)
    gradient = evaluate(picture)[1][0].astype(np.float64)
    for direction in (gradient, *rng.standard_normal((3, *IMAGE.shape))):
        direction = direction / np.sqrt(np.mean(direction**2))
        step = 2e-4
        ahead, behind = (float(evaluate(picture + sign * step * direction)[0]) for sign in (1, -1))
        slope = np.sum(gradient * direction)
        scale = np.sqrt(np.sum(gradient**2)) * np.sqrt(np.sum(direction**2))
        assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=0.02, abs=1e-3 * scale)


def test_lbfgs_reaches_lower_loss_than_adam(model):
    evaluate = evaluation(model)
    losses = {
        name: float(evaluate(model.stylize(IMAGE, STYLE, optimizer=name, steps=25, scales=1))[0])
        for name in ("lbfgs", "adam")
    }
    assert losses["lbfgs"] < losses["adam"] < 0.5 * float(evaluate(IMAGE)[0])


def test_fit_lowers_loss_and_keeps_picture_in_range():
    own = StyleTransfer(network="lenet.cifar10")
    own.compile({"picture": keras.optimizers.Adam(0.05)})
    many = (np.repeat(x[None], 20, axis=0) for x in (IMAGE, STYLE))
    history = own.fit(*many, batch_size=1, epochs=2, verbose=0).history
    picture = numpy(own(IMAGE[None]))[0]
    assert picture.min() >= 0.0 and picture.max() <= 1.0
    assert history["loss"][1] < 0.5 * history["loss"][0]
    last = own.evaluate(IMAGE[None], STYLE[None], verbose=0, return_dict=True)
    terms = last["content"] + own.style_weight * last["style"] + own.variation_weight * last["variation"]
    assert last["loss"] == pytest.approx(terms, rel=1e-5)


# -- output -----------------------------------------------------------------------------------------------------------


def paint(model, content=FACE, style=TISSUE, **options):
    return model.stylize(content, style, **{"steps": 4, **options})


def test_stylize_preserves_shape_and_dtype(model):
    floats = paint(model, IMAGE, STYLE)
    assert floats.dtype == np.float32 and floats.shape == IMAGE.shape and 0 <= floats.min() <= floats.max() <= 1
    for dtype, largest in ((np.uint8, 255), (np.uint16, 65535)):
        found = paint(model, (FACE * np.uint16(largest // 255)).astype(dtype), STYLE)
        assert found.dtype == dtype
        np.testing.assert_allclose(found / largest, floats, atol=0.6 / largest + 0.01)
    both = paint(model, np.stack([FACE, FACE[::-1]]))
    assert both.shape == (2, *FACE.shape)
    np.testing.assert_allclose(both[0], paint(model), atol=1)


def test_stylize_mixes_styles_by_weights(model):
    other = data.coffee()[100:164, 100:164]
    alone = paint(model)
    np.testing.assert_array_equal(paint(model, style=[TISSUE, other], weights=[3, 1e-9]), alone)
    mixed = paint(model, style=[TISSUE, other])
    assert np.abs(mixed.astype(int) - alone).mean() > 1


def test_mask_preserves_content_outside_bit_for_bit(model):
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 20:60] = 200
    for content in (FACE, IMAGE):
        found = paint(model, content, mask=mask, scales=2)
        np.testing.assert_array_equal(found[mask == 0], content[mask == 0])
        assert (found[mask > 0] != content[mask > 0]).mean() > 0.9


def test_with_luma_replaces_luma_and_preserves_chroma():
    image, luma = rng.random((6, 6, 3)), rng.random((6, 6, 1))
    made = rgb_to_full_ycbcr(with_luma(image, luma))
    np.testing.assert_allclose(made[..., :1], luma, atol=1e-12)
    np.testing.assert_allclose(made[..., 1:], rgb_to_full_ycbcr(image)[..., 1:], atol=1e-12)


def test_keep_color_preserves_chroma_of_content(model):
    soft = 0.4 + 0.2 * IMAGE  # so that all colors fit in the RGB gamut
    found = paint(model, soft, keep_color=True, steps=12)
    made, before = (rgb_to_full_ycbcr(x.astype(np.float64)) for x in (found, soft))
    inside = ((found > 0) & (found < 1)).all(axis=2)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(made[inside][:, 1:], before[inside][:, 1:], atol=1e-5)
    assert np.abs(made - before)[..., 0].mean() > 0.004


def test_side_limits_size_of_optimized_image(model):
    sizes = []
    progress = lambda done, total, picture: sizes.append((done, total, picture.shape))  # noqa: E731
    assert paint(model, np.tile(FACE, (2, 3, 1)), side=64, progress=progress).shape == (128, 192, 3)
    assert {shape for *_, shape in sizes} == {(43, 64, 3)}
    assert sizes[-1][:2] == (4, 4)


# -- invalid arguments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"content": FACE[:12]}, r"for 'lenet.cifar10' must have 14 pixels or more a side. Received: 64x12 pixels"),
        ({"side": 12}, "Received: 64x64 pixels and side=12"),
        ({"scales": 4}, r"`scales` must be between 1 and 3.*Received: 4"),
        ({"style": []}, r"`style` must be one picture, or a list of them. Received: \[\]"),
        (
            {"style": [FACE, FACE], "weights": [1, 0]},
            r"`weights` must be one number > 0 for each style. Received: \[1, 0\]",
        ),
        ({"style": FACE[None].repeat(2, axis=0)}, "Received: style 0 of shape"),
        ({"optimizer": "sgd"}, "`optimizer` must be one of lbfgs, adam.*Received: 'sgd'"),
        ({"steps": 0}, "`steps` must be an integer >= 1.*Received: 0"),
        ({"mask": np.ones((3, 3))}, r"Masks must have shape .*Received: \(3, 3\)"),
    ],
)
def test_stylize_rejects_invalid_arguments(model, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        paint(model, **options)


def test_style_transfer_rejects_unknown_statistic_and_network():
    with pytest.raises(ValueError, match=r"`statistic` must be one of gram, moments.*Received: 'median'"):
        cnnzoo.build("style_transfer", statistic="median")
    with pytest.raises(registry.UnknownName, match=r"Unknown network 'random_vg'. Did you mean random_vgg"):
        cnnzoo.build("style_transfer", network="random_vg")


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a photograph, a style image, and a named painting."""
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    (tmp_path / "style/train/style").mkdir(parents=True)
    Image.fromarray(FACE).save(tmp_path / "in.png")
    Image.fromarray(TISSUE).save(tmp_path / "mine.png")
    Image.fromarray(TISSUE).save(tmp_path / "style/train/style/tissue.jpg")
    return tmp_path


def test_stylize_command_accepts_style_name_and_file(files, capsys):
    for style in ("tissue", str(files / "mine.png")):
        words = [files / "in.png", files / "out.png", "--style", style, "--frames", files / "frames"]
        assert main(["stylize", *map(str, words), "--steps", "5", "--network", "lenet.cifar10"]) == 0
        assert read_image(files / "out.png").shape == (64, 64, 3)
        assert (files / "frames/00005.png").exists()
        (files / "out.png").unlink()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("style", "complaint"),
    [
        ("tisue", "Unknown style 'tisue'. "),
        ("notes.txt", "The style must be one of tissue, or the path of a picture. Received: no picture: "),
    ],
)
def test_stylize_command_rejects_unknown_style(files, capsys, monkeypatch, style, complaint):
    monkeypatch.chdir(files)
    (files / "notes.txt").write_text("no picture")
    assert main(["stylize", "in.png", "out.png", "--style", style]) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(files / "nowhere"))
    assert main(["stylize", "in.png", "out.png", "--style", style]) == 2
    assert "must be one of the names of paintings, which cnnzoo data get paintings fetches" in capsys.readouterr().err
