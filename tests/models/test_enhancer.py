"""Tests of the enhancer: curves, losses and degradations against plain loops, scores, training and the command."""

import random

import keras
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data, exposure
from skimage.metrics import peak_signal_noise_ratio

import cnnzoo
from cnnzoo.checkpoints.table import headline
from cnnzoo.cli import main
from cnnzoo.evaluation import classical, restoration
from cnnzoo.imaging.degradations import exposed, misexposed
from cnnzoo.imaging.files import read_photo, save_png
from cnnzoo.imaging.resampling import bilinear, weighted
from cnnzoo.models import enhancer
from cnnzoo.nn import losses

PHOTO = data.astronaut()[:150, 100:300]  # (150, 200, 3)
rng = np.random.default_rng(0)
numpy = keras.ops.convert_to_numpy


def awake(**config):
    """Returns an enhancer with random weights in the last layer, instead of the initial zeros."""
    keras.utils.set_random_seed(1)
    model = cnnzoo.build("enhancer", **config)
    last = model.network.layers[-1]
    last.set_weights([rng.normal(0, 0.5, w.shape).astype(np.float32) for w in last.get_weights()])
    return model


def with_curves(a: float):
    """Returns an enhancer with the parameter `a` in all curves."""
    model = cnnzoo.build("enhancer")
    kernel, bias = model.network.layers[-1].get_weights()
    model.network.layers[-1].set_weights([kernel, np.full_like(bias, np.arctanh(a))])
    return model


def test_enhancer_is_small_and_starts_as_identity():
    model = cnnzoo.build("enhancer")
    assert 2_000 < model.count_params() < 9_000
    np.testing.assert_array_equal(model.enhance(PHOTO), PHOTO)


# -- curves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a", [-0.6, 0.3, 0.9])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_enhance_matches_curve_formula(a, strength):
    x = rng.random((5, 7, 3), dtype=np.float32)
    expected, used = x.astype(np.float64), np.clip(strength * a, -1, 1)
    for _ in range(8):
        expected = expected + used * expected * (1 - expected)
    np.testing.assert_allclose(with_curves(a).enhance(x, strength), expected, atol=2e-6)


def test_enhance_at_maximum_strength_is_power_of_256():
    """x + x (1 - x) = 1 - (1 - x)^2 and x - x (1 - x) = x^2; eight iterations give the power 256."""
    x = np.linspace(0, 1, 60, dtype=np.float32).reshape(4, 5, 3)
    np.testing.assert_allclose(with_curves(0.9).enhance(x, 2.0), 1 - (1 - x.astype(float)) ** 256, atol=1e-5)
    np.testing.assert_allclose(with_curves(-0.9).enhance(x, 2.0), x.astype(float) ** 256, atol=1e-5)


def test_enhance_with_zero_strength_is_identity_in_any_dtype():
    model = awake()
    for photo in (PHOTO, PHOTO.astype(np.uint16) * 257, PHOTO / np.float32(255)):
        np.testing.assert_array_equal(model.enhance(photo, 0.0), photo)
        assert np.abs(model.enhance(photo).astype(float) - photo).max() > 0.05 * photo.max()


@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
def test_curves_are_monotonic_and_preserve_black_and_white(strength):
    """The curves increase at every position and map 0 to 0 and 1 to 1."""
    curves = np.tanh(rng.normal(0, 2, (1, 1, 30, 24))).astype(np.float32)
    grays = np.linspace(0, 1, 101, dtype=np.float32)
    made = numpy(
        enhancer.bent(
            grays[:, None, None, None] * np.ones((101, 1, 30, 3), np.float32), enhancer.strengthened(curves, strength)
        )
    )
    assert np.diff(made, axis=0).min() >= -1e-6
    np.testing.assert_array_equal(made[0], 0.0)
    np.testing.assert_array_equal(made[-1], 1.0)


