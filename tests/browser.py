"""Chromium without a window, for the tests of pages."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NEEDED = {
    "chromium": shutil.which("chromium"),
    "chromedriver": shutil.which("chromedriver"),
    "selenium": importlib.util.find_spec("selenium"),
}
MISSING = ", ".join(name for name, found in NEEDED.items() if not found)


@contextmanager
def browser(downloads: Any = None, width: int = 1100, height: int = 900) -> Iterator[Any]:
    """A driver of a fresh browser, which logs its requests; `downloads` is the folder of downloaded files."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = NEEDED["chromium"]
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"):
        options.add_argument(option)
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(executable_path=NEEDED["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()
