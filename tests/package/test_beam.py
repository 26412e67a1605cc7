"""Apache Beam transforms: output equals that of the commands, even with failed and retried bundles."""

import json
from importlib import import_module

import numpy as np
import pytest
from hub_server import in_place
from PIL import Image

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import read_image
from cnnzoo.registry import UnknownName

beam = pytest.importorskip("apache_beam", reason="needs apache-beam, of the extra beam")
transforms = import_module("cnnzoo.beam")
direct = import_module("apache_beam.runners.direct.direct_runner")
evaluator = import_module("apache_beam.runners.direct.transform_evaluator")

pytestmark = pytest.mark.filterwarnings("default")  # Beam raises dozens of warnings

found: dict[str, list] = {}  # the elements of each output


def keep(element, output):
    found.setdefault(output, []).append(element)


def run(names, transform):
    """Runs a transform on the direct runner that retries failed bundles."""
    found.clear()
    with beam.Pipeline(runner=direct.BundleBasedDirectRunner()) as pipeline:
        made = pipeline | beam.Create([str(name) for name in names]) | transform
        made[made._main_tag] | "Keep" >> beam.Map(keep, "made")
        made.failed | "Keep failed" >> beam.Map(keep, "failed")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twenty small random images, one with transparency and one gray."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for i in range(20):
        pixels = rng.integers(0, 256, (12 + i % 3, 16, {0: 4, 1: 1}.get(i, 3)), np.uint8)
        Image.fromarray(pixels.squeeze()).save(folder / f"{i:02}.{'png' if i < 10 else 'jpg'}")
    return folder


def test_beam_edit_matches_upscale_command_despite_retries(pictures, tmp_path, monkeypatch, capsys):
    assert main(["upscale", str(pictures), str(tmp_path / "command"), "--scale", "2", "--model", "espcn.x2"]) == 0
    capsys.readouterr()
    rename, renamed, failed = transforms.FileSystems.rename, [], []

    def once(sources, targets):
        if targets[0].endswith(("04.png", "14.jpg")) and targets not in failed:
            failed.append(targets)
            raise OSError("the network is away")
        rename(sources, targets)
        renamed.extend(targets)

    monkeypatch.setattr(transforms.FileSystems, "rename", once)
    monkeypatch.setattr(evaluator._GroupByKeyOnlyEvaluator, "MAX_ELEMENT_PER_BUNDLE", 5)
    run(sorted(pictures.iterdir()), transforms.Edit("espcn.x2", str(tmp_path / "beam")))
    assert len(failed) == 2 and len(renamed) > 20  # the other files of these bundles were written again
    assert contents(tmp_path / "beam") == contents(tmp_path / "command")
    assert sorted(found["made"]) == [str(path) for path in sorted((tmp_path / "beam").iterdir())]
    assert len(found["made"]) == 20 and "failed" not in found


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("espcn.x3", {"scale": 2.5, "ensemble": True}, ["upscale", "--scale", "2.5", "--ensemble"]),
        ("denoiser.color_blind", {}, ["denoise"]),
        ("enhancer.photos", {"strength": 0.5}, ["enhance", "--strength", "0.5"]),
    ],
)
def test_beam_edit_matches_command(pictures, tmp_path, capsys, model, options, words):
    photo = sorted(pictures.iterdir())[5]
    run([photo, photo], transforms.Edit(model, str(tmp_path / "beam"), **options))
    verb, *rest = words
    assert main([verb, str(photo), str(tmp_path / photo.name), *rest, "--model", model]) == 0
    capsys.readouterr()
    assert contents(tmp_path / "beam") == {photo.name: (tmp_path / photo.name).read_bytes()}
    assert len(found["made"]) == 1


def test_beam_edit_matches_stylize_command(pictures, tmp_path, capsys):
    photo = sorted(pictures.iterdir())[6]
    run([photo], transforms.Edit("fast_style.paintings", str(tmp_path / "beam"), style={"starry_night": 1.0}))
    assert main(["stylize", str(photo), str(tmp_path / photo.name), "--style", "starry_night"]) == 0
    capsys.readouterr()
    assert contents(tmp_path / "beam") == {photo.name: (tmp_path / photo.name).read_bytes()}


def test_beam_classify_matches_command(pictures, capsys):
    names = sorted(map(str, pictures.iterdir()))[:4]
    run(names, transforms.Classify("lenet.mnist", top=2))
    assert main(["classify", "lenet.mnist", *names, "--top", "2", "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    for (name, best), one in zip(sorted(found["made"]), expected, strict=True):
        assert name == one["image"]
        assert [kind for kind, _ in best] == [each["name"] for each in one["classes"]]
        np.testing.assert_allclose([p for _, p in best], [each["probability"] for each in one["classes"]], rtol=1e-5)


def test_beam_edit_reports_damaged_file_and_processes_others(pictures, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    photo = pictures / "02.png"
    run([tmp_path / "bad.png", photo], transforms.Edit("espcn.x2", str(tmp_path / "out")))
    ((name, reason),) = found["failed"]
    assert name == str(tmp_path / "bad.png") and "no known format" in reason
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["02.png"]


def test_beam_transforms_reject_invalid_arguments():
    edit, classify = transforms.Edit, transforms.Classify
    for refused, message in (
        (lambda: edit("lenet.mnist", "out"), "`model` must be one to upscale, restore, .* Received: 'lenet.mnist', to"),
        (lambda: edit("espcn.x2", "out", strength=1), "Options of 'espcn.x2' must be of scale, .* Received: strength"),
        (lambda: edit("espcn.x2", "out", scale=3), "`scale` must be 2, or a fraction above 1. Received: 3"),
        (lambda: edit("enhancer.photos", "out", strength=3), "`strength` must be .* between 0 and 2. Received: 3"),
        (lambda: classify("lenet.mnist", top=0), "`top` must be an integer >= 1. Received: 0"),
        (lambda: edit("fast_style.paintings", "out"), "`style` must be given"),
        (lambda: classify("espcn.x2"), "`model` must be one to classify. Received: 'espcn.x2', to upscale"),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    with pytest.raises(UnknownName):
        edit("espcn.x9", "out")


def test_beam_classify_pins_hub_commit_at_construction(pictures, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    photo = str(pictures / "03.png")
    with in_place(monkeypatch, tmp_path / "cache"):
        model = cnnzoo.build("lenet")
        model.push_to_hub("me/digits", description="Reads digits", data="digits")
        transform = transforms.Classify("hf://me/digits", top=10)
        cnnzoo.build("lenet").push_to_hub("me/digits", description="Reads digits", data="digits")  # other weights
        run([photo], transform)
        with pytest.raises(ValueError, match=r"Received: 'hf://me/digits@[0-9a-f]{40}', to classify"):
            transforms.Edit("hf://me/digits", "out")
    (chances,) = model.classify(fit_to(read_image(photo)[None], model.image_shape))
    ((name, best),) = found["made"]
    assert name == photo
    np.testing.assert_allclose([p for _, p in best], np.sort(chances)[::-1], rtol=1e-5)
