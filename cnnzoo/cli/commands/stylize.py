"""`cnnzoo stylize`"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnzoo import hub, registry
from cnnzoo.cli import arguments, checks, models
from cnnzoo.cli.photographs import check_mask, mask_of, plan_files, process_files
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
    "cnnzoo stylize photo.jpg out.png --style my_painting.jpg --model adain.photographs --strength 0.7",
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
    arguments.other_model(parser, f"{FAST} for its styles, else optimization")
    parser.add_argument(
        "--strength", type=arguments.number(0, 1), help="of an adain by --model: 0 (no style) to 1 (default: 1)"
    )
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
    any_style = _checked_any_style(args, slow)
    one_pass = args.model or (FAST if FAST in hub.list_checkpoints() and not slow else "")
    fast = tuple(models.config(one_pass)["styles"]) if one_pass and not any_style else ()
    in_one_pass = set(args.style) <= set(fast)
    if args.model and not any_style and not in_one_pass:
        raise ValueError(f"--style must be of {', '.join(fast)} for {args.model!r}. Received: {', '.join(args.style)}")
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
    if any_style:
        painted = _by_moments(args, styles[0])
    elif in_one_pass:
        painted = _in_one_pass(args, one_pass)
    else:
        painted = _by_optimization(args, styles, **slow)
    mask = None if args.mask is None else mask_of(args.mask)

    def work(photo: "Photo", path: Path, tell: Callable[[int, int], None]) -> "Photo":
        if mask is not None:
            check_mask(args.mask, mask, photo)
        return edits.painted(partial(painted, path=path, tell=tell), photo, mask=mask, keep_color=args.keep_color)

    name = args.model or (FAST if in_one_pass else SLOW)
    process_files(args, plan, work, lambda photo, path: name, stepwise=True)


def _checked_any_style(args: argparse.Namespace, slow: Mapping[str, Any]) -> bool:
    """Whether --model is one of any style, after a check of it and of --style.

    Raises:
        ValueError: It does not exist or does not stylize, or an option is not for it.
    """
    any_style = False
    if args.model is not None:
        models.check(args.model, "stylize")
        any_style = models.accepts(args.model, "stylize", "strength")
        if not any_style and "styles" not in models.config(args.model):
            raise ValueError(f"--model must be a fast_style or an adain. Received: {args.model!r}")
        if slow:
            flags = ", ".join(f"--{option}" for option in slow)
            raise ValueError(f"{flags} must not be given with --model. Received: --model {args.model}")
    if len(set(args.style)) < len(args.style):
        raise ValueError(f"--style must name each style once. Received: {', '.join(args.style)}")
    if any_style and len(args.style) > 1:
        raise ValueError(f"--style must be given once with {args.model!r}. Received: {', '.join(args.style)}")
    if any_style and args.weight:
        raise ValueError(f"--weight must not be given with {args.model!r}, of one style. Received: {args.weight[0]:g}")
    if args.strength is not None and not any_style:
        raise ValueError(f"--strength must be given with an adain, by --model. Received: {args.model or 'none'}")
    return any_style


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


def _in_one_pass(args: argparse.Namespace, name: str) -> Callable[..., "np.ndarray"]:
    model = models.load_with_method(name, "stylize")
    in_strips = cache(lambda: models.load_by_keras(name))
    style = dict(zip(args.style, args.weight or [1.0] * len(args.style), strict=True))

    def painted(pixels: "np.ndarray", path: Path, tell: Callable[[int, int], None], **options: Any) -> "np.ndarray":
        small = pixels.shape[0] * pixels.shape[1] <= getattr(model, "largest", pixels.size)
        return (model if small else in_strips()).stylize(pixels, style, progress=tell, **options)

    return painted


def _by_moments(args: argparse.Namespace, style: "np.ndarray") -> Callable[..., "np.ndarray"]:
    model = models.load_with_method(args.model, "stylize")
    strength = 1.0 if args.strength is None else args.strength

    def painted(pixels: "np.ndarray", path: Path, tell: Callable[[int, int], None], **options: Any) -> "np.ndarray":
        return model.stylize(pixels, style, strength, **options)

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
