"""Edits of photographs, from the file of a visitor to a file in its format."""

import io
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cnnzoo import hub
from cnnzoo.imaging.arrays import to_channels
from cnnzoo.imaging.decoding import is_jpeg
from cnnzoo.imaging.files import Photo, format_for, read_photo, save_photo
from cnnzoo.imaging.given_masks import check_partly, read_mask
from cnnzoo.imaging.transparency import flattened
from cnnzoo.runtime import edits, open_model
from cnnzoo.utils.atomic_files import write_bytes

SHOWN = 2048  # pixels of the long side of a picture on the page, at most
DRAWN_ON = 1024  # of the picture to draw a mask on
LARGEST = 100_000_000  # pixels of a result
PAINTER, PAINTED_SIDE, STEPS = "fast_style.paintings", 256, 60  # of the painting after any picture
KINDS = ("by the file", "clean", "noisy or compressed")


class Cancelled(Exception):
    """The visitor ended the work."""


@dataclass(frozen=True)
class Edited:
    """The result of an edit.

    Attributes:
        before, after: For the page, uint8 (height, width, 3), of one size and at most `SHOWN` pixels a side.
        file: The whole result.
        note: What was done, in one sentence.
    """

    before: np.ndarray
    after: np.ndarray
    file: Path
    note: str


class Upload(NamedTuple):
    """The file of a visitor, and the photograph in it."""

    file: Path
    photo: Photo


@dataclass(frozen=True)
class Desk:
    """The limits of the app, its folder of results, and an event to end each slow work, by visitor."""

    folder: Path
    megapixels: float
    running: dict[str, threading.Event] = field(default_factory=dict)

    @property
    def largest(self) -> int:
        """Pixels of a picture that is taken, at most."""
        return int(self.megapixels * 1e6)

    @contextmanager
    def slow_work(self, visitor: str) -> Iterator[threading.Event]:
        """A slow work of a visitor, with the event that ends it; a cancelled one may still run beside the next."""
        ended = self.running[visitor] = threading.Event()
        try:
            yield ended
        finally:
            if self.running.get(visitor) is ended:
                del self.running[visitor]

    def end(self, visitor: str) -> None:
        """Ends the last slow work of a visitor, if it runs."""
        if (event := self.running.get(visitor)) is not None:
            event.set()

    def end_all(self, patience: float = 10.0) -> None:
        """Ends all slow work, and waits for it: a library in the middle of a step aborts the process at its end."""
        stop = monotonic() + patience
        while self.running and monotonic() < stop:
            for event in list(self.running.values()):
                event.set()
            sleep(0.05)

    def read(self, path: str | None) -> Upload:
        """The photograph of a visitor; its size is checked before it is decoded.

        Raises:
            ValueError: There is none, it cannot be read, or it is too large; the message has its name alone.
        """
        if path is None:
            raise ValueError("Choose a photograph first.")
        with by_name(path):
            return Upload(Path(path), read_photo(path, self.largest))

    def finish(self, before: Photo, after: Photo, source: Path, done: str, note: str) -> Edited:
        """Writes a result in the format of its source, or PNG; `done` is added to the name of the file."""
        height, width = after.pixels.shape[:2]
        folder, name = self.folder / uuid.uuid4().hex, f"{source.stem}-{done}"
        file = folder / f"{name}{source.suffix.lower()}"
        try:
            format_for(file, (height, width), after)
        except ValueError:
            file = folder / f"{name}.png"
        save_photo(file, after.pixels, after)
        note = f"{note} {width}x{height} pixels, {file.stat().st_size / 1e6:.2g} MB."
        return Edited(shown(before), shown(after), file, note)


@contextmanager
def by_name(path: str) -> Iterator[None]:
    """Errors about a file have its name, without the folder that a visitor does not know."""
    try:
        yield
    except ValueError as error:
        raise ValueError(str(error).replace(path, Path(path).name)) from None


def shown(photo: Photo) -> np.ndarray:
    """A photograph for the page: uint8 (height, width, 3), reduced to at most `SHOWN` pixels a side."""
    pixels = flattened(photo.pixels, photo.alpha)
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    return to_channels(_at_most(pixels, SHOWN)[None], 3)[0]


def page_file(folder: Path, picture: np.ndarray) -> Path:
    """A picture for the page as a PNG file: encoded for speed, as it is the most work of a visit otherwise."""
    file = folder / uuid.uuid4().hex / "picture.png"
    made = io.BytesIO()
    Image.fromarray(picture).save(made, "PNG", compress_type=zlib.Z_RLE)
    file.parent.mkdir(parents=True)
    write_bytes(file, made.getbuffer())
    return file


def _at_most(pixels: np.ndarray, side: int) -> np.ndarray:
    share = side / max(pixels.shape[:2])
    return pixels if share >= 1 else edits.resized(pixels, edits.scaled_size(pixels.shape, share), "LANCZOS")


@cache
def opened(name: str) -> Any:
    """A shipped model for photographs, run by ONNX Runtime where it has graphs."""
    return open_model(hub.checkpoint_path(name)) or hub.build(name)


@cache
def by_keras(name: str) -> Any:
    """A model of `cnnzoo.build`, run by Keras."""
    return hub.build(name)


