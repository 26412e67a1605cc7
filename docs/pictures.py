"""Writes the pictures of the documents, from bundled checkpoints or, where there are none, after short trainings.

python docs/pictures.py             # all pictures
python docs/pictures.py wgan_gp     # for some architectures
python docs/pictures.py front       # for the README and the front page; needs `cnnzoo data get paintings`
python docs/pictures.py real        # enlarged JPEG file
python docs/pictures.py explained   # attribution maps of a digit
python docs/pictures.py app         # screenshot of the app; needs Chromium and the extra "test"
"""

import colorsys
import io
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import sleep
from typing import NamedTuple

import numpy as np
from generated import shown
from PIL import Image, ImageChops, ImageDraw
from skimage.data import astronaut, chelsea, coffee
from sklearn.datasets import load_sample_image

import cnnzoo
from cnnzoo import registry
from cnnzoo.data import load
from cnnzoo.data.paintings import painting, paintings
from cnnzoo.explain.report import sheet as sheet_of_maps
from cnnzoo.gallery.exhibits import exhibit
from cnnzoo.imaging import degradations, masks
from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.grid import COLUMNS, GAP, SIDE, Row, font, picture

HERE = Path(__file__).parent / "pictures"
WIDEST = 900  # width of a picture, in pixels
SCANS = 40  # epochs of training on the scans of scikit-learn, for an architecture without a checkpoint
PART = 300  # side of the shown part of a photograph, in pixels
INSET = 80  # side of a style in a corner of its result


def main(names: list[str]) -> None:
    for name in names or [*registry.list_models(), *SHEETS]:
        if name in SHEETS:
            SHEETS[name]().save(HERE / f"{name}.webp", quality=82, method=6)
        else:
            checkpoint = shown(name)
            rows = rows_of(checkpoint) if checkpoint else rows_without_checkpoint(name)
            save(picture(rows), HERE / f"{name}.webp")


# -- the picture of the README -----------------------------------------------------------------------------------------

CELL = 400  # side in pixels; displayed at about 270
BAR = 44  # height of the title of a cell
SPACE = 8
BACKGROUND, TITLE, NOTE = (22, 25, 37), (255, 255, 255), (170, 178, 196)


def sheet(cells: Iterable[tuple[str, str, np.ndarray]], columns: int) -> Image.Image:
    """Returns a sheet of cells (title, note, pixels) in `columns` columns; pixels are (side, side, 3)."""
    cells = list(cells)
    side = len(cells[0][2])
    rows = len(cells) // columns
    made = Image.new("RGB", (columns * (side + SPACE) + SPACE, rows * (side + BAR + SPACE) + SPACE), BACKGROUND)
    pen = ImageDraw.Draw(made)
    for i, (title, note, pixels) in enumerate(cells):
        left, top = SPACE + i % columns * (side + SPACE), SPACE + i // columns * (side + BAR + SPACE)
        made.paste(Image.fromarray(pixels), (left, top))
        pen.text((left + 4, top + side + BAR / 2), title, TITLE, font(25), anchor="lm")
        pen.text((left + side - 4, top + side + BAR / 2), note, NOTE, font(19), anchor="rm")
    return made


class Cell(NamedTuple):
    """An example of one task: pixels before and after, each (CELL, CELL, 3); `before` is None for generation."""

    title: str
    note: str
    before: np.ndarray | None
    after: np.ndarray


def front() -> Image.Image:
    """Returns six cells in two rows, with the input at the left of each and the output at the right.

    Inputs and outputs are also written to separate files, for the sliders of the front page.
    """
    shown = list(cells())
    for cell in shown:
        for when, pixels in (("before", cell.before), ("after", cell.after)):
            if pixels is not None:
                Image.fromarray(pixels).save(HERE / "front" / f"{cell.title}_{when}.webp", quality=82, method=6)
    return sheet(((cell.title, cell.note, halves(cell.before, cell.after)) for cell in shown), columns=3)


