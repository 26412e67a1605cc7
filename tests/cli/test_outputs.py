"""Tests of output files of commands: the suffix sets the format; an invalid path is rejected before any work."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from cnnzoo.cli import main
from cnnzoo.utils.terminal import print_anything, print_json


class Generator:
    """Generates gray images of 28x28 pixels."""

    task, needs_labels, image_shape, latent_dim = "generate", False, (28, 28, 1), 4

    def generate(self, n, seed):
        return np.full((n, *self.image_shape), 0.5, np.float32)


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs a command line with a toy in place of trained models; returns the exit code, stdout and stderr."""
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: Generator())

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("name", "kind"), [("s.png", "PNG"), ("s.JPG", "JPEG"), ("s.jpeg", "JPEG"), ("s.webp", "WEBP")]
)
def test_generate_writes_format_of_suffix(command, tmp_path, name, kind):
    path = tmp_path / "new" / "deeper" / name
    assert command("generate", "toy", "-n", 4, "--out", path, "--pixels") == (0, f"{path}\n", "")
    with Image.open(path) as sheet:
        assert sheet.format == kind and sheet.size == (62, 62)


@pytest.mark.parametrize(
    "line",
    [
        ["generate", "toy"],
        ["interpolate", "toy"],
        ["traverse", "toy"],
        ["invert", "toy", "three.png"],
        ["nearest", "toy"],
        ["explain", "toy", "three.png"],
    ],
    ids=lambda line: line[0],
)
def test_commands_reject_invalid_out_path_before_loading_model(command, tmp_path, line, monkeypatch):
    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: pytest.fail("a model was loaded"))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for name, complaint in (
        ("sheet.bmp", f"must end in one of .png, .jpg, .jpeg, .webp. Received: {tmp_path / 'sheet.bmp'}"),
        ("sheet", f"must end in one of .png, .jpg, .jpeg, .webp. Received: {tmp_path / 'sheet'}"),
        ("folder.png", f"must be a file to write. Received: the folder {tmp_path / 'folder.png'}"),
        ("file/sheet.png", f"sheet.png, but {tmp_path / 'file'} is no folder"),
    ):
        code, out, err = command(*line, "--out", tmp_path / name)
        assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err


@pytest.mark.parametrize("line", [["generate", "toy", "-n", 400_000], ["nearest", "toy", "-n", 600]])
def test_sheet_above_webp_size_limit_is_rejected_before_work(command, tmp_path, line, monkeypatch):
    monkeypatch.setattr(Generator, "generate", lambda *given, **options: pytest.fail("images were made"))
    monkeypatch.setattr("cnnzoo.cli.models.resolve", lambda name: (None, "digits"))
    code, out, err = command(*line, "--out", tmp_path / "sheet.webp")
    assert (code, out) == (2, "") and "at most 16383 pixels a side, or end in " in err


def test_reconstruct_rejects_file_as_output_folder(command, tmp_path):
    (tmp_path / "out").touch()
    code, _, err = command("reconstruct", "toy", tmp_path / "three.png", "--out", tmp_path / "out")
    assert code == 2 and f"three.png, but {tmp_path / 'out'} is no folder" in err


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_print_json_round_trip_of_unprintable_names(monkeypatch, encoding):
    written, content = io.BytesIO(), {"image": "\u65e5\U0001f600\x81\udcff"}
    shown = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", shown)
    print_anything()
    print_json(content)
    shown.flush()
    assert json.loads(written.getvalue().decode(encoding)) == content
