"""Changing photographs: painting them in the style of others, and bringing their exposure and colour in order."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnzoo.commands.models import able
from cnnzoo.commands.restore import each, in_channels, mask_of, shown

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo

FAST = "fast_style.paintings"
ENHANCER = "enhancer.photos"
FRAMES = 10  # evaluations from one intermediate picture to the next


def stylize(asked: argparse.Namespace) -> None:
    from cnnzoo import hub
    from cnnzoo.imaging.arrays import to_channels

    slow = {key: getattr(asked, key) for key in ("network", "optimizer", "steps", "side", "frames")}
    slow = {key: value for key, value in slow.items() if value is not None}
    fast = hub.build(FAST) if FAST in hub.list_checkpoints() and not slow else None
    known = fast is not None and set(asked.style) <= set(fast.styles)
    try:
        painted = _in_one_pass(fast, asked) if known else _by_optimization(asked, **slow)
    except ValueError as error:
        raise ValueError(f"{error}; in one pass: {', '.join(fast.styles)}" if fast else str(error)) from None
    mask = None if asked.mask is None else mask_of(asked.mask)

    def work(photo: "Photo", path: Path, tell: Callable[[int, int], None]) -> "Photo":
        pixels = to_channels(shown(photo)[None], 3)[0]
        return replace(photo, pixels=painted(pixels, path, tell, mask=mask, keep_color=asked.keep_color))

    kept = [Path(name) for name in (*asked.style, *([] if asked.mask is None else [asked.mask]))]
    each(asked, work, *kept, stepwise=True)


def enhance(asked: argparse.Namespace) -> None:
    model = able(asked.model or ENHANCER, "enhance")
    if not 0 <= asked.strength <= 2:  # told of once, not for each file of a folder
        raise ValueError(f"got --strength {asked.strength:g}; allowed: 0 to 2")

    def enhanced(photo: "Photo") -> "Photo":
        clear = replace(photo, pixels=shown(photo))
        return in_channels(3, clear, lambda pixels: model.enhance(pixels, asked.strength))

    each(asked, enhanced)


def _in_one_pass(model, asked: argparse.Namespace) -> Callable[..., "np.ndarray"]:
    weights = asked.weight or [1.0] * len(asked.style)
    if len(weights) != len(asked.style):
        raise ValueError(f"got {len(asked.style)} styles and weights={weights}; allowed: one for each style")
    style = dict(zip(asked.style, weights, strict=True))
    return lambda pixels, path, tell, **options: model.stylize(pixels, style, progress=tell, **options)


def _by_optimization(
    asked: argparse.Namespace, network: str | None = None, frames: Path | None = None, **options
) -> Callable[..., "np.ndarray"]:
    from cnnzoo import hub
    from cnnzoo.data.paintings import painting
    from cnnzoo.imaging.arrays import save_png

    styles = [painting(name).pixels for name in asked.style]
    if frames is not None and frames.exists() and not frames.is_dir():
        raise ValueError(f"got the file {frames} as --frames; allowed: a folder")
    model = hub.build("style_transfer", **({} if network is None else {"network": network}))

    def painted(pixels: "np.ndarray", path: Path, tell: Callable[[int, int], None], **more) -> "np.ndarray":
        into = frames / path.name if frames is not None and asked.input.is_dir() else frames

        def watch(done: int, total: int, picture: "np.ndarray") -> None:
            tell(done, total)
            if into is not None and (done % FRAMES == 0 or done == total):
                save_png(into / f"{done:05d}.png", picture)

        return model.stylize(pixels, styles, weights=asked.weight, progress=watch, **options, **more)

    return painted
