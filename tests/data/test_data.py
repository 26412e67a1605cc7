"""Data sets and their batches."""

import hashlib
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import cnnzoo
from cnnzoo import data
from cnnzoo.imaging.files import save_png


def test_digits_match_scikit_learn_scans():
    train, test = data.load("digits"), data.load("digits", "test")
    assert train.images.shape == (1437, 28, 28, 1) and test.images.shape == (360, 28, 28, 1)
    scans = load_digits()
    counts = np.bincount(train.labels) + np.bincount(test.labels)
    np.testing.assert_array_equal(counts, np.bincount(scans.target))
    assert not {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}
    small = np.asarray(Image.fromarray(train.images[0, 4:24, 4:24, 0]).resize((8, 8), Image.Resampling.BOX)) / 255 * 16
    nearest = np.abs(scans.images - small).mean(axis=(1, 2)).argmin()
    assert scans.target[nearest] == train.labels[0]


def test_load_rejects_writes_into_shared_arrays():
    found = data.load("digits")
    for array in (found.images, found.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_photos_train_and_test_classes_are_disjoint():
    train, test = (data.load("photos", split, shape=(32, 32, 3)) for split in ("train", "test"))
    assert train.images.shape[1:] == (32, 32, 3) and train.images.dtype == np.uint8
    assert not set(train.classes) & set(test.classes)
    assert train.images.std(axis=(1, 2, 3)).min() > 0


def test_fit_and_validation_partition_train():
    train, fit, held_out = (data.load("digits", split) for split in ("train", "fit", "validation"))
    assert len(held_out.images) == 143 and len(fit.images) == 1437 - 143
    together = sorted(i.tobytes() for i in (*fit.images, *held_out.images))
    assert together == sorted(i.tobytes() for i in train.images)


def test_load_returns_requested_shape():
    assert data.load("digits", shape=(32, 32, 3)).images.shape == (1437, 32, 32, 3)


@pytest.mark.parametrize("start", [0, 13, 30])
def test_stream_from_any_step_equals_numpy_batches(start):
    images = data.load("digits")
    stream = images.stream(100, seed=5, start_step=start)
    steps = images.batches(100, seed=5)
    for _ in range(start):
        next(steps)
    for (x, y), (expected_x, expected_y) in zip(stream.take(3), steps, strict=False):
        np.testing.assert_array_equal(x, expected_x)
        np.testing.assert_array_equal(y, expected_y)


def test_batches_repeat_no_image_in_an_epoch_and_keep_labels():
    images = data.load("digits")
    label_of = {i.tobytes(): label for i, label in zip(images.images, images.labels, strict=True)}
    seen = set()
    for _, (x, y) in zip(range(images.steps_per_epoch(100)), images.batches(100, seed=0), strict=False):
        for image, label in zip(x, y, strict=True):
            assert label_of[image.tobytes()] == label
            assert image.tobytes() not in seen
            seen.add(image.tobytes())
    assert len(seen) == 1400


def test_pipeline_advances_one_epoch_per_pass():
    pipeline = cnnzoo.pipeline("digits", batch_size=100, seed=2)
    assert pipeline.cardinality() == 14
    passes = [np.concatenate([y for _, y in pipeline]) for _ in range(2)]
    steps = data.load("digits").batches(100, seed=2)
    for labels in passes:
        np.testing.assert_array_equal(labels, np.concatenate([next(steps)[1] for _ in range(14)]))


def test_pipeline_of_test_split_is_complete_and_in_order():
    labels = np.concatenate([y for _, y in cnnzoo.pipeline("digits", "test", batch_size=100)])
    np.testing.assert_array_equal(labels, data.load("digits", "test").labels)


def test_pipeline_accepts_recipe_name(tfds_data):
    x, y = next(iter(cnnzoo.pipeline("lenet.mnist", batch_size=7)))
    assert x.shape == (7, 28, 28, 1) and y.shape == (7,)


def test_mnist_matches_published_counts_and_mean(tfds_data):
    train, test = data.load("mnist"), data.load("mnist", "test")
    assert train.images.shape == (60_000, 28, 28, 1) and test.images.shape == (10_000, 28, 28, 1)
    np.testing.assert_array_equal(np.bincount(test.labels), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert round(train.images.mean() / 255, 4) == 0.1307  # the published mean


@pytest.mark.parametrize("split", ["train", "test"])
def test_static_mnist_matches_gray_levels_and_stored_hash(split, tfds_data):
    gray, drawn = data.load("mnist", split), data.load("mnist/static", split)
    np.testing.assert_array_equal(drawn.labels, gray.labels)
    assert drawn.images.dtype == np.uint8 and drawn.images.shape == gray.images.shape
    counts = np.bincount(gray.images.ravel(), minlength=256)
    white = np.bincount(gray.images[drawn.images == 255], minlength=256)
    assert np.count_nonzero(drawn.images) == white.sum()  # only 0 and 255
    chance = np.arange(256) / 255
    deviation = np.sqrt(counts * chance * (1 - chance))
    assert (np.abs(white - counts * chance) <= 5 * deviation).all()  # binomial, 5 sigma, 256 counts: chance 1 in 7,000
    digest = {"train": "a0600f7dc7868e95", "test": "5de02e2364b76da4"}[split]  # pins the bits
    assert hashlib.sha256(drawn.images.tobytes()).hexdigest().startswith(digest)


def test_static_mnist_uses_independent_draws_for_train_and_test(tfds_data):
    agree = []
    for split in ("train", "test"):
        gray, drawn = data.load("mnist", split).images[:1000], data.load("mnist/static", split).images[:1000]
        agree.append(np.where((gray > 100) & (gray < 155), drawn // 255, 2))  # decided by the random draw
    both = (agree[0] < 2) & (agree[1] < 2)
    assert both.sum() > 500
    assert np.mean(agree[0][both] == agree[1][both]) < 0.7  # 0.5 for independent draws, nearly 1 for equal draws


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 1)):
        for label in ("cat", "dog"):
            for i in range(count):
                save_png(tmp_path / "pets" / split / label / f"{i}.png", rng.integers(0, 256, (6, 8, 3), np.uint8))
    return tmp_path / "pets"


def test_load_reads_images_and_classes_of_folder(folder):
    images = data.load(folder, shape=(4, 4, 1))
    assert images.images.shape == (6, 4, 4, 1)
    assert images.classes == ("cat", "dog")
    np.testing.assert_array_equal(images.labels, [0, 0, 0, 1, 1, 1])
    assert data.load(folder).images.shape == (6, 6, 8, 3)


def test_load_raises_for_corrupt_image_or_skips_with_warning(folder):
    bad = folder / "train" / "dog" / "1.png"
    bad.write_bytes(bad.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"dog.1\.png cannot be read.*corrupt='skip'"):
        data.load(folder)
    with pytest.warns(UserWarning, match=r"left out: .*dog.1\.png"):
        images = data.load(folder, corrupt="skip")
    np.testing.assert_array_equal(images.labels, [0, 0, 0, 1, 1])


def test_load_rejects_invalid_arguments_and_folders(folder):
    with pytest.raises(ValueError, match=r"`data` must be one of mnist, .*\. Received: 'mnits'"):
        data.load("mnits")
    with pytest.raises(ValueError, match=r"`split` must be one of train, test, fit, validation\. Received: 'dev'"):
        data.load("digits", "dev")
    with pytest.raises(ValueError, match=r"`corrupt` must be one of raise, skip\. Received: 'ignore'"):
        data.load(folder, corrupt="ignore")
    with pytest.raises(ValueError, match=r"`batch_size` must be between 1 and 1437, .*\. Received: 2000"):
        data.load("digits").stream(2000, seed=0)
    with pytest.raises(ValueError, match=r"`limit` must be an integer >= 1\. Received: 0"):
        data.load("digits").few(0)
    save_png(folder / "train" / "cat" / "other.png", np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"must have one shape, .*\. Received: 2 shapes"):
        data.load(folder)
    (folder / "train").rename(folder / "dev")
    with pytest.raises(ValueError, match=r"Images must be .*. Received: no 'train' \(it has: dev, test\)"):
        data.load(folder)


def test_folder_of_few_pictures_has_no_test_split(tmp_path):
    for i in range(4):
        save_png(tmp_path / f"{i}.png", np.full((4, 4, 3), i, np.uint8))
    assert len(data.load(tmp_path).images) == 4
    with pytest.raises(ValueError, match=r"must have 5 pictures or more, or a `test` of its own\. Received: 4"):
        data.load(tmp_path, "test")


def test_folder_without_test_images_holds_out_a_fifth(tmp_path):
    values = iter(range(30))
    for label in ("cat", "dog", "eel"):
        for i in range(10):
            save_png(tmp_path / "train" / label / f"{i}.png", np.full((4, 4, 3), next(values), np.uint8))
    train, test, again = (data.load(tmp_path, split) for split in ("train", "test", "test"))
    assert len(train.images) == 24 and len(test.images) == 6 and train.classes == test.classes
    np.testing.assert_array_equal(test.images, again.images)
    for part in (train, test):
        np.testing.assert_array_equal(part.labels, part.images[:, 0, 0, 0] // 10)
    both = [*train.images[:, 0, 0, 0], *test.images[:, 0, 0, 0]]
    assert sorted(both) == list(range(30))
    # An unreadable file does not change the split of the other files.
    (tmp_path / "train" / "cat" / f"{train.images[0, 0, 0, 0]}.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="left out"):
        fewer = data.load(tmp_path, corrupt="skip")
    np.testing.assert_array_equal(fewer.images, train.images[1:])
    np.testing.assert_array_equal(data.load(tmp_path, "test").images, test.images)


def test_few_is_deterministic_nested_and_spread_over_the_set():
    whole = data.load("digits")
    few, more, all_of_them = (whole.few(n) for n in (100, 300, 10_000))
    position = {image.tobytes(): i for i, image in enumerate(whole.images)}
    places = [position[image.tobytes()] for image in few.images]
    assert len(set(places)) == 100 and min(places) < 144 and max(places) > 1293  # within a tenth of either end
    np.testing.assert_array_equal(few.labels, whole.labels[places])
    assert set(places) < {position[image.tobytes()] for image in more.images}
    assert all_of_them is whole.few(None) is whole
    np.testing.assert_array_equal(data.load("digits").few(100).images, few.images)


def test_signs_load_from_cnnzoo_data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(data.DataNotFound, match=r"signs is not in .*sign_digits.*CNNZOO_DATA_DIR"):
        data.load("signs")
    for label in "01":
        for i in range(5):
            save_png(tmp_path / "sign_digits" / "train" / label / f"{i}.jpg", np.full((100, 100, 3), 20 * i, np.uint8))
    train, test = data.load("signs"), data.load("signs", "test")
    assert train.images.shape == (8, 64, 64, 3) and test.images.shape == (2, 64, 64, 3)
    assert data.load("signs", shape=(32, 32, 1)).images.shape == (8, 32, 32, 1)
    assert train.classes == ("0", "1") and train.name == "signs"


def test_load_reports_missing_set_within_a_second_offline(tmp_path):
    script = """
        import socket, time
        import tensorflow_datasets
        from cnnzoo import data
        tensorflow_datasets.builder("mnist")
        def cut(*a, **k): raise OSError("no network")
        socket.create_connection = cut
        began = time.monotonic()
        try:
            data.load("mnist")
        except data.DataNotFound as error:
            assert time.monotonic() - began < 1.0
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    env = {**os.environ, "TFDS_DATA_DIR": str(tmp_path)}
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert "mnist is not prepared" in out and "TFDS_DATA_DIR" in out and "digits" in out


def test_data_import_loads_no_heavy_packages():
    script = (
        "import sys, cnnzoo.data, cnnzoo.data.catalog, cnnzoo.imaging.arrays\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'keras', 'jax', 'sklearn', 'skimage', 'pooch', 'requests'}\n"
        "print(heavy & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


# -- folders of users --------------------------------------------------------------------------------------------------


def picture_folder(root, **counts):
    """Writes <root>/<split>/<label>/0.png ... for split__label=count, with a gray level per label; returns `root`."""
    for key, count in counts.items():
        split, label = key.split("__")
        for i in range(count):
            level = 9 * (ord(label[0]) - ord("a")) if label.isalpha() else 9 * int(label)
            save_png(root / split / label / f"{i}.png", np.full((4, 4, 1), level, np.uint8))
        (root / split / label).mkdir(parents=True, exist_ok=True)
    return root


def test_folder_classes_follow_train_for_every_split(tmp_path):
    picture_folder(tmp_path, train__bar=2, train__dot=2, train__sky=2, test__sky=3)
    train, test = data.load(tmp_path), data.load(tmp_path, "test")
    assert train.classes == test.classes == ("bar", "dot", "sky")
    assert test.labels.tolist() == [2, 2, 2]


def test_folder_rejects_test_class_absent_from_train(tmp_path):
    picture_folder(tmp_path, train__bar=2, test__bar=1, test__dot=1)
    with pytest.raises(ValueError, match=r"test must have only the classes of train, bar.*. Received: dot"):
        data.load(tmp_path, "test")


def test_folder_numeric_classes_sort_by_number(tmp_path):
    picture_folder(tmp_path, **{f"train__{label}": 1 for label in (10, 0, 9, 1)})
    assert data.load(tmp_path).classes == ("0", "1", "9", "10")


def test_folder_ignores_hidden_entries_and_warns_of_others(tmp_path):
    picture_folder(tmp_path, train__a=3, train__b=3, test__a=1, test__b=1)
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / "a" / "._0.png").write_bytes(b"not a picture")
    assert len(data.load(tmp_path).images) == 6  # no warning: warnings are errors in the tests
    (tmp_path / "train" / "a" / "notes.txt").write_text("of no use")
    with pytest.warns(UserWarning, match=r"a: passed over 1 entry that is no picture \(1 \.txt\)"):
        assert data.load(tmp_path).classes == ("a", "b")
    (tmp_path / "train" / "a" / "notes.txt").unlink()
    save_png(tmp_path / "train" / "loose.png", np.zeros((4, 4, 1), np.uint8))
    (tmp_path / "train" / "c").mkdir()
    with pytest.warns(UserWarning) as told:
        assert data.load(tmp_path).classes == ("a", "b", "c")
    said = [str(warning.message) for warning in told]
    assert any("passed over 1 pictures that lie in no class folder" in line for line in said)
    assert any(line.endswith("c holds no pictures") for line in said)


def test_photographs_ignores_hidden_folders(tmp_path):
    from cnnzoo.data.photographs import photographs

    picture_folder(tmp_path, train__a=2, **{"train__.ipynb_checkpoints": 0})
    save_png(tmp_path / "train" / ".ipynb_checkpoints" / "0-checkpoint.png", np.zeros((4, 4, 1), np.uint8))
    assert photographs(tmp_path).names == ("0", "1")


def test_relabeled_maps_classes_by_name(tmp_path):
    picture_folder(tmp_path, train__b=1, train__c=2)
    images = data.load(tmp_path)
    assert images.relabeled(("a", "b", "c")).labels.tolist() == [1, 2, 2]
    with pytest.raises(ValueError, match=r"must have only the classes a, b\. Received: c"):
        images.relabeled(("a", "b"))
