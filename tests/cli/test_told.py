"""Tests of the result output of the photograph commands: JSON lines, and previews in a terminal."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

PICTURE = np.ascontiguousarray(astronaut()[100:148, 200:264])


@pytest.fixture
def face(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize(
    ("words", "model", "size"),
    [
        (("upscale", "--scale", 2.5), "espcn.x3", [160, 120]),
        (("upscale", "--scale", 2, "--real"), "espcn.x2_real", [128, 96]),
        (("denoise",), "denoiser.color_blind", [64, 48]),
        (("enhance",), "enhancer.photos", [64, 48]),
        (("stylize", "--style", "wave"), "fast_style.paintings", [64, 48]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_photo_command_json_has_path_size_model_and_seconds(run_main, tmp_path, face, words, model, size):
    command, *options = words
    out, _ = run_main(command, face, tmp_path / "made.png", *options, "--json")
    (told,) = lines(out)
    assert told.pop("seconds") > 0
    assert told == {"path": str(tmp_path / "made.png"), "size": size, "model": model}
    with Image.open(told["path"]) as image:
        assert list(image.size) == size


def test_inpaint_json_has_model_and_size(run_main, tmp_path, face):
    mask = np.zeros(PICTURE.shape[:2], np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out, _ = run_main("inpaint", face, tmp_path / "made.png", "--mask", tmp_path / "mask.png", "--json")
    assert [(each["model"], each["size"]) for each in lines(out)] == [("inpainter.photos64", [64, 48])]


def test_denoise_folder_json_has_line_and_model_per_picture(run_main, tmp_path):
    source = tmp_path / "photos"
    source.mkdir()
    Image.fromarray(PICTURE).save(source / "color.png")
    Image.fromarray(PICTURE[..., 0]).save(source / "gray.png")
    (source / "notes.png").write_text("no picture")
    out, err = run_main("denoise", source, tmp_path / "out", "--json", code=2)
    told = {os.path.basename(each["path"]): each["model"] for each in lines(out)}
    assert told == {"color.png": "denoiser.color_blind", "gray.png": "denoiser.gray_blind"}
    assert "left out 1 of the 3 pictures" in err


def test_upscale_animation_json_has_frame_size(run_main, tmp_path):
    first, second = Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1])
    first.save(tmp_path / "in.gif", save_all=True, append_images=[second])
    out, _ = run_main("upscale", tmp_path / "in.gif", tmp_path / "out.gif", "--scale", 2, "--json")
    assert [(each["model"], each["size"]) for each in lines(out)] == [("espcn.x2", [128, 96])]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preview",), "--preview must be given in a terminal. Received: a file or a pipe as stdout"),
        (("--preview", "--json"), "--json: not allowed with argument --preview"),
    ],
)
def test_preview_rejects_non_terminal_and_json_option(run_main, tmp_path, face, words, message):
    out, err = run_main("denoise", face, tmp_path / "out.png", *words, code=2)
    assert message in err and len(err.splitlines()) == 1 and not out
    assert not (tmp_path / "out.png").exists()


def test_denoise_rejects_json_with_picture_on_stdout(face):
    command = [sys.executable, "-m", "cnnzoo", "denoise", str(face), "-", "--json"]
    ended = subprocess.run(command, capture_output=True)
    assert ended.returncode == 2 and not ended.stdout
    assert b"--json must be given with a file or folder as out. Received: -, which is stdout" in ended.stderr


def test_preview_error_names_missing_extra(run_main, tmp_path, face, monkeypatch):
    monkeypatch.setattr("cnnzoo.utils.optional.find_spec", lambda name: None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    _, err = run_main("denoise", face, tmp_path / "out.png", "--preview", code=2)
    assert "--preview needs textual_image; install it by: pip install -e '.[preview]'" in err


@pytest.mark.skipif(importlib.util.find_spec("textual_image") is None, reason="needs textual-image")
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("size", [(30, 60), (0, 0)])
def test_preview_shows_colors_and_rejects_unknown_terminal_size(tmp_path, size):
    import pty
    import termios

    Image.new("RGB", (60, 40), (200, 30, 40)).save(tmp_path / "red.png")
    command = [sys.executable, "-m", "cnnzoo", "enhance", str(tmp_path / "red.png"), str(tmp_path / "out.png")]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    known = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(
        [*command, "--strength", "0", "--preview"], stdin=theirs, stdout=theirs, stderr=theirs, env=known
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the program has closed the terminal
                break
            if not part:
                break
            shown += part
    os.close(ours)
    if 0 in size:
        assert process.returncode == 2 and b"a terminal that knows its size. Received: 0x0 characters" in shown
        return
    assert process.returncode == 0 and b"Traceback" not in shown
    # Nothing answers the queries of terminal features, so the preview uses half blocks: 60 columns and about 20 lines.
    assert shown.count("▀".encode()) >= 60 * 15 and b"38;2;200;30;40" in shown
