"""Photograph verbs on ONNX Runtime: the results of the Keras models, in processes that cannot import Keras."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from skimage import data

import cnnzoo
from cnnzoo import checkpoints, hub
from cnnzoo.checkpoints import CheckpointError
from cnnzoo.checkpoints.card import NETWORK
from cnnzoo.cli import main, models
from cnnzoo.runtime import open_model

ROOT = Path(__file__).parents[2]
TASKS = ("upscale", "restore", "inpaint", "enhance", "stylize")
# `adain` has none: it takes the moments of a whole photograph before it paints a part.
WITH_GRAPHS = [
    name for name in cnnzoo.list_checkpoints() if cnnzoo.card(name)["task"] in TASKS and not name.startswith("adain.")
]

PHOTO = data.astronaut()[60:161, 100:393]  # (101, 293, 3): prime sides, two tiles per row
HOLE = np.zeros(PHOTO.shape[:2], bool)
HOLE[20:50, 30:60] = HOLE[70:73] = True

# Blocks the packages missing from an installation for photographs, and runs a command line.
PROGRAM = """
import importlib.util
import sys
from importlib.abc import MetaPathFinder

REFUSED = {"tensorflow", "keras", "jax", "h5py", "sklearn", "skimage", "tensorflow_datasets", "scipy", "pooch", "shtab"}