def cells() -> Iterator[Cell]:
    """Yields the cells of the front page."""
    small = square(load_sample_image("flower.jpg"), 50, 142, 330, CELL // 4)
    enlarged = cnnzoo.build("espcn.x4").upscale(small)
    yield Cell("upscale", f"{CELL // 4} to {CELL} pixels", small.repeat(4, 0).repeat(4, 1), enlarged)

    cat = square(chelsea(), 0, 90, 300, CELL)
    noisy = to_uint8(np.asarray(degradations.gaussian_noise(cat[None] / np.float32(255), sigma=35, seed=0)))[0]
    yield Cell("denoise", "unknown noise level", noisy, cnnzoo.build("denoiser.color_blind").restore(noisy))

    portrait = square(astronaut(), 0, 60, 330, CELL)
    mask = masks.draw("text", (1, CELL, CELL), seed=3)[0]
    damaged = np.where(mask > 0, np.uint8(255), portrait)
    filled = cnnzoo.build("inpainter.photos64").restore(portrait, mask)
    yield Cell("inpaint", "lettering removed", damaged, filled)

    cup = square(coffee(), 0, 100, 400, CELL)
    dark = to_uint8(np.asarray(degradations.exposed(cup[None] / np.float32(255), -2)))[0]
    yield Cell("enhance", "two stops underexposed", dark, cnnzoo.build("enhancer.photos").enhance(dark))

    tower, _, painted = optimized()
    yield Cell("stylize", "The Starry Night, by optimization", tower, painted)

    yield Cell("generate", "digits and clothes", None, generated())


def optimized() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns a photograph, a painting and the photograph in its style, by optimization."""
    tower, style = square(load_sample_image("china.jpg"), 0, 0, 420, CELL), painting("starry_night").pixels
    return tower, style, cnnzoo.build("style_transfer").stylize(tower, style, steps=150)


def square(photograph: np.ndarray, top: int, left: int, side: int, pixels: int) -> np.ndarray:
    """Returns a square of a photograph, resized to (pixels, pixels)."""
    crop = Image.fromarray(photograph[top : top + side, left : left + side])
    return np.asarray(crop.resize((pixels, pixels), Image.Resampling.LANCZOS))


def halves(before: np.ndarray | None, after: np.ndarray) -> np.ndarray:
    """Joins the left half of `before` and the right half of `after`, with a line between them."""
    if before is None:
        return after
    middle = CELL // 2
    joined = np.concatenate([before[:, :middle], after[:, middle:]], axis=1)
    joined[:, middle - 1 : middle + 1] = 255
    return joined


def generated() -> np.ndarray:
    """Returns samples of two conditional GANs, with a color for each label."""
    side, count = 40, CELL // 40
    images = []
    for name, labels in (("cgan.mnist", range(10)), ("cgan.fashion_mnist", range(10))):
        labels = np.tile(labels, count // 2)
        images.append(cnnzoo.build(name).generate(len(labels), seed=2, labels=labels, truncation=1.5))
    sheet = np.zeros((CELL, CELL, 3), np.uint8)
    for i, image in enumerate(np.concatenate(images)[..., 0]):
        row, column = divmod(i, count)
        ink = np.asarray(Image.fromarray(to_uint8(image)).resize((side, side), Image.Resampling.BICUBIC)) / 255
        color = 255 * np.array(colorsys.hls_to_rgb(column / count, 0.72, 0.85))
        place = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
        sheet[place] = np.rint(np.array((34, 38, 54)) * (1 - ink[..., None]) + color * ink[..., None])
    return sheet


# -- the picture of photographs in files -------------------------------------------------------------------------------


def real() -> Image.Image:
    """Returns a JPEG file of quality 50, enlarged three times by bicubic resampling and by two models."""
    file = io.BytesIO()
    Image.fromarray(square(astronaut(), 0, 130, 240, 120)).save(file, "JPEG", quality=50)
    small = Image.open(file)
    made = [("bicubic", "", np.asarray(small.resize((360, 360), Image.Resampling.BICUBIC)))]
    made += [(name, "", cnnzoo.build(name).upscale(small)) for name in ("espcn.x3", "espcn.x3_real")]
    return sheet(made, columns=3)


def explained() -> Image.Image:
    """Returns the report of `cnnzoo explain` about a scanned digit."""
    scans = load("digits", "test", shape=(28, 28, 1))
    return Image.fromarray(sheet_of_maps(cnnzoo.build("lenet.mnist"), scans.images[scans.labels == 3][0]))


def app() -> Image.Image:
    """Returns a screenshot of the app in Chromium with an enlarged portrait."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in ("--headless=new", "--no-sandbox", "--window-size=1280,960"):
        options.add_argument(option)
    served = cnnzoo.app(port=0, block=False)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get(served.local_url)
        wait = WebDriverWait(driver, 120)
        upload = wait.until(lambda _: driver.find_elements("css selector", "input[type=file]"))[0]
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            Image.fromarray(astronaut()).crop((112, 0, 368, 256)).save(file.name)
            upload.send_keys(file.name)
            wait.until(lambda _: driver.find_elements("css selector", "button[aria-label='Remove Image']"))
            driver.find_element("css selector", "button.primary").click()
            wait.until(lambda _: "beside bicubic resizing" in driver.find_element("tag name", "body").text)
        driver.execute_script("window.scrollTo(0, 0)")
        sleep(2)  # until the pictures of the slider are drawn
        return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    finally:
        driver.quit()
        served.close()


SHEETS = {"front": front, "real": real, "explained": explained, "app": app}


# -- the pictures of architectures -------------------------------------------------------------------------------------


def rows_of(checkpoint: str) -> list[Row]:
    """Returns the sheets of a model for small images, or parts of three photographs before and after."""
    if checkpoint.startswith(("adain.", "fast_style.")):
        return rows_in_styles(checkpoint)
    found = exhibit(checkpoint, whole=True)
    rows = []
    for row in found.sheets[0] if found.sheets else ():
        large = max(map(len, row.captions), default=0) > 10  # letters, for which a small image has no room
        count, side = (COLUMNS // 2, 2 * SIDE + GAP) if large else (COLUMNS, SIDE)
        for start in range(0, len(row.images), count):
            part = slice(start, start + count)
            rows.append(Row(row.name if not start else "", row.images[part], row.captions[part], side))
    before = [(top_center(pair.before), pair.was) for pair in found.pairs[:3]]
    after = [(top_center(pair.after), pair.became) for pair in found.pairs[:3]]
    shots = [before, after] if len(before) > 1 else [before + after] if before else []
    return [*rows, *(Row("", *zip(*row, strict=True), side=PART) for row in shots)]


def rows_in_styles(checkpoint: str) -> list[Row]:
    """Returns parts of two photographs, and of each in three styles, with the painting in a corner."""
    model, names = cnnzoo.build(checkpoint), list(paintings())
    rows = []
    for photograph, chosen in ((chelsea(), names[:3]), (load_sample_image("china.jpg"), names[3:6])):
        shots = [top_center(photograph)]
        for name in chosen:
            style = painting(name).pixels
            shots.append(top_center(model.stylize(photograph, name if hasattr(model, "styles") else style)))
            shots[-1][-INSET:, -INSET:] = 255
            shots[-1][4 - INSET :, 4 - INSET :] = square(style, 0, 0, min(style.shape[:2]), INSET - 4)
        captions = ("photograph", *(name.replace("_", " ") for name in chosen))
        rows.append(Row("", shots, captions, COLUMNS * (SIDE + GAP) // 4 - GAP))
    return rows


def top_center(photograph: np.ndarray) -> np.ndarray:
    """Returns the middle of the top of a photograph, where heads and towers are, at most `PART` pixels a side."""
    left = max(0, photograph.shape[1] - PART) // 2
    return photograph[:PART, left : left + PART].copy()


def rows_without_checkpoint(arch: str) -> list[Row]:
    """Returns results of an architecture without checkpoint; the rows state the amount of training."""
    if arch == "style_transfer":  # needs no training
        tower, style, painted = optimized()
        style = square(style, 0, 0, min(style.shape[:2]), CELL)
        return [Row("", [tower, style, painted], ("photograph", "style", "after 150 steps"), PART)]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": SCANS, "batch_size": 64, "out": Path(folder) / "run"}
        run = cnnzoo.train(arch, data="digits", **settings)
        model = cnnzoo.build(arch, weights=run)
    rows = []
    if hasattr(model, "reconstruct"):
        scans = load("digits", "test", shape=model.image_shape).images[:COLUMNS]
        rows = [Row("scans", scans), Row(f"after {SCANS} epochs", model.reconstruct(scans))]
    if hasattr(model, "generate"):
        rows.append(Row(f"samples after {SCANS} epochs", model.generate(COLUMNS, seed=0)))
    return rows


def save(made: Image.Image, path: Path) -> None:
    made = made.convert("RGB")
    right = ImageChops.difference(made, Image.new("RGB", made.size, "white")).getbbox()[2]
    made = made.crop((0, 0, right, made.height))  # without the empty right margin
    made.thumbnail((WIDEST, 10 * WIDEST))
    made.save(path, quality=80, method=6)


if __name__ == "__main__":
    main(sys.argv[1:])
