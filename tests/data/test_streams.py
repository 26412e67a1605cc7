"""Streamed sets, decoded from disk on use: the same pixels in the same order as sets in memory."""

import threading
import warnings

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo import data
from cnnzoo.data import memory
from cnnzoo.data.fingerprint import changes, fingerprint
from cnnzoo.data.folder_rows import FileRows, FolderRows
from cnnzoo.data.ground import ground_of
from cnnzoo.data.streamed import StreamedSet
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import read_fitted, read_image
from cnnzoo.registry import architecture
from cnnzoo.training import shape

SHAPE = (12, 16, 3)


@pytest.fixture
def folder(tmp_path):
    """A folder of 40 pictures in two classes, with several sizes, modes and file formats."""
    rng = np.random.default_rng(0)
    for i in range(40):
        height, width = rng.integers(10, 40, 2)
        pixels = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        path = tmp_path / "own" / "train" / ("cat", "dog")[i % 2] / f"{i:02}{('.jpg', '.png')[i % 3 > 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels.convert("L" if i % 5 == 0 else "RGB").save(path)
    return tmp_path / "own"


@pytest.fixture
def decoded(monkeypatch):
    """The indices of the decoded pictures, in decoding order."""
    seen, fitted = [], FolderRows.fitted
    monkeypatch.setattr(FolderRows, "fitted", lambda rows, i, shape: seen.append(i) or fitted(rows, i, shape))
    return seen


def both(folder, split="train", shape=SHAPE):
    return data.load(folder, split, shape), data.load(folder, split, shape, memory=0)


def same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("split", ["train", "test", "fit", "validation"])
@pytest.mark.parametrize("shape", [SHAPE, (9, 9, 1)])
def test_stream_matches_pixels_and_labels_of_in_memory_set(folder, split, shape):
    whole, stream = both(folder, split, shape)
    assert isinstance(stream, StreamedSet) and not isinstance(whole, StreamedSet)
    assert stream.images.shape == whole.images.shape and stream.epoch == whole.epoch
    assert (stream.name, stream.split, stream.classes) == (whole.name, whole.split, whole.classes)
    np.testing.assert_array_equal(stream.in_memory().images, whole.images)
    np.testing.assert_array_equal(stream.labels, whole.labels)
    np.testing.assert_array_equal(stream.images[1:3], whole.images[1:3])
    np.testing.assert_array_equal(stream.images[-1], whole.images[-1])


def test_load_images_equal_fit_to(folder):
    rows = FolderRows(folder, "train")
    expected = [fit_to(read_image(path)[None], SHAPE)[0] for path in rows.files]
    np.testing.assert_array_equal(data.load(folder, "train", SHAPE).images, expected)


@pytest.mark.parametrize("start", [0, 5])
def test_stream_batches_equal_in_memory_batches_from_any_step(folder, start):
    whole, stream = both(folder)
    expected = whole.batches(7, 3, start)
    on_jax, on_tensorflow = stream.batches(7, 3, start), stream.stream(7, 3, start).as_numpy_iterator()
    for _ in range(9):  # more than two epochs
        batch = next(expected)
        same(batch, next(on_jax))
        same(batch, next(on_tensorflow))


def test_stream_few_and_relabeled_match_in_memory_set(folder):
    whole, stream = both(folder)
    same((whole.few(9).images, whole.few(9).labels), (stream.few(9).in_memory().images, stream.few(9).labels))
    np.testing.assert_array_equal(stream.relabeled(("dog", "cat")).labels, whole.relabeled(("dog", "cat")).labels)
    with pytest.raises(ValueError, match=r"`batch_size` must be between 1 and 32"):
        stream.steps_per_epoch(33)


def test_stream_decodes_only_indexed_images(folder, decoded):
    stream = data.load(folder, "train", SHAPE, memory=0)
    assert stream.few(10).epoch == 10 and decoded == []
    assert stream.images[3:5].shape == (2, *SHAPE) and sorted(decoded) == [3, 4]


def test_pipeline_of_stream_matches_in_memory_pipeline(folder, monkeypatch):
    expected = [[np.concatenate(parts) for parts in zip(*_pipeline(folder, split), strict=True)] for split in SPLITS]
    monkeypatch.setattr(memory, "free", lambda: 0)
    found = [[np.concatenate(parts) for parts in zip(*_pipeline(folder, split), strict=True)] for split in SPLITS]
    for one, other in zip(expected, found, strict=True):
        same(one, other)


SPLITS = ("train", "test")


def _pipeline(folder, split):
    for name in folder.rglob("*.*"):  # `pipeline` does not resize pictures
        read = Image.open(name).convert("RGB").resize((6, 6))
        read.save(name.with_suffix(".png"))
        if name.suffix != ".png":
            name.unlink()
    return list(cnnzoo.pipeline(str(folder), split, 8).as_numpy_iterator())


def test_training_images_streams_above_memory_limit(folder):
    needed = data.load(folder, "train", SHAPE).images.nbytes
    kinds = [
        isinstance(data.training_images(folder, "train", SHAPE, memory=most), StreamedSet)
        for most in (needed - 1, needed, None)
    ]
    assert kinds == [True, False, False]
    with pytest.raises(ValueError, match=r"`memory` must be an integer >= 0\. Received: -1"):
        data.training_images(folder, "train", SHAPE, memory=-1)


