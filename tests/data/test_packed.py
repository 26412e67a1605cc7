"""Folders packed into shards: equal pictures, verified shards, and checks of folders."""

import json

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo import data
from cnnzoo.data import packed, packing
from cnnzoo.data.checking import check
from cnnzoo.data.packing import build
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import read_image

SHAPE = (8, 10, 3)
CONFIG = {"width": 2, "hidden": 4, "latent_dim": 2, "image_shape": [8, 8, 3]}


def fill(folder, count, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        rng = np.random.default_rng(i)
        pixels = Image.fromarray(rng.integers(0, 256, (*rng.integers(8, 30, 2), 3), np.uint8))
        pixels.save(folder / f"{i:02}{('.jpg', '.png')[i % 2]}")
    return folder


@pytest.fixture(params=["flat", "labeled", "divided"])
def folder(request, tmp_path):
    top = tmp_path / "own"
    if request.param == "flat":
        return fill(top, 21)
    for label, count in (("cat", 12), ("dog", 9)):
        fill(top / "train" / label, count, start=50 * (label == "dog"))
        if request.param == "divided":
            fill(top / "test" / label, 4, start=100 + 50 * (label == "dog"))
    return top


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(packing, "RECORDS", 5)
    monkeypatch.setattr(packing, "BATCH", 2)


def same(one, other):
    np.testing.assert_array_equal(one.images, other.images)
    assert (one.labels is None) == (other.labels is None)
    if one.labels is not None:
        np.testing.assert_array_equal(one.labels, other.labels)
    assert one.classes == other.classes


@pytest.mark.parametrize("split", ["train", "test", "fit", "validation"])
def test_packed_set_equals_folder_in_every_split(folder, split, tmp_path, small_shards):
    done = []
    build(folder, tmp_path / "packed", progress=lambda n, of: done.append((n, of)))
    total = len(list(folder.rglob("*.*")))
    assert done[-1] == (total, total) and done == sorted(done)
    same(data.load(folder, split, SHAPE), data.load(tmp_path / "packed", split, SHAPE))
    stream = data.load(tmp_path / "packed", split, SHAPE, memory=0)
    same(data.load(folder, split, SHAPE), stream.in_memory())


def test_build_with_size_equals_fit_to(tmp_path):
    folder = fill(tmp_path / "own", 10)
    build(folder, tmp_path / "packed", (8, 10))
    same(data.load(folder, "train", SHAPE), data.load(tmp_path / "packed", "train"))


def test_packed_record_equals_file_bytes(tmp_path):
    folder = fill(tmp_path / "own", 6)
    build(folder, tmp_path / "packed")
    rows = packed.PackedRows(tmp_path / "packed", "train")
    assert {rows._record(i) for i in range(len(rows))} < {path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("at", "left"), [(10, 4), (12, 3)])
def test_build_resumes_at_the_next_shard_with_equal_bytes(at, left, tmp_path, small_shards, monkeypatch):
    folder, out = fill(tmp_path / "own", 21), tmp_path / "packed"
    expected = build(folder, tmp_path / "expected")

    def stop(done, total):
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(folder, out, progress=stop)
    assert not out.exists()
    written, shard = [], packing._shard
    monkeypatch.setattr(packing, "_shard", lambda path, *more: written.append(path.name) or shard(path, *more))
    assert build(folder, out) == expected
    assert len(written) == left and not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "expected").iterdir()
    }


def test_build_after_interruption_starts_over_with_added_pictures(tmp_path, small_shards):
    folder, out = fill(tmp_path / "own", 21), tmp_path / "packed"

    def stop(done, total):
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(folder, out, progress=stop)
    fill(folder, 2, start=21)
    done = []
    manifest = build(folder, out, progress=lambda n, of: done.append(n))
    assert done[0] <= 2  # the first batch, not the second shard
    assert sum(shard["records"] for shard in manifest["splits"]["train"]) == 23
    same(data.load(folder, "train", SHAPE), data.load(out, "train", SHAPE))


def test_build_rejects_existing_out_empty_folder_and_bad_files(tmp_path):
    folder = fill(tmp_path / "own", 5)
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match=r"`out` must be a new folder\. Received: .*there, which exists"):
        build(folder, tmp_path / "there")
    with pytest.raises(ValueError, match=r"Images must be .*\. Received: no 'train'"):
        build(tmp_path / "there", tmp_path / "out")
    for name in ("01.png", "03.png"):
        (folder / name).write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"01\.png cannot be read as an image: .* \(and 1 more\); cnnzoo data check"):
        build(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["missing", "shorter", "altered"])
def test_train_and_check_reject_missing_or_altered_shard(damage, tmp_path, small_shards):
    out = tmp_path / "packed"
    manifest = build(fill(tmp_path / "own", 21), out)
    path, expected = out / "train-00002.array_record", manifest["splits"]["train"][2]["sha256"]
    raw = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw[:-1] if damage == "shorter" else raw)
    found = "no file" if damage == "missing" else packed.sha256(path)
    for use in (lambda: cnnzoo.train("dcgan", data=out, out=tmp_path / "run"), lambda: check(out)):
        with pytest.raises(ValueError, match=rf"train-00002\.array_record .* SHA-256 {expected}\. Received: {found}$"):
            use()
    assert not (tmp_path / "run").exists()


