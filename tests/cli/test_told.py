"""What the photograph commands tell of their results: lines of JSON, and previews in a terminal."""

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
def test_json_tells_the_path_the_size_the_model_and_the_seconds(run_main, tmp_path, face, words, model, size):
    command, *options = words
    out, _ = run_main(command, face, tmp_path / "made.png", *options, "--json")
    (told,) = lines(out)
    assert told.pop("seconds") > 0
    assert told == {"path": str(tmp_path / "made.png"), "size": size, "model": model}
    with Image.open(told["path"]) as image:
        assert list(image.size) == size


def test_json_of_a_filled_photograph(run_main, tmp_path, face):
    mask = np.zeros(PICTURE.shape[:2], np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out, _ = run_main("inpaint", face, tmp_path / "made.png", "--mask", tmp_path / "mask.png", "--json")
    assert [(each["model"], each["size"]) for each in lines(out)] == [("inpainter.photos64", [64, 48])]


def test_json_of_a_folder_is_a_line_for_each_file_with_its_own_model(run_main, tmp_path):
    source = tmp_path / "photos"
    source.mkdir()
    Image.fromarray(PICTURE).save(source / "color.png")
    Image.fromarray(PICTURE[..., 0]).save(source / "gray.png")
    (source / "notes.png").write_text("no picture")
    out, err = run_main("denoise", source, tmp_path / "out", "--json", code=2)
    told = {os.path.basename(each["path"]): each["model"] for each in lines(out)}
    assert told == {"color.png": "denoiser.color_blind", "gray.png": "denoiser.gray_blind"}
    assert "left out 1 of the 3 pictures" in err


def test_json_of_an_animation_has_the_size_of_its_frames(run_main, tmp_path):
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
def test_what_cannot_be_told_is_refused_before_any_work(run_main, tmp_path, face, words, message):
    out, err = run_main("denoise", face, tmp_path / "out.png", *words, code=2)
    assert message in err and len(err.splitlines()) == 1 and not out
    assert not (tmp_path / "out.png").exists()


def test_json_is_refused_where_the_picture_goes_to_stdout(face):
    command = [sys.executable, "-m", "cnnzoo", "denoise", str(face), "-", "--json"]
    ended = subprocess.run(command, capture_output=True)
    assert ended.returncode == 2 and not ended.stdout
    assert b"--json must be given with a file or folder as out. Received: -, which is stdout" in ended.stderr


def test_without_the_extra_it_is_named(run_main, tmp_path, face, monkeypatch):
    monkeypatch.setattr("cnnzoo.utils.optional.find_spec", lambda name: None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    _, err = run_main("denoise", face, tmp_path / "out.png", "--preview", code=2)
    assert "--preview needs textual_image; install it by: pip install -e '.[preview]'" in err


@pytest.mark.skipif(importlib.util.find_spec("textual_image") is None, reason="needs textual-image")
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("size", [(30, 60), (0, 0)])
def test_a_preview_has_the_colors_of_the_result(tmp_path, size):
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
            except OSError:  # the terminal has no program any more
                break
            if not part:
                break
            shown += part
    os.close(ours)
    if 0 in size:
        assert process.returncode == 2 and b"a terminal that knows its size. Received: 0x0 characters" in shown
        return
    assert process.returncode == 0 and b"Traceback" not in shown
    # Nobody answers what the terminal knows, so that the picture is of half blocks, in 60 columns and 20 lines or so.
    assert shown.count("▀".encode()) >= 60 * 15 and b"38;2;200;30;40" in shown