class Refusal(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusal())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *of: None if name in REFUSED else find_spec(name, *of)
from cnnzoo.cli import main
raise SystemExit(main())
"""


@pytest.fixture
def light(tmp_path):
    """Runs a command line without the blocked packages, in a folder with photo.png and mask.png."""
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    Image.fromarray(HOLE).save(tmp_path / "mask.png")
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    environment["PYTHONPATH"] = str(ROOT)

    def run(*words):
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def copied(tmp_path):
    """A copy of the checkpoint espcn.x3."""
    return Path(shutil.copytree(hub.checkpoint_path("espcn.x3"), tmp_path / "espcn.x3"))


def check_close(made, expected):
    """Asserts equal images up to one gray level in a few pixels, from rounding of sums in another order."""
    assert made.dtype == expected.dtype and made.shape == expected.shape
    difference = np.abs(made.astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < (0.001 if made.dtype == np.uint8 else 0.05)


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_onnx_graph_matches_golden(name):
    checkpoint = checkpoints.open_checkpoint(hub.checkpoint_path(name))
    assert checkpoints.check_golden(checkpoint, open_model(checkpoint.path)) < 1e-5


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("espcn.x3", lambda model: model.upscale(PHOTO)),
        ("espcn.x3", lambda model: model.upscale(PHOTO[:9, :20, :1], ensemble=True)),
        ("denoiser.color_blind", lambda model: model.restore(PHOTO.astype(np.uint16) * 257)),
        ("denoiser.gray_blind", lambda model: model.restore(PHOTO[..., :1], ensemble=True)),
        ("inpainter.photos64", lambda model: model.restore(PHOTO, HOLE)),
        ("inpainter.photos64", lambda model: model.restore(PHOTO[:1, :7], HOLE[70:71, :7] & (np.arange(7) > 2))),
        ("enhancer.photos", lambda model: model.enhance(PHOTO // 3, 1.5)),
        ("enhancer.photos", lambda model: model.enhance(PHOTO[:1, :2])),
        (
            "fast_style.paintings",
            lambda model: model.stylize(PHOTO, {"wave": 1.0, "udnie": 2.0}, mask=HOLE, keep_color=True),
        ),
    ],
)
def test_runtime_verbs_match_keras_within_one_gray_level(name, verb):
    check_close(verb(open_model(hub.checkpoint_path(name))), verb(cnnzoo.build(name)))


@pytest.mark.parametrize("strength", [-0.1, 2.1, float("nan")])
def test_runtime_enhance_rejects_strength_out_of_range(strength):
    model = open_model(hub.checkpoint_path("enhancer.photos"))
    with pytest.raises(ValueError, match=rf"`strength` must be a number between 0 and 2. Received: {strength}"):
        model.enhance(PHOTO, strength)


def test_tiling_of_large_photographs_is_seamless(monkeypatch):
    model = open_model(hub.checkpoint_path("espcn.x2"))
    shapes = []
    network = model.network
    monkeypatch.setattr(model, "network", lambda image: shapes.append(image.shape) or network(image=image))
    large = np.concatenate([PHOTO] * 4, axis=0)  # (404, 293)
    made = model.upscale(large)
    assert len(shapes) > 1 and max(shape[1] * shape[2] for shape in shapes) <= (256 + 2 * 12) ** 2
    check_close(made, np.rint(255 * network(image=large[None] / np.float32(255))[0]).astype(np.uint8))


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["upscale", "--scale", 2, "--no-real"], lambda: open_model(hub.checkpoint_path("espcn.x2")).upscale(PHOTO)),
        (["upscale", "--scale", 2, "--real"], lambda: open_model(hub.checkpoint_path("espcn.x2_real")).upscale(PHOTO)),
        (["denoise"], lambda: open_model(hub.checkpoint_path("denoiser.color_blind")).restore(PHOTO)),
        (
            ["inpaint", "--mask", "mask.png"],
            lambda: open_model(hub.checkpoint_path("inpainter.photos64")).restore(PHOTO, HOLE),
        ),
        (["enhance"], lambda: open_model(hub.checkpoint_path("enhancer.photos")).enhance(PHOTO)),
        (
            ["stylize", "--style", "wave"],
            lambda: open_model(hub.checkpoint_path("fast_style.paintings")).stylize(PHOTO, {"wave": 1.0}),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_photograph_commands_need_no_tensorflow(light, tmp_path, words, verb):
    done = light(words[0], "photo.png", "out.png", *words[1:])
    assert (done.returncode, done.stdout, done.stderr) == (0, "out.png\n", "")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), verb())


def test_other_commands_name_missing_packages_in_one_line(light):
    done = light("generate", "dcgan.mnist")
    install = "install it by: pip install -e ., where cnnzoo was cloned\n"
    assert (done.returncode, done.stderr) == (2, f"cnnzoo generate: needs TensorFlow and Keras; {install}")
    done = light("upscale", "photo.png", "out.png", "--scale", 4, "--model", "espcn_gan.x4", "--sharpness", 0.5)
    assert (done.returncode, done.stderr) == (2, f"cnnzoo upscale: needs TensorFlow and Keras; {install}")


def test_load_with_method_falls_back_to_keras(monkeypatch, copied):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("cnnzoo.checkpoints.load", lambda path: f"{path.name} by Keras")
    assert models.load_with_method(str(copied), "upscale").scale == 3
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert models.load_with_method(str(copied), "upscale") == "espcn.x3 by Keras"
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr("cnnzoo.runtime.photographs.available", lambda: False)
    assert models.load_with_method(str(copied), "upscale") == "espcn.x3 by Keras"
    monkeypatch.undo()
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    checkpoints.attach(checkpoints.open_checkpoint(copied), {})
    assert sorted(path.name for path in copied.iterdir()) == ["card.json", "golden.npz", "model.weights.h5"]
    assert open_model(copied) is None


def test_stylize_command_uses_keras_for_large_photographs(monkeypatch, tmp_path):
    class Strips:
        def stylize(self, pixels, style, **options):
            return 255 - pixels

    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("cnnzoo.cli.models.load_by_keras", lambda name: Strips())
    monkeypatch.setattr("cnnzoo.runtime.Painter.largest", PHOTO[..., 0].size - 1)
    assert main(["stylize", str(tmp_path / "photo.png"), str(tmp_path / "out.png"), "--style", "wave"]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), 255 - PHOTO)


def test_verify_compares_checkpoint_on_both_runtimes(capsys, copied, monkeypatch, light):
    assert main(["verify", str(copied), "denoiser.gray_s15", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found) == sorted([str(copied), str(hub.checkpoint_path("denoiser.gray_s15"))])
    assert all(set(each) == {"Keras", "ONNX Runtime"} and max(each.values()) < 1e-5 for each in found.values())
    monkeypatch.setattr(checkpoints, "TOLERANCE", -1.0)
    assert main(["verify", str(copied)]) == 2
    assert "Keras is off by" in capsys.readouterr().err
    done = light("verify", "espcn.x3")
    assert done.returncode == 0 and "ONNX Runtime" in done.stdout
    assert done.stderr.endswith("espcn.x3: not compared by Keras, which is not installed\n")


# -- checkpoint files --------------------------------------------------------------------------------------------------


def test_checkpoint_with_altered_graph_is_rejected(copied):
    content = (copied / NETWORK).read_bytes()
    (copied / NETWORK).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=rf"{NETWORK} was cut short or altered: sha256"):
        open_model(copied)
    with pytest.raises(CheckpointError, match="sha256"):
        checkpoints.load(copied)


def test_open_model_names_invalid_graph(copied):
    checkpoints.attach(checkpoints.open_checkpoint(copied), {NETWORK: b"no graph"})
    with pytest.raises(CheckpointError, match=rf"{NETWORK} cannot be run by onnxruntime [0-9.]+: "):
        open_model(copied)


def test_checkpoint_rejects_graphs_with_other_names(copied):
    with pytest.raises(CheckpointError, match=r"must be network.onnx and coarse.onnx. Received: ../network.onnx"):
        checkpoints.attach(checkpoints.open_checkpoint(copied), {"../network.onnx": b""})
    assert not (copied.parent / NETWORK).exists()
    card = json.loads((copied / "card.json").read_text())
    card["files"]["../network.onnx"] = card["files"].pop(NETWORK)
    (copied / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        CheckpointError, match=r"`files` must be .* where there are graphs. Received: .*../network.onnx"
    ):
        open_model(copied)


@pytest.mark.parametrize("name", WITH_GRAPHS)
def test_onnx_graph_references_weights_file(name):
    folder = hub.checkpoint_path(name)
    graph = onnx.load(folder / NETWORK, load_external_data=False).graph
    outside = [tensor for tensor in graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in outside]
    assert places and {place["location"] for place in places} == {"model.weights.h5"}
    inside = [tensor for tensor in graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    assert sum(tensor.ByteSize() for tensor in inside) < 16_000
    for path in folder.glob("*.onnx"):
        onnx.checker.check_model(path)


def test_photograph_requirements_are_subset_of_package():
    lines = (ROOT / "requirements-photographs.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    needed = (ROOT / "setup.cfg").read_text().partition("install_requires =")[2].partition("\n\n")[0]
    assert len(wanted) == 4 and set(wanted) <= {line.strip() for line in needed.splitlines()}
