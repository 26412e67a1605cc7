"""The gallery of `cnnzoo demo`: the output of every shipped checkpoint on images that need no download."""

import html
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from cnnzoo import hub
from cnnzoo.checkpoints import table
from cnnzoo.checkpoints.labels import class_names
from cnnzoo.data import load
from cnnzoo.data.catalog import CATALOG
from cnnzoo.data.sources import shipped_photographs
from cnnzoo.imaging import masks
from cnnzoo.imaging.arrays import fit_to, to_uint8
from cnnzoo.imaging.files import save_png
from cnnzoo.imaging.grid import COLUMNS, FAINT, GAP, INK, MARGIN, PAPER, Row, font, picture
from cnnzoo.utils.atomic_files import write_text

LARGE = 176  # side of a photograph in pixels: two small images and the gap between them
TITLE = 60  # height of a title in pixels
WHOLE = {  # photographs that are shown before and after
    "espcn.x3": "coffee",
    "denoiser.color_blind": "cat",
    "enhancer.photos": "cat",
    "inpainter.photos64": "astronaut",
}
PAINTED, CANVAS = ("astronaut", "cat"), 352  # photographs for style transfer, and their side in pixels


@dataclass(frozen=True)
class Exhibit:
    """The output of one checkpoint.

    Attributes:
        name: "arch.tag".
        did: Description of the work, such as "classified 360 scanned digits".
        score: Headline of the card: scores on the test split.
        milliseconds: Time per image of one call, after a warm-up call.
        rows: Rows of images.
        pair: A whole photograph "before" and "after"; may be empty.
    """

    name: str
    did: str
    score: str
    milliseconds: float
    rows: tuple[Row, ...]
    pair: Mapping[str, np.ndarray] = field(default_factory=dict)


def make(out: str | Path, progress: Callable[..., None] | None = None) -> list[Exhibit]:
    """Runs every shipped checkpoint and writes the gallery.

    Args:
        out: Output folder, for `index.html`, `gallery.png`, `<arch.tag>.png`, and `<arch.tag>.before.png` and
            `<arch.tag>.after.png` of a pair.
        progress: Called with (done, total, name of the checkpoint).
    """
    out, names, exhibits, pictures = Path(out), hub.list_checkpoints(), [], []
    for i, name in enumerate(names):
        if progress is not None:
            progress(i, len(names), name)
        exhibits.append(exhibit(name))
        pictures.append(picture(exhibits[-1].rows))
        save_png(out / f"{name}.png", np.asarray(pictures[-1]))
        for when, image in exhibits[-1].pair.items():
            save_png(out / f"{name}.{when}.png", image)
    save_png(out / "gallery.png", np.asarray(_poster(exhibits, pictures)))
    write_text(out / "index.html", _page(exhibits))
    return exhibits


def exhibit(name: str) -> Exhibit:
    """Runs one shipped checkpoint."""
    card, model = hub.card(name), hub.build(name)
    works = {"classify": _classify, "reconstruct": _reconstruct, "generate": _generate, "stylize": _stylize}
    work = works.get(card["task"], _restore)
    did, milliseconds, rows = work(model, card["data"]["name"])
    pair = _pair(model, WHOLE[name]) if name in WHOLE else {}
    return Exhibit(name, did, table.headline(card), milliseconds, rows, pair)


Work = tuple[str, float, tuple[Row, ...]]


def _sampler(data: str) -> str:
    """The checkpoint whose samples replace the images of a data set; "" if none."""
    return CATALOG[data].samples if data in CATALOG else ""


def _stand_in(data: str) -> str:
    """The packaged data set that replaces the images of a data set; "" if none."""
    return CATALOG[data].stand_in if data in CATALOG else ""


def _classify(model: Any, data: str) -> Work:
    """Real images and their classes; samples have no labels, so nothing is scored."""
    if _sampler(data):
        kind, images, truth = _samples(data)
    else:
        kind, images, truth = _digits(model.image_shape)
    chances, milliseconds = _timed(model.classify, images)
    names = class_names(model, data)
    answers = [names[i] for i in chances.argmax(1)]
    did = f"classified {len(images)} {kind}"
    if truth is not None:
        right = sum(a == b for a, b in zip(answers, truth, strict=True))
        did += f", {right} of them correctly (the scans come with scikit-learn and are not part of {data})"
    else:
        did += ", not scored since they have no labels"
    return did, milliseconds, (Row(kind.partition(",")[0], images[:COLUMNS], answers[:COLUMNS]),)


