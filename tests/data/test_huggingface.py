"""Data sets of the Hugging Face Hub, loaded by `hf:NAME`; the tests write the folders and the cache."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo.data import DataNotFound, load
from cnnzoo.data.sources import rows_of

datasets = pytest.importorskip("datasets")
parquet = pytest.importorskip("pyarrow.parquet")

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(256, size=(28, 28, 3), dtype=np.uint8) for _ in range(30)]
COLUMNS = {
    "picture": datasets.Image(),
    "mask": datasets.Image(),
    "kind": datasets.ClassLabel(names=["ant", "bee", "cow"]),
    "color": datasets.ClassLabel(names=["red", "blue"]),
    "number": datasets.Value("int32"),
    "word": datasets.Value("string"),
}


def table(columns, n=30):
    values = {
        "picture": [Image.fromarray(picture) for picture in PICTURES[:n]],
        "mask": [Image.fromarray(picture[..., 0]) for picture in PICTURES[:n]],
        "kind": [i % 3 for i in range(n)],
        "color": [i % 2 for i in range(n)],
        "number": [i % 5 for i in range(n)],
        "word": ["x"] * n,
    }
    features = datasets.Features({key: COLUMNS[key] for key in columns})
    return datasets.Dataset.from_dict({key: values[key] for key in columns}, features=features)


def write(folder, columns, **splits):
    """Writes a folder of Parquet files, one per split of n rows; returns its `hf:` name."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, n in splits.items():
        table(columns, n).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return f"hf:{folder}"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder of datasets, with offline mode off."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


def test_hf_finds_columns_by_type(tmp_path):
    name = write(tmp_path / "set", ["word", "picture", "number", "kind"], train=30, test=6)
    train, test = load(name, "train"), load(name, "test")
    np.testing.assert_array_equal(train.images, np.stack(PICTURES))
    assert train.labels.tolist() == [i % 3 for i in range(30)]
    assert train.classes == test.classes == ("ant", "bee", "cow")
    assert len(test.images) == 6
    rows = rows_of(name, "test")
    np.testing.assert_array_equal(rows.image(5), PICTURES[5])


def test_hf_test_split_is_validation_or_a_fifth_of_train(tmp_path):
    name = write(tmp_path / "a", ["picture"], train=30, validation=4)
    assert (len(load(name).images), len(load(name, "test").images)) == (30, 4)
    name = write(tmp_path / "b", ["picture"], train=30)
    found = [load(name, split) for split in ("train", "test")]
    assert [len(each.images) for each in found] == [24, 6]
    assert found[0].labels is None
    assert len(np.unique(np.concatenate([each.images for each in found]).reshape(30, -1), axis=0)) == 30
    with pytest.raises(ValueError, match=r"hf:.* must have a split train. Received: test"):
        load(write(tmp_path / "c", ["picture"], test=4))


def test_hf_keys_select_columns_and_invalid_keys_are_rejected(tmp_path):
    name = write(tmp_path / "set", [*COLUMNS], train=30, test=5)
    found = load(f"{name}#mask,color", "test")
    np.testing.assert_array_equal(found.images, np.stack(PICTURES[:5])[..., :1])
    assert found.labels.tolist() == [0, 1, 0, 1, 0]
    numbers = load(f"{name}#picture,number")
    assert numbers.labels.tolist() == [i % 5 for i in range(30)]
    assert numbers.classes == ("0", "1", "2", "3", "4")
    for keys, message in {
        "": r"must have one column of type Image; name one by #IMAGE.* Received: picture, mask",
        "#picture": r"must have one column of type ClassLabel; name one by #IMAGE.* Received: kind, color",
        "#photo": r"must name a column of type Image \(picture, mask\). Received: photo",
        "#picture,word": r"must be of type ClassLabel or integers; name one by .* Received: word \(string\)",
        "#picture,mask": r"must be of type ClassLabel or integers; .* Received: mask \(Image\)",
        "#picture,sort": r"must have the column sort. Received: picture \(Image\), .* word \(string\)",
    }.items():
        with pytest.raises(ValueError, match=message):
            load(f"{name}{keys}")
    with pytest.raises(ValueError, match=r"must have a column of type Image. Received: word \(string\)"):
        load(write(tmp_path / "words", ["word"], train=3))


def test_train_rejects_hf_without_labels_and_explains_keys(tmp_path):
    name = write(tmp_path / "set", ["picture", "number"], train=30)
    with pytest.raises(ValueError, match=r"must have labels for cnn: .*; name one by #IMAGE or #IMAGE,LABEL"):
        cnnzoo.train("cnn", data=name, epochs=1, config={"image_shape": (28, 28, 3)}, verbose=0)


def test_hf_loads_picture_folders_and_rejects_broken_file(tmp_path):
    for split, numbers in {"train": range(10), "test": range(10, 14)}.items():
        for i in numbers:
            path = tmp_path / "set" / split / ("bee" if i % 2 else "ant") / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(PICTURES[i]).save(path)
    found = load(f"hf:{tmp_path}/set", "test")
    assert found.classes == ("ant", "bee")
    for image, label in zip(found.images, found.labels, strict=True):
        assert (next(i for i in range(30) if (PICTURES[i] == image).all()) % 2) == label
    broken = tmp_path / "set" / "test" / "ant" / "010.png"
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"hf:.*: row \d, .*010.png cannot be read as an image"):
        load(f"hf:{tmp_path}/set", "test")


