"""Drawings and sliders of the site in a browser at phone width; .ci/run runs `sphinx-build` itself."""

import importlib.util
import shutil
import sys
from pathlib import Path

import browser
import pytest

import cnnzoo

DOCS = Path(__file__).parents[2] / "docs"
PHONE = 500  # pixels, the narrowest window of Chromium on a desktop

needs_chromium = pytest.mark.skipif(bool(browser.MISSING), reason=f"needs Chromium and Selenium: {browser.MISSING}")


@pytest.fixture(scope="module")
def generated():
    """The module docs/generated.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        found = importlib.util.spec_from_file_location("generated", DOCS / "generated.py")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        yield module
        sys.modules.pop("drawn", None)


def test_front_page_tasks_have_pages_and_pictures(generated):
    front = generated.front()
    for name, (title, _) in generated.FRONT.items():
        assert (DOCS / "tasks" / f"{name}.md").exists() and f'href="tasks/{name}.html">{title}<' in front
        for when in ("before", "after"):
            shown = (DOCS / "pictures" / "front" / f"{name}_{when}.webp").exists()
            assert shown == (f"_static/{name}_{when}.webp" in front) == (when == "after" or name != "generate")


@needs_chromium
def test_site_sliders_move_and_drawing_fits_phone(generated, tmp_path):
    shutil.copytree(DOCS / "pictures" / "front", tmp_path / "_static")
    for name in ("style.css", "compare.js"):
        shutil.copy(DOCS / name, tmp_path)
    drawing = generated.drawn.networks(cnnzoo.build("denoiser"))
    head = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="style.css">'
    head += '<script src="compare.js"></script>'
    (tmp_path / "page.html").write_text(f"{head}{generated.front()}{drawing}", encoding="utf-8")
    with browser.browser(width=PHONE) as driver:
        driver.get((tmp_path / "page.html").as_uri())
        ask = driver.execute_script
        assert ask("return document.documentElement.scrollWidth <= innerWidth")
        assert ask("return [...document.images].every(image => image.complete && image.naturalWidth == 400)")
        shown = "return getComputedStyle(document.querySelector('.front img + img')).clipPath"
        assert ask(shown) == "inset(0px 0px 0px 50%)"
        ask("const range = document.querySelector('.front input'); range.value = 80;"
            "range.dispatchEvent(new Event('input'))")  # fmt: skip
        assert ask(shown) == "inset(0px 0px 0px 80%)"
        assert ask("""
            const right = Math.max(...[...document.querySelectorAll('.networks text')].map(
                text => text.getBoundingClientRect().right));
            return right <= document.querySelector('.networks svg').getBoundingClientRect().right""")
        texts = """
            const boxes = [...document.querySelectorAll('.networks text')].map(text => text.getBoundingClientRect());
            return boxes.some((a, i) => boxes.some((b, j) => j > i && a.left < b.right && b.left < a.right
                && a.top + 3 < b.bottom && b.top + 3 < a.bottom))"""
        assert not ask(texts)  # texts do not overlap
