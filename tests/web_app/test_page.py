"""End-to-end tests of the app's page in Chromium."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack

import browser
import numpy as np
import pytest
from PIL import Image
from skimage import data

import cnnzoo
from cnnzoo.imaging.files import read_image

MISSING = browser.MISSING or ("" if importlib.util.find_spec("gradio") else "gradio")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")]
PICTURE = data.astronaut()[40:140, 180:300]  # (100, 120, 3)
PATIENCE = 180  # seconds


@pytest.fixture(scope="module")
def app():
    """The address of the app, served by `cnnzoo app`."""
    command = [sys.executable, "-m", "cnnzoo", "app", "--port", "0", "--megabytes", "2", "--megapixels", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        yield re.fullmatch(r"The app is at (http://127.0.0.1:\d+/) ; Ctrl-C ends it.\n", line)[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visitor") / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def visitor(app, downloads):
    with browser.browser(downloads) as driver:
        yield opened(driver, app)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(PICTURE).save(path)
    return path


def opened(driver, app):
    driver.get(app)
    until(driver, lambda: driver.find_elements("css selector", "button[role=tab]"))
    return driver


def until(driver, ready):
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    # The page replaces elements while it loads.
    wait = WebDriverWait(driver, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
    return wait.until(lambda _: ready())


def seen(driver, selector):
    return [found for found in driver.find_elements("css selector", selector) if found.is_displayed()]


def tab(driver, name):
    """Reloads the page and opens a tab."""
    driver.refresh()
    for each in until(driver, lambda: seen(driver, "button[role=tab]")):
        if each.text == name:
            each.click()
    until(driver, lambda: seen(driver, "button.primary"))


def upload(driver, place=0):
    """Returns a file input of the open tab."""
    return driver.execute_script(
        "return [...document.querySelectorAll('[role=tabpanel]')].filter(p => p.offsetParent)"
        ".flatMap(p => [...p.querySelectorAll('input[type=file]')])"
    )[place]


def give(driver, path, place=0):
    """Uploads a file to a file input of the open tab."""
    clear = "button[aria-label='Clear'], button[aria-label='Remove Image']"
    before = len(seen(driver, clear))
    upload(driver, place).send_keys(str(path))
    until(driver, lambda: len(seen(driver, clear)) > before)


def press(driver, name):
    """Scrolls a button of the open tab to the middle of the window and clicks it."""
    button = until(driver, lambda: [found for found in seen(driver, "button.lg") if found.text == name])[0]
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def problem(driver):
    return " ".join({found.text for found in seen(driver, ".problem")})  # Gradio nests two elements of the class


def downloaded(driver, folder):
    """Waits for the Download button, clicks it, and moves the file out of the download folder."""
    until(driver, lambda: [found for found in seen(driver, "button.lg:enabled") if found.text == "Download"])
    press(driver, "Download")
    (path,) = until(driver, lambda: [path for path in folder.iterdir() if path.suffix in (".png", ".jpg")])
    return path.rename(folder.parent / path.name)


def pixels(path):
    return read_image(path, 3).astype(int)


def test_app_page_enlarges_and_downloads_photograph(visitor, downloads, photo):
    tab(visitor, "Enlarge")
    give(visitor, photo)
    press(visitor, "Enlarge")
    file = downloaded(visitor, downloads)
    assert file.name == "face-x3.png" and not problem(visitor)
    assert np.abs(pixels(file) - cnnzoo.build("espcn.x3").upscale(PICTURE)).max() <= 1  # rounding


def test_app_page_reports_bad_files_and_recovers(visitor, downloads, photo, tmp_path):
    tab(visitor, "Denoise")
    (tmp_path / "notes.png").write_text("no picture")
    give(visitor, tmp_path / "notes.png")
    press(visitor, "Denoise")
    until(visitor, lambda: "notes.png" in problem(visitor))
    tab(visitor, "Denoise")
    Image.new("L", (1001, 1000)).save(tmp_path / "large.png")
    give(visitor, tmp_path / "large.png")
    press(visitor, "Denoise")
    until(visitor, lambda: "large.png must have at most 1 megapixels. Received: 1001x1000" in problem(visitor))
    tab(visitor, "Denoise")
    give(visitor, photo)
    press(visitor, "Denoise")
    assert downloaded(visitor, downloads).name == "face-clean.png" and not problem(visitor)


def test_app_page_rejects_file_over_byte_limit(visitor, tmp_path):
    tab(visitor, "Denoise")
    noise = np.random.default_rng(0).integers(0, 256, (900, 1000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")  # 2.7 MB
    upload(visitor).send_keys(str(tmp_path / "noise.png"))
    until(visitor, lambda: "exceed the maximum allowed size of 2.0 Mb" in visitor.find_element("tag name", "body").text)


def test_app_page_repairs_drawn_region(visitor, downloads, photo):
    from selenium.webdriver import ActionChains

    tab(visitor, "Repair")
    give(visitor, photo)
    (canvas,) = until(visitor, lambda: seen(visitor, "canvas"))
    visitor.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    line = ActionChains(visitor).move_to_element(canvas).click_and_hold()
    for _ in range(6):
        line = line.move_by_offset(6, 3)
    line.release().perform()
    press(visitor, "Repair")
    file = downloaded(visitor, downloads)
    changed = np.any(pixels(file) != PICTURE, axis=2)
    assert file.name == "face-whole.png" and 0 < changed.mean() < 0.3


def test_app_page_cancels_slow_painting(visitor, photo):
    tab(visitor, "Paint")
    give(visitor, photo)
    for found in seen(visitor, "button.label-wrap"):
        if found.text.startswith("Or any picture"):
            found.click()
    give(visitor, photo, place=1)
    press(visitor, "Paint")
    until(visitor, lambda: "painting - " in visitor.find_element("tag name", "body").text)

    def is_cancelled():
        if problem(visitor) != "Cancelled.":
            press(visitor, "Cancel")  # again on a loaded machine, where a click can miss a button that moves
        return problem(visitor) == "Cancelled."

    until(visitor, is_cancelled)
    assert not [found for found in seen(visitor, "button.lg:enabled") if found.text == "Download"]


def test_app_page_generates_and_downloads_sheet(visitor, downloads):
    tab(visitor, "Generate")
    press(visitor, "Generate")
    file = downloaded(visitor, downloads)
    assert file.name == "cgan.fashion_mnist-0.png" and pixels(file).shape[0] > 400


def test_app_page_explains_scan(visitor, tmp_path):
    from sklearn.datasets import load_digits

    scan = load_digits().images[3].repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray((scan * 15.9).astype(np.uint8)).save(tmp_path / "three.png")
    tab(visitor, "Explain")
    give(visitor, tmp_path / "three.png")
    press(visitor, "Explain")
    until(visitor, lambda: [found for found in seen(visitor, "h2") if found.text])
    assert not problem(visitor)


def test_app_page_separates_concurrent_visitors(app, tmp_path):
    with ExitStack() as stack:
        folders = [tmp_path / f"downloads{i}" / "new" for i in range(2)]
        for folder in folders:
            folder.mkdir(parents=True)
        visitors = [opened(stack.enter_context(browser.browser(folder)), app) for folder in folders]
        for i, driver in enumerate(visitors):
            Image.fromarray(np.rot90(PICTURE, i)).save(tmp_path / f"{i}.png")
            give(driver, tmp_path / f"{i}.png")
        for driver in visitors:
            press(driver, "Enlarge")
        for i, driver in enumerate(visitors):
            file = downloaded(driver, folders[i])
            assert file.name == f"{i}-x3.png" and pixels(file).shape[:2] == ((300, 360), (360, 300))[i]


def test_app_page_sends_no_external_requests(app, visitor):
    for each in ("Repair", "Generate", "Explain"):
        tab(visitor, each)
    sent = set()
    for entry in visitor.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            sent.add(message["params"]["request"]["url"])
    assert any(url.startswith(app) for url in sent)
    assert {url for url in sent if not url.startswith((app, "data:", "blob:"))} == set()
    with urllib.request.urlopen(app, timeout=PATIENCE) as answer:
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


TABS = "button[role=tab], .overflow-dropdown button"  # a narrow page has some of them in a menu


def every_tab(driver):
    """Opens each of the eight tabs in turn and yields its name."""
    shown = "return [...document.querySelectorAll('[role=tabpanel]')].filter(p => p.offsetParent)[0].innerText"
    click = "[...document.querySelectorAll(arguments[1])].find(b => b.textContent.trim() == arguments[0]).click()"
    texts = "return [...document.querySelectorAll(arguments[0])].map(b => b.textContent.trim())"

    def names():
        return sorted(set(driver.execute_script(texts, TABS)))

    until(driver, lambda: len(names()) == 8)
    panels = set()
    for name in names():
        driver.execute_script(click, name, TABS)
        panels.add(until(driver, lambda: (panel := driver.execute_script(shown)) not in panels and panel))
        yield name


def test_app_page_fits_phone(app):
    with browser.browser(width=500, height=844) as driver:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True},
        )
        opened(driver, app)
        for name in every_tab(driver):
            assert driver.execute_script("return document.documentElement.scrollWidth") <= 390, name


# Violations by Gradio: the upload button's name differs from its text, and the frame of an empty picture has a name.
GRADIOS = {"label-content-name-mismatch", "aria-prohibited-attr"}


@pytest.mark.skipif(bool(browser.WITHOUT_AXE), reason=f"needs {browser.WITHOUT_AXE}")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_app_page_has_no_axe_violations_in_any_tab(app, width, scheme):
    closed = "[...document.querySelectorAll('button.label-wrap:not(.open)')].filter(b => b.offsetParent)"
    open_all = f"{closed}.forEach(b => b.click())"
    with browser.browser() as driver:
        browser.look(driver, app, width, scheme=scheme)
        found = {}
        for name in every_tab(driver):
            driver.execute_script(open_all)
            found[name] = browser.violations(driver, besides=GRADIOS)
        assert len(found) == 8 and not any(found.values()), found
