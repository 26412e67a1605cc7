"""The scores of what enlarges and denoises photographs, through `evaluate`, on photographs made for it."""

import numpy as np
import pytest
from skimage.data import astronaut, camera
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import cnnzoo
from cnnzoo import baselines
from cnnzoo.cards import headline
from cnnzoo.images import save_png
from cnnzoo.resampling import downscale


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Sets of the usual names with two photographs each, of different sizes."""
    for name in ("set5", "set14"):
        save_png(tmp_path / f"{name}/test/hr/a.png", astronaut()[:101, :83])
        save_png(tmp_path / f"{name}/test/hr/b.png", astronaut()[100:160, 100:190])
    save_png(tmp_path / "bsds500/val/photo/c.png", astronaut()[200:260, 200:270])
    for name in ("bsd68", "set12"):
        save_png(tmp_path / f"{name}/test/gray/a.png", camera()[:64, :80, None])
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    return tmp_path


def as_bicubic(model):
    """The model with bicubic enlargement in place of its own."""
    model.upscale = lambda image: np.rint(255 * baselines.bicubic(image, model.scale)).astype(np.uint8)
    return model


def luma(image: np.ndarray) -> np.ndarray:
    """MATLAB's Y on [0, 255] of a uint8 RGB image, not rounded."""
    return 16 + image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255


def test_a_model_that_enlarges_bicubically_scores_as_bicubic_and_as_written_out(sets):
    report = cnnzoo.evaluate(as_bicubic(cnnzoo.build("espcn", scale=3)), data="t91+bsds500+train400")
    psnr, ssim = [], []
    for image in (astronaut()[:99, :81], astronaut()[100:160, 100:190]):
        small = np.rint(255 * np.clip(np.asarray(downscale(image[None] / 255.0, 3))[0], 0, 1)).astype(np.uint8)
        made = np.rint(255 * baselines.bicubic(small, 3)).astype(np.uint8)
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
    assert report["psnr_set5_rgb_shave"].value < report["psnr_set5"].value  # Y averages the channels, and is narrower
    assert {s.protocol["data"] for s in report.scores} == {"set5", "set14", "bsd100"}
    assert headline({"scores": [s.to_json() for s in report.scores]}).startswith(
        f"PSNR {report['psnr_set5'].value:.2f} dB (set5)"
    )


def test_one_set_or_a_folder_of_ones_own_can_be_asked_for(sets):
    model = as_bicubic(cnnzoo.build("espcn", scale=2))
    report = cnnzoo.evaluate(model, data="set14", limit=1)
    assert {(s.protocol["data"], s.n) for s in report.scores} == {("set14", 1)}
    own = cnnzoo.evaluate(model, data=str(sets / "set14"), limit=1)
    assert own["psnr_set14"].value == report["psnr_set14"].value


def test_what_is_off_the_dial_is_refused(sets):
    with pytest.raises(ValueError, match=r"bsd68 has no photographs for 'validation'; allowed: t91, "):
        cnnzoo.evaluate(cnnzoo.build("espcn"), data="bsd68", split="validation")