def enlarge(desk: Desk, path: str | None, scale: int, kind: str, sharpness: float) -> Edited:
    """A photograph upscaled 2, 3 or 4 times.

    Args:
        desk: Of the app.
        path: Its file.
        scale: The factor of the sides.
        kind: One of `KINDS`: whether the file is noisy or compressed; "by the file" takes this of JPEG files.
        sharpness: Of 4 times, 0 (faithful) to 1 (sharp, with invented texture).
    """
    file, photo = desk.read(path)
    if photo.pixels[..., 0].size * scale**2 > LARGEST:
        raise ValueError(
            f"The result must have at most {LARGEST / 1e6:g} megapixels; choose a smaller factor. Received: {scale}"
        )
    options: dict[str, Any] = {}
    if scale == 4 and sharpness > 0:
        name, model, options = "espcn_gan.x4", by_keras("espcn_gan.x4"), {"sharpness": sharpness}
    else:
        is_real = kind == KINDS[2] or (kind == KINDS[0] and is_jpeg(file))
        name = f"espcn.x{scale}_real" if is_real else f"espcn.x{scale}"
        model = opened(name)
    made = edits.enlarged(model, photo, scale, **options)
    plain = replace(made, pixels=edits.resized(photo.pixels, made.pixels.shape[:2], "BICUBIC"))
    return desk.finish(plain, made, file, f"x{scale}", f"Enlarged by {name}, beside bicubic resizing:")


def denoise(desk: Desk, path: str | None) -> Edited:
    """A photograph without its noise, of unknown strength."""
    file, photo = desk.read(path)
    name = "denoiser.gray_blind" if photo.pixels.shape[2] == 1 else "denoiser.color_blind"
    return desk.finish(photo, edits.denoised(opened(name), photo), file, "clean", f"Denoised by {name}:")


def repair(desk: Desk, path: str | None, drawn: dict[str, Any] | None, mask: str | None) -> Edited:
    """A photograph with its marked parts filled.

    Args:
        desk: Of the app.
        path: Its file.
        drawn: The layers of the drawing over it; the value of a `gradio.ImageEditor` of Pillow images.
        mask: The file of a mask of the same size, instead of the drawing: bright is filled.
    """
    file, photo = desk.read(path)
    height, width = photo.pixels.shape[:2]
    if mask is not None:
        with by_name(mask):
            missing = read_mask(mask, desk.largest)
        check_partly(missing, Path(mask).name)
        if missing.shape != (height, width):
            size = f"{missing.shape[1]}x{missing.shape[0]}"
            raise ValueError(f"The mask must be of {width}x{height} pixels, as the photograph. Received: {size}")
    else:
        missing = np.zeros((height, width), bool)
        for layer in (drawn or {}).get("layers", ()):
            opacity = layer.convert("RGBA").getchannel("A").resize((width, height))
            missing |= np.asarray(opacity) > 0
        if not missing.any() or missing.all():
            raise ValueError("Draw over the parts to fill, with the brush; not over the whole photograph.")
    made = edits.filled(opened("inpainter.photos64"), photo, missing)
    holed = replace(photo, pixels=np.where(missing[..., None], np.iinfo(photo.pixels.dtype).max, photo.pixels))
    note = f"Filled {missing.mean():.1%} by inpainter.photos64:"
    return desk.finish(holed, made, file, "whole", note)


def to_draw_on(desk: Desk, path: str | None) -> np.ndarray | None:
    """The photograph to draw a mask on, reduced; None if there is none, or it cannot be read."""
    try:
        return _at_most(shown(desk.read(path).photo), DRAWN_ON)
    except ValueError:  # told when the work is asked for
        return None


def paint(
    desk: Desk,
    ended: threading.Event,
    progress: Callable[[int, int], None],
    path: str | None,
    first: str,
    second: str,
    share: float,
    keep_color: bool,
    picture: str | None,
) -> Edited:
    """A photograph painted after one or two paintings, or after any picture.

    Args:
        desk: Of the app.
        ended: Set when the visitor cancels.
        progress: Called with (done, total).
        path: Its file.
        first, second: Names of paintings.
        share: Of the second, from 0 to 1.
        keep_color: Whether only the brightness is painted.
        picture: The file of a picture that is used instead of the paintings; by optimization, which is slow.

    Raises:
        Cancelled: `ended` was set.
    """
    file, photo = desk.read(path)

    def told(done: int, total: int, *_: Any) -> None:
        if ended.is_set():
            raise Cancelled
        progress(done, total)

    if picture is not None:
        style = shown(desk.read(picture).photo)
        options: dict[str, Any] = {"side": PAINTED_SIDE, "steps": STEPS}
        model, names = by_keras("style_transfer"), [Path(picture).stem]

        def stylize(pixels: np.ndarray, **more: Any) -> np.ndarray:
            return model.stylize(pixels, [style], progress=told, **options, **more)
    else:
        mix = {first: 1 - share, second: share} if first != second else {first: 1.0}
        mix = {name: weight for name, weight in mix.items() if weight > 0}
        fast, names = opened(PAINTER), [*mix]
        if photo.pixels[..., 0].size > getattr(fast, "largest", photo.pixels.size):
            fast = by_keras(PAINTER)

        def stylize(pixels: np.ndarray, **more: Any) -> np.ndarray:
            return fast.stylize(pixels, mix, progress=told, **more)

    made = edits.painted(stylize, photo, keep_color=keep_color)
    return desk.finish(photo, made, file, "-".join(names), f"Painted after {' and '.join(names)}:")


def light(desk: Desk, path: str | None, strength: float) -> Edited:
    """A photograph with its exposure, contrast and color corrected; `strength` is from 0 (unchanged) to 2."""
    file, photo = desk.read(path)
    made = edits.enhanced(opened("enhancer.photos"), photo, strength)
    return desk.finish(photo, made, file, "light", "Corrected by enhancer.photos:")
