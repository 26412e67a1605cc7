"""Crops of photographs on disk: the same pixels in the same order as crops of photographs in memory."""

import itertools
import json

import numpy as np
import pytest
from callbacks import StopAt
from PIL import Image

import cnnzoo
from cnnzoo.data import training_images
from cnnzoo.data.fingerprint import changes, fingerprint
from cnnzoo.data.folder_rows import FileRows
from cnnzoo.data.packing import build
from cnnzoo.data.permutation import order
from cnnzoo.data.photographs import StoredPhotographs, photographs

COLOR, GRAY = (None, None, 3), (None, None, 1)
LEAST = 12 * 12 * 3  # bytes of a picture of the smallest size, decoded in color


def fill(folder, count, start=0):
    """Writes pictures of several sizes, modes, file formats and EXIF orientations; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        rng = np.random.default_rng(i)
        pixels = Image.fromarray(rng.integers(0, 256, (*rng.integers(12, 30, 2), 3), np.uint8))
        exif = Image.Exif()
        exif[0x0112] = 6 if i % 3 == 0 else 1
        kind = {"exif": exif} if i % 2 == 0 else {}
        pixels.convert("L" if i % 5 == 0 else "RGB").save(folder / f"{i:02}{('.jpg', '.png')[i % 2]}", **kind)
    return folder


@pytest.fixture(params=["flat", "labeled", "divided"])
def folder(request, tmp_path):
    top = tmp_path / "own"
    if request.param == "flat":
        return fill(top, 23)
    for label, count in (("2", 12), ("10", 9)):  # sorted differently as text and as numbers
        fill(top / "train" / label, count, 40 * (label == "10"))
        if request.param == "divided":
            fill(top / "test" / label, 4, 100 + 40 * (label == "10"))
    return top


@pytest.fixture
def flat(tmp_path):
    return fill(tmp_path / "own", 23)


@pytest.fixture
def decoded(monkeypatch):
    """The indices of the decoded pictures."""
    seen, image = [], FileRows.image
    monkeypatch.setattr(FileRows, "image", lambda rows, i: seen.append(i) or image(rows, i))
    return seen


def same(one, other, steps=9):
    for left, right in itertools.islice(zip(one, other, strict=True), steps):
        np.testing.assert_array_equal(left[0], right[0])


@pytest.mark.parametrize(("shape", "split"), [(COLOR, "train"), (GRAY, "fit")])
def test_crops_from_disk_and_shards_equal_crops_from_memory(folder, shape, split, tmp_path):
    build(folder, tmp_path / "packed")
    whole = training_images(folder, split, shape, 9)
    assert whole.on_disk is None
    for place, memory in ((folder, 0), (tmp_path / "packed", 0), (tmp_path / "packed", None)):
        crops = training_images(place, split, shape, 9, memory)
        assert isinstance(crops.on_disk, StoredPhotographs) == (memory == 0)
        assert crops.epoch == whole.epoch and crops.images.shape == whole.images.shape
        np.testing.assert_array_equal(crops.images, np.asarray(whole.images))
        for start in (0, whole.steps_per_epoch(7) - 2):  # the second start crosses an epoch
            same(whole.batches(7, 3, start), crops.batches(7, 3, start))
            same(whole.batches(7, 3, start), crops.stream(7, 3, start).as_numpy_iterator())


def test_packed_photographs_keep_the_splits_of_the_folder(folder, tmp_path):
    build(folder, tmp_path / "packed")
    if not (folder / "test").is_dir() and (folder / "train").is_dir():
        for place in (folder, tmp_path / "packed"):
            with pytest.raises(ValueError, match=r"or a folder with test/<label>/<image>, or .*Received: '"):
                photographs(place, "test")
        return
    for split in ("test", "validation"):
        expected, found = photographs(folder, split, 3), photographs(tmp_path / "packed", split, 3)
        assert len(expected.images) == len(found.images) > 0
        for left, right in zip(expected.images, found.images, strict=True):
            np.testing.assert_array_equal(left, right)


def test_crops_equal_shuffled_list_of_positions_and_symmetries(flat):
    """The reference is a list of all crops in all symmetries, indexed by `order`."""
    size, every = 10, []
    for image in photographs(flat, "train", 3).images:
        height, width = image.shape[:2]
        for y, x in itertools.product(range(height - size + 1), range(width - size + 1)):
            square = image[y : y + size, x : x + size]
            for across, down, turned in itertools.product((0, 1), (0, 1), (0, 1)):
                each = np.fliplr(square) if across else square
                each = np.flipud(each) if down else each
                every.append(each.transpose(1, 0, 2) if turned else each)
    crops = training_images(flat, "train", COLOR, size, memory=0)
    (batch,) = next(crops.batches(20, seed=5, start_step=2))
    expected = [every[i] for i in order(len(every), 5, 0, 40 + np.arange(20))]
    np.testing.assert_array_equal(batch, expected)


def test_crops_stream_decodes_only_the_requested_batch_rows(flat, decoded):
    crops, steps = training_images(flat, "train", COLOR, 9, memory=0), 20
    whole = [batch for (batch,) in itertools.islice(crops.batches(8, 1), steps)]
    for rows in (slice(0, 2), slice(2, 8)):
        del decoded[:]
        parts = [batch.numpy() for (batch,) in crops.stream(8, 1, 0, rows).take(steps)]
        np.testing.assert_array_equal(parts, [batch[rows] for batch in whole])
        assert len(decoded) <= (rows.stop - rows.start) * (steps + 5)  # with prefetched batches


def test_photographs_are_cached_up_to_the_memory_limit(flat, decoded):
    expected = training_images(flat, "train", COLOR, 9)
    most = expected.photographs.sides.prod(axis=1).sum() * 3
    for memory, fewest, least in ((0, 19, 19), (most - 1, 1, 4), (LEAST, 18, 19)):
        crops = training_images(flat, "train", COLOR, 9, int(memory))
        crops.photographs.read(range(19))
        del decoded[:]
        for left, right in zip(crops.photographs.read(range(19)), expected.photographs.images, strict=True):
            np.testing.assert_array_equal(left, right)
        assert fewest <= len(decoded) <= least


def test_crops_few_of_stream_equals_few_in_memory(flat, decoded):
    few = training_images(flat, "train", COLOR, 9, memory=0).few(3)
    assert few.images.shape[0] == 3 and set(decoded) <= {0}
    same(training_images(flat, "train", COLOR, 9).few(3).batches(4, 0), few.batches(4, 0))


def test_crops_reject_changed_or_unreadable_pictures(flat):
    crops = training_images(flat, "train", COLOR, 9, memory=0)
    files = crops.on_disk.rows.files
    Image.new("RGB", (13, 14)).save(files[2])
    with pytest.raises(ValueError, match=r"own must not change while they are read. Received: one of 13x14 that was "):
        np.asarray(crops.images)
    for number in (3, 5):
        files[number].write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"\.(png|jpg) cannot be read as an image.*\(and 1 more\); cnnzoo data check"):
        training_images(flat, "train", COLOR, 9, memory=0)


def test_crops_fingerprints_on_disk_and_in_memory_are_comparable(flat):
    def both():
        return [fingerprint(training_images(flat, "train", COLOR, 9, memory)) for memory in (None, 0)]

    whole, stream = both()
    assert changes(whole, stream) == changes(stream, whole) == changes(stream, stream) == ""
    path = photographs(flat, "train", memory=0).on_disk.rows.files[4]
    Image.new("RGB", (20, 20)).save(path)
    now, then = both()
    assert changes(whole, now) == "other pixels or labels" and changes(stream, then) == "other files"
    assert changes(whole, then) and changes(stream, now)


def trained(folder, out, **settings):
    settings = {"epochs": 1, "batch_size": 8, "crop": 12, "seed": 4, "config": {"scale": 2}, "verbose": 0, **settings}
    return cnnzoo.train("espcn", data=folder, out=out, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "packed"])
def test_resume_on_crops_from_disk_or_memory_is_bit_for_bit(kind, flat, tmp_path, capsys):
    place = flat
    if kind == "packed":
        place = tmp_path / "packed"
        build(flat, place)
    expected = trained(flat, tmp_path / "expected")
    with pytest.raises(KeyboardInterrupt):
        trained(place, tmp_path / "run", memory=0, verbose=2, callbacks=[StopAt(2)])
    assert "pictures are read from the disk while training: decoded they take " in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        cnnzoo.train(resume=tmp_path / "run", verbose=0, callbacks=[StopAt(2)])
    run = cnnzoo.train(resume=tmp_path / "run", memory=0, verbose=0)
    plan = json.loads((run / "run.json").read_text())
    assert plan["steps"] > 5 and "files" in plan["fingerprint"]
    one, other = (cnnzoo.build("espcn", weights=each).get_weights() for each in (expected, run))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_gray_crops_from_disk_round_half_values_as_in_memory(tmp_path):
    """The gray values of these colors end in .5, so that another order of summation could round differently."""
    red, green, blue = np.indices((256, 256, 256), np.int32)
    between = (299 * red + 587 * green + 114 * blue) % 1000 == 500
    colors = np.stack([red[between], green[between], blue[between]], axis=1).astype(np.uint8)
    rng = np.random.default_rng(0)
    for i in range(6):
        pixels = colors[rng.integers(0, len(colors), rng.integers(30, 60, 2))]
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    whole, stream = (training_images(tmp_path, "train", GRAY, 21, memory).batches(16, 0) for memory in (None, 0))
    same(whole, stream, 20)
