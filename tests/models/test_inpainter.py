"""Tests of the inpainter: components against plain loops and SciPy, the public API, and training."""

import math

import keras
import numpy as np
import pytest
from conformance import samples
from keras import ops
from scipy import ndimage
from scipy.signal import correlate2d
from scipy.special import expit

import cnnzoo
from cnnzoo.features.distance import PerceptualDistance
from cnnzoo.imaging import masks
from cnnzoo.imaging.smooth_filling import smooth_filling
from cnnzoo.models import inpainter
from cnnzoo.models.inpainter import GatedConv2D
from cnnzoo.recipes import adam_cosine

LARGEST = {"uint8": 255, "uint16": 65535, "float32": 1}


def fresh(**config):
    """Returns a narrow model with random weights. A new model adds nothing to the smooth filling."""
    model = samples.fresh("inpainter", **{"width": 4, **config})
    rng = np.random.default_rng(0)
    for layer in model.network.layers:
        layer.set_weights([rng.normal(0, 0.15, w.shape) for w in layer.get_weights()])
    return model


def picture(height: int, width: int, channels: int = 3, dtype: str = "uint8", n: int = 1) -> np.ndarray:
    x = np.random.default_rng(1).random((n, height, width, channels), np.float32)
    return x if dtype == "float32" else (x * LARGEST[dtype]).astype(dtype)


# -- components -------------------------------------------------------------------------------------------------------


def halved(image: np.ndarray) -> np.ndarray:
    """Returns the means of 2x2 blocks, and of partial blocks at odd sides."""
    rows, columns = (range(0, side, 2) for side in image.shape)
    return np.array([[image[row : row + 2, column : column + 2].mean() for column in columns] for row in rows])


def laplacian(image: np.ndarray) -> np.ndarray:
    return ndimage.convolve(image, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4, mode="reflect")


def filling_by_hand(total: np.ndarray, share: np.ndarray, level: int = 0) -> np.ndarray:
    """Returns the smooth filling of a premultiplied image (height, width) with its known fractions, by definition."""
    mean = np.divide(total, share, out=np.zeros_like(total), where=share > 0)
    if mean.size == 1:
        return mean
    coarse = np.kron(filling_by_hand(halved(total), halved(share), level + 1), np.ones((2, 2)))
    trust = np.minimum(4 * share, 1) if level else share
    filled = trust * mean + (1 - trust) * coarse[: mean.shape[0], : mean.shape[1]]
    for _ in range(5):
        filled = trust * mean + (1 - trust) * (filled + laplacian(filled))
    for _ in range(0 if level else 16):
        filled = trust * mean + (1 - trust) * (filled - 0.48 * laplacian(laplacian(filled)))
    return filled if level else filled.clip(0, 1)


@pytest.mark.parametrize("kind", ["strokes", "pixels", "center"])
@pytest.mark.parametrize("size", [(32, 64), (21, 13), (1, 6)])
def test_smooth_filling_matches_definition(kind, size):
    image = np.random.default_rng(0).random(size)
    known = 1 - masks.draw(kind, (1, *size), 3)[0, :, :, 0].astype(np.float64)
    filled = smooth_filling(*(x[None, :, :, None].astype(np.float32) for x in (image, known)))
    filled = ops.convert_to_numpy(filled)[0, :, :, 0]
    np.testing.assert_allclose(filled, filling_by_hand(image * known, known), atol=1e-5)
    np.testing.assert_allclose(filled[known > 0], image[known > 0], atol=1e-6)


def test_smooth_filling_of_one_known_pixel_is_constant():
    known = np.zeros((1, 300, 200, 1), np.float32)
    known[0, 5, 7] = 1
    np.testing.assert_allclose(smooth_filling(np.full_like(known, 0.7), known), 0.7, rtol=1e-5)