def test_check_shards_obeys_time_limit_and_hashes_once(tmp_path, small_shards, monkeypatch):
    manifest = build(fill(tmp_path / "own", 21), tmp_path / "packed")
    hashed, sha256 = [], packed.sha256
    monkeypatch.setattr(packed, "sha256", lambda path: hashed.append(path.name) or sha256(path))
    packed.check_shards(tmp_path / "packed", manifest["splits"]["train"], 0.0)
    assert len(hashed) == 1
    packed.check_shards(tmp_path / "packed", manifest["splits"]["train"])
    assert len(set(hashed)) == len(hashed) == 5  # no shard twice


def test_load_rejects_damaged_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(ValueError, match=str(tmp_path)):
        data.load(tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"file": "../own/00.jpg"}, "be a manifest written by cnnzoo data build"),
        ({"labels": [[1, 5]]}, "be a manifest written by cnnzoo data build"),
        ({"labels": [[-1, 5]]}, "be a manifest written by cnnzoo data build"),
        ({"labels": [[0, 6], [0, -1]]}, "be a manifest written by cnnzoo data build"),
        ({"labels": [[0, 2]], "records": 2}, r"have the 5 records of its shards\. Received: 2"),
        ({"labels": [[0, 10**12]], "records": 10**12}, r"have the 5 records of its shards\. Received: 1000000000000"),
    ],
)
def test_load_rejects_manifest_with_wrong_entries(tmp_path, entry, message):
    out = tmp_path / "packed"
    build(fill(tmp_path / "own", 5), out)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["splits"]["train"][0].update(entry)
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=rf"manifest\.json must {message}"):
        data.load(out, "train", SHAPE)


def test_train_on_packed_set_matches_folder_bit_for_bit(tmp_path, small_shards):
    folder = fill(tmp_path / "own", 21)
    build(folder, tmp_path / "packed")
    settings = {"epochs": 1, "batch_size": 6, "config": CONFIG, "verbose": 0}
    runs = [
        cnnzoo.train("autoencoder", data=source, out=tmp_path / f"run-{source.name}", memory=most, **settings)
        for source, most in ((folder, None), (tmp_path / "packed", 0))
    ]
    one, other = (cnnzoo.build("autoencoder", weights=run).get_weights() for run in runs)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_train_uses_classes_of_packed_set_and_requires_labels(tmp_path):
    for label in ("cat", "dog"):
        fill(tmp_path / "own" / "train" / label, 8)
    build(tmp_path / "own", tmp_path / "packed")
    run = cnnzoo.train("cnn", data=tmp_path / "packed", epochs=1, out=tmp_path / "run", verbose=0)
    plan = json.loads((run / "run.json").read_text())
    assert plan["config"]["classes"] == 2 and plan["fingerprint"]["classes"] == ["cat", "dog"]
    build(fill(tmp_path / "flat", 8), tmp_path / "unlabeled")
    with pytest.raises(ValueError, match=r"must have labels for cnn: .*unlabeled without labels"):
        cnnzoo.train("cnn", data=tmp_path / "unlabeled", out=tmp_path / "other")


@pytest.fixture
def spoilt(tmp_path):
    folder = tmp_path / "own"
    for i in range(9):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 16, 3), np.uint8)
        path = folder / "train" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    Image.open(folder / "train" / "cat" / "0.png").save(folder / "train" / "dog" / "copy.bmp")
    (folder / "train" / "dog" / "bad.jpg").write_bytes(b"no picture")
    Image.new("RGB", (7, 5)).save(folder / "train" / "cat" / "small.png")
    return folder


def test_check_reports_unreadable_duplicate_and_off_size_files(spoilt):
    found = check(spoilt)
    assert (found.pictures, found.size, found.is_clean) == (12, (16, 12), False)
    assert (
        list(found.unreadable) == ["train/dog/bad.jpg"] and "no known format" in found.unreadable["train/dog/bad.jpg"]
    )
    assert found.duplicates == [["train/cat/0.png", "train/dog/copy.bmp"]]
    assert found.off_size == {"train/cat/small.png": (7, 5)}


def test_check_is_clean_for_valid_folder_and_shards(tmp_path):
    folder = fill(tmp_path / "own", 4)
    assert check(folder).is_clean and check(folder).size is None
    build(folder, tmp_path / "packed")
    found = check(tmp_path / "packed")
    assert found.is_clean and found.pictures == 4
    fit = [fit_to(read_image(path)[None], SHAPE)[0] for path in sorted(folder.iterdir())]
    np.testing.assert_array_equal(data.load(tmp_path / "packed", "train", SHAPE).images, fit)