def test_hf_rejects_empty_image_or_label(tmp_path):
    features = datasets.Features({key: COLUMNS[key] for key in ("picture", "kind")})
    (tmp_path / "a").mkdir()
    rows = {"picture": [Image.fromarray(PICTURES[0]), None], "kind": [0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a" / "train.parquet")
    with pytest.raises(ValueError, match=r"hf:.*a: row 1 must have an image. Received: none"):
        load(f"hf:{tmp_path}/a")
    (tmp_path / "b").mkdir()
    rows = {"picture": [Image.fromarray(PICTURES[0])] * 2, "kind": [0, None]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "b" / "train.parquet")
    with pytest.raises(ValueError, match=r"Labels of hf:.*b must be in every row. Received: 1 rows without"):
        load(f"hf:{tmp_path}/b")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", "row 0, /dev/zero must be a file. Received: another kind"),
        ("/none", "row 0, /none must be a file. Received: none"),
        ("large.png", "An image must have at most 1024 bytes. Received: 2000 in .*row 0, .*large.png"),
        (None, "An image must have at most 1024 bytes. Received: 2000 in .*row 0"),
    ],
)
def test_hf_rejects_large_images_and_paths_without_file(tmp_path, monkeypatch, path, message):
    monkeypatch.setattr("cnnzoo.data.shards.LARGEST_PICTURE", 1 << 10)
    (tmp_path / "large.png").write_bytes(bytes(2000))
    cell = {"bytes": bytes(2000) if path is None else None, "path": path and str(tmp_path / path)}
    (tmp_path / "a").mkdir()
    rows = datasets.Dataset.from_dict({"picture": [cell]}, features=datasets.Features({"picture": datasets.Image()}))
    parquet.write_table(rows.data.table, tmp_path / "a" / "train.parquet")  # `to_parquet` would read the file
    with pytest.raises(ValueError, match=message):
        load(f"hf:{tmp_path}/a")


def test_hf_without_network_loads_only_from_cache(tmp_path, cache, monkeypatch):
    monkeypatch.setattr("cnnzoo.data.huggingface.is_reachable", lambda host: False)
    with pytest.raises(DataNotFound, match=r"hf:org/animals is not prepared in .*cache, and there is no network") as e:
        load("hf:org/animals")
    assert "load_dataset('org/animals')" in str(e.value)
    assert "\n" not in str(e.value)
    assert not datasets.config.HF_HUB_OFFLINE
    write(tmp_path / "set", ["picture", "kind"], train=30, test=4)
    datasets.load_dataset(str(tmp_path / "set"))
    prepared = next(path for path in cache.glob("set/*/*/*") if path.is_dir())
    target = cache / "org___animals" / prepared.relative_to(cache / "set")
    target.parent.mkdir(parents=True)
    prepared.rename(target)
    for file in target.glob("set-*"):
        file.rename(target / file.name.replace("set-", "animals-"))
    np.testing.assert_array_equal(load("hf:org/animals", "test").images, np.stack(PICTURES[:4]))
    np.testing.assert_array_equal(load("hf:org/animals/default", "test").images, np.stack(PICTURES[:4]))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataNotFound, match=r"is not prepared in .*cache, and offline mode is on \(HF_HUB_OFFLINE\)"):
        load("hf:org/plants")


def test_hf_rejects_invalid_names_and_files_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataNotFound, match=r"hf:\./none must be a folder or the name of a data set. Received: no such"):
        load("hf:./none")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.md").write_text("x")
    name = write(tmp_path / "b", ["picture"], train=3)
    (tmp_path / "b" / "README.md").write_text("---\nconfigs:\n- config_name: one\n  data_files: data/*.parquet\n---\n")
    assert len(load(f"{name}/one").images) == 3
    write(tmp_path / "c", ["picture"], train=3)
    (tmp_path / "c" / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1" * 20)
    with pytest.raises(ValueError, match=r"^hf:.*c cannot be loaded: .*Parquet"):
        load(f"hf:{tmp_path}/c")
    for bad in (f"hf:{tmp_path}/a", f"{name}/other"):
        with pytest.raises(ValueError, match=r"^hf:.* cannot be loaded: .+") as error:
            load(bad)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"Unknown data set 'hfds/mnist'. Did you mean hf:mnist\?"):
        load("hfds/mnist")
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("cnnzoo.utils.optional.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"hf:NAME needs datasets; install it by: pip install -e '.\[hf\]'"):
        load("hf:mnist")


def test_hf_does_not_run_dataset_scripts(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "set.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ValueError, match=r"cannot be loaded: Dataset scripts are no longer supported"):
        load(f"hf:{tmp_path}/set")
    assert not (tmp_path / "ran").exists()


def test_train_on_hf_folder_stores_absolute_path_in_plan(tmp_path, monkeypatch):
    write(tmp_path / "animals", ["picture"], train=30)
    monkeypatch.chdir(tmp_path)
    config = {"image_shape": (28, 28, 3), "width": 4, "hidden": 16, "latent_dim": 4}
    run = cnnzoo.train("autoencoder", data="hf:./animals", config=config, epochs=1, batch_size=8, verbose=0)
    assert run.name == "autoencoder.animals"
    assert f'"hf:{tmp_path}/animals"' in (run / "run.json").read_text()


def test_rows_random_access_is_thread_safe(tmp_path):
    rows = rows_of(write(tmp_path / "set", ["picture"], train=30, test=1), "train")

    def wrong(seed):
        order = np.random.default_rng(seed).permutation(30)
        return [i for i in order if not np.array_equal(rows.image(int(i)), PICTURES[i])]

    with ThreadPoolExecutor(4) as threads:
        assert not any(threads.map(wrong, range(8)))
