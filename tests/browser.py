"""Headless Chromium for the tests of web pages."""

import importlib.util
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEEDED = {
    "chromium": shutil.which("chromium"),
    "chromedriver": shutil.which("chromedriver"),
    "selenium": importlib.util.find_spec("selenium"),
}
AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
WITHOUT_AXE = "" if AXE.exists() else "axe-core (npm install --prefix web)"
MISSING = ", ".join(name for name, found in NEEDED.items() if not found)


@contextmanager
def browser(downloads: Any = None, width: int = 1100, height: int = 900) -> Iterator[Any]:
    """Yields a driver of a new browser with request logging. `downloads` is the download folder."""
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


def look(driver: Any, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
    """Opens a page at a window size, in the light or dark color scheme."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get(address)


def violations(driver: Any, besides: Container[str] = ()) -> list[str]:
    """Returns the axe-core violations of the open page, one per element, except for the rules in `besides`."""
    driver.execute_script(AXE.read_text())
    found = driver.execute_async_script("axe.run().then(found => arguments[0](found.violations))")
    return [
        f"{each['id']}: {node['html'][:200]} {' '.join((node['failureSummary'] or '').split())}"
        for each in found
        for node in each["nodes"]
        if each["id"] not in besides
    ]
