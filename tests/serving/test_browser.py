"""The page of `web/` in Chromium: its results match those of the models, online and offline."""

import base64
import functools
import importlib.util
import io
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import browser
import numpy as np
import pytest
from PIL import Image
from skimage import data

import cnnzoo
from cnnzoo.imaging.files import png_bytes

WEB = Path(__file__).parents[2] / "web"
PICTURE = data.astronaut()[60:149, 100:401]  # (89, 301, 3): two tiles, and sides that no stride divides
PATIENCE = 180  # seconds

RUNTIME = (WEB / "node_modules" / "onnxruntime-web").is_dir()
MISSING = browser.MISSING or ("" if RUNTIME else "onnxruntime-web (npm install --prefix web)")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", WEB / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server(build, tmp_path_factory):
    site = tmp_path_factory.mktemp("site")
    build.build(site)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def driver(server):
    with browser.browser() as driver:
        yield driver


@pytest.fixture
def page(driver, server):
    """The page, freshly loaded."""
    return opened(driver, f"http://127.0.0.1:{server.server_port}/")


@pytest.fixture
def face(tmp_path):
    (tmp_path / "face.png").write_bytes(png_bytes(PICTURE))
    return tmp_path / "face.png"


def opened(driver, address):
    driver.get(address)
    until(driver, lambda: driver.find_element("id", "say").text.startswith("Choose a photograph"))
    return driver


def until(driver, ready):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, PATIENCE).until(lambda _: ready())


def problem(page):
    return page.find_element("id", "problem").text


def choose(page, file, task="upscale", **settings):
    """Selects a file on the page, a task, and its settings by the ids of their elements."""
    page.find_element("id", "file").send_keys(str(file))
    until(page, lambda: file.name in page.find_element("id", "say").text or problem(page))
    page.find_element("css selector", f"input[value={task}]").find_element("xpath", "..").click()
    for name, value in settings.items():
        kind = "checked" if isinstance(value, bool) else "value"
        page.execute_script(f"document.getElementById(arguments[0]).{kind} = arguments[1]", name, value)


def made(page):
    """Starts the selected task and returns the pixels of the result."""
    page.find_element("id", "start").click()
    result = page.find_element("id", "result")
    until(page, lambda: result.is_displayed() or problem(page))
    assert not problem(page)
    return pixels(page, "after")[..., :3]


def pixels(page, canvas):
    url = page.execute_script("return document.getElementById(arguments[0]).toDataURL('image/png')", canvas)
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGBA")).astype(int)


