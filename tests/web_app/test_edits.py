"""The app's functions, from input file to output file, against the verbs of the models."""

import ast
import runpy
import subprocess
import sys
import threading
from contextlib import ExitStack
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageFile
from skimage import data

import cnnzoo
from cnnzoo import web_app
from cnnzoo.imaging.files import read_image
from cnnzoo.web_app import photographs, small_images
from cnnzoo.web_app.photographs import Cancelled, Desk

PICTURE = data.astronaut()[40:104, 180:260]  # (64, 80, 3)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "results", megapixels=1.0)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(PICTURE).save(path)
    return str(path)


def drawn(box, size=(40, 32)):
    """Returns a drawing in the page's format: layers, here at half the size of the photograph."""
    layer = Image.new("RGBA", size)
    layer.paste((255, 0, 0, 255), box)
    return {"background": None, "layers": [layer], "composite": None}


def close(one, other):
    """Asserts equality up to rounding of float32 sums in another order."""
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("kind", ["by the file", "noisy or compressed"])
def test_app_enlarge_matches_model(desk, photo, kind):
    made = photographs.enlarge(desk, photo, 2, kind, 0.0)
    name = "espcn.x2" if kind == "by the file" else "espcn.x2_real"
    close(read_image(made.file), cnnzoo.build(name).upscale(PICTURE))
    assert made.file.name == "face-x2.png" and made.before.shape == made.after.shape == (128, 160, 3)
    assert made.note.startswith(f"Enlarged by {name}, beside bicubic resizing: 160x128 pixels, ")


def test_app_enlarge_of_jpeg_uses_real_model_and_writes_jpeg(desk, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "face.JPG")
    made = photographs.enlarge(desk, str(tmp_path / "face.JPG"), 3, "by the file", 0.0)
    assert "espcn.x3_real" in made.note and made.file.name == "face-x3.jpg"
    assert made.file.read_bytes().startswith(b"\xff\xd8\xff")


def test_app_writes_png_for_unsupported_output_format(desk, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "face.tif")
    assert photographs.light(desk, str(tmp_path / "face.tif"), 1.0).file.name == "face-light.png"
    Image.new("L", (8200, 2)).save(tmp_path / "wide.webp")  # WebP has at most 16383 pixels a side
    assert photographs.enlarge(desk, str(tmp_path / "wide.webp"), 2, "clean", 0.0).file.name == "wide-x2.png"


@pytest.mark.parametrize("channels", [1, 3])
def test_app_denoise_selects_model_by_channels(desk, tmp_path, channels):
    pixels = PICTURE[..., :channels]
    Image.fromarray(pixels.squeeze()).save(tmp_path / "face.png")
    made = photographs.denoise(desk, str(tmp_path / "face.png"))
    name = {1: "denoiser.gray_blind", 3: "denoiser.color_blind"}[channels]
    assert name in made.note
    close(read_image(made.file), cnnzoo.build(name).restore(pixels))


def test_app_light_matches_model(desk, photo):
    made = photographs.light(desk, photo, 0.5)
    close(read_image(made.file), cnnzoo.build("enhancer.photos").enhance(PICTURE, 0.5))


def test_app_repair_changes_only_drawn_region(desk, photo):
    made = read_image(photographs.repair(desk, photo, drawn((5, 5, 15, 10)), None).file)
    inside = np.zeros((64, 80), bool)
    inside[8:22, 8:32] = True  # twice the drawing, plus a margin from resampling
    np.testing.assert_array_equal(made[~inside], PICTURE[~inside])
    assert np.any(made[10:20, 10:30] != PICTURE[10:20, 10:30])


