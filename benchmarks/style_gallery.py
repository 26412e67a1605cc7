"""Draws a grid of photographs (rows) in the styles of paintings (columns), for visual inspection.

    python benchmarks/style_gallery.py grid.png photo.jpg other.jpg --side 256

The first row has the paintings of `CNNZOO_DATA_DIR`, cropped to their center squares. Each row below has a photograph,
cropped likewise, in each style. The method is `style_transfer`, or one pass of a checkpoint of `fast_style` with
`--checkpoint fast_style.paintings`. Each painting should be recognizable.
"""

import argparse
from time import perf_counter

import numpy as np

import cnnzoo
from cnnzoo.data.paintings import painting, paintings
from cnnzoo.imaging.arrays import fit_to, to_channels
from cnnzoo.imaging.files import save_png
from cnnzoo.imaging.grid import Row, picture

SHOWN = 176  # pixels of each picture on the sheet


def square(name: str, side: int) -> np.ndarray:
    """Returns the center square of a picture, resized to uint8 (side, side, 3)."""
    image = to_channels(painting(name).pixels[None], 3)
    height, width = image.shape[1:3]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return fit_to(image[:, top : top + short, left : left + short], (side, side, 3))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="the PNG to write")
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("--side", type=int, default=256, help="at which they are painted, in pixels (default: 256)")
    parser.add_argument("--steps", type=int, default=100, help="of style_transfer, at each scale (default: 100)")
    parser.add_argument("--network", help="of style_transfer, instead of its own")
    parser.add_argument("--checkpoint", help="of fast_style, instead of style_transfer")
    asked = parser.parse_args()
    styles = {name: square(name, asked.side) for name in paintings()}
    if not styles:
        parser.error("there are no paintings in style/train/style of CNNZOO_DATA_DIR")
    config = {"network": asked.network} if asked.network else {}
    model = cnnzoo.build(asked.checkpoint or "style_transfer", **config)

    rows = [Row("painting", np.stack(list(styles.values())), tuple(styles), SHOWN)]
    for number, name in enumerate(asked.photographs, 1):
        photograph, made = square(name, asked.side), []
        for style, example in styles.items():
            begun = perf_counter()
            if asked.checkpoint:
                made.append(model.stylize(photograph, style))
            else:
                made.append(model.stylize(photograph, example, steps=asked.steps))
            print(f"{name}, {style}: {perf_counter() - begun:.1f} s", flush=True)
        rows.append(Row(f"photograph {number}", np.stack(made), side=SHOWN))
    save_png(asked.out, np.asarray(picture(rows)))


if __name__ == "__main__":
    main()
