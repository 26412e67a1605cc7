"""Tests of `cnnzoo data build`, `check` and `show`, and of `cnnzoo train --memory`."""

import json

import numpy as np
import pytest
from PIL import Image

from cnnzoo import data
from cnnzoo.cli import main


@pytest.fixture
def folder(tmp_path):
    for i in range(8):
        path = tmp_path / "own" / "train" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    return tmp_path / "own"


def run(*words, code=0):
    assert main(["data", *map(str, words)]) == code


def test_data_build_packs_folder_and_prints_counts(folder, tmp_path, capsys):
    run("build", folder, tmp_path / "packed", "--size", "6x8")
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'packed'}: 8 of train, in 1 shard, 0.1 MB")
    assert data.load(tmp_path / "packed", "train").images.shape == (7, 6, 8, 3)
    run("build", folder, tmp_path / "other", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == {"train": 8} and found["classes"] == ["cat", "dog"] and found["shards"] == 1
    run("build", folder, tmp_path / "other", code=2)
    assert "`out` must be a new folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("build", folder, tmp_path / "third", "--size", "64")
    assert "--size must be HEIGHTxWIDTH, such as 64x96. Received: '64'" in capsys.readouterr().err


def test_data_check_exits_1_and_lists_problems(folder, capsys):
    run("check", folder)
    assert capsys.readouterr().out == "8 pictures, most are 16x12: 0 unreadable, 0 groups of duplicates, 0 off-size\n"
    Image.open(folder / "train" / "cat" / "0.png").save(folder / "train" / "dog" / "copy.png")
    Image.new("RGB", (7, 5)).save(folder / "train" / "cat" / "small.png")
    (folder / "train" / "dog" / "bad.jpg").write_bytes(b"no picture")
    run("check", folder, code=1)
    assert capsys.readouterr().out.splitlines() == [
        f"unreadable: {folder / 'train/dog/bad.jpg'} cannot be read as an image: no known format",
        "equal pixels: train/cat/0.png, train/dog/copy.png",
        "off-size: train/cat/small.png, 7x5",
        "11 pictures, most are 16x12: 1 unreadable, 1 groups of duplicates, 1 off-size",
    ]
    run("check", folder, "--json", code=1)
    found = json.loads(capsys.readouterr().out)
    assert found["off_size"] == {"train/cat/small.png": [7, 5]} and found["is_clean"] is False


def test_data_show_draws_images_and_counts_classes(folder, tmp_path, capsys):
    run("show", folder, tmp_path / "sheet.png")
    said = capsys.readouterr().out
    counts = [data.load(folder, "train", (8, 8, 3)).labels.tolist().count(label) for label in (0, 1)]
    assert "cat {} dog {}".format(*counts) in " ".join(said.split())
    assert "7 images of train" in said and said.endswith(f"{tmp_path / 'sheet.png'}\n")
    assert len(set(Image.open(tmp_path / "sheet.png").convert("L").tobytes())) > 100
    run("show", folder, tmp_path / "sheet.png", "--json", "--split", "test")
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 1 and sum(found["classes"].values()) == 1
    run("show", "digits", tmp_path / "digits.png")
    assert "1,437 images of train" in capsys.readouterr().out
    run("show", "digitz", tmp_path / "sheet.png", code=2)
    assert "Did you mean" in capsys.readouterr().err


def test_train_memory_option_streams_larger_data(folder, tmp_path, capsys):
    settings = ["--epochs", "1", "--config", "image_shape=[8,8,3]", "--config", "width=2", "--config", "hidden=4"]
    words = ["train", "autoencoder", "--data", str(folder), *settings]
    assert main([*words, "--memory", "1kB", "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "pictures are read from the disk while training: decoded they take 1.34 KB, more than 1 KB" in said
    with pytest.raises(SystemExit):
        main([*words, "--memory", "lots"])
    assert "--memory must be a size such as 2GB or 500MB. Received: 'lots'" in capsys.readouterr().err