def test_app_repair_accepts_mask_file(desk, photo, tmp_path):
    mask = np.zeros((64, 80), np.uint8)
    mask[10:20, 10:30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    made = read_image(photographs.repair(desk, photo, None, str(tmp_path / "mask.png")).file)
    close(made, cnnzoo.build("inpainter.photos64").restore(PICTURE, mask > 0))


def test_app_paint_mixes_two_paintings(desk, photo):
    mix = {"starry_night": 0.75, "wave": 0.25}
    made = photographs.paint(desk, threading.Event(), lambda *_: None, photo, *mix, 0.25, False, None)
    close(read_image(made.file), cnnzoo.build("fast_style.paintings").stylize(PICTURE, mix))
    assert made.file.name == "face-starry_night-wave.png" and "starry_night and wave" in made.note


def test_app_paint_after_any_picture_can_be_cancelled(desk, photo):
    ended, told = threading.Event(), []

    def progress(done, total):
        told.append((done, total))
        ended.set()

    with pytest.raises(Cancelled):
        photographs.paint(desk, ended, progress, photo, "wave", "wave", 0.0, False, photo)
    assert len(told) == 1


def test_app_functions_reject_invalid_inputs(desk, photo, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    Image.fromarray(np.eye(8) > 0).save(tmp_path / "mask.png")
    Image.new("L", (80, 64)).save(tmp_path / "black.png")
    cases = [
        (lambda: photographs.denoise(desk, None), "^Choose a photograph first.$"),
        (lambda: photographs.denoise(desk, str(tmp_path / "notes.png")), "^notes.png "),
        (lambda: photographs.repair(desk, photo, drawn((0, 0, 0, 0)), None), "^Draw over the parts to fill"),
        (lambda: photographs.repair(desk, photo, None, None), "^Draw over the parts to fill"),
        (lambda: photographs.repair(desk, photo, None, str(tmp_path / "mask.png")), "80x64 pixels.* Received: 8x8"),
        (lambda: photographs.repair(desk, photo, None, str(tmp_path / "black.png")), "Received: black.png, by which"),
        (lambda: small_images.explain(desk, "lenet.mnist", str(tmp_path / "notes.png"), False), "^notes.png "),
        (lambda: small_images.generate(tmp_path, "dcgan.mnist", 65, 0, "", 4.0), "from 1 to 64. Received: 65"),
        (lambda: small_images.generate(tmp_path, "dcgan.mnist", 4, -1, "", 4.0), "The seed must be .* Received: -1"),
        (lambda: small_images.generate(tmp_path, "cgan.mnist", 4, 0, "ten", 4.0), "The label must be one of 0, 1"),
    ]
    for work, message in cases:
        with pytest.raises(ValueError, match=message):
            work()
    assert not desk.folder.exists()


def test_app_rejects_large_pictures_before_decoding(desk, photo, tmp_path, monkeypatch):
    large, load = str(tmp_path / "large.png"), ImageFile.ImageFile.load
    Image.new("L", (1001, 1000)).save(large)

    def small(image):
        assert image.size != (1001, 1000), "it was decoded"
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", small)
    for work in (
        lambda: photographs.light(desk, large, 1.0),
        lambda: photographs.repair(desk, photo, None, large),
        lambda: small_images.explain(desk, "lenet.mnist", large, False),
        lambda: small_images.compress(desk, large),
    ):
        with pytest.raises(ValueError, match=r"^large\.png must have at most 1 megapixels. Received: 1001x1000 pixels"):
            work()


def test_app_ends_only_the_last_of_overlapping_works(desk):
    with ExitStack() as later:
        with desk.slow_work("visitor") as first:
            desk.end("visitor")
            second = later.enter_context(desk.slow_work("visitor"))
        assert first.is_set() and not second.is_set()
        desk.end("visitor")
        assert second.is_set()
    assert not desk.running


def test_app_generate_matches_model(tmp_path):
    sheet, file = small_images.generate(tmp_path, "cgan.mnist", 4, 7, "3", 1.5)
    assert file.name == "cgan.mnist-7.png"
    np.testing.assert_array_equal(read_image(file), sheet)
    images = cnnzoo.build("cgan.mnist").generate(4, 7, labels=3, truncation=1.5)
    times = sheet.shape[0] // 62  # two images and three gaps
    first = sheet[2 * times : 30 * times : times, 2 * times : 30 * times : times, :1]
    np.testing.assert_array_equal(first, np.rint(255 * images[0]).astype(np.uint8))


@pytest.mark.parametrize("name", ["cgan.mnist", "vae.mnist"])
def test_app_walk_goes_to_second_seed_and_back(tmp_path, name):
    frames = []
    with Image.open(small_images.walk(tmp_path, name, 0, 1, "", 4.0)) as film:
        assert film.n_frames == 2 * small_images.FRAMES - 2 and film.format == "WEBP"
        for i in (0, small_images.FRAMES - 1, film.n_frames - 1, 1):
            film.seek(i)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    assert np.abs(frames[0] - frames[1]).mean() > 5
    np.testing.assert_array_equal(frames[2], frames[3])  # the last frame is adjacent to the first


def test_app_explain_returns_class_names_and_report(desk, tmp_path):
    from sklearn.datasets import load_digits

    scan = load_digits().images[3].repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray((scan * 15.9).astype(np.uint8)).save(tmp_path / "three.png")
    chances, report = small_images.explain(desk, "lenet.mnist", str(tmp_path / "three.png"), False)
    assert list(chances) == list("0123456789") and max(chances, key=chances.get) == "3"
    assert report.ndim == 3 and report.dtype == np.uint8


def test_app_compress_file_decompresses_to_preview(desk, photo):
    made = small_images.compress(desk, photo)
    before, after, file, note = made.before, made.after, made.file, made.note
    model = cnnzoo.build("vqvae.cifar10")
    assert before.shape == after.shape == (640, 640, 3) and note.startswith(f"{file.stat().st_size} bytes by ")
    close(after[::20, ::20], np.rint(255 * model.decompress(file.read_bytes())[0]).astype(np.uint8))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"megabytes": 0}, "`megabytes` must be a number > 0. Received: 0"),
        ({"megapixels": float("inf")}, "`megapixels` must be a number > 0. Received: inf"),
        ({"port": 65536}, "`port` must be between 0 and 65535. Received: 65536"),
    ],
)
def test_app_rejects_limits_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        web_app.app(**settings)


