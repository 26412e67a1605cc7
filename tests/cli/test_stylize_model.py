"""Tests of `cnnzoo stylize --model`, with a small untrained `adain`."""

import numpy as np
import pytest
from skimage import data

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.cli import main
from cnnzoo.imaging.files import read_image, save_png

PHOTO = data.astronaut()[60:158, 160:287]
STYLE = data.immunohistochemistry()[:160, :200]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a checkpoint, a photograph, a style and a mask."""
    folder = tmp_path_factory.mktemp("stylize")
    about = {"name": "adain.test", "description": "a test", "scores": [], "paper": "none"}
    about |= {"data": {"name": "photos", "split": "train", "licence": "CC0"}, "recipe": {"command": "none"}}
    checkpoints.save(cnnzoo.build("adain", width=8), folder / "adain", **about)
    save_png(folder / "photo.png", PHOTO)
    save_png(folder / "style.png", STYLE)
    save_png(folder / "mask.png", np.pad(np.full((40, 50), 255, np.uint8), ((0, 58), (0, 77)))[..., None])
    return folder


@pytest.fixture
def stylize(folder, monkeypatch, capsys):
    """Runs the command in the folder; returns its result, or the error where one is expected."""
    monkeypatch.chdir(folder)

    def run(*words, code=0):
        assert main(["stylize", "photo.png", "out.png", "--style", *words]) == code
        return capsys.readouterr().err if code else read_image(folder / "out.png")

    return run


def test_stylize_uses_adain_for_any_image(stylize, folder):
    model = checkpoints.load(folder / "adain")
    whole = stylize("style.png", "--model", "adain")
    np.testing.assert_array_equal(whole, model.stylize(PHOTO, STYLE))
    half = stylize("style.png", "--model", "adain", "--strength", "0.5")
    np.testing.assert_array_equal(half, model.stylize(PHOTO, STYLE, 0.5))
    assert not np.array_equal(half, whole)
    part = stylize("style.png", "--model", "adain", "--mask", "mask.png", "--keep-color")
    np.testing.assert_array_equal(part[40:], PHOTO[40:])
    kept = model.stylize(PHOTO, STYLE, keep_color=True)
    np.testing.assert_array_equal(part[:40, :50], kept[:40, :50])


def test_stylize_model_of_paintings_matches_default(stylize):
    given = stylize("wave", "--model", "fast_style.paintings")
    np.testing.assert_array_equal(given, stylize("wave"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("wave --style udnie --model adain", "--style must be given once with 'adain'. Received: wave, udnie"),
        ("style.png --model fast_style.paintings", "--style must be of composition_vii, "),
        (
            "style.png --model adain --optimizer adam",
            "--optimizer must not be given with --model. Received: --model",
        ),
        ("style.png --model adain --weight 2", "--weight must not be given with 'adain', of one style. Received: 2"),
        ("wave --strength 0.5", "--strength must be given with an adain, by --model. Received: none"),
        ("wave --model espcn.x3", "must be one that can stylize. Received: 'espcn.x3', whose task is 'upscale'"),
        ("nowhere.png --model adain", "nowhere.png"),
    ],
)
def test_stylize_rejects_invalid_option_with_model(stylize, folder, words, complaint):
    (folder / "out.png").unlink(missing_ok=True)
    assert complaint in stylize(*words.split(), code=2)
    assert not (folder / "out.png").exists()
