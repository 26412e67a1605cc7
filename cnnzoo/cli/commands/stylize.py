"""`cnnzoo stylize`"""

import argparse
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo import hub, registry
from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.photographs import mask_of, plan_files, process_files
from cnnzoo.cli.pipes import with_pipes

if TYPE_CHECKING:
    import numpy as np

    from cnnzoo.imaging.files import Photo

HELP = "stylize photographs after paintings or other images"
EXAMPLES = (
    "cnnzoo stylize photo.jpg out.png --style starry_night    # in one pass, by fast_style.paintings",
    "cnnzoo stylize photo.jpg out.png --style starry_night --optimizer lbfgs    # better, and slower",
    "cnnzoo stylize photo.jpg out.png --style my_painting.jpg --keep-color --frames frames/",
    "cnnzoo stylize photo.jpg out.png --style wave --weight 2 --style udnie --weight 1 --mask sky.png",
)
FAST, SLOW = "fast_style.paintings", "style_transfer"
NETWORKS = ("random_vgg", "random_scales", "vgg19")  # besides classifiers
FRAMES = 10  # evaluations between two frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.photographs(parser)
    parser.add_argument(
        "--style", action="append", required=True, help="the name of a painting, or an image file; or several"
    )
    parser.add_argument("--weight", action="append", type=float, help="the weight of each style (default: equal)")
    parser.add_argument("--mask", type=Path, help="an image of the same size: bright is stylized, black is kept")
    parser.add_argument("--keep-color", action="store_true", help="stylize the luma alone")
    by_itself = parser.add_argument_group(
        "optimization", "optimize each image, for other styles or with one of these options"
    )
    by_itself.add_argument("--optimizer", type=arguments.one_of("lbfgs", "adam"), help="lbfgs or adam (default: lbfgs)")
    by_itself.add_argument("--steps", type=arguments.integer(1), help="loss evaluations per scale (default: 100)")
    by_itself.add_argument(
        "--side", type=arguments.integer(1), help="the largest side in pixels, before upsampling (default: 1024)"
    )
    networks = "a classifier, random_vgg, random_scales or vgg19 (default: vgg_small.cifar10)"
    by_itself.add_argument("--network", help=networks)
    steps = "the folder for the image of every tenth step; with a folder of photographs, one subfolder each"
    by_itself.add_argument("--frames", type=Path, metavar="FOLDER", help=steps)


@with_pipes
def run(args: argparse.Namespace) -> None:
    from cnnzoo.runtime import edits

    slow = {key: getattr(args, key) for key in ("network", "optimizer", "steps", "side", "frames")}
    slow = {key: value for key, value in slow.items() if value is not None}
    shipped = FAST in hub.list_checkpoints() and not slow
    fast = tuple(hub.card(FAST)["config"]["styles"]) if shipped else ()
    in_one_pass = set(args.style) <= set(fast)
    masks = [] if args.mask is None else [args.mask]
    plan = plan_files(args, *map(Path, args.style), *masks)
    checks.pictures(*masks)
    if len(args.weight or args.style) != len(args.style):
        raise ValueError(f"--weight must be given once for each of {len(args.style)} styles. Received: {args.weight}")
    if args.network is not None and args.network not in (known := [*NETWORKS, *hub.list_checkpoints()]):
        raise registry.UnknownName("network", args.network, known)
    if args.frames is not None:
        checks.folder(args.frames, "--frames")
    styles = [] if in_one_pass else _paintings(args.style, fast)
    painted = _in_one_pass(args) if in_one_pass else _by_optimization(args, styles, **slow)
    mask = None if args.mask is None else mask_of(args.mask)

    def work(photo: "Photo", path: Path, tell: Callable[[int, int], None]) -> "Photo":
        return edits.painted(partial(painted, path=path, tell=tell), photo, mask=mask, keep_color=args.keep_color)

    name = FAST if in_one_pass else SLOW
    process_files(args, plan, work, lambda photo, path: name, stepwise=True)


def _paintings(names: Sequence[str], fast: Sequence[str]) -> list["np.ndarray"]:
    """The pixels of paintings or image files by name; `fast` are the feed-forward styles.

    Raises:
        ValueError: There is no such style.
    """
    from cnnzoo.data.paintings import painting, paintings

    also = f"; in one pass: {', '.join(fast)}" if fast else ""
    for name in names:
        known = {*paintings(), *fast}
        if name not in known and not Path(name).is_file():
            hint = registry.suggestion(name, known)
            if hint.endswith("?"):
                raise ValueError(f"Unknown style {name!r}. {hint}")
    try:
        return [painting(name).pixels for name in names]
    except ValueError as error:
        raise ValueError(f"{error}{also}") from None


def _in_one_pass(args: argparse.Namespace) -> Callable[..., "np.ndarray"]:
    model = models.load_with_method(FAST, "stylize")
    in_strips = cache(lambda: models.load_by_keras(FAST))
    style = dict(zip(args.style, args.weight or [1.0] * len(args.style), strict=True))

    def painted(pixels: "np.ndarray", path: Path, tell: Callable[[int, int], None], **options: Any) -> "np.ndarray":
        small = pixels.shape[0] * pixels.shape[1] <= getattr(model, "largest", pixels.size)
        return (model if small else in_strips()).stylize(pixels, style, progress=tell, **options)

    return painted


def _by_optimization(
    args: argparse.Namespace,
    styles: list["np.ndarray"],
    network: str | None = None,
    frames: Path | None = None,
    **options: Any,
) -> Callable[..., "np.ndarray"]:
    from cnnzoo.imaging.files import save_png

    model = hub.build(SLOW, **({} if network is None else {"network": network}))

    def painted(pixels: "np.ndarray", path: Path, tell: Callable[[int, int], None], **more: Any) -> "np.ndarray":
        into = frames / path.name if frames is not None and args.input.is_dir() else frames

        def watch(done: int, total: int, picture: "np.ndarray") -> None:
            tell(done, total)
            if into is not None and (done % FRAMES == 0 or done == total):
                save_png(into / f"{done:05d}.png", picture)

        return model.stylize(pixels, styles, weights=args.weight, progress=watch, **options, **more)

    return painted
