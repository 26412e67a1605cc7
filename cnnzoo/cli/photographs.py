"""Photographs through a model, one file or a folder."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from inspect import signature
from math import prod
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnzoo.cli import checks, models, previews
from cnnzoo.utils.terminal import progress

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo


class Plan(NamedTuple):
    """The files of a command: pairs of input and output, and other files in the input folder."""

    pairs: list[tuple[Path, Path]]
    others: list[Path]


class Made(NamedTuple):
    """A result: the photograph that it was made of, for animations the last frame, and its height and width."""

    source: "Photo"
    size: tuple[int, ...]


def restorer_of(name: str, like: str) -> Callable[..., "Photo"]:
    """A function that restores photographs by the trained model `name`; further arguments go to its `restore`.

    Raises:
        ValueError: It is not of the kind of the checkpoint `like`; or, when called, color for a gray model.
    """
    model, kind = models.load_with_method(name, "restore"), like.split(".")[0]
    if ("mask" in signature(model.restore).parameters) != (kind == "inpainter"):
        raise ValueError(f"The model must be one such as {like}. Received: {name!r}, which is no {kind}")

    def restored(photo: "Photo", *inputs: Any, **options: Any) -> "Photo":
        from cnnzoo.runtime import edits

        if photo.pixels.shape[2] > model.image_shape[2]:
            raise ValueError(f"The picture must be gray for {name!r}; for color: {like}. Received: a color picture")
        work = edits.filled if kind == "inpainter" else edits.denoised
        return work(model, photo, *inputs, **options)

    return restored


def mask_of(path: Path) -> "np.ndarray":
    """The mask in a file; see `cnnzoo.imaging.given_masks.read_mask`.

    Raises:
        ValueError: All pixels are missing, or none.
    """
    from cnnzoo.imaging.given_masks import check_partly, read_mask

    missing = read_mask(path)
    check_partly(missing, str(path))
    return missing


def check_mask(path: Path, mask: "np.ndarray", photo: "Photo") -> None:
    """Checks that a mask (height, width) has the size of a photograph.

    Raises:
        ValueError: It has another.
    """
    if mask.shape != photo.pixels.shape[:2]:
        sizes = ["{1}x{0}".format(*shape) for shape in (photo.pixels.shape, mask.shape)]
        raise ValueError(f"--mask must be of {sizes[0]} pixels, as the picture. Received: {path} of {sizes[1]}")


# -- the files ------------------------------------------------------------------------------------------------------


def plan_files(args: argparse.Namespace, *inputs: Path) -> Plan:
    """The input and output files of a command, checked before any work.

    Raises:
        OSError: There is no such photograph or folder.
        ValueError: An invalid output name, an output that would replace an input, a file that is not an image, or
            `--json` or `--preview` where they cannot be printed.
        ModuleNotFoundError: The extra "preview" is not installed.
    """
    from cnnzoo.imaging.files import PHOTO_FORMATS, format_for

    if args.json and is_piped(args):
        raise ValueError("--json must be given with a file or folder as out. Received: -, which is stdout")
    if args.preview:
        previews.check()
    checks.exists(args.input)
    plan = _plan(args.input, args.output)
    for path, target in plan.pairs:
        format_for(target, formats=PHOTO_FORMATS)
        for source in (path, *inputs):
            if target.exists() and source.exists() and target.samefile(source):
                raise ValueError(f"The result must not replace {source}; give another name. Received: {target}")
    if not args.input.is_dir():
        checks.pictures(args.input)
    return plan


def is_piped(args: argparse.Namespace) -> bool:
    """Whether the result goes to stdout; see `cnnzoo.cli.pipes`."""
    return getattr(args, "quiet", False)


def process_files(
    args: argparse.Namespace,
    plan: Plan,
    work: Callable[..., "Photo"],
    model: Callable[["Photo", Path], str],
    scale: float = 1,
    stepwise: bool = False,
) -> None:
    """Applies a function to a photograph, or to each in a folder, and writes the results.

    Animations and TIFF files of several pages are taken frame by frame.

    Args:
        args: The arguments of the command.
        plan: Its files.
        work: A function of a photograph.
        model: The name of the model that a photograph with a path is given to.
        scale: The factor of its output size.
        stepwise: Whether `work` also takes the path, and a function to call with (done, total).

    Raises:
        ValueError: A photograph failed; for a folder, raised at the end with the number of failures.
    """
    from cnnzoo.imaging.folders import passed_over

    pairs, others = plan
    if others:
        print(f"left out: {passed_over(others)} in {args.input}", file=sys.stderr)
    each = work if stepwise else _alone(work)
    failures = 0
    written = []

    with progress(f"{args.command} {args.input}") as update:
        for done, (path, target) in enumerate(pairs):
            update(done, len(pairs), path.name)
            began = perf_counter()
            try:
                made = _process(args, path, target, each, scale, _part(update, done, len(pairs)))
            except (ValueError, OSError) as error:
                if not args.input.is_dir():
                    raise
                failures += 1
                reason = " ".join(str(error).split())
                print(f"left out: {reason if str(path) in reason else f'{path}: {reason}'}", file=sys.stderr)
            else:
                written.append(target)
                if args.json:
                    print(_line(target, made, model, path, perf_counter() - began))
                elif not is_piped(args):
                    print(target)
        update(len(pairs), len(pairs))
    if args.preview:
        previews.show(written)
    if failures:
        raise ValueError(f"left out {failures} of the {len(pairs)} pictures in {args.input}")


def _line(target: Path, made: "Made", model: Callable[["Photo", Path], str], path: Path, seconds: float) -> str:
    """A written file as a line of JSON; the seconds include those of reading and writing."""
    height, width = made.size
    told = {
        "path": str(target),
        "size": [width, height],
        "model": model(made.source, path),
        "seconds": round(seconds, 3),
    }
    return json.dumps(told)


def _alone(work: Callable[..., "Photo"]) -> Callable[..., "Photo"]:
    """A function of a photograph as one that also takes a path and `tell`."""
    return lambda photo, path, tell: work(photo)


def _part(update: Callable[..., None], before: int, parts: int) -> Callable[..., None]:
    """`update` for one of several equal parts, the one after `before`."""

    def within(done: int, total: int, note: str = "") -> None:
        update(before * total + done, parts * total, note)

    return within


def _process(
    args: argparse.Namespace,
    path: Path,
    target: Path,
    work: Callable[..., "Photo"],
    scale: float,
    update: Callable[..., None],
) -> Made:
    """Applies a function to a photograph, or to each frame of a clip, and writes the result."""
    from cnnzoo.imaging.files import PHOTO_FORMATS, format_for, read_photo, save_photo
    from cnnzoo.imaging.frames import check_pixels, clip_format, open_clip, save_clip
    from cnnzoo.runtime.edits import scaled_size

    def edited(photo: "Photo", done: int, count: int) -> "Photo":
        # Before the work, which may be slow.
        format_for(target, scaled_size(photo.pixels.shape, scale), photo, PHOTO_FORMATS)
        tell = _part(update, done, count)
        return work(photo, path, lambda step, steps: tell(step, steps, path.name))

    clip = open_clip(path)
    if clip is None:
        source = read_photo(path)
        photo = edited(source, 0, 1)
        save_photo(target, photo.pixels, photo)
        return Made(source, photo.pixels.shape[:2])
    if getattr(args, "frames", None) is not None:
        raise ValueError(f"--frames must be given with still pictures. Received: {path} of {clip.count} frames")
    clip_format(target, clip)
    height, width = scaled_size(clip.sides, scale)
    check_pixels(str(target), clip.count * height * width)
    photos, times, total = [], [], 0
    for done, (photo, time) in enumerate(clip.frames()):
        update(done, clip.count, path.name)
        total += prod(scaled_size(photo.pixels.shape, scale))
        check_pixels(str(target), total)  # pages may differ in size
        photos.append(edited(photo, done, clip.count))
        times.append(time)
    save_clip(target, photos, times, clip)
    return Made(photo, photos[0].pixels.shape[:2])


def _plan(source: Path, target: Path) -> Plan:
    """The input and output: two files, or the files of two folders.

    In a folder, an output has the name of its input, with .png if that format cannot be written.
    """
    from cnnzoo.imaging.files import PHOTO_FORMATS
    from cnnzoo.imaging.folders import PICTURE_SUFFIXES, pictures_in

    if not source.is_dir():
        return Plan([(source, target)], [])
    if target.exists() and not target.is_dir():
        raise ValueError(f"The results of the folder {source} must go to a folder. Received: the file {target}")
    if target.suffix.lower() in PHOTO_FORMATS and not target.exists():
        raise ValueError(
            f"The results of the folder {source} must go to a folder. Received: {target}, the name of a picture"
        )
    paths, others = pictures_in(source)
    if not paths:
        raise ValueError(f"{source} must hold files of {', '.join(PICTURE_SUFFIXES)}. Received: no pictures")
    pairs = [
        (path, target / (path.name if path.suffix.lower() in PHOTO_FORMATS else f"{path.stem}.png")) for path in paths
    ]
    uses = Counter(made.name for _, made in pairs)
    if twice := [name for name in uses if uses[name] > 1]:
        raise ValueError(f"Each result must come from one picture. Received: several for {', '.join(twice)}")
    return Plan(pairs, [path for path in others if path != target])
