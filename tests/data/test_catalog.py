"""The catalog of data sets, and the class names of models."""

from types import SimpleNamespace

import pytest

import cnnzoo
from cnnzoo.checkpoints.labels import class_names
from cnnzoo.data import catalog, load
from cnnzoo.data.catalog import CATALOG, NAMES, TESTING, TRAINING
from cnnzoo.data.photographs import photographs


@pytest.mark.parametrize("known", CATALOG.values(), ids=CATALOG)
def test_catalog_entry_is_consistent(known):
    assert known.homepage.startswith("https://") and known.license
    assert bool(known.builder) == (known.source == "tfds")
    assert bool(known.files) == (known.source in ("folder", "photographs", "paintings"))
    assert known.classes or known.source in ("photographs", "paintings") or known.name == "photos"
    assert len(set(known.classes)) == len(known.classes) and known.channels in (1, 3)
    assert known.ground in ("", "dark", "light") and (known.channels == 1 or not known.ground)
    assert not known.judge or known.judge in cnnzoo.list_checkpoints()
    assert not known.stand_in or CATALOG[known.stand_in].source == "package"
    assert not known.test_for or known.splits == ("test",)


def test_load_and_photographs_docstrings_list_the_catalog():
    assert [name for name in NAMES if f'"{name}"' not in load.__doc__] == []
    assert [name for name in (*TRAINING, *TESTING) if f'"{name}"' not in photographs.__doc__] == []


@pytest.mark.parametrize(
    ("task", "channels", "sets"),
    [
        ("upscale", 3, ("set5", "set14", "bsd100")),
        ("restore", 1, ("bsd68", "set12")),
        ("restore", 3, ("bsd100",)),
        ("inpaint", 1, ("bsd100",)),
        ("enhance", 3, ("bsd100",)),
        ("stylize", 3, ("bsd100",)),
        ("classify", 3, ()),
    ],
)
def test_default_test_sets_depend_on_the_task(task, channels, sets):
    assert catalog.default_test_sets(task, channels) == sets


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("mnist/static", "CC BY-SA 3.0"),
        ("t91+bsds500+train400", "none stated; for non-commercial research and education"),
        ("photos", "not known"),
        ("/folder/of/mine", "not known"),
    ],
)
def test_license_of_returns_each_license_once_or_not_known(data, text):
    assert catalog.license_of(data) == text


def test_class_names_come_from_the_catalog_or_the_folders(tmp_path):
    for name in ("train/circle", "train/star", "test/square"):
        (tmp_path / name).mkdir(parents=True)
    assert catalog.class_names(tmp_path, 2) == catalog.class_names(str(tmp_path), 2) == ["circle", "star"]
    assert catalog.class_names(str(tmp_path), 3) == ["0", "1", "2"]
    assert catalog.class_names("mnist", 10) == [str(i) for i in range(10)]
    assert catalog.class_names("cifar10", 10)[3] == "cat"


def test_class_names_of_unknown_data_are_numbers(tmp_path, monkeypatch):
    (tmp_path / "train/circle").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert catalog.class_names(None, 1) == ["0"]


@pytest.mark.parametrize(
    ("of_run", "classes", "names"),
    [
        (("cat", "dog"), 2, ["cat", "dog"]),  # the folder may be missing, or have other classes now
        ((), 10, list(CATALOG["cifar10"].classes)),
        (("cat", "dog"), 3, ["0", "1", "2"]),
    ],
)
def test_class_names_prefer_run_then_catalog_then_numbers(of_run, classes, names):
    assert class_names(SimpleNamespace(class_names=of_run, classes=classes), "cifar10") == names
