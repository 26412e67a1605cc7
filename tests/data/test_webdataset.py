"""WebDataset tar files, loaded by `wds:PATH`; the tests write the files."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo.data import DataNotFound, load
from cnnzoo.data.photographs import photographs
from cnnzoo.data.sources import rows_of

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(256, size=(28, 28, 3), dtype=np.uint8) for _ in range(30)]


def encoded(picture, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue()


def write(path, members):
    """Writes a tar file of (name, bytes) members; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def samples(numbers, labels=True):
    """Yields the members of samples: a PNG and its label, the number modulo 3."""
    for i in numbers:
        yield f"a/{i:03d}.png", encoded(PICTURES[i])
        if labels:
            yield f"a/{i:03d}.cls", str(i % 3).encode()


def three(folder, **kwargs):
    """Writes three tar files of ten samples each; returns the folder."""
    for k in range(3):
        write(folder / f"part-{k:03d}.tar", samples(range(10 * k, 10 * k + 10), **kwargs))
    return folder


@pytest.mark.parametrize("pattern", ["", "/part-{000..002}.tar", "/part-*.tar", "/part-{000,001,002}.tar"])
def test_wds_loads_files_of_folder_or_pattern(tmp_path, pattern):
    name = f"wds:{three(tmp_path)}{pattern}"
    train, test = load(name, "train"), load(name, "test")
    assert (len(train.images), len(test.images)) == (24, 6)
    together = np.concatenate([train.images, test.images]).reshape(30, -1)
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(np.stack(PICTURES).reshape(30, -1), axis=0))
    assert train.classes == test.classes == ("0", "1", "2")
    which = [next(i for i in range(30) if (PICTURES[i] == image).all()) for image in train.images]
    assert which == sorted(which)
    assert train.labels.tolist() == [i % 3 for i in which]


@pytest.mark.parametrize("names", [("train/0.tar", "test/0.tar"), ("set-train-0.tar", "set-val-0.tar")])
def test_wds_splits_follow_file_names(tmp_path, names):
    for name, numbers in zip(names, [range(9), range(10, 14)], strict=True):
        write(tmp_path / name, samples(numbers))
    train, test = (load(f"wds:{tmp_path}", split) for split in ("train", "test"))
    np.testing.assert_array_equal(train.images, np.stack(PICTURES[:9]))
    np.testing.assert_array_equal(test.images, np.stack(PICTURES[10:14]))
    write(tmp_path / "more.tar", samples([20]))
    with pytest.raises(ValueError, match=r"All files of .* or none must have a split in their names. Received: .*more"):
        load(f"wds:{tmp_path}", "train")


def test_wds_labels_are_optional_or_from_a_json_field(tmp_path):
    write(tmp_path / "a.tar", samples(range(10), labels=False))
    assert load(f"wds:{tmp_path}/a.tar").labels is None
    members = [(f"{i}.{end}", content) for i in range(10) for end, content in (
        ("JPG", encoded(PICTURES[i], "JPEG")),
        ("seg.png", encoded(PICTURES[i])),
        ("json", json.dumps({"kind": i, "text": "x"}).encode()),
    )]  # fmt: skip
    write(tmp_path / "b.tar", members)
    found = load(f"wds:{tmp_path}/b.tar#jpg,json.kind")
    assert sorted([*found.labels, *load(f"wds:{tmp_path}/b.tar#jpg,json.kind", "test").labels]) == [*range(10)]
    np.testing.assert_array_equal(load(f"wds:{tmp_path}/b.tar#seg.png").images[0], PICTURES[0])
    with pytest.raises(ValueError, match=r"Labels must be integers; name one .* Received: 'x' in .*b.tar: 0, text"):
        load(f"wds:{tmp_path}/b.tar#jpg,json.text")
    with pytest.raises(ValueError, match=r"must have a member cls. Received: jpg, seg.png, json in .*b.tar: 0"):
        load(f"wds:{tmp_path}/b.tar#jpg,cls")
    write(tmp_path / "c.tar", [(f"{i}.{end}", raw) for i in range(10) for end, raw in (
        ("png", encoded(PICTURES[i])), ("Label", b"%d" % i), ("json", json.dumps({"Y": i}).encode()),
    )])  # fmt: skip
    for label in ("Label", "label", "JSON.Y", "json.Y"):
        assert load(f"wds:{tmp_path}/c.tar#PNG,{label}").labels.max() == 9


