"""Whole photographs, and their crops as a pure function of (seed, step)."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

import cnnzoo
from cnnzoo.data import DataNotFound, training_images
from cnnzoo.data.catalog import CATALOG, TESTING, TRAINING
from cnnzoo.data.origins import CROPS
from cnnzoo.data.photographs import Crops, Photographs, photographs
from cnnzoo.imaging.files import save_png


@pytest.fixture
def folder(tmp_path):
    """Three training photographs of different sizes with distinct pixels, and one test photograph."""
    rng = np.random.default_rng(0)
    for name, height, width in (("a", 12, 20), ("b", 9, 8), ("c", 6, 30)):
        save_png(tmp_path / f"train/any/{name}.png", rng.integers(0, 256, (height, width, 3), np.uint8))
    save_png(tmp_path / "test/any/d.png", rng.integers(0, 256, (10, 11, 3), np.uint8))
    return tmp_path


def symmetries(square: np.ndarray) -> set[bytes]:
    turned = [np.rot90(square, k) for k in range(4)]
    return {np.ascontiguousarray(x).tobytes() for t in turned for x in (t, t[:, ::-1])}


def test_photographs_of_folder_are_sorted_by_name(folder):
    found = photographs(folder)
    assert found.names == ("a", "b", "c")
    assert [image.shape for image in found.images] == [(12, 20, 3), (9, 8, 3), (6, 30, 3)]
    assert photographs(folder, "test", channels=1).images[0].shape == (10, 11, 1)
    assert photographs(folder).few(2).names == ("a", "b")


def test_photographs_of_catalog_reject_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    known = CATALOG[TESTING[0]]
    save_png(known.folder() / "any" / "a.png", np.zeros((8, 8, 4), np.uint8))  # opaque ones are read-only anyway
    with pytest.raises(ValueError, match="read-only"):
        photographs(known.name, "test").images[0][0] = 1


def test_photographs_fit_and_validation_partition_train(folder):
    parts = [photographs(folder, split).names for split in ("fit", "validation")]
    assert sorted(parts[0] + parts[1]) == ["a", "b", "c"] and len(parts[1]) == 1


def test_crops_of_one_pixel_cover_most_pixels_in_an_epoch(folder):
    crops = Crops(photographs(folder), 1)
    everywhere = np.concatenate([image.reshape(-1, 3) for image in photographs(folder).images])
    epoch = len(everywhere) // 6
    taken = np.concatenate([batch for (batch,) in itertools.islice(crops.batches(6, 0), epoch)])
    known = {pixel.tobytes() for pixel in everywhere}
    drawn = [pixel.tobytes() for pixel in taken.reshape(-1, 3)]
    assert set(drawn) <= known
    assert len(set(drawn)) > 0.55 * len(known)  # about 1 - 1/e: positions recur in other symmetries


def test_crops_are_symmetries_of_squares_of_photographs(folder):
    images, size = photographs(folder).images, 6
    squares = set()
    for image in images:
        for y in range(image.shape[0] - size + 1):
            for x in range(image.shape[1] - size + 1):
                squares |= symmetries(image[y : y + size, x : x + size])
    crops = Crops(photographs(folder), size)
    taken = [crop.tobytes() for (b,) in itertools.islice(crops.batches(4, seed=1), 40) for crop in b]
    assert set(taken) <= squares
    assert len(set(taken)) > 100


def test_crops_stream_from_any_step_equals_numpy_batches(folder):
    crops = Crops(photographs(folder), 5)
    for start in (0, 7):
        stream = crops.stream(4, seed=3, start_step=start)
        for (x,), (expected,) in zip(stream.take(3), crops.batches(4, seed=3, start_step=start), strict=False):
            np.testing.assert_array_equal(x, expected)


def test_crops_images_are_center_crops(folder):
    middle = Crops(photographs(folder), 6).images
    assert middle.shape == (3, 6, 6, 3)
    np.testing.assert_array_equal(middle[0], photographs(folder).images[0][3:9, 7:13])


def test_training_images_returns_crops_of_given_size(folder):
    images = training_images(folder, "train", (None, None, 1), crop=6)
    assert images.steps_per_epoch(2) == (12 * 20 + 9 * 8 + 6 * 30) // 36 // 2
    (batch,) = next(iter(images.stream(2, 0)))
    assert batch.shape == (2, 6, 6, 1)


def test_photographs_and_crops_reject_invalid_arguments(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(DataNotFound, match=r"t91 is not in .*CNNZOO_DATA_DIR"):
        photographs("t91")
    with pytest.raises(
        ValueError, match=r"Photographs for 'train' must be of t91, bsds500, train400.*. Received: set5"
    ):
        photographs("t91+set5")
    with pytest.raises(ValueError, match=r"`data` must be one of t91, .*. Received: "):
        photographs(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"`split` must be one of .*. Received: 'all'"):
        photographs(folder, "all")
    with pytest.raises(ValueError, match=r"`crop` must be between 1 and 12, .*. Received: 13"):
        Crops(photographs(folder), 13)
    with pytest.raises(ValueError, match=r"`batch_size` must be between 1 and .*. Received: 100"):
        Crops(photographs(folder), 6).steps_per_epoch(100)


def test_train_reads_string_as_photograph_set_and_path_as_folder(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path / "sets"))
    save_png(CATALOG["t91"].folder() / "any" / "e.png", np.zeros((12, 12, 3), np.uint8))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "t91").symlink_to(folder)
    monkeypatch.chdir(tmp_path / "here")
    settings = {"epochs": 1, "batch_size": 1, "crop": 6, "config": {"width": 4, "depth": 2}, "verbose": 2}
    named = cnnzoo.train("espcn", data="t91", out="named", **settings)
    own = cnnzoo.train("espcn", data=Path("t91"), out="own", **settings)
    assert [json.loads((run / "run.json").read_text())["data"] for run in (named, own)] == ["t91", str(folder)]
    assert "t91 is the data set of that name; for the folder: ./t91" in capsys.readouterr().out


def test_train_accepts_validation_photograph_smaller_than_crops(folder, tmp_path):
    (name,) = photographs(folder, "validation").names
    save_png(folder / f"train/any/{name}.png", np.zeros((5, 5, 3), np.uint8))
    assert photographs(folder, "validation").names == (name,)
    settings = {"epochs": 1, "batch_size": 1, "crop": 6, "config": {"width": 4, "depth": 2}, "verbose": 0}
    run = cnnzoo.train("espcn", data=folder, out=tmp_path / "run", **settings)
    assert (run / "samples" / "epoch-0001.png").exists()


def test_train_accepts_crop_only_for_models_of_any_size(folder, tmp_path):
    run = cnnzoo.train("espcn", data=folder, epochs=1, batch_size=4, crop=6, out=tmp_path / "run", verbose=0)
    assert cnnzoo.build("espcn", weights=run).scale == 3
    with pytest.raises(
        ValueError, match=r"`crop` must not be given with 'cnn', which takes images of one size. Received: crop=6"
    ):
        cnnzoo.train("cnn", data="digits", crop=6, out=tmp_path / "other")


def test_train_and_test_photographs_are_disjoint(photograph_sets):
    """Compares hashes of pixels, and gray thumbnails, which also detect resized or recompressed copies."""
    train, test = ([photographs(x, split, 1) for x in sets] for sets, split in ((TRAINING, "train"), (TESTING, "test")))
    hashes = [{hashlib.sha256(x.tobytes()).digest() for part in parts for x in part.images} for parts in (train, test)]
    assert not hashes[0] & hashes[1]
    small = [np.stack([_thumbnail(x) for part in parts for x in part.images]) for parts in (train, test)]
    alike = small[0] @ small[1].T
    # The most similar pair of different photographs, a sky above an edge, correlates at 0.92; a resized copy at 0.97.
    assert alike.max() < 0.95, "a photograph for testing is nearly one for training"


@pytest.mark.slow
def test_train_and_test_photographs_share_no_crop(photograph_sets):
    for name in TESTING:
        test = photographs(name, "test", channels=1)
        for other in TRAINING:
            assert not _shared(test, photographs(other, channels=1))


def test_crop_search_finds_left_out_photographs(photograph_sets, monkeypatch):
    for name in ("bsds500", "train400"):
        monkeypatch.setitem(CATALOG, name, replace(CATALOG[name], left_out=()))
    test = _named(photographs("set12", "test"), "04", "05")
    train = _named(photographs("bsds500+train400", channels=1), "100075", "12003", "test_019", "test_020")
    assert _shared(test, train) == {("04", "12003"), ("04", "test_020")}


def test_train400_crops_match_origin_table(photograph_sets, monkeypatch):
    for name in ("bsds500", "train400"):
        monkeypatch.setitem(CATALOG, name, replace(CATALOG[name], left_out=()))
    whole, crops = photographs("bsds500", channels=1), photographs("train400")
    wholes = dict(zip(whole.names, whole.images, strict=True))
    pairs = [(CROPS[name], image) for name, image in zip(crops.names, crops.images, strict=True) if name in CROPS]
    assert len(pairs) == len(CROPS) == 200
    for (name, row, column), image in pairs:
        height, width, _ = image.shape
        there = wholes[name][row : row + height, column : column + width]
        assert np.abs(there.astype(int) - image).mean() < 0.01  # JPEG decoders differ by 1 in some pixels


@pytest.mark.parametrize("name", ["t91", "bsds500+train400", "t91+bsds500+train400"])
def test_fit_and_validation_photographs_are_disjoint(photograph_sets, name):
    def shown(split):
        return {CROPS[stem][0] if stem in CROPS else stem for stem in photographs(name, split).names}

    train, fit, held_out = (photographs(name, split) for split in ("train", "fit", "validation"))
    assert sorted(fit.names + held_out.names) == sorted(train.names)
    assert 0.07 < len(held_out.names) / len(train.names) < 0.13
    assert not shown("fit") & shown("validation")


@pytest.mark.slow
def test_fit_and_validation_photographs_share_no_crop(photograph_sets):
    fit, held_out = (photographs("t91+bsds500+train400", split, channels=1) for split in ("fit", "validation"))
    assert not _shared(held_out, fit)


def _thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns the thumbnail of 48x48 pixels, flattened, with mean 0 and norm 1."""
    from PIL import Image

    small = np.asarray(Image.fromarray(image[:, :, 0]).resize((48, 48), Image.Resampling.BOX), np.float64).ravel()
    small -= small.mean()
    return small / np.linalg.norm(small)


