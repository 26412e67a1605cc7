"""Tests of the photograph commands on animations, TIFF files and pipes. Pillow reads the results."""

import io
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from cnnzoo.cli import main

FRAMES = [np.ascontiguousarray(astronaut()[y : y + 48, 200:264]) for y in (0, 40, 80)]
TIMES = [50, 120, 80]


def write(path, frames=FRAMES, **options):
    first, *rest = map(Image.fromarray, frames)
    options = {"lossless": True, **options} if path.suffix == ".webp" else options
    first.save(path, save_all=True, append_images=rest, duration=TIMES, **options)
    return path


def read(path):
    """Returns the frames, the frame durations and the loop count of an animation."""
    with Image.open(path) as image:
        frames, times = [], []
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB")))
            times.append(round(image.info.get("duration", 0)))
        return frames, times, image.info.get("loop")


@pytest.fixture
def command(capsys):
    def run(*words, code=0):
        assert main([str(word) for word in words]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return run


def alone(command, folder, frame, *words):
    """Returns the result of a command for a frame saved as a still picture."""
    Image.fromarray(frame).save(folder / "alone.png")
    command(words[0], folder / "alone.png", folder / "alone-made.png", *words[1:])
    return np.asarray(Image.open(folder / "alone-made.png"))


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_upscale_animation_matches_stills_and_preserves_timing(suffix, tmp_path, command):
    source = write(tmp_path / f"in{suffix}", loop=3)
    command("upscale", source, tmp_path / f"out{suffix}", "--scale", 2)
    frames, times, loop = read(tmp_path / f"out{suffix}")
    assert (times, loop) == (TIMES, 3)
    for frame, made in zip(FRAMES, frames, strict=True):
        np.testing.assert_array_equal(made, alone(command, tmp_path, frame, "upscale", "--scale", 2))


@pytest.mark.parametrize(("plays", "gif", "webp"), [(1, None, 1), (3, 2, 3), (0, 0, 0)])
def test_enhance_gif_preserves_loop_count(plays, gif, webp, tmp_path, command):
    source = write(tmp_path / "in.gif", **({} if gif is None else {"loop": gif}))
    for name, loop in (("out.gif", gif), ("out.webp", webp)):
        command("enhance", source, tmp_path / name)
        frames, times, found = read(tmp_path / name)
        assert (len(frames), times, found) == (3, TIMES, loop)
    shown = read(source)[0][1]
    np.testing.assert_array_equal(frames[1], alone(command, tmp_path, shown, "enhance"))


@pytest.mark.parametrize("count", [1, 2])
def test_enhance_png_drops_still_picture_that_is_no_frame(count, tmp_path, command):
    """Viewers of animations do not show it; with a single frame, it is the picture."""
    frames = FRAMES[: 1 + count]
    times = {"duration": TIMES[:count], "default_image": True}
    first, *rest = map(Image.fromarray, frames)
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, **times)
    command("enhance", tmp_path / "in.png", tmp_path / "out.png")
    shown = frames[1:] if count > 1 else frames[:1]
    for frame, made in zip(shown, read(tmp_path / "out.png")[0], strict=True):
        np.testing.assert_array_equal(made, alone(command, tmp_path, frame, "enhance"))


def test_enhance_animation_preserves_alpha_of_each_frame(tmp_path, command):
    frames = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in FRAMES]
    for i, frame in enumerate(frames):
        frame[:, 16 * i : 16 * i + 16, 3] = 0
    write(tmp_path / "in.webp", frames, exact=True)
    for name in ("out.webp", "out.gif"):
        command("enhance", tmp_path / "in.webp", tmp_path / name)
        for frame, made in zip(frames, read(tmp_path / name)[0], strict=True):
            np.testing.assert_array_equal(made[..., 3], frame[..., 3])