def test_rows_random_access_is_thread_safe(tmp_path):
    rows = rows_of(f"wds:{three(tmp_path)}", "train")
    expected = load(f"wds:{tmp_path}", "train").images
    assert len(rows) == 24

    def wrong(seed):
        order = np.random.default_rng(seed).permutation(24)
        return [i for i in order if not np.array_equal(rows.image(int(i)), expected[i])]

    with ThreadPoolExecutor(4) as threads:
        assert not any(threads.map(wrong, range(8)))
    assert rows_of("digits", "train") is None


def test_rows_detect_changed_files(tmp_path):
    rows = rows_of(f"wds:{three(tmp_path)}", "train")
    before = rows.stamp()
    assert before == rows_of(f"wds:{tmp_path}/part*", "train").stamp()
    path = tmp_path / "part-000.tar"
    path.write_bytes(path.read_bytes()[:2000])
    assert rows.stamp() != before
    with pytest.raises(ValueError, match=r"part-000.tar must not change while it is read. Received: a shorter file"):
        rows.image(5)
    path.unlink()
    with pytest.raises(ValueError, match=r"wds:.* cannot be read: .*part-000.tar"):
        rows.image(5)


def test_wds_fits_images_of_mixed_sizes_to_shape(tmp_path):
    large = np.zeros((40, 60, 3), np.uint8)
    write(tmp_path / "a.tar", [*samples(range(9), labels=False), ("z.webp", encoded(large, "WEBP"))])
    assert load(f"wds:{tmp_path}", "train", (16, 16, 1)).images.shape == (8, 16, 16, 1)
    both = [load(f"wds:{tmp_path}", split, (28, 28, 3)).images.sum((1, 2, 3)) for split in ("train", "test")]
    assert 0 in np.concatenate(both)


def test_wds_raises_for_missing_shard_or_path(tmp_path):
    three(tmp_path)
    with pytest.raises(DataNotFound, match=r"part-003.tar is missing, which wds:.*part-\{000..003\}.tar names"):
        load(f"wds:{tmp_path}/part-{{000..003}}.tar")
    with pytest.raises(DataNotFound, match=r"must have files; wds: takes a file, a folder or a pattern"):
        load(f"wds:{tmp_path}/none")
    for i in (0, 2):
        write(tmp_path / f"b/x-{i:05d}-of-00003.tar", samples(range(3)))
    with pytest.raises(DataNotFound, match=r"x-00001-of-00003.tar is missing, of 3 files"):
        load(f"wds:{tmp_path}/b")


def test_wds_rejects_damaged_files_or_skips_corrupt_images(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(10)))
    raw = path.read_bytes()
    with tarfile.open(path) as tar:
        fifth = tar.getmembers()[10]
    for cut in (fifth.offset, fifth.offset + 100, fifth.offset_data + 5):  # between members, in a header, in a picture
        path.write_bytes(raw[:cut])
        with pytest.raises(ValueError, match=r"a.tar must be an uncompressed tar file, whole. Received: \w+"):
            load(f"wds:{path}")
    bad = bytearray(raw)
    bad[fifth.offset] ^= 1  # the checksum of the header is wrong
    path.write_bytes(bad)
    with pytest.raises(ValueError, match=rf"whole. Received: no header and no end at byte {fifth.offset}"):
        load(f"wds:{path}")
    bad = bytearray(raw)
    bad[fifth.offset_data + 50] ^= 1
    path.write_bytes(bad)
    with pytest.raises(ValueError, match=r"a.tar: a/005.png cannot be read as an image"):
        for split in ("train", "test"):
            load(f"wds:{path}", split)
    with pytest.warns(UserWarning, match=r"left out: .*a.tar: a/005.png cannot be read"):
        assert sum(len(load(f"wds:{path}", split, corrupt="skip").images) for split in ("train", "test")) == 9
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a.tar must be an uncompressed tar file, whole. Received: empty file"):
        load(f"wds:{path}")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz"):
        pass
    with pytest.raises(ValueError, match=r"b.tar.gz must be uncompressed, for random access. Received: .gz"):
        load(f"wds:{tmp_path}")


