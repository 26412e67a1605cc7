"""Accessibility of the documentation site for blind and keyboard users, checked by axe-core in Chromium."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import browser
import pytest

DOCS = Path(__file__).parents[2] / "docs"
SPHINX = "" if all(map(importlib.util.find_spec, ("sphinx", "myst_nb", "furo", "sphinx_copybutton"))) else "sphinx"
MISSING = ", ".join(filter(None, (browser.MISSING, browser.WITHOUT_AXE, SPHINX)))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}")]
PAGES = ("index", "terminal", "tasks/upscale", "checkpoints", "benchmarks")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site without pages from docstrings and notebooks, since these take the most time."""
    folder = tmp_path_factory.mktemp("site")
    without = "exclude_patterns=reference,architectures,notebooks"
    command = [sys.executable, "-m", "sphinx", "--quiet", "-D", without, str(DOCS), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")])
def test_site_pages_have_no_axe_violations(site, width, scheme):
    found = {}
    with browser.browser() as driver:
        for page in PAGES:
            browser.look(driver, (site / f"{page}.html").as_uri(), width, scheme=scheme)
            found[page] = browser.violations(driver)
    assert not any(found.values()), found
