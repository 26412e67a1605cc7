"""Makes the pictures of the documents: from the shipped checkpoints, by way of the gallery, and from short trainings.

python docs/pictures.py             # all of them
python docs/pictures.py wgan_gp     # of some architectures
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from skimage.data import astronaut, immunohistochemistry

import cnnzoo
from cnnzoo import hub, registry
from cnnzoo.cli import gallery
from cnnzoo.data import load
from cnnzoo.imaging.grid import COLUMNS, Row, picture

HERE = Path(__file__).parent / "pictures"
FRONT = ("cgan.mnist", "vae.mnist", "dcgan.signs", "inpainter.fashion_mnist")  # one below the other
WIDEST = 900  # pixels
SCANS = 40  # epochs over the scans that scikit-learn ships, for an architecture without a checkpoint
LARGE = 176  # of a photograph, in pixels


def main(asked: list[str]) -> None:
    for arch in asked or registry.list_models():
        names = hub.list_checkpoints(arch)
        made = picture(gallery.exhibit(names[-1]).rows if names else rows_without_checkpoint(arch))
        save(made, HERE / f"{arch}.webp")
    if not asked:
        rows = [picture(gallery.exhibit(name).rows) for name in FRONT]
        front = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
        top = 0
        for row in rows:
            front.paste(row, (0, top))
            top += row.height
        save(front, HERE / "front.webp")


def rows_without_checkpoint(arch: str) -> list[Row]:
    """What an architecture does that ships no weights; the rows say after how much training."""
    if hub.build(arch).task == "stylize":
        photographs, style = astronaut()[None, ::2, ::2], immunohistochemistry()[::2, ::2]
        if arch == "style_transfer":  # needs no training
            painted, made_by = cnnzoo.build(arch).stylize(photographs[0], style, steps=100), "100 steps"
        else:
            with tempfile.TemporaryDirectory() as folder:
                run = cnnzoo.train(f"{arch}.photographs", out=Path(folder) / "run")
                painted, made_by = cnnzoo.build(arch, weights=run).stylize(photographs[0], style), "its recipe"
        captions = ("photograph", "style", f"after {made_by}")
        return [Row("painted", [photographs[0], style, painted], captions, LARGE)]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": SCANS, "batch_size": 64, "out": Path(folder) / "run"}
        run = cnnzoo.train(arch, data="digits", **settings)
        model = cnnzoo.build(arch, weights=run)
    rows = []
    if hasattr(model, "reconstruct"):
        scans = load("digits", "test", shape=model.image_shape).images[:COLUMNS]
        rows = [Row("scans", scans), Row(f"after {SCANS} epochs", model.reconstruct(scans))]
    if hasattr(model, "generate"):
        rows.append(Row(f"made up after {SCANS} epochs", model.generate(COLUMNS, seed=0)))
    return rows


def save(made: Image.Image, path: Path) -> None:
    made = made.convert("RGB")
    made.thumbnail((WIDEST, 10 * WIDEST))
    made.save(path, quality=80, method=6)


if __name__ == "__main__":
    main(sys.argv[1:])