def test_wds_rejects_image_above_size_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("cnnzoo.data.shards.LARGEST_PICTURE", 1 << 10)
    path = write(tmp_path / "a.tar", samples([0]))
    with pytest.raises(ValueError, match=r"An image must have at most 1024 bytes. Received: \d+ in .*a.tar: a/000"):
        load(f"wds:{path}")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.txt", b"x")], r"must have a member one of jpg, .* Received: txt in .*a.tar: a"),
        ([("a.png", b"x"), ("a.jpg", b"x")], r"must have one image; name one by #IMAGE.* Received: png, jpg in .*: a"),
        ([("a.png", b"x"), ("a.png", b"x")], r"must have one member png. Received: two in .*a.tar: a"),
        ([("a.png", b"x"), ("a.cls", b"cat")], r"Labels must be integers; .* Received: 'cat' in .*a.tar: a"),
        ([("a.png", b"x"), ("a.cls", b"-1")], r"Labels must be in \[0, 99999\]. Received: '-1' in .*: a"),
        ([("a.png", b"x"), ("a.cls", b"9" * 30)], r"Labels must be in \[0, 99999\]. Received: '9{30}' in .*a.tar: a"),
        ([("a.png", b"x"), ("a.cls", bytes(1 << 21))], r"must have at most 1048576 bytes. Received: 2097152 in .*: a"),
        ([("a.png", b"x"), ("a.cls", b"1"), ("b.png", b"x")], r"All samples or none must have a member cls.* in .*: b"),
        ([], r"must have images. Received: none for 'train'"),
    ],
)  # fmt: skip
def test_wds_rejects_invalid_or_missing_samples(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        load(f"wds:{write(tmp_path / 'a.tar', members)}")


def test_wds_rejects_test_label_absent_from_train(tmp_path):
    write(tmp_path / "train.tar", samples([0, 1, 3, 4]))
    write(tmp_path / "test.tar", samples([0, 2]))
    with pytest.raises(ValueError, match=r"Labels of .* must be in \[0, 1\], as those of train. Received: 2"):
        load(f"wds:{tmp_path}", "test")


def test_load_suggests_wds_and_tfds_for_timm_names():
    for theirs, ours in (("wds/shards", "wds:shards"), ("tfds/mnist", "tfds:mnist")):
        with pytest.raises(ValueError, match=f"Unknown data set '{theirs}'. Did you mean {ours}?"):
            load(theirs)


def test_resume_finds_relative_wds_path_from_another_folder(tmp_path, monkeypatch):
    three(tmp_path / "shards")
    monkeypatch.chdir(tmp_path)
    config = {"image_shape": (28, 28, 3), "width": 4, "hidden": 16, "latent_dim": 4}
    data = "wds:shards/part-{000..002}.tar"
    run = cnnzoo.train("autoencoder", data=data, config=config, epochs=1, batch_size=8, verbose=0)
    assert run.name == "autoencoder.part"
    plan = json.loads((run / "run.json").read_text())
    assert plan["data"] == f"wds:{tmp_path}/shards/part-{{000..002}}.tar"
    assert plan["fingerprint"]["images"] == 24
    run = run.absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (run / "model.weights.h5").unlink()
    cnnzoo.train(resume=run, verbose=0)  # compares the data with the fingerprint in the plan
    assert (run / "model.weights.h5").is_file()


def test_crop_training_and_photographs_accept_wds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = [RNG.integers(256, size=(40 + i, 50, 3), dtype=np.uint8) for i in range(10)]
    write(tmp_path / "own.tar", [(f"{i}.png", encoded(picture)) for i, picture in enumerate(pictures)])
    run = cnnzoo.train("espcn", data="wds:own.tar", crop=24, epochs=1, batch_size=4, verbose=0)
    assert json.loads((run / "run.json").read_text())["fingerprint"]["images"] == 8
    found = photographs(f"wds:{tmp_path}/own.tar", "test")
    assert all(any(np.array_equal(image, each) for each in pictures) for image in found.images)
    parts = [set(photographs(f"wds:{tmp_path}/own.tar", split).names) for split in ("fit", "validation")]
    assert not set.intersection(*parts)
    assert [len(part) for part in parts] == [7, 1]


def test_wds_rejects_test_split_of_fewer_than_five_images(tmp_path):
    path = write(tmp_path / "a.tar", samples(range(3)))
    with pytest.raises(ValueError, match=r"wds:.*a.tar must have at least five images for a split test. Received: 3"):
        load(f"wds:{path}", "test")