def test_gated_conv_matches_formula():
    layer = GatedConv2D(2, dilation=2)
    x = np.random.default_rng(0).normal(size=(1, 9, 8, 1)).astype(np.float32)
    layer.build(x.shape)
    assert not layer.gates.get_weights()[0].any()
    kernels, bias = np.random.default_rng(1).normal(size=(2, 3, 3, 1, 2)), np.array([0.1, -0.2])
    layer.features.set_weights([kernels[0], bias])
    layer.gates.set_weights([kernels[1], bias])
    found = ops.convert_to_numpy(layer(x))[0]
    spread = np.zeros((2, 5, 5, 2))
    spread[:, ::2, ::2] = kernels[:, :, :, 0]
    for i in range(2):
        feature = correlate2d(np.maximum(x[0, :, :, 0], 0), spread[0, :, :, i], mode="same") + bias[i]
        gate = correlate2d(x[0, :, :, 0], spread[1, :, :, i], mode="same") + bias[i]
        np.testing.assert_allclose(found[:, :, i], feature * 2 * expit(gate), atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_margin_bounds_receptive_field(depth):
    model = fresh(depth=depth, image_shape=(None, None, 1))
    length = 4 * (-(-model.margin // model.stride)) * model.stride
    farthest = 0
    for at in range(length // 2, length // 2 + model.stride):
        image = np.zeros((1, model.stride, length, 1), np.float32)
        image[:, :, at] = np.nan  # NaN propagates to every dependent output, however weak the dependence
        made = ops.convert_to_numpy(model.refined(image, np.zeros_like(image), np.zeros_like(image)))
        reached = np.flatnonzero(np.isnan(made).any(axis=(0, 1, 3)))
        farthest = max(farthest, at - reached.min(), reached.max() - at)
    assert model.margin - model.stride < farthest <= model.margin


# -- inference --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 2), (3, 5), (33, 47), (64, 64)])
@pytest.mark.parametrize("dtype", LARGEST)
def test_inpaint_preserves_known_pixels_and_dtype(size, dtype):
    model, x = fresh(), picture(*size, dtype=dtype, n=2)
    mask = masks.draw("pixels", (2, *size), 5)
    whole = model.restore(x, mask)
    assert whole.dtype == dtype and whole.shape == x.shape
    known = np.broadcast_to(mask == 0, x.shape)
    np.testing.assert_array_equal(whole[known], x[known])
    assert not np.array_equal(whole, x)
    single = model.restore(x[1], mask[1, :, :, 0])
    np.testing.assert_allclose(single.astype(float), whole[1], atol=1e-6 if dtype == "float32" else 1)  # rounding


@pytest.mark.parametrize("size", [(30, 40), (32, 32)])
def test_inpaint_is_invariant_to_pixels_in_holes(size):
    model, x = fresh(), picture(*size)[0]
    mask = masks.draw("strokes", (1, *size), 0)[0, :, :, 0]
    other = np.where(mask[:, :, None] > 0, 255 - x, x)
    np.testing.assert_array_equal(model.restore(x, mask), model.restore(other, mask))
    shown, changed = (np.concatenate([y, 255 * mask[:, :, None].astype(np.uint8)], axis=2)[None] for y in (x, other))
    np.testing.assert_array_equal(model(shown), model(changed))
    assert not np.array_equal(model.restore(x, mask), model.restore(255 - x, mask))


def test_inpaint_matches_across_dtypes():
    model, x, mask = fresh(), picture(33, 20)[0], masks.draw("box", (1, 33, 20), 0)[0]
    as_bytes = model.restore(x, mask)
    as_floats = model.restore(x.astype(np.float32) / 255, mask)
    as_words = model.restore(x.astype(np.uint16) * 257, mask)
    np.testing.assert_allclose(as_floats, as_bytes / 255, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(as_words, 65535 * as_floats, atol=0.6)


def test_inpaint_accepts_gray_without_channel_axis():
    model, x = fresh(image_shape=(None, None, 1)), picture(20, 30, 1)[0]
    np.testing.assert_array_equal(model.restore(x[:, :, 0], np.eye(20, 30)), model.restore(x, np.eye(20, 30)))


@pytest.mark.parametrize("length", [1500, 1491])
def test_inpaint_tiling_matches_whole_image(length, monkeypatch):
    model, x = fresh(), picture(40, length, dtype="float32")[0]
    mask = masks.draw("strokes", (1, 40, length), 0)[0] + masks.draw("box", (1, 40, length), 0)[0]
    monkeypatch.setattr(inpainter, "TILE", 128)
    tiled = model.restore(x, mask)
    whole = ops.convert_to_numpy(model(np.concatenate([x, mask], axis=2)[None]))[0]
    np.testing.assert_allclose(tiled, whole, atol=1e-5)
    assert np.abs(np.rint(255 * tiled) - np.rint(255 * whole)).max() <= 1
    for margin in ("margin", "smooth_margin"):
        monkeypatch.setattr(type(model), margin, 0)
    assert np.abs(model.restore(x, mask) - whole).max() > 1 / 255  # without margins there are seams


def test_inpaint_runs_network_only_on_tiles_with_holes(monkeypatch):
    model, x = fresh(), picture(8, 30000)[0]
    mask = np.zeros((8, 30000), bool)
    mask[3:5, 100:120] = True
    widths, run = [], inpainter.run

    def noted(model, function, images, *beside):
        if function is inpainter._filled_part:
            widths.append(images.shape[2])
        return run(model, function, images, *beside)

    monkeypatch.setattr(inpainter, "run", noted)
    monkeypatch.setattr(inpainter, "TILE", 100)
    filled = model.restore(x, mask)
    assert len(widths) == 1 and widths[0] < 20000
    np.testing.assert_allclose(filled[:, :1000], model.restore(x[:, :1000], mask[:, :1000]), atol=1)


def test_inpaint_accepts_one_mask_per_image_or_for_all():
    model, x = fresh(), picture(16, 24, n=3)
    each = masks.draw("box", (3, 16, 24), 0)
    together = model.restore(x, each)
    for image, mask, expected in zip(x, each, together, strict=True):
        np.testing.assert_array_equal(model.restore(image, mask), expected)
    np.testing.assert_array_equal(model.restore(x, each[1])[1], together[1])


@pytest.mark.parametrize(
    ("x", "mask", "complaint"),
    [
        (picture(8, 9)[0], np.eye(9, 8), r"Masks must have shape \(8, 9\[, 1\]\) or \(1, 8, 9.*Received: \(9, 8\)"),
        (picture(8, 9)[0], np.zeros((8, 9)), "must mark at least one pixel .*image 0, by which nothing is missing"),
        (picture(8, 9)[0], np.ones((8, 9)), "must be 0 for at .*image 0, by which everything is missing"),
        (picture(8, 9, 1)[0], np.eye(8, 9), r"3\) or .*Received: shape \(8, 9, 1\)"),
        (picture(8, 9)[0].astype(np.int32), np.eye(8, 9), "Received: int32"),
        (np.full((8, 9, 3), np.nan, np.float32), np.eye(8, 9), "Received: values in"),
    ],
)
def test_inpaint_rejects_invalid_images_and_masks(x, mask, complaint):
    with pytest.raises(ValueError, match=complaint):
        fresh().restore(x, mask)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"image_shape": (32, 32, 3)}, r"`image_shape` must be \(None, None, 1 or 3\).*Received: \(32, 32, 3\)"),
        ({"masks": ("text",)}, r"`masks` must be one or more of center.*Received: \('text',\)"),
        ({"depth": 0}, "`depth` must be an integer >= 1.*Received: 0"),
        ({"adversarial": -1.0}, "`adversarial` must be 0 to leave it out.*Received: -1.0"),
        ({"content": -1.0}, "`content` must be 0 to leave it out.*Received: -1.0"),
    ],
)
def test_inpainter_rejects_invalid_configuration(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build("inpainter", **config)


def test_before_after_hides_and_fills_only_holes():
    model = fresh()
    images = picture(28, 20, n=4)
    shown, whole, same = model.before_after(images)
    assert same is images and shown.dtype == whole.dtype == np.uint8
    hidden = (shown != images).any(axis=3)
    assert 0 < hidden.mean() < 1 and (shown[hidden] == 128).all()
    np.testing.assert_array_equal(whole[~hidden], images[~hidden])
    assert not np.array_equal(whole, images)


# -- training ---------------------------------------------------------------------------------------------------------


def test_loss_and_hole_psnr_cover_only_missing_pixels():
    model = fresh()
    images = ops.convert_to_tensor(picture(32, 32, dtype="float32", n=4))
    filled = model.forward(images, None, False)
    loss, logs = model.restoration_loss(filled)
    images, mask, made = (ops.convert_to_numpy(x) for x in filled[:3])
    error = (images - made)[np.broadcast_to(mask > 0, images.shape)]
    assert float(ops.mean(loss)) == pytest.approx(np.abs(error).sum() / images.size, rel=1e-5)
    scores = [
        -10 * math.log10(np.mean(np.square(x - y)[m[:, :, 0] > 0])) for x, y, m in zip(images, made, mask, strict=True)
    ]
    np.testing.assert_allclose(logs["hole_psnr"], scores, rtol=1e-5)


@pytest.mark.slow
def test_training_beats_smooth_filling_on_stripes():
    model = samples.fresh("inpainter", width=8, depth=1, masks=("pixels",), image_shape=(None, None, 1))
    rng = np.random.default_rng(0)
    waves = np.sin(2 * np.pi * np.arange(24) / 3 + rng.uniform(0, 2 * np.pi, (64, 1)))
    stripes = np.broadcast_to(0.5 + 0.4 * waves[:, None, :, None], (64, 24, 24, 1)).astype(np.float32)
    model.compile(adam_cosine(4e-3, "restoration", warmup=0.1)({"restoration": 60}))
    before = model.evaluate(stripes, verbose=0, return_dict=True)  # the initial correction is zero
    model.fit(stripes, batch_size=16, epochs=15, shuffle=False, verbose=0)
    after = model.evaluate(stripes, verbose=0, return_dict=True)
    assert after["loss"] < 0.7 * before["loss"]
    assert after["hole_psnr"] > before["hole_psnr"] + 3


def test_discriminator_exists_only_with_adversarial_weight():
    alone, game = fresh(), fresh(adversarial=0.1)
    assert [phase.name for phase in alone.phases()] == ["restoration"]
    assert not hasattr(alone, "discriminator")
    assert {v.path for v in alone.trainable_variables} == {v.path for v in alone.network.trainable_variables}
    assert [phase.name for phase in game.phases()] == ["discriminator", "restoration"]
    game.compile(samples.optimizers(game, lambda: keras.optimizers.SGD(1e-2)), run_eagerly=True)
    before = [v.numpy() for v in game.trainable_variables]
    assert len(before) == len(game.network.trainable_variables) + len(game.discriminator.trainable_variables)
    history = samples.steps(game, 2)
    assert set(history) == {"loss", "restoration_loss", "discriminator_loss", "hole_psnr"}
    for variable, old in zip(game.trainable_variables, before, strict=True):
        if variable.name == "kernel":  # the last bias adds the same to real and fake logits
            assert not np.array_equal(variable.numpy(), old), variable.path


@pytest.mark.parametrize("channels", [1, 3])
def test_content_loss_matches_weighted_perceptual_distance(channels):
    images = ops.convert_to_tensor(picture(32, 32, channels, dtype="float32", n=4))
    plain, model = (fresh(image_shape=(None, None, channels), content=weight) for weight in (0.0, 0.7))
    filled = model.forward(images, None, False)
    images, mask, made = (ops.convert_to_numpy(x) for x in filled[:3])
    whole = np.where(mask > 0, np.clip(made, 0, 1), images)
    expected = 0.7 * PerceptualDistance("lenet.cifar10")(images, whole).mean()
    found = float(ops.mean(model.restoration_loss(filled)[0] - plain.restoration_loss(filled)[0]))
    assert found == pytest.approx(expected, rel=1e-4)
    assert len(model.trainable_variables) == len(plain.trainable_variables)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["discriminator", "restoration"])
def test_adversarial_phases_lower_own_loss(phase):
    model = fresh(adversarial=1.0, masks=("center",))
    model.compile(samples.optimizers(model, lambda: keras.optimizers.Adam(1e-3), only=phase))
    losses = samples.steps(model, 12)[f"{phase}_loss"]
    assert losses[-1] < losses[0] - 0.01
