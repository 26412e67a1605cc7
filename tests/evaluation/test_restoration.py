"""Scores of super-resolution, denoising and inpainting from `evaluate`, on small photograph sets made here."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, camera
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from skimage.restoration import inpaint_biharmonic

import cnnzoo
from cnnzoo.checkpoints.table import headline
from cnnzoo.evaluation import classical
from cnnzoo.imaging import masks
from cnnzoo.imaging.files import save_png
from cnnzoo.imaging.resampling import downscale


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Stand-ins for Set5, Set14, BSDS500, BSD68 and Set12, with one or two photographs each."""
    for name in ("set5", "set14"):
        save_png(tmp_path / f"{name}/test/hr/a.png", astronaut()[:101, :83])
        save_png(tmp_path / f"{name}/test/hr/b.png", astronaut()[100:160, 100:190])
    save_png(tmp_path / "bsds500/val/photo/c.png", astronaut()[200:266, 200:270])
    for name in ("bsd68", "set12"):
        save_png(tmp_path / f"{name}/test/gray/a.png", camera()[:64, :80, None])
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    return tmp_path


def as_bicubic(model):
    """Replaces the model's `upscale` with bicubic enlargement and returns the model."""
    model.upscale = lambda image: np.rint(255 * classical.bicubic(image, model.scale)).astype(np.uint8)
    return model


def luma(image: np.ndarray) -> np.ndarray:
    """Returns MATLAB's Y of a uint8 RGB image, on [0, 255] and not rounded."""
    return 16 + image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255