def test_stream_reports_unreadable_pictures_or_skips_on_request(folder):
    for number in ("02", "04"):
        (folder / "train" / "cat" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"cannot be read as an image.* \(and 1 more\); .*corrupt='skip'"):
        np.asarray(data.load(folder, "train", SHAPE, memory=0).images)
    with pytest.warns(UserWarning, match="left out"):
        whole, stream = data.load(folder, "train", SHAPE, "skip"), data.load(folder, "train", SHAPE, "skip", 0)
    np.testing.assert_array_equal(whole.images, stream.in_memory().images)


def test_stream_without_shape_rejects_mixed_sizes(folder):
    with pytest.raises(ValueError, match=r"must have one shape, .*\. Received: \d+ shapes"):
        np.asarray(data.load(folder, "train", memory=0).images)


def test_fingerprints_of_stream_and_in_memory_set_are_comparable(folder, decoded):
    whole, stream = (fingerprint(images) for images in both(folder))
    assert changes(whole, stream) == changes(stream, whole) == changes(stream, stream) == ""
    path = folder / "train" / "cat" / "02.png"
    Image.new("RGB", (20, 20)).save(path)
    now, then = (fingerprint(images) for images in both(folder))
    assert changes(whole, now) == "other pixels or labels" and changes(stream, then) == "other files"
    assert changes(whole, then) and changes(stream, now)  # the changed picture is in the sample
    for name in ("cat/04.png", "cat/08.png", "dog/01.png"):
        (folder / "train" / name).unlink()
    assert "images instead of" in changes(stream, fingerprint(both(folder)[1]))


def test_fingerprint_of_stream_decodes_only_a_sample(folder, decoded, monkeypatch):
    monkeypatch.setattr("cnnzoo.data.fingerprint.SAMPLE", 5)
    fingerprint(data.load(folder, "train", SHAPE, memory=0))
    assert len(decoded) == 5


def test_ground_of_stream_equals_ground_of_in_memory_set(folder):
    for path in (folder / "train").rglob("*.*"):
        Image.new("L", (9, 9)).save(path)
        page = Image.new("L", (9, 9), 255)
        page.paste(0, (4, 4, 5, 5))
        page.save(path)
    assert [ground_of(images) for images in both(folder, "train", (9, 9, 1))] == ["light", "light"]


@pytest.mark.parametrize("arch", ["dcgan", "denoiser"])
def test_choose_decodes_only_a_sample_of_pictures(arch, folder, decoded, monkeypatch):
    monkeypatch.setattr(shape, "LOOKED_AT", 6)
    read = []
    monkeypatch.setattr(FileRows, "image", lambda rows, i: read.append(i) or read_image(rows.files[i]))
    chosen = shape.choose(architecture(arch), folder, "train")
    assert chosen.shape[2] == 3 and len(decoded) + len(read) == 6
    count = 40 if arch == "denoiser" else 32
    assert chosen.line.startswith(f"own/: {count} (") and "gray of 6) images" in chosen.line


def test_parsed_returns_bytes_and_rejects_invalid_sizes():
    assert [memory.parsed(text) for text in ("2GB", "1.5 MiB", "500kb", "7")] == [2 * 10**9, 3 * 2**19, 500_000, 7]
    for text in ("two", "-1GB", "2 G B", ""):
        with pytest.raises(ValueError, match=r"`memory` must be a size such as 2GB or 500MB\. Received"):
            memory.parsed(text)


def test_free_memory_respects_cgroup_limits(tmp_path, monkeypatch):
    before = memory.free()
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert memory._left_in_cgroups() and memory.free() == 3_000_000 < before
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free() > 3_000_000


def test_read_image_on_threads_preserves_warning_filters(folder):
    with warnings.catch_warnings():
        before = list(warnings.filters)
        started = threading.Barrier(8)

        def decode(path):
            started.wait()
            for _ in range(20):
                read_image(path)

        threads = [threading.Thread(target=decode, args=(path,)) for path in FolderRows(folder, "train").files[:8]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16", "CMYK", "turned", "fitting"])
def test_read_fitted_equals_fit_to(mode, channels, tmp_path):
    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (21, 30, 4), np.uint8))
    path, options = tmp_path / "a.png", {}
    if mode == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        path, options, pixels = tmp_path / "a.jpg", {"exif": exif}, pixels.convert("RGB")
    elif mode == "fitting":
        pixels = pixels.convert("RGB").resize((16, 12))
    elif mode == "CMYK":
        path, pixels = tmp_path / "a.jpg", pixels.convert("CMYK")
    elif mode == "I;16":
        pixels = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (21, 30), np.uint16))
    else:
        pixels = pixels.convert(mode)
    pixels.save(path, **options)
    for source in (path, path.read_bytes()):
        expected = fit_to(read_image(source)[None], (12, 16, channels))[0]
        np.testing.assert_array_equal(read_fitted(source, (12, 16, channels)), expected)
