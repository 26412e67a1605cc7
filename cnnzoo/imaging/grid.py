"""Labeled rows of images on one canvas, for galleries and reports."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnnzoo.imaging.arrays import to_uint8

COLUMNS = 12
SIDE = 84  # pixels per image side
GAP = 8
MARGIN = 150  # width of the row names
CAPTION = 20
INK, FAINT, PAPER = (30, 34, 40), (105, 112, 122), (255, 255, 255)


@dataclass(frozen=True)
class Row:
    """A row of images (n, height, width, channels), with optional captions."""

    name: str
    images: np.ndarray
    captions: Sequence[str] = ()
    side: int = SIDE

    @property
    def height(self) -> int:
        """The height of the row in pixels."""
        return self.side + GAP + (CAPTION if self.captions else 0)


def picture(rows: Sequence[Row]) -> Image.Image:
    """Rows of images with their names, if any, on the left."""
    margin = MARGIN if any(row.name for row in rows) else 0
    sheet = Image.new("RGB", (margin + COLUMNS * (SIDE + GAP), sum(row.height for row in rows)), PAPER)
    pen, top = ImageDraw.Draw(sheet), 0
    for row in rows:
        pen.multiline_text((0, top), row.name.replace(" ", "\n"), FAINT, font(15))
        for i, image in enumerate(to_uint8(row.images)):
            left = margin + i * (row.side + GAP)
            shown = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).convert("RGB")
            sheet.paste(shown.resize((row.side, row.side), Image.Resampling.NEAREST), (left, top))
            if row.captions:
                pen.text((left + row.side / 2, top + row.side + 2), row.captions[i], INK, font(14), anchor="ma")
        top += row.height
    return sheet


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's default font, at a size in pixels."""
    return ImageFont.load_default(size)