def _reconstruct(model: Any, data: str) -> Work:
    """Real images, their reconstructions, and samples; samples alone if no packaged images are similar."""
    if _sampler(data) and not _stand_in(data):
        return _generate(model, data)
    kind, images = _reals(data, model.image_shape)
    made, milliseconds = _timed(model.reconstruct, images)
    rows = [Row(kind.partition(",")[0], images[:COLUMNS]), Row(f"from {model.latent_dim} numbers", made[:COLUMNS])]
    if hasattr(model, "generate"):
        rows.append(Row("samples", model.generate(COLUMNS)))
    return f"reconstructed {len(images)} {kind}", milliseconds, tuple(rows)


def _generate(model: Any, data: str) -> Work:
    """Two rows of samples."""
    images, milliseconds = _timed(model.generate, 2 * COLUMNS)
    return (
        f"generated {len(images)} images",
        milliseconds,
        (Row("samples", images[:COLUMNS]), Row("", images[COLUMNS:])),
    )


def _stylize(model: Any, data: str) -> Work:
    """Two photographs in all styles."""
    known = {**shipped_photographs("train"), **shipped_photographs("test")}
    rows, milliseconds = [], 0.0
    for name in PAINTED:
        photo = fit_to(known[name][None], (CANVAS, CANVAS, 3))
        styles = np.eye(len(model.styles))
        made, milliseconds = _timed(lambda x, s=styles: model.stylize(x, s), photo.repeat(len(styles), axis=0))
        rows.append(Row(name, made, model.styles, side=LARGE))
    return f"painted {len(PAINTED)} photographs in {len(model.styles)} styles", milliseconds, tuple(rows)


# By task: the verb, and the titles of the rows.
RESTORED = {
    "upscale": ("enlarged", ("low resolution", "enlarged", "original")),
    "restore": ("denoised", ("with noise", "denoised", "original")),
    "enhance": ("enhanced", ("mis-exposed", "enhanced", "original")),
    "inpaint": ("filled holes in", ("with holes", "filled", "original")),
}