def test_enhance_brightens_more_at_larger_strength():
    model = with_curves(0.1)
    means = [model.enhance(PHOTO, strength).mean() for strength in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert np.diff(means).min() > 3


# -- photographs of any size and dtype ---------------------------------------------------------------------------------


def test_enhance_matches_across_dtypes_batches_and_files(tmp_path):
    model = awake()
    made = model.enhance(PHOTO)
    floats = model.enhance(PHOTO / np.float32(255))
    assert made.dtype == np.uint8 and floats.dtype == np.float32
    np.testing.assert_allclose(made / 255, floats, atol=0.51 / 255)
    np.testing.assert_allclose(model.enhance(PHOTO.astype(np.uint16) * 257) / 65535, floats, atol=1e-4)
    both = model.enhance(np.stack([PHOTO, PHOTO[::-1]]), [1.0, 0.5])
    np.testing.assert_array_equal(both, [made, model.enhance(PHOTO[::-1], 0.5)])
    save_png(tmp_path / "photo.png", PHOTO)
    np.testing.assert_array_equal(model.enhance(tmp_path / "photo.png"), made)
    np.testing.assert_array_equal(model.enhance(Image.fromarray(PHOTO)), made)


@pytest.mark.parametrize("shape", [(1, 1), (3, 260), (150, 200), (300, 7)])
def test_enhance_in_strips_matches_whole_image(shape, monkeypatch):
    model = awake()
    photo = rng.random((*shape, 3), dtype=np.float32)
    whole = numpy(model.enhanced(photo[None], 0.7))[0]
    monkeypatch.setattr(enhancer, "STRIP", 11 * shape[1])
    np.testing.assert_allclose(model.enhance(photo, 0.7), whole, atol=2e-5)


@pytest.mark.parametrize("size", [1, 40, 128, 333])
def test_bilinear_matches_pillow(size):
    plane = rng.random((size, 90), dtype=np.float32)
    expected = Image.fromarray(plane).resize((50, 128), Image.Resampling.BILINEAR)
    made = weighted(bilinear(50, 90), weighted(bilinear(128, size), plane[None, :, :, None], 1), 2)
    np.testing.assert_allclose(numpy(made)[0, :, :, 0], np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("x", "strength", "message"),
    [
        (PHOTO, -0.1, r"`strength` must be a number between 0 and 2.*Received: -0.1"),
        (PHOTO, float("nan"), r"`strength` must be a number between 0 and 2.*Received: nan"),
        (PHOTO, "much", r"`strength` must be a number between 0 and 2.*Received: 'much'"),
        (
            PHOTO,
            [0.5, 1.0],
            r"`strength` must be a number between 0 and 2, or one for each of 1 images.*Received: \[0.5, 1.0\]",
        ),
        (PHOTO[:, :, :1], 1.0, r"\(height, width, 3\) or .*Received: shape \(150, 200, 1\)"),
        (PHOTO.astype(np.int32), 1.0, r"Received: int32"),
        (PHOTO.astype(np.float32), 1.0, r"Received: values in \[0, 255\]"),
    ],
)
def test_enhance_rejects_invalid_input(x, strength, message):
    with pytest.raises(ValueError, match=message):
        cnnzoo.build("enhancer").enhance(x, strength)


@pytest.mark.parametrize("config", [{"reference": 1.5}, {"reference": "all"}, {"image_shape": (None, None, 1)}])
def test_enhancer_rejects_invalid_configuration(config):
    with pytest.raises(ValueError, match=r"`(reference|image_shape)` must be .*Received: .*"):
        cnnzoo.build("enhancer", **config)


# -- losses ------------------------------------------------------------------------------------------------------------


def regions(image: np.ndarray, side: int) -> np.ndarray:
    """Returns the mean gray values of square regions, by a plain loop."""
    height, width = image.shape[:2]
    return np.array(
        [
            [image[y : y + side, x : x + side].mean() for x in range(0, width - side + 1, side)]
            for y in range(0, height - side + 1, side)
        ]
    )


def test_spatial_consistency_matches_loop():
    before, after = rng.random((2, 2, 12, 16, 3), dtype=np.float32)
    expected = []
    for i, o in zip(before, after, strict=True):
        i, o = regions(i, 4), regions(o, 4)
        total = 0.0
        for y, x in np.ndindex(i.shape):
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < i.shape[0] and 0 <= u < i.shape[1]:
                    total += (abs(o[y, x] - o[v, u]) - abs(i[y, x] - i[v, u])) ** 2
        expected.append(total / i.size)
    np.testing.assert_allclose(numpy(losses.spatial_consistency(before, after)), expected, rtol=1e-4)


def test_exposure_error_matches_loop():
    images = rng.random((2, 40, 33, 3), dtype=np.float32)  # the last 8 rows and the last column are ignored
    expected = [np.abs(regions(image, 16) - 0.6).mean() for image in images]
    np.testing.assert_allclose(numpy(losses.exposure_error(images)), expected, rtol=1e-5)


def test_color_cast_matches_formula_and_is_zero_for_gray():
    images = rng.random((2, 5, 7, 3), dtype=np.float32)
    r, g, b = images.mean(axis=(1, 2)).T
    expected = (r - g) ** 2 + (g - b) ** 2 + (b - r) ** 2
    np.testing.assert_allclose(numpy(losses.color_cast(images)), expected, rtol=1e-4)
    np.testing.assert_allclose(numpy(losses.color_cast(np.repeat(images[..., :1], 3, axis=3))), 0.0, atol=1e-12)


def test_illumination_smoothness_matches_loop():
    curves = rng.normal(size=(2, 4, 5, 8, 3)).astype(np.float32)
    expected = []
    for each in curves:
        total = 0.0
        for y, x, i, c in np.ndindex(3, 4, 8, 3):
            here = each[y, x, i, c]
            total += (abs(each[y + 1, x, i, c] - here) + abs(each[y, x + 1, i, c] - here)) ** 2
        expected.append(total / (3 * 4 * 8))
    np.testing.assert_allclose(numpy(losses.illumination_smoothness(curves)), expected, rtol=1e-5)


# -- mis-exposure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stops", "gamma", "cast"), [(0.0, 1.0, 1.0), (-2.0, 1.0, 1.0), (1.0, 0.8, 1.0), (0.5, 1.2, (1.1, 1.0, 0.9))]
)
def test_exposed_matches_scaling_in_linear_light(stops, gamma, cast):
    expected = np.empty(PHOTO[:9, :9].shape)
    for y, x, c in np.ndindex(expected.shape):
        v = PHOTO[y, x, c] / 255
        light = v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        light = min(1.0, light * 2**stops * np.broadcast_to(cast, 3)[c])
        v = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
        expected[y, x, c] = 255 * v**gamma
    made = 255 * numpy(exposed(PHOTO[None, :9, :9] / np.float32(255), stops, gamma, np.float32(cast)))[0]
    np.testing.assert_allclose(made, np.rint(made), atol=1e-4)  # rounded to 8 bits
    np.testing.assert_allclose(made, expected, atol=0.51)  # rounding


