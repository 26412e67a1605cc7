"""The page of `web/` in a browser: what it makes of a picture is what the model makes of it."""

import base64
import functools
import importlib.util
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import browser
import numpy as np
import pytest
from PIL import Image
from skimage import data

import cnnzoo
from cnnzoo.imaging.files import png_bytes, read_image

WEB = Path(__file__).parents[2] / "web"
PICTURE = data.astronaut()[60:120, 100:320]  # (60, 220, 3): two tiles

RUNTIME = (WEB / "node_modules" / "onnxruntime-web").is_dir()
MISSING = browser.MISSING or ("" if RUNTIME else "onnxruntime-web (npm install --prefix web)")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page, opened, with its network loaded."""
    from selenium.webdriver.support.ui import WebDriverWait

    spec = importlib.util.spec_from_file_location("build", WEB / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    site = tmp_path_factory.mktemp("site")
    build.build(site)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browser.browser() as driver:
            driver.get(f"http://127.0.0.1:{server.server_port}/index.html")
            WebDriverWait(driver, 120).until(lambda d: "Choose a picture" in d.find_element("id", "say").text)
            yield driver
    finally:
        server.shutdown()
        server.server_close()


def choose(page, file: Path) -> None:
    """Gives the page a file, and waits until it is done."""
    from selenium.webdriver.support.ui import WebDriverWait

    page.find_element("id", "file").send_keys(str(file))
    WebDriverWait(page, 120).until(lambda d: "Choose another" in d.find_element("id", "say").text)


def test_a_picture_is_enlarged_as_by_the_model(page, tmp_path):
    (tmp_path / "face.png").write_bytes(png_bytes(PICTURE))
    choose(page, tmp_path / "face.png")
    assert not page.find_element("id", "problem").is_displayed()
    url = page.execute_script("return document.getElementById('after').toDataURL('image/png')")
    (tmp_path / "made.png").write_bytes(base64.b64decode(url.partition(",")[2]))
    made = read_image(tmp_path / "made.png")[..., :3].astype(int)
    wanted = cnnzoo.build("espcn.x3").upscale(PICTURE).astype(int)
    assert made.shape == wanted.shape == (180, 660, 3)
    assert np.abs(made - wanted).max() <= 1  # roundings of float32 sums in another order
    link = page.find_element("id", "download")
    assert link.get_attribute("download") == "face-x3.png" and link.get_attribute("href").startswith("blob:")


def test_what_is_no_picture_is_said_and_harms_nothing(page, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    choose(page, tmp_path / "notes.png")
    problem = page.find_element("id", "problem")
    assert problem.is_displayed() and "notes.png must be a PNG, JPEG or WebP file" in problem.text
    Image.new("L", (2001, 2000)).save(tmp_path / "large.png")
    choose(page, tmp_path / "large.png")
    assert "large.png must have at most 4 megapixels. Received: 2001x2000 pixels" in problem.text
    (tmp_path / "face.png").write_bytes(png_bytes(PICTURE[:20, :20]))
    choose(page, tmp_path / "face.png")
    assert page.find_element("id", "result").is_displayed() and not problem.is_displayed()