def test_evaluate_super_resolution_matches_scikit_image_scores(sets):
    report = cnnzoo.evaluate(as_bicubic(cnnzoo.build("espcn", scale=3)), data="t91+bsds500+train400")
    psnr, ssim = [], []
    for image in (astronaut()[:99, :81], astronaut()[100:160, 100:190]):
        small = np.rint(255 * np.clip(np.asarray(downscale(image[None] / 255.0, 3))[0], 0, 1)).astype(np.uint8)
        made = np.rint(255 * classical.bicubic(small, 3)).astype(np.uint8)
        a, b = (luma(x)[3:-3, 3:-3] for x in (image, made))
        psnr.append(peak_signal_noise_ratio(a, b, data_range=255))
        ssim.append(
            structural_similarity(a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        )
    assert report["psnr_set5"].value == pytest.approx(np.mean(psnr), abs=1e-6)
    assert report["ssim_set5"].value == pytest.approx(np.mean(ssim), abs=1e-6)
    for quantity in ("psnr", "ssim", "perceptual"):
        assert report[f"bicubic_{quantity}_set5"].value == pytest.approx(report[f"{quantity}_set5"].value, abs=1e-6)
    assert report["psnr_set5"].protocol["protocol"] == "Y-shave" and report["psnr_set5"].n == 2
    # Y averages the channels and has a narrower range.
    assert report["psnr_set5_rgb_shave"].value < report["psnr_set5"].value
    assert {s.protocol["data"] for s in report.scores} == {"set5", "set14", "bsd100"}
    assert headline({"scores": [s.to_json() for s in report.scores]}).startswith(
        f"PSNR {report['psnr_set5'].value:.2f} dB (set5)"
    )


def test_evaluate_blind_denoiser_uses_fixed_noise_at_3_levels(sets):
    """An untrained denoiser is the identity, so the scores are those of the clipped and rounded noise."""
    report = cnnzoo.evaluate(cnnzoo.build("denoiser", sigma=[0.0, 55.0]), data="t91+bsds500+train400")
    truth = camera()[:64, :80, None]
    noise = np.random.default_rng(0).standard_normal(truth.shape, dtype=np.float32)
    for sigma in (15, 25, 50):
        noisy = np.rint(np.clip(truth + sigma * noise, 0, 255)).astype(np.uint8)
        for data in ("bsd68", "set12"):
            expected = peak_signal_noise_ratio(truth, noisy)
            assert report[f"psnr_{data}_s{sigma}"].value == pytest.approx(expected, abs=0.01)
        for method in ("non_local_means", "total_variation"):
            assert report[f"{method}_psnr_bsd68_s{sigma}"].value > expected + 1


def test_evaluate_inpainter_matches_hand_computed_hole_psnr(sets):
    model = cnnzoo.build("inpainter")
    report = cnnzoo.evaluate(model, data="t91+bsds500")
    truth = astronaut()[201:265, 203:267]  # the central 64x64 pixels of the only photograph
    ours, others = [], []
    for kind in masks.EVALUATED:
        hidden = masks.draw(kind, (1, 64, 64), seed=0)[0, :, :, 0] > 0
        made = model.restore(truth, hidden)
        smooth = inpaint_biharmonic(np.where(hidden[..., None], 0, truth) / 255, hidden, channel_axis=-1)
        smooth = np.rint(255 * np.clip(smooth, 0, 1))
        for found, image in ((ours, made), (others, smooth)):
            found.append(-10 * np.log10(mean_squared_error(truth[hidden] / 255, image[hidden] / 255)))
        assert report[f"hole_psnr_{kind}"].value == pytest.approx(ours[-1], abs=0.02)  # one gray level in a few pixels
        assert report[f"biharmonic_hole_psnr_{kind}"].value == pytest.approx(others[-1], abs=1e-3)
        assert 0 < report[f"hole_ssim_{kind}"].value < 1
    assert report["hole_psnr"].value == pytest.approx(np.mean(ours), abs=0.02)
    assert report["biharmonic_hole_psnr"].value == pytest.approx(np.mean(others), abs=1e-3)
    assert report["hole_psnr"].protocol["data"] == "bsd100" and report["hole_psnr"].n == 1
    assert headline({"scores": [s.to_json() for s in report.scores]}).startswith("PSNR in holes ")


def test_evaluate_stylizer_of_one_training_set_scores_test_photographs(sets):
    save_png(sets / "style/train/style/wave.png", astronaut()[:64, :64])
    model = cnnzoo.build("fast_style", styles=("wave",), network="lenet.cifar10", width=4, blocks=1)
    model.stylize = lambda photograph, style: photograph
    report = cnnzoo.evaluate(model, data="t91")
    assert (report["content_loss"].protocol["data"], report["content_loss"].n) == ("bsd100", 1)
    assert report["content_loss"].value == pytest.approx(0, abs=1e-6)
    assert report["style_loss"].value == report["photograph_style_loss"].value > 0


def test_evaluate_accepts_one_photograph_set_or_a_folder(sets):
    model = as_bicubic(cnnzoo.build("espcn", scale=2))
    report = cnnzoo.evaluate(model, data="set14", limit=1)
    assert {(s.protocol["data"], s.n) for s in report.scores} == {("set14", 1)}
    own = cnnzoo.evaluate(model, data=str(sets / "set14"), limit=1)
    assert own["psnr_set14"].value == report["psnr_set14"].value


def test_evaluate_rejects_validation_split_of_test_set(sets):
    with pytest.raises(ValueError, match=r"Photographs for 'validation' must be of t91, .*. Received: bsd68"):
        cnnzoo.evaluate(cnnzoo.build("espcn"), data="bsd68", split="validation")


def test_evaluate_names_too_small_photograph(tmp_path):
    save_png(tmp_path / "test" / "all" / "photo.png", camera()[:64, :64, None])
    save_png(tmp_path / "test" / "all" / "icon.png", camera()[:12, :40, None])
    model = cnnzoo.build("espcn", scale=2)
    with pytest.raises(ValueError, match=r"must be 15 pixels or more. Received: fewer in icon of "):
        cnnzoo.evaluate(model, str(tmp_path))


def test_evaluate_real_super_resolution_scores_jpeg_inputs(sets):
    report = cnnzoo.evaluate(as_bicubic(cnnzoo.build("espcn", scale=3, degradation="real")), data="set5")
    for quality in (50, 75, 92):
        expected = []
        for image in (astronaut()[:99, :81], astronaut()[100:160, 100:190]):
            small = np.rint(255 * np.clip(np.asarray(downscale(image[None] / 255.0, 3))[0], 0, 1)).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(small).save(file, "JPEG", quality=quality)
            made = np.rint(255 * classical.bicubic(np.asarray(Image.open(file)), 3)).astype(np.uint8)
            a, b = (luma(x)[3:-3, 3:-3] for x in (image, made))
            expected.append(peak_signal_noise_ratio(a, b, data_range=255))
        for name in (f"psnr_set5_q{quality}", f"bicubic_psnr_set5_q{quality}"):
            assert report[name].value == pytest.approx(np.mean(expected), abs=1e-6)
            assert report[name].protocol["jpeg"] == quality
    assert report["psnr_set5_q50"].value < report["psnr_set5_q92"].value < report["psnr_set5"].value
    shown = headline({"scores": [s.to_json() for s in report.scores]})
    values = (f"{report[name].value:.2f} dB" for name in ("psnr_set5", "psnr_set5_q75"))
    assert shown == "PSNR {} (set5), {} (set5, JPEG 75)".format(*values)