def test_misexposed_is_deterministic_and_draws_per_image():
    images = np.repeat(PHOTO[None, :8, :8] // 2 / np.float32(255), 400, axis=0)
    drawn = numpy(misexposed(images, 3, well=0.2))
    np.testing.assert_array_equal(drawn, numpy(misexposed(images, 3, well=0.2)))
    assert not np.array_equal(drawn, numpy(misexposed(images, 4, well=0.2)))
    same = np.abs(drawn - images).max(axis=(1, 2, 3)) < 1e-6
    assert 0.14 < same.mean() < 0.26  # 0.2, plus or minus three standard deviations
    darkest, lightest = (
        numpy(exposed(images[:1], stops, 1.35**-side, 1.15**side)).mean() for stops, side in ((-3.0, -1), (1.5, 1))
    )
    means = drawn.mean(axis=(1, 2, 3))
    assert darkest < means.min() < darkest + 0.1 and lightest - 0.1 < means.max() < lightest


def test_exposed_and_misexposed_reject_invalid_arguments():
    with pytest.raises(ValueError, match=r"`well` must be between 0 and 1.*Received: 2"):
        misexposed(PHOTO[None] / np.float32(255), 0, well=2)
    for given in ({"stops": float("nan")}, {"stops": 0, "gamma": 0.0}, {"stops": 0, "cast": -1.0}):
        with pytest.raises(ValueError, match=r"`(stops|gamma|cast)` must be .*Received: .*"):
            exposed(PHOTO[None] / np.float32(255), **given)


# -- baselines and scores ----------------------------------------------------------------------------------------------


def test_equalized_matches_skimage_luma_and_preserves_chroma():
    weights = np.array([0.299, 0.587, 0.114])
    dim = (PHOTO // 4).astype(np.uint8)
    made = classical.equalized(dim)
    inside = (made > 0).all(axis=2) & (made < 1).all(axis=2)  # pixels without clipping
    luma, before = (made @ weights)[inside], (dim / 255 @ weights)
    np.testing.assert_allclose(luma, exposure.equalize_hist(before)[inside], atol=1e-5)
    chroma = made - (made @ weights)[..., None] - dim / 255 + before[..., None]
    np.testing.assert_allclose(chroma[inside], 0.0, atol=1e-6)
    gray = data.camera()[::8, ::8, None]
    expected = exposure.equalize_hist(gray[..., 0] / 255)[..., None]
    np.testing.assert_allclose(classical.equalized(gray), expected, atol=1e-6)


def test_clahe_matches_skimage():
    np.testing.assert_allclose(classical.clahe(PHOTO), exposure.equalize_adapthist(PHOTO), atol=1e-6)
    gray = data.camera()[::4, ::4, None]
    expected = exposure.equalize_adapthist(gray[..., 0])[..., None]
    np.testing.assert_allclose(classical.clahe(gray), expected, atol=1e-6)


def test_evaluate_reports_psnr_of_model_and_baselines(tmp_path, monkeypatch):
    save_png(tmp_path / "bsds500/val/photo/a.png", PHOTO[:80, :90])
    save_png(tmp_path / "bsds500/val/photo/b.png", PHOTO[80:, :100])
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    model = with_curves(0.2)
    report = cnnzoo.evaluate(model, data="t91+bsds500")
    psnr = []
    for truth in (PHOTO[:80, :90], PHOTO[80:, :100]):
        given = np.rint(255 * numpy(exposed(truth[None] / np.float32(255), -2.0))[0]).astype(np.uint8)
        psnr.append([peak_signal_noise_ratio(truth, image) for image in (given, model.enhance(given))])
    before, after = np.mean(psnr, axis=0)
    assert report["unchanged_psnr_bsd100_under"].value == pytest.approx(before, abs=1e-6)
    assert report["psnr_bsd100_under"].value == pytest.approx(after, abs=1e-6)
    methods, exposures = ("", "unchanged_", "equalized_", "clahe_"), restoration.EXPOSURES
    names = {f"{m}{q}_bsd100_{e}" for m in methods for q in ("psnr", "ssim") for e in exposures}
    names -= {"unchanged_psnr_bsd100_well", "unchanged_ssim_bsd100_well"}  # equal images
    assert {score.name for score in report.scores} == names
    words = headline({"scores": [score.to_json() for score in report.scores]})
    assert words.startswith("PSNR ") and f"{after:.2f} dB (bsd100, -2 EV)" in words


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [0.0, 1.0])
def test_training_lowers_paired_and_zero_reference_loss(reference):
    random.seed(0)
    keras.utils.set_random_seed(0)
    model = cnnzoo.build("enhancer", reference=reference, width=4)
    model.compile({"curves": keras.optimizers.Adam(1e-2)}, run_eagerly=True)
    crops = np.stack([PHOTO[i : i + 96, i : i + 96] for i in range(0, 48, 12)])
    history = model.fit(crops, batch_size=4, epochs=20, verbose=0).history
    assert np.mean(history["loss"][-5:]) < 0.8 * np.mean(history["loss"][:5])


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs `cnnzoo enhance` in an empty folder, with brightening curves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: with_curves(0.2))
    return lambda *words: main(["enhance", *map(str, words)])


