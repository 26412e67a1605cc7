"""Changing photographs: painting them in the style of others."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnzoo.commands.restore import each, mask_of

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.photos import Photo

FRAMES = 10  # evaluations from one intermediate picture to the next


def stylize(asked: argparse.Namespace) -> None:
    from cnnzoo import registry
    from cnnzoo.data.paintings import painting
    from cnnzoo.images import save_png, to_channels

    styles = [painting(name).pixels for name in asked.style]
    options = {"weights": asked.weight, "keep_color": asked.keep_color, "steps": asked.steps, "side": asked.side}
    options |= {"optimizer": asked.optimizer, "mask": None if asked.mask is None else mask_of(asked.mask)}
    model = registry.build("style_transfer", **({} if asked.network is None else {"network": asked.network}))

    def painted(photo: "Photo", tell: Callable[[int, int], None]) -> "Photo":
        def watch(done: int, total: int, picture: "np.ndarray") -> None:
            tell(done, total)
            if asked.frames is not None and (done % FRAMES == 0 or done == total):
                save_png(asked.frames / f"{done:05d}.png", picture)

        pixels = to_channels(photo.pixels[None], 3)[0]
        return replace(photo, pixels=model.stylize(pixels, styles, progress=watch, **options))

    kept = [Path(name) for name in (*asked.style, *([] if asked.mask is None else [asked.mask]))]
    each(asked, painted, *kept, stepwise=True)
