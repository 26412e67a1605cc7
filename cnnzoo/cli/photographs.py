"""Photographs put through a model: one file or a folder of them."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnzoo.cli import checks, models
from cnnzoo.utils.terminal import progress

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo


class Plan(NamedTuple):
    """The photographs that a command reads, each with the file that it writes, and what else is in their folder."""

    pairs: list[tuple[Path, Path]]
    others: list[Path]


def restorer_of(name: str, like: str) -> Callable[..., "Photo"]:
    """What the trained model `name` makes of a photograph and of what its verb `restore` takes besides.

    Raises:
        ValueError: It is not of the architecture of the checkpoint `like`; or, when called, it takes grey pictures and
            is given colour.
    """
    model, kind = models.able(name, "restore"), like.split(".")[0]
    if ("mask" in signature(model.restore).parameters) != (kind == "inpainter"):
        raise ValueError(f"got {name!r}, which is no {kind}; allowed: one such as {like}")

    def restored(photo: "Photo", *beside: Any, **options: Any) -> "Photo":
        have, taken = photo.pixels.shape[2], model.image_shape[2]
        if have > taken:
            raise ValueError(f"got a colour picture for {name!r}, which takes grey ones; allowed: {like}")
        return in_channels(taken, photo, lambda pixels: model.restore(pixels, *beside, **options))

    return restored


def shown(photo: "Photo", missing: "np.ndarray | None" = None) -> "np.ndarray":
    """The pixels of a photograph as a network is to see them; see `cnnzoo.imaging.transparency.bled`."""
    from cnnzoo.imaging.transparency import bled

    return bled(photo.pixels, photo.alpha, missing)


def in_channels(taken: int, photo: "Photo", work: Callable[["np.ndarray"], "np.ndarray"]) -> "Photo":
    """What `work`, which takes pixels of so many channels, makes of a photograph.

    A grey one goes through what takes colour as three equal channels, and the mean of them comes back.
    """
    import numpy as np

    from cnnzoo.imaging.arrays import to_channels

    made = work(to_channels(photo.pixels[None], taken)[0])
    if photo.pixels.shape[2] < taken:
        made = np.rint(made.mean(axis=2, keepdims=True, dtype=np.float32)).astype(made.dtype)
    return replace(photo, pixels=made)


def mask_of(path: Path) -> "np.ndarray":
    """The mask in a file, which must leave something to be done; see `cnnzoo.imaging.masks.read_mask`."""
    from cnnzoo.imaging.masks import read_mask

    missing = read_mask(path)
    if missing.all() or not missing.any():
        what = "everything is missing" if missing.all() else "nothing is missing"
        raise ValueError(
            f"got the mask {path}, by which {what}; allowed: black where pixels are kept, else at least half of white"
        )
    return missing


# -- the files ------------------------------------------------------------------------------------------------------


def planned(args: argparse.Namespace, *inputs: Path) -> Plan:
    """What a command reads and writes, looked at before any work; none of the inputs is replaced.

    Raises:
        OSError: There is no such photograph or folder.
        ValueError: For names that cannot be, or a file that is no picture.
    """
    from cnnzoo.imaging.files import format_for

    checks.exists(args.input)
    plan = _plan(args.input, args.output)
    for path, target in plan.pairs:
        format_for(target)
        for kept in (path, *inputs):
            if target.exists() and kept.exists() and target.samefile(kept):
                raise ValueError(f"got {target} as the result, which would replace {kept}; allowed: another name")
    if not args.input.is_dir():
        checks.pictures(args.input)
    return plan


def each(
    args: argparse.Namespace, plan: Plan, work: Callable[..., "Photo"], scale: int = 1, stepwise: bool = False
) -> None:
    """Puts the photograph, or each of those in a folder, through `work` and writes it.

    The work makes it `scale` times as high and wide. With `stepwise`, it is also given the path, and a function to call
    with (done, total) while it is at a photograph.

    Raises:
        ValueError: For a photograph that cannot be done or, in the end, for the files of a folder that were left out.
    """
    from cnnzoo.imaging.files import format_for, read_photo, save_photo
    from cnnzoo.imaging.folders import passed_over

    pairs, others = plan
    if others:
        print(f"left out: {passed_over(others)} in {args.input}", file=sys.stderr)
    left_out = 0

    def within(update: Callable, before: int, pairs: int, name: str, done: int, total: int) -> None:
        update(before * total + done, pairs * total, name)

    with progress(f"{args.command} {args.input}") as update:
        for done, (path, target) in enumerate(pairs):
            update(done, len(pairs), path.name)
            try:
                photo = read_photo(path)
                height, width = photo.pixels.shape[:2]
                format_for(target, (scale * height, scale * width), photo)  # before the work, which may take long
                tell = partial(within, update, done, len(pairs), path.name)
                photo = work(photo, path, tell) if stepwise else work(photo)
                save_photo(target, photo.pixels, photo)
            except (ValueError, OSError) as error:
                if not args.input.is_dir():
                    raise
                left_out += 1
                said = " ".join(str(error).split())
                print(f"left out: {said if str(path) in said else f'{path}: {said}'}", file=sys.stderr)
            else:
                print(target)
        update(len(pairs), len(pairs))
    if left_out:
        raise ValueError(f"left out {left_out} of the {len(pairs)} pictures in {args.input}")


def _plan(source: Path, target: Path) -> Plan:
    """What is read and what is written: the two files, or those in the two folders.

    In a folder a result has the name of its picture, but ends in .png where that format cannot be written.
    """
    from cnnzoo.imaging.files import FORMATS
    from cnnzoo.imaging.folders import PICTURE_SUFFIXES, pictures_in

    if not source.is_dir():
        return Plan([(source, target)], [])
    if target.exists() and not target.is_dir():
        raise ValueError(f"got the folder {source}, but the file {target} for its results; allowed: a folder")
    if target.suffix.lower() in FORMATS and not target.exists():
        raise ValueError(
            f"got the folder {source}, but {target}, the name of a picture, for its results; allowed: a folder"
        )
    paths, others = pictures_in(source)
    if not paths:
        raise ValueError(f"{source} holds no pictures; allowed: a folder with files of {', '.join(PICTURE_SUFFIXES)}")
    pairs = [(path, target / (path.name if path.suffix.lower() in FORMATS else f"{path.stem}.png")) for path in paths]
    uses = Counter(made.name for _, made in pairs)
    if twice := [name for name in uses if uses[name] > 1]:
        raise ValueError(f"got several pictures for the result {', '.join(twice)}; allowed: one for each name")
    return Plan(pairs, [path for path in others if path != target])