VERBS = {
    "upscale": ({}, lambda: cnnzoo.build("espcn.x2").upscale(PICTURE)),
    "upscale x3, real": ({"scale": 3, "kind": "real"}, lambda: cnnzoo.build("espcn.x3_real").upscale(PICTURE)),
    "restore": ({}, lambda: cnnzoo.build("denoiser.color_blind").restore(PICTURE)),
    "enhance": ({"strength": 0.5}, lambda: cnnzoo.build("enhancer.photos").enhance(PICTURE, 0.5)),
    "stylize": ({"style": 5}, lambda: cnnzoo.build("fast_style.paintings").stylize(PICTURE, "wave")),
    "stylize, colors kept": (
        {"style": 2, "keep": True},
        lambda: cnnzoo.build("fast_style.paintings").stylize(PICTURE, "starry_night", keep_color=True),
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_web_page_result_matches_model_verb(page, face, verb):
    settings, wanted = VERBS[verb]
    choose(page, face, verb.split()[0].rstrip(","), **settings)
    difference = np.abs(made(page) - wanted().astype(int))
    # Float32 sums in another order, rounded to uint8, differ by at most one level in a few pixels.
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01
    assert page.find_element("id", "download").get_attribute("href").startswith("blob:")


def test_web_page_denoises_gray_photograph_with_gray_model(page, tmp_path):
    gray = PICTURE[..., 1:2]
    (tmp_path / "gray.png").write_bytes(png_bytes(gray))
    choose(page, tmp_path / "gray.png", "restore")
    assert np.abs(made(page) - cnnzoo.build("denoiser.gray_blind").restore(gray).astype(int)).max() <= 1
    assert page.find_element("id", "took").text.startswith("denoiser.gray_blind by WebAssembly: 301x89 pixels in ")


def test_web_page_inpaints_drawn_mask_like_model(page, face):
    from selenium.webdriver import ActionChains

    choose(page, face, "inpaint")
    page.find_element("id", "start").click()
    assert problem(page) == "Draw over the parts to fill, with the brush; not over the whole photograph."
    canvas = page.find_element("id", "drawing")
    line = ActionChains(page).move_to_element_with_offset(canvas, -90, -20).click_and_hold()
    for _ in range(8):
        line = line.move_by_offset(25, 5)
    line.release().perform()
    missing = pixels(page, "drawing")[..., 3] > 0
    assert 0.01 < missing.mean() < 0.3
    filled = made(page)
    np.testing.assert_array_equal(filled[~missing], PICTURE[~missing])
    difference = np.abs(filled - cnnzoo.build("inpainter.photos64").restore(PICTURE, missing).astype(int))
    assert difference.max() <= 1


def test_web_page_upscales_jpeg_with_real_model_to_jpeg(page, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "face.jpg")
    choose(page, tmp_path / "face.jpg")
    made(page)
    assert page.find_element("id", "took").text.startswith("espcn.x2_real ")
    assert page.find_element("id", "download").get_attribute("download") == "face-x2.jpg"


def test_web_page_upscale_preserves_transparency(page, tmp_path):
    alpha = np.full(PICTURE.shape[:2], 255, np.uint8)
    alpha[:40] = 128
    Image.fromarray(np.dstack([PICTURE, alpha])).save(tmp_path / "face.png")
    choose(page, tmp_path / "face.png")
    made(page)
    np.testing.assert_array_equal(pixels(page, "after")[..., 3], alpha.repeat(2, 0).repeat(2, 1))


def test_web_page_reports_bad_files_and_recovers(page, tmp_path, face):
    (tmp_path / "notes.png").write_text("no picture")
    choose(page, tmp_path / "notes.png")
    until(page, lambda: problem(page).startswith("notes.png must be a PNG, JPEG or WebP file."))
    Image.new("L", (2001, 2000)).save(tmp_path / "large.png")
    choose(page, tmp_path / "large.png")
    page.find_element("id", "start").click()
    assert problem(page) == "large.png must have at most 4 megapixels. Received: 2001x2000 pixels"
    choose(page, face)
    made(page)


def test_web_page_cancels_work(page, tmp_path):
    Image.new("RGB", (1900, 2000)).save(tmp_path / "large.png")
    choose(page, tmp_path / "large.png", "restore")
    page.find_element("id", "start").click()
    page.find_element("id", "cancel").click()
    assert problem(page) == "Cancelled." and page.find_element("id", "start").is_enabled()


def test_web_page_is_installable(page):
    manifest = page.execute_cdp_cmd("Page.getAppManifest", {})
    assert manifest["errors"] == [] and json.loads(manifest["data"])["display"] == "standalone"
    until(page, lambda: "works offline" in page.find_element("id", "offline").text)
    assert page.execute_cdp_cmd("Page.getInstallabilityErrors", {})["installabilityErrors"] == []


@pytest.mark.skipif(bool(browser.WITHOUT_AXE), reason=f"needs {browser.WITHOUT_AXE}")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")])
def test_web_page_has_no_axe_violations_and_fits_width(driver, server, face, width, scheme):
    browser.look(driver, f"http://127.0.0.1:{server.server_port}/", width, scheme=scheme)
    until(driver, lambda: driver.find_element("id", "say").text.startswith("Choose a photograph"))
    choose(driver, face, "enhance")
    made(driver)
    for task in ("upscale", "restore", "inpaint", "stylize", "enhance"):
        driver.find_element("css selector", f"input[value={task}]").find_element("xpath", "..").click()
        assert browser.violations(driver) == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_web_build_rejects_models_of_other_tasks(build, tmp_path):
    message = "The models must be of photograph tasks. Received: 'lenet.mnist', whose task is 'classify'"
    with pytest.raises(ValueError, match=message):
        build.build(tmp_path / "site", ["espcn.x2", "lenet.mnist"])
    assert not (tmp_path / "site").exists()


def test_web_page_works_offline(server, build, tmp_path, face):
    build.build(tmp_path / "site", ["espcn.x2", "enhancer.photos"])
    own = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "site")))
    threading.Thread(target=own.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{own.server_port}/"
    with browser.browser() as driver:
        opened(driver, address)
        until(driver, lambda: "works offline" in driver.find_element("id", "offline").text)
        own.shutdown()
        own.server_close()
        opened(driver, address)
        choose(driver, face, "enhance")
        wanted = cnnzoo.build("enhancer.photos").enhance(PICTURE)
        assert np.abs(made(driver) - wanted.astype(int)).max() <= 1
