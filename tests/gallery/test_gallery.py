"""The gallery: an exhibit of every shipped checkpoint, on images that need no download."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import browser
import numpy as np
import pytest

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.checkpoints import table
from cnnzoo.data.sources import shipped_photographs
from cnnzoo.gallery import exhibits, page
from cnnzoo.gallery.numbers import numbers
from cnnzoo.gallery.photographs import photograph

SOME = [
    *("cgan.fashion_mnist", "cnn.fashion_mnist", "cnn.mnist", "espcn.x2", "espcn.x3", "espcn.x3_real"),
    *("fast_style.paintings", "inpainter.photos64", "vae.mnist"),
]


class Tags(HTMLParser):
    """A parser that collects the tags of a page as (name, attributes)."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def attributes(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module", params=[SOME, pytest.param(cnnzoo.list_checkpoints(), marks=pytest.mark.slow)], ids=len)
def gallery(request, tmp_path_factory):
    """Checkpoint names, and a gallery of them made without prepared data sets: folder, exhibits and progress."""
    folder, told, shipped = tmp_path_factory.mktemp("demo"), [], checkpoints.saved_models_dir()
    (folder / "shipped").mkdir()
    for name in request.param:
        (folder / "shipped" / name).symlink_to(shipped / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(folder / "nothing"))
        patch.setattr(checkpoints, "saved_models_dir", lambda: folder / "shipped")
        patch.setattr(checkpoints.shipped, "saved_models_dir", lambda: folder / "shipped")
        made = page.make(folder / "new" / "out", lambda *step: told.append(step))
    return request.param, folder / "new" / "out", made, told


@pytest.fixture(scope="module")
def tags(gallery):
    return Tags((gallery[1] / "index.html").read_text())


def test_gallery_shows_every_checkpoint_with_its_scores(gallery):
    names, folder, made, _ = gallery
    assert [e.name for e in made] == names
    assert [e.score for e in made] == [table.headline(cnnzoo.card(name)) for name in names]
    assert all(e.seconds > 0 and bool(e.pairs) != bool(e.sheets) for e in made)
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    text = (folder / "index.html").read_text()
    for name in names:
        assert text.count(f"<h3><code>{name}</code></h3>") == 1
    assert "<td>33.33</td><td>30.40</td>" in text  # espcn.x3 on Set5, and bicubic
    assert len(text) < 8e6


def test_gallery_progress_names_task_and_checkpoint(gallery):
    names, _, _, told = gallery
    assert told[: len(names)] == [
        (i, len(names), f"{exhibits.TASKS[exhibits.task_of(cnnzoo.card(name))].title}: {name}")
        for i, name in enumerate(names)
    ]
    assert told[len(names)][:2] == (len(names), len(names))


def test_gallery_page_references_only_data_urls_and_anchors(tags):
    addresses = [a[key] for _, a in tags.found for key in ("src", "href", "srcset", "action", "poster") if key in a]
    assert addresses and all(re.match(r"data:|#", address) for address in addresses)
    links = {address[1:] for address in addresses if address.startswith("#")}
    assert links <= {attributes.get("id") for _, attributes in tags.found}


def test_gallery_page_has_accessible_markup(tags):
    (html,) = tags.attributes("html")
    assert html["lang"] == "en"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in tags.attributes("meta")
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1 and all(b <= a + 1 for a, b in pairwise(levels))
    assert all("alt" in image and image["width"] and image["height"] for image in tags.attributes("img"))
    sliders = [a["id"] for a in tags.attributes("input") if a["type"] == "range"]
    assert sliders and len(set(sliders)) == len(sliders)
    assert [label["for"] for label in tags.attributes("label")] == sliders


def test_gallery_photographs_are_full_size_and_improved(gallery):
    def error(made, truth):
        height, width = min(made.shape[0], truth.shape[0]), min(made.shape[1], truth.shape[1])
        return np.mean((made[:height, :width].astype(float) - truth[:height, :width]) ** 2)

    sizes = {name: p.shape[:2] for split in ("train", "test") for name, p in shipped_photographs(split).items()}
    for e in gallery[2]:
        for pair in e.pairs:
            name = re.match(r"\w+", pair.title)[0]
            truth = photograph(name, pair.after.shape[2])
            assert pair.before.shape == pair.after.shape and pair.before.dtype == pair.after.dtype == np.uint8
            assert all(0 <= whole - part < 4 for whole, part in zip(sizes[name], pair.after.shape[:2], strict=True))
            if e.task != "stylize":
                assert error(pair.after, truth) < error(pair.before, truth), (e.name, pair.title)
            else:
                assert error(pair.after, truth) > 100