# Minimum overlap of the small pictures in pixels, and minimum correlation. The most similar pair of different scenes,
# two plain skies above an edge, correlates at 0.88; "04" of Set12 and its photograph at 0.94.
OVERLAP, ALIKE = 256, 0.92


def _shared(some: Photographs, others: Photographs) -> set[tuple[str, str]]:
    """Returns the names of the pairs with shared content, searched at an eighth of the size and at every offset."""
    details = [_detail(image) for image in others.images]
    found = set()
    for name, image in zip(some.names, some.images, strict=True):
        mine = _detail(image)
        sides = [next_fast_len(mine.shape[i] + max(x.shape[i] for x in details), real=True) for i in (0, 1)]
        stack = np.zeros((len(details), *sides), np.float32)
        for there, detail in zip(stack, details, strict=True):
            there[: detail.shape[0], : detail.shape[1]] = detail
        sums = irfft2(rfft2(stack) * np.conj(rfft2(mine, sides)), sides)
        for other, detail, total in zip(others.names, details, sums, strict=True):
            (rows, down), (columns, across) = (_overlaps(mine.shape[i], detail.shape[i], sides[i]) for i in (0, 1))
            area = np.outer(rows, columns)
            # For unrelated pictures, a sum over n pixels grows with the square root of n.
            best = np.unravel_index(np.where(area >= OVERLAP, total / np.sqrt(np.maximum(area, 1)), 0).argmax(), sides)
            y, x = down[best[0]], across[best[1]]
            a = mine[max(0, -y) : detail.shape[0] - y, max(0, -x) : detail.shape[1] - x]
            b = detail[max(0, y) : y + mine.shape[0], max(0, x) : x + mine.shape[1]]
            if np.sum(a * b) > ALIKE * np.sqrt(np.sum(a * a) * np.sum(b * b)):
                found.add((name, other))
    return found


def _detail(image: np.ndarray) -> np.ndarray:
    """Returns the band-pass filtered image at an eighth of the size, with normalized local contrast."""
    small = gaussian_filter(image[:, :, 0].astype(np.float32), 4)[3::8, 3::8]
    band = gaussian_filter(small, 0.7) - gaussian_filter(small, 2)
    return band / (np.sqrt(gaussian_filter(np.square(band), 4)) + 2)  # 2: does not amplify noise


def _overlaps(mine: int, theirs: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of overlapping pixels and the signed shift, for each shift of a circular correlation."""
    shift = np.arange(side)
    shift = np.where(shift < theirs, shift, shift - side)
    return np.clip(np.minimum(theirs, shift + mine) - np.maximum(0, shift), 0, None), shift


def _named(found: Photographs, *names: str) -> Photographs:
    kept = [found.names.index(name) for name in names]
    return replace(found, images=tuple(found.images[i] for i in kept), names=names)
