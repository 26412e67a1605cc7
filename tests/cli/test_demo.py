"""The gallery: every shipped checkpoint is in it, on images that need no download."""

import re

import numpy as np
import pytest

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.checkpoints import table
from cnnzoo.cli import gallery as demo
from cnnzoo.imaging.files import read_image

EACH_TASK = ["autoencoder.mnist", "dcgan.mnist", "espcn.x3", "fast_style.paintings", "lenet.mnist"]


@pytest.fixture(
    scope="module", params=[EACH_TASK, pytest.param(cnnzoo.list_checkpoints(), marks=pytest.mark.slow)], ids=len
)
def gallery(request, tmp_path_factory):
    """What is shipped; the folder of a gallery of it made where no data set is prepared, its exhibits and progress."""
    folder, told, shipped = tmp_path_factory.mktemp("demo"), [], checkpoints.saved_models_dir()
    (folder / "shipped").mkdir()
    for name in request.param:
        (folder / "shipped" / name).symlink_to(shipped / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder / "nothing"))
        patch.setattr(checkpoints, "saved_models_dir", lambda: folder / "shipped")
        patch.setattr(checkpoints.shipped, "saved_models_dir", lambda: folder / "shipped")
        exhibits = demo.make(folder / "out", lambda *step: told.append(step))
    return request.param, folder / "out", exhibits, told


def test_every_shipped_checkpoint_is_shown_with_its_own_score(gallery):
    names, folder, exhibits, told = gallery
    assert [e.name for e in exhibits] == names == [name for _, _, name in told]
    assert [e.score for e in exhibits] == [table.headline(cnnzoo.card(name)) for name in names]
    assert all(e.milliseconds > 0 for e in exhibits)
    pictures = [f"{name}.png" for name in names] + [f"{e.name}.{when}.png" for e in exhibits for when in e.pair]
    assert sorted(p.name for p in folder.iterdir()) == sorted([*pictures, "gallery.png", "index.html"])


def test_whole_photographs_are_shown_before_and_after(gallery):
    names, folder, exhibits, _ = gallery
    pairs = [e for e in exhibits if e.pair]
    assert {e.name for e in pairs} == demo.WHOLE.keys() & set(names)
    for e in pairs:
        before, after = (read_image(folder / f"{e.name}.{when}.png") for when in ("before", "after"))
        assert before.shape == after.shape and min(after.shape[:2]) >= 300
        assert not np.array_equal(before, after)


def test_the_page_shows_each_picture_and_asks_the_network_for_nothing(gallery):
    _, folder, exhibits, _ = gallery
    page = (folder / "index.html").read_text()
    shown = [f"{e.name}{part}.png" for e in exhibits for part in ("", *(f".{when}" for when in e.pair))]
    assert re.findall(r'<img src="([^"]+)"', page) == shown
    assert "http" not in page and "<script" not in page
    for e in exhibits:
        assert e.did in page and f'href="#{e.name}"' in page


def test_the_contact_sheet_holds_every_row(gallery):
    _, folder, exhibits, _ = gallery
    heights = [len(read_image(folder / f"{e.name}.png")) for e in exhibits]
    whole = read_image(folder / "gallery.png")
    assert len(whole) == sum(heights) + len(exhibits) * demo.TITLE + 2 * demo.GAP
    assert whole.std() > 20  # not a blank page


def test_most_scanned_digits_are_read_as_their_labels_say(gallery):
    for e in gallery[2]:
        if e.name in ("cnn.mnist", "cnn_wide.mnist", "lenet.mnist"):
            numbers = re.fullmatch(r"classified (\d+) scanned digits, (\d+) of them correctly .*", e.did).groups()
            n, right = map(int, numbers)
            assert n == 360 and 0.9 * n < right <= n, e


@pytest.mark.parametrize("name", ["cnn.signs", "lenet.cifar10", "vgg_small.cifar10", "cnn.fashion_mnist"])
def test_a_classifier_is_shown_what_it_was_trained_for_and_scored_on_labels_alone(name):
    data = cnnzoo.card(name)["data"]["name"]
    shown = demo.exhibit(name)
    assert re.fullmatch(rf"classified \d+ samples of \w+\.{data}, not scored since they have no labels", shown.did)
    assert len(shown.rows[0].images) == demo.COLUMNS