def test_animation_rejects_unsupported_options_and_sizes(tmp_path, command, monkeypatch):
    source = write(tmp_path / "in.gif")
    said = command("enhance", source, tmp_path / "out.jpg", code=2)
    assert "an animation must end in one of .gif, .webp, .png. Received: " in said
    style = write(tmp_path / "style.webp", FRAMES[:1])
    stylize = ("stylize", source, tmp_path / "out.gif", "--style", style, "--frames", tmp_path / "steps")
    assert "--frames must be given with still pictures" in command(*stylize, code=2)
    monkeypatch.setattr("cnnzoo.imaging.frames.MOST", 2)
    assert "in.gif must have at most 2 frames. Received: 3" in command("enhance", source, tmp_path / "o.gif", code=2)
    monkeypatch.setattr("cnnzoo.imaging.frames.MOST", 3)
    monkeypatch.setattr("cnnzoo.imaging.frames.LARGEST", 3 * 48 * 64)
    said = command("upscale", source, tmp_path / "out.gif", "--scale", 2, code=2)
    assert "out.gif must have at most 0.009216 megapixels in all frames" in said
    monkeypatch.setattr("cnnzoo.imaging.frames.LARGEST", 3 * 48 * 64 - 1)
    assert "in.gif must have at most " in command("enhance", source, tmp_path / "out.gif", code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.gif", "style.webp"]


def test_tiff_preserves_format_16_bits_and_metadata(tmp_path, command):
    gray = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    Image.fromarray(gray).save(tmp_path / "deep.tif", dpi=(300, 300))
    command("denoise", tmp_path / "deep.tif", tmp_path / "clean.tiff")
    with Image.open(tmp_path / "clean.tiff") as made:
        assert (made.format, made.mode, tuple(map(float, made.info["dpi"]))) == ("TIFF", "I;16", (300.0, 300.0))
        assert len(np.unique(np.asarray(made))) > 256
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    Image.fromarray(FRAMES[0]).save(tmp_path / "color.tif", exif=exif)
    command("enhance", tmp_path / "color.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as made:
        assert made.getexif()[0x010F] == "A camera"
        np.testing.assert_array_equal(np.asarray(made), alone(command, tmp_path, FRAMES[0], "enhance"))


def test_enhance_accepts_tiff_pages_of_different_sizes(tmp_path, command):
    pages = [FRAMES[0], np.ascontiguousarray(FRAMES[1][:30, :20])]
    first, second = map(Image.fromarray, pages)
    first.save(tmp_path / "in.tif", save_all=True, append_images=[second])
    command("enhance", tmp_path / "in.tif", tmp_path / "out.tif")
    for page, made in zip(pages, read(tmp_path / "out.tif")[0], strict=True):
        np.testing.assert_array_equal(made, alone(command, tmp_path, page, "enhance"))
    assert "a TIFF of several pages must end in one of .tif, .tiff" in command(
        "enhance", tmp_path / "in.tif", tmp_path / "out.png", code=2
    )


@pytest.fixture
def pipe(monkeypatch, capsysbinary):
    """Runs a command with bytes on stdin; returns the bytes on stdout and the text on stderr."""

    def run(raw, *words, code=0):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert main([str(word) for word in words]) == code
        out, err = capsysbinary.readouterr()
        return out, err.decode()

    return run


@pytest.mark.parametrize(("kind", "made"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("WEBP", "WEBP"), ("BMP", "PNG")])
def test_upscale_pipe_matches_file_output_for_each_format(kind, made, pipe, tmp_path):
    Image.fromarray(FRAMES[0]).save(tmp_path / "in", kind)
    out, _ = pipe((tmp_path / "in").read_bytes(), "upscale", "-", "-", "--scale", 2)
    with Image.open(io.BytesIO(out)) as image:
        assert image.format == made and image.size == (128, 96)
    suffix = {"JPEG": ".jpg", "WEBP": ".webp"}.get(made, ".png")
    pipe(b"", "upscale", tmp_path / "in", tmp_path / f"out{suffix}", "--scale", 2)
    assert out == (tmp_path / f"out{suffix}").read_bytes()


def test_enhance_accepts_pipe_at_either_end(pipe, tmp_path):
    source = write(tmp_path / "in.gif", loop=0)
    out, _ = pipe(b"", "enhance", source, "-")
    (tmp_path / "out.gif").write_bytes(out)
    assert read(tmp_path / "out.gif")[1:] == (TIMES, 0)
    printed, _ = pipe(source.read_bytes(), "enhance", "-", tmp_path / "again.gif")
    assert printed.decode().strip() == str(tmp_path / "again.gif")
    assert (tmp_path / "again.gif").read_bytes() == out


def test_enhance_pipe_rejects_invalid_or_oversized_stdin(pipe, monkeypatch):
    out, err = pipe(b"text", "enhance", "-", "-", code=2)
    assert out == b"" and err == "cnnzoo enhance: stdin cannot be read as an image: no known format\n"
    monkeypatch.setattr("cnnzoo.imaging.decoding.MOST", 3)
    assert pipe(b"text", "enhance", "-", "-", code=2)[1] == (
        "cnnzoo enhance: stdin must have at most 3 bytes. Received: more\n"
    )


def test_enhance_pipe_rejects_terminal_as_stdin(monkeypatch, command):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    assert "in must be a file, or a pipe as `-`. Received: a terminal" in command("enhance", "-", "out.png", code=2)


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_upscale_animation_updates_exif_size(suffix, tmp_path, command):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769).update({0xA002: 64, 0xA003: 48})  # width and height in pixels
    source = write(tmp_path / f"in{suffix}", exif=exif)
    command("upscale", source, tmp_path / f"out{suffix}", "--scale", 2)
    with Image.open(tmp_path / f"out{suffix}") as made:
        found = made.getexif()
        assert found[0x010F] == "a camera"
        assert {key: found.get_ifd(0x8769).get(key) for key in (0xA002, 0xA003)} == {0xA002: 128, 0xA003: 96}