def test_enhance_command_preserves_alpha_icc_and_exif(command):
    rgba = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 77, np.uint8)])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "astronaut"
    Image.fromarray(rgba).save("in.png", icc_profile=profile, exif=exif)
    assert command("in.png", "out.png", "--strength", "0.7") == 0
    before, after = read_photo("in.png"), read_photo("out.png")
    np.testing.assert_array_equal(after.pixels, with_curves(0.2).enhance(PHOTO, 0.7))
    np.testing.assert_array_equal(after.alpha, before.alpha)
    assert after.icc == profile and after.exif == before.exif


def test_enhance_command_accepts_16_bit_gray_and_folders(command, tmp_path):
    deep = (data.camera()[::4, ::4].astype(np.uint16) * 257) + 5
    Image.fromarray(deep).save("in.png")
    assert command("in.png", "out.png") == 0
    made = read_photo("out.png").pixels
    assert made.dtype == np.uint16 and made.shape == (128, 128, 1) and made.mean() > deep.mean()
    for name in ("a", "b"):
        save_png(tmp_path / f"photos/{name}.png", PHOTO)
    assert command("photos", "better") == 0
    assert sorted(path.name for path in (tmp_path / "better").iterdir()) == ["a.png", "b.png"]


def test_enhance_command_rejects_strength_out_of_range(command, capsys):
    save_png("in.png", PHOTO)
    with pytest.raises(SystemExit, match="2"):
        command("in.png", "out.png", "--strength", "3")
    assert "--strength must be between 0 and 2. Received: 3" in capsys.readouterr().err