def test_gallery_shows_jpeg_inputs_for_real_upscalers_only(gallery):
    was = {e.name: pair.was for e in gallery[2] if e.task.startswith("upscale") for pair in e.pairs}
    assert all(("JPEG" in words) == name.endswith("_real") for name, words in was.items()) and len(was) >= 3


def test_gallery_classifiers_recognize_most_scanned_digits(gallery):
    for e in gallery[2]:
        if e.name in ("cnn.mnist", "cnn_wide.mnist", "lenet.mnist"):
            n, right = map(int, re.fullmatch(r"classified (\d+) scans, (\d+) correctly", e.did).groups())
            captions = [caption for sheet in e.sheets for row in sheet for caption in row.captions]
            assert n == 48 == len(captions) and 0.8 * n < right <= n, e.did
            assert sum(", not " in caption for caption in captions) == n - right


@pytest.mark.parametrize("name", ["cnn.signs", "lenet.cifar10", "vgg_small.cifar10", "cnn.fashion_mnist"])
def test_exhibit_shows_classifier_samples_of_its_data_set(name):
    data = cnnzoo.card(name)["data"]["name"]
    (row,) = exhibits.exhibit(name).sheets[0]
    assert re.fullmatch(rf"samples of \w+\.{data}", row.name) and len(row.images) == len(row.captions)


@pytest.mark.parametrize("name", cnnzoo.list_checkpoints())
def test_gallery_numbers_match_card_and_describe_protocol(name):
    card = cnnzoo.card(name)
    shown = numbers(card)
    values = {f"{score['value']:.{decimals}f}" for score in card["scores"] for decimals in (2, 4)}
    assert shown.rows and all(len(row) == len(shown.header) for row in shown.rows)
    assert sum(row[1].removesuffix(" %") in values for row in shown.rows) >= max(1, len(shown.rows) - 1)
    assert re.search("better|interval", shown.protocol) and shown.protocol.endswith(".")


def test_gallery_front_model_matches_each_task():
    assert set(exhibits.TASKS) == {exhibits.task_of(cnnzoo.card(name)) for name in cnnzoo.list_checkpoints()}
    for task, about in exhibits.TASKS.items():
        assert exhibits.task_of(cnnzoo.card(about.front)) == task


# -- in Chromium -------------------------------------------------------------------------------------------------------

needs_chromium = pytest.mark.skipif(bool(browser.MISSING), reason=f"needs {browser.MISSING}")


@pytest.fixture(scope="module")
def visitor():
    with browser.browser() as driver:
        yield driver


def look(driver, folder, *screen, **more):
    browser.look(driver, (folder / "index.html").as_uri(), *screen, **more)


@pytest.mark.slow
@needs_chromium
def test_gallery_page_fits_phone_with_first_pictures_visible(gallery, visitor):
    for width, height in ((320, 700), (390, 844), (1280, 900)):
        look(visitor, gallery[1], width, height)
        assert visitor.execute_script("return document.documentElement.scrollWidth") <= width
        pictures = visitor.find_elements("css selector", ".hero figure")
        assert len(pictures) == 4 and all(p.rect["y"] + p.rect["height"] < height for p in pictures)


@pytest.mark.slow
@needs_chromium
def test_gallery_slider_moves_by_keys_and_more_cycles_views(gallery, visitor):
    look(visitor, gallery[1])
    card = visitor.find_element("id", "upscale")
    slider = card.find_element("css selector", "input[type=range]")
    slider.send_keys("\ue012" * 10)  # the left arrow key
    at = "return getComputedStyle(arguments[0].parentElement).getPropertyValue('--at')"
    assert visitor.execute_script(at, slider) == "40%"
    views = card.find_elements("css selector", ":scope > .views .view")
    for at in (1, 2, 0):
        card.find_element("css selector", ".more").click()
        assert [view.is_displayed() for view in views] == [i == at for i in range(3)]
    assert card.find_element("css selector", "[aria-live]").text == views[0].get_attribute("data-title")


@pytest.mark.slow
@needs_chromium
@pytest.mark.skipif(bool(browser.WITHOUT_AXE), reason=f"needs {browser.WITHOUT_AXE}")
def test_gallery_page_has_no_axe_violations(gallery, visitor):
    for width, scheme in ((390, "light"), (1280, "dark"), (1280, "light"), (390, "dark")):
        look(visitor, gallery[1], width, scheme=scheme)
        visitor.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")
        assert browser.violations(visitor) == []
