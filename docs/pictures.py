"""Makes the pictures of the documents from the shipped checkpoints, by way of the gallery.

    python docs/pictures.py
"""

import tempfile
from pathlib import Path

from PIL import Image

from cnnzoo import demo, registry

HERE = Path(__file__).parent / "pictures"
FRONT = ("cgan.mnist", "vae.mnist", "dcgan.signs", "inpainter.fashion_mnist")  # one below the other
WIDEST = 900  # pixels


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo.make(folder)
        for arch in registry.list_models():
            names = registry.list_checkpoints(arch)
            if names:
                save(Image.open(Path(folder) / f"{names[-1]}.png"), HERE / f"{arch}.webp")
        rows = [Image.open(Path(folder) / f"{name}.png") for name in FRONT]
        front = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white")
        top = 0
        for row in rows:
            front.paste(row, (0, top))
            top += row.height
        save(front, HERE / "front.webp")


def save(picture: Image.Image, path: Path) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail((WIDEST, 10 * WIDEST))
    picture.save(path, quality=80, method=6)


if __name__ == "__main__":
    main()
