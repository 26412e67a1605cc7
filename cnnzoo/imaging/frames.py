"""Animations and TIFF files of several pages: read and written frame by frame, with their times and repetitions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnnzoo.imaging.decoding import LARGEST, contents, decoding, frames_in, open_header, pixels_of
from cnnzoo.imaging.exif import of_changed
from cnnzoo.imaging.files import Photo, carried_by, encoded, image_of, joined, photo_of
from cnnzoo.utils.atomic_files import write_bytes

if TYPE_CHECKING:
    from PIL import Image

MOST = 1000  # frames
# Formats of animations by suffix, and of pages.
MOVING = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
PAGED = {".tif": "TIFF", ".tiff": "TIFF"}


@dataclass(frozen=True)
class Clip:
    """The frames of an animation, or the pages of a TIFF.

    Attributes:
        image: The opened file.
        name: Of the file, for errors.
        count: Number of frames.
        plays: How often an animation is shown, 0 for endlessly; None for pages.
        first: Index of the first frame in the file; 1 for a PNG whose still picture is no frame.
    """

    image: "Image.Image"
    name: str
    count: int
    plays: int | None
    first: int = 0

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the first frame."""
        return self.image.height, self.image.width

    def frames(self) -> Iterator[tuple[Photo, int]]:
        """Each frame, decoded when it is asked for, with its time in milliseconds.

        Frames of an animation are whole pictures in color, 8 bits.

        Raises:
            ValueError: A frame is damaged, or all together have more than `LARGEST` pixels.
        """
        total = 0
        for i in range(self.first, self.first + self.count):
            with decoding(self.name):
                self.image.seek(i)
            total += self.image.width * self.image.height
            check_pixels(self.name, total)
            with decoding(self.name):
                self.image.load()
                if self.plays is not None:
                    clear = self.image.has_transparency_data
                    array = np.asarray(self.image.convert("RGBA" if clear else "RGB"))
            if self.plays is None:
                array = pixels_of(self.image, self.name)
            yield photo_of(self.image, array), round(self.image.info.get("duration", 0))


def open_clip(path: Path) -> Clip | None:
    """The animation or the pages in a file; None for a still picture.

    Raises:
        ValueError: It is not an image; or it has more than `MOST` frames, or more than `LARGEST` pixels in all of them.
    """
    raw, name = contents(path)
    image = open_header(raw, name)
    with decoding(name):
        count, first = frames_in(image)
    if count == 1:
        return None
    if count > MOST:
        raise ValueError(f"{name} must have at most {MOST} frames. Received: {count}")
    check_pixels(name, count * image.width * image.height)
    if image.format == "TIFF":
        return Clip(image, name, count, None)
    loop = image.info.get("loop")
    if image.format == "GIF":  # which counts the repetitions, and has no count for one play
        return Clip(image, name, count, 1 if loop is None else loop and loop + 1)
    return Clip(image, name, count, 0 if loop is None else loop, first)


def check_pixels(name: str, pixels: int) -> None:
    """Bounds the pixels of all frames together.

    Raises:
        ValueError: They are more than `LARGEST`.
    """
    if pixels > LARGEST:
        raise ValueError(
            f"{name} must have at most {LARGEST / 1e6:g} megapixels in all frames. Received: {pixels / 1e6:.0f}"
        )


def clip_format(path: Path, clip: Clip) -> str:
    """The format of the file for a clip, by its suffix.

    Raises:
        ValueError: The format has one frame, or no times, or no pages.
    """
    known = PAGED if clip.plays is None else MOVING
    found = known.get(path.suffix.lower())
    if found is None:
        what = "a TIFF of several pages" if clip.plays is None else "an animation"
        raise ValueError(f"The name of {what} must end in one of {', '.join(known)}. Received: {path} for {clip.name}")
    return found


def save_clip(path: Path, photos: Sequence[Photo], times: Sequence[int], clip: Clip) -> None:
    """Writes frames atomically, with the metadata of the first; creates the folder.

    WebP and PNG are lossless, GIF has 256 colors a frame and times in hundredths of a second. All have 8 bits, but for
    gray pages of 16 bits.

    Args:
        path: Its suffix is one of `clip_format`.
        photos: The frames.
        times: Of the frames, in milliseconds.
        clip: The file that they are from.
    """
    kind = clip_format(path, clip)
    first, *rest = (image_of(joined(photo.pixels, photo.alpha), kind) for photo in photos)
    height, width, channels = photos[0].pixels.shape
    like = replace(photos[0], exif=of_changed(photos[0].exif, width, height))
    options = {"save_all": True, "append_images": rest, **carried_by(like, channels, kind)}
    if clip.plays is not None:
        options["duration"] = list(times)
        plays = clip.plays - 1 if kind == "GIF" and clip.plays else clip.plays
        options |= {} if kind == "GIF" and clip.plays == 1 else {"loop": plays}
        # A frame with transparent parts must not be drawn over the one before.
        options |= {"disposal": 2} if kind == "GIF" and any(photo.alpha is not None for photo in photos) else {}
    raw = encoded(first, kind, path, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, raw)