def test_app_without_gradio_names_extra(monkeypatch):
    monkeypatch.setattr("cnnzoo.utils.optional.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"the app needs gradio; install it by: pip install -e '.\[app\]'"):
        web_app.app()


def test_hugging_face_space_starts_app(monkeypatch):
    space = Path(__file__).parents[2] / "deploy" / "space"
    asked = []
    monkeypatch.setattr(cnnzoo, "app", lambda **settings: asked.append(settings))
    runpy.run_path(str(space / "app.py"))
    assert asked == [{"host": "0.0.0.0", "port": 7860, "megabytes": 16, "megapixels": 8}]
    assert asked[0].keys() <= signature(web_app.app).parameters.keys()
    _, front, _ = (space / "README.md").read_text().split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["sdk"] == "gradio" and about["app_file"] == "app.py" and len(about["short_description"]) <= 60
    wheel = f"./cnnzoo-{cnnzoo.__version__}-py3-none-any.whl[app]"
    assert (space / "requirements.txt").read_text().split() == [wheel]


def test_page_file_is_lossless(tmp_path):
    one, two = (photographs.page_file(tmp_path, picture) for picture in (PICTURE, PICTURE[::-1].copy()))
    np.testing.assert_array_equal(read_image(one), PICTURE)
    assert one != two and one.suffix == ".png"


COUNTS = """
from collections import Counter
from pathlib import Path
from cnnzoo.web_app.page import blocks
from cnnzoo.web_app.photographs import Desk
page = blocks(Desk(Path(), 1.0))
print(dict(Counter((each.concurrency_id, each.concurrency_limit) for each in page.fns.values())))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gradio") is None, reason="needs gradio")
def test_app_tabs_share_two_workers_except_slow_painting():
    # Runs in a subprocess, as Gradio leaves event loops open.
    told = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, check=True).stdout
    counts = ast.literal_eval(told)
    assert counts["work", 2] == 8 and counts["slow work", 1] == 1