def _restore(model: Any, data: str) -> Work:
    """Degraded, restored and original images."""
    if _stand_in(data):
        kind, images = _reals(data, (32, 32, 3))
    elif _sampler(data):
        kind, images, _ = _samples(data)
    else:
        kind = f"crops of {LARGE}x{LARGE} pixels"
        images = load("photos", "test", (LARGE, LARGE, model.image_shape[2])).images
    images = images[: COLUMNS // 2]
    did, names = RESTORED[model.task]
    made, milliseconds = _timed(lambda x: np.stack(model.before_after(x), axis=1), images)
    rows = tuple(Row(name, made[:, i], side=LARGE) for i, name in enumerate(names))
    return f"{did} {len(images)} {kind}", milliseconds, rows


def _pair(model: Any, photograph: str) -> dict[str, np.ndarray]:
    """A whole color photograph before and after."""
    whole = {**shipped_photographs("train"), **shipped_photographs("test")}[photograph]
    if model.task == "upscale":
        return {"before": whole.repeat(model.scale, axis=0).repeat(model.scale, axis=1), "after": model.upscale(whole)}
    # Text is the most common thing to remove from a photograph.
    beside = [masks.draw("text", (1, *whole.shape[:2]), seed=0)] if model.task == "inpaint" else []
    before, after, _ = model.before_after(whole[None], *beside)
    return {"before": before[0], "after": after[0]}


def _samples(data: str) -> tuple[str, np.ndarray, None]:
    """Samples that replace the images of a data set: description, images, and None for the class names."""
    sampler = _sampler(data)
    return f"samples of {sampler}", to_uint8(hub.build(sampler).generate(COLUMNS, seed=1)), None


def _reals(data: str, shape: tuple[int, int, int]) -> tuple[str, np.ndarray]:
    """Real images similar to those of a data set, small photographs or digits: description and images."""
    if _stand_in(data) == "photos":
        whole = [p for split in ("test", "train") for p in shipped_photographs(split).values() if p.shape[2] == 3]
        return "downscaled photographs", np.concatenate([fit_to(picture[None], shape) for picture in whole])
    return _digits(shape)[:2]


def _digits(shape: tuple[int, int, int]) -> tuple[str, np.ndarray, list[str]]:
    """scikit-learn's test scans of digits: description, images, and their class names."""
    digits = load("digits", "test", shape=shape)
    assert digits.labels is not None
    return "scanned digits", digits.images, [digits.classes[i] for i in digits.labels]


def _timed(verb: Callable[..., np.ndarray], x: Any) -> tuple[np.ndarray, float]:
    """The result of a verb, and the milliseconds per row of the result."""
    verb(x)
    begun = perf_counter()
    result = verb(x)
    return result, 1e3 * (perf_counter() - begun) / len(result)


# -- pictures ---------------------------------------------------------------------------------------------------------


def _poster(exhibits: Sequence[Exhibit], pictures: Sequence[Image.Image]) -> Image.Image:
    """The pictures of all exhibits, stacked."""
    width = max((p.width for p in pictures), default=0) + 4 * GAP
    sheet = Image.new("RGB", (width, sum(p.height + TITLE for p in pictures) + 2 * GAP), PAPER)
    pen, top = ImageDraw.Draw(sheet), 2 * GAP
    for e, shown in zip(exhibits, pictures, strict=True):
        pen.text((2 * GAP, top), e.name, INK, font(20))
        pen.text((2 * GAP + MARGIN + 80, top + 4), _drawable(e.score), FAINT, font(15))
        sheet.paste(shown, (2 * GAP, top + TITLE // 2 + 4))
        top += shown.height + TITLE
    return sheet


def _drawable(text: str) -> str:
    """A text reduced to the ASCII letters of Pillow's default font."""
    return unicodedata.normalize("NFKD", text.replace("≤", "<=")).encode("ascii", "ignore").decode()


# -- the page ---------------------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light; --ink: #1e2228; --faint: #5d646e; --line: #dfe3e8; --paper: #fff; }
body { margin: 0 auto; max-width: 1160px; padding: 2rem 1rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font: 600 1.15rem ui-monospace, monospace; margin: 0; }
p { margin: 0 0 .75rem; color: var(--faint); }
section { border-top: 1px solid var(--line); padding: 1.5rem 0 .75rem; }
img { display: block; width: 100%; max-width: 1254px; height: auto; }
figure { display: inline-block; width: 49%; margin: 1rem 1% 0 0; color: var(--faint); }
figure:last-child { margin-right: 0; }
table { border-collapse: collapse; margin: 1rem 0 2rem; font-size: .9rem; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child, th:last-child { text-align: right; padding-right: 0; white-space: nowrap; }
"""


def _page(exhibits: Sequence[Exhibit]) -> str:
    """The gallery as a self-contained HTML page."""
    rows, sections = [], []
    for e in exhibits:
        name, did, score = map(html.escape, (e.name, e.did, e.score))
        link = f'<a href="#{name}"><code>{name}</code></a>'
        rows.append(f"<tr><td>{link}</td><td>{did}</td><td>{score}</td><td>{e.milliseconds:.2f}</td></tr>")
        picture = f'<img src="{name}.png" alt="{name} {did}">'
        for when in e.pair:
            image = f'<a href="{name}.{when}.png"><img src="{name}.{when}.png" alt="{name} {when}"></a>'
            picture += f"<figure>{image}<figcaption>{when}</figcaption></figure>"
        sections.append(f'<section id="{name}"><h2>{name}</h2><p>{did}; {score}</p>{picture}</section>')
    head = "<tr><th>model</th><th>output</th><th>test scores</th><th>ms per image</th></tr>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cnnzoo: gallery</title>
<style>{STYLE}</style>
</head>
<body>
<h1>cnnzoo</h1>
<p>The output of every shipped checkpoint. The scanned digits and the photographs come with scikit-learn and
scikit-image; none of them was used in training. These packages contain no clothes, hand signs or CIFAR-10 classes:
classifiers of those are run on samples of a generator, which have no labels, so nothing is scored.</p>
<table>
<thead>{head}</thead>
<tbody>
{chr(10).join(rows)}
</tbody>
</table>
{chr(10).join(sections)}
</body>
</html>
"""
