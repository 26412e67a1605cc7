"""`cnnzoo train`"""

import argparse
import shlex
from pathlib import Path

from cnnzoo import registry
from cnnzoo.cli import arguments, checks, models
from cnnzoo.utils.terminal import bars

BESIDE_QUEUE = ("command", "run", "queue")
# The next command for a trained model, by task.
NEXT = {
    "classify": "cnnzoo evaluate {run}",
    "reconstruct": "cnnzoo reconstruct {run} image.png",
    "generate": "cnnzoo generate {run}",
    "restore": "cnnzoo denoise in.png out.png --model {run}",
    "inpaint": "cnnzoo inpaint in.png out.png --mask mask.png --model {run}",
    "upscale": "cnnzoo upscale in.jpg out.png --scale {scale} --model {run}",
    "enhance": "cnnzoo enhance in.jpg out.png --model {run}",
    "stylize": "cnnzoo evaluate {run}",
}
HELP = "train a recipe, or an architecture on any data; resume a run; or train a queue"
EXAMPLES = (
    "cnnzoo train cnn.mnist                     # the recipe of a checkpoint",
    "cnnzoo train dcgan --data digits --epochs 4 --seed 3 --out RUN",
    "cnnzoo train vae --data photos/ --config latent_dim=16 --config likelihood=logistic",
    "cnnzoo train --from espcn.x3 --data photos/         # fine-tunes a checkpoint",
    "cnnzoo train --from cnn.mnist --data digits --freeze backbone",
    "cnnzoo train --resume RUN                  # after Ctrl-C, a crash or a power cut",
    "cnnzoo train dcgan.mnist --score-every 5   # with scores on validation images",
    "cnnzoo train --queue FILE                  # such a run a line, each with --out",
    "cnnzoo train SEARCH/best --epochs 50       # the best settings from cnnzoo tune",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", help="a recipe, such as cnn.mnist or SEARCH/best, or an architecture, such as cnn"
    )
    parser.add_argument(
        "--data",
        help="a data set, a folder (<folder>/<split>/<label>/<image>, or images), or tfds:NAME, hf:NAME, wds:PATH, "
        "tfrecord:PATH, arrayrecord:PATH (see docs/data.md)",
    )
    parser.add_argument(
        "--epochs", type=arguments.integer(1), help="passes over the data (default: the recipe's, or 10)"
    )
    parser.add_argument(
        "--batch-size", type=arguments.integer(1), help="images per step (default: the recipe's, or 128)"
    )
    parser.add_argument("--seed", type=arguments.integer(0), help="the random seed (default: the recipe's, or 0)")
    parser.add_argument(
        "--crop",
        type=arguments.integer(1),
        help="side of crops of photographs (default: the recipe's, or 48)",
    )
    parser.add_argument(
        "--limit",
        type=arguments.integer(1),
        help="train on at most this number of images (default: the recipe's, or all)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        help="of the training steps (default: the recipe's, or auto, the fastest of this machine)",
    )
    parser.add_argument(
        "--clip-norm",
        type=arguments.positive,
        metavar="X",
        help="scale down each gradient of a larger norm, over all variables of a phase",
    )
    parser.add_argument(
        "--accumulate", type=arguments.integer(1), metavar="N", help="update by the mean gradient of N batches"
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        default=None,
        help="log the norm of the gradient of each phase",
    )
    parser.add_argument(
        "--score-every",
        type=arguments.integer(1),
        metavar="N",
        help="score held-out validation images every N epochs, into RUN/curve.json",
    )
    parser.add_argument(
        "--memory",
        type=arguments.memory,
        metavar="SIZE",
        help="stream pictures of a folder that take more, such as 2GB (default: half of the free memory)",
    )
    parser.add_argument(
        "--strategy",
        type=arguments.one_of("mirrored", "multi-worker"),
        metavar="NAME",
        help="mirrored: on all devices of this machine; multi-worker: on all workers in TF_CONFIG",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="MODEL",
        help="begin with the weights of a checkpoint or a finished run; without a name, with its settings too, at a "
        "tenth of its learning rates",
    )
    parser.add_argument(
        "--freeze",
        dest="frozen",
        metavar="PART",
        help="with --from, layers that stay as they are: discriminator/conv2d*,head; an unknown one lists all",
    )
    parser.add_argument("--out", type=Path, help="the run folder (default: a new one in ./runs)")
    arguments.config(parser, "a field of the architecture, as JSON")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="resume the run in this folder")
    parser.add_argument(
        "--queue",
        type=Path,
        metavar="FILE",
        help="train or resume a run for each line, with arguments as above, of a file",
    )


def run(args: argparse.Namespace) -> int:
    if args.queue is not None:
        if other := [key for key, value in vars(args).items() if value is not None and key not in BESIDE_QUEUE]:
            raise ValueError(f"--queue must be given alone. Received: also {', '.join(other)}")
        from cnnzoo.cli import queue

        return queue.run(args.queue, _queued)
    _check(args)
    from cnnzoo.training.loop import train
    from cnnzoo.training.progress import EpochBar  # with Keras

    with bars() as shown:
        run = train(
            args.name,
            data=args.data,
            epochs=args.epochs,
            batch_size=args.batch_size,
            seed=args.seed,
            crop=args.crop,
            limit=args.limit,
            precision=args.precision,
            clip_norm=args.clip_norm,
            accumulate=args.accumulate,
            watch=args.watch,
            score_every=args.score_every,
            memory=args.memory,
            strategy=args.strategy,
            start=args.start,
            frozen=args.frozen,
            out=args.out,
            resume=args.resume,
            config=dict(args.config) if args.config else None,
            callbacks=[EpochBar(shown)],
            verbose=2,  # one line per epoch; the bar shows the steps
        )
    print(f"trained weights: {run / 'model.weights.h5'}")
    print(f"next: {_next(run)}")
    return 0


def _queued(words: list[str]) -> argparse.Namespace:
    """The arguments in a line of a queue, checked.

    Raises:
        ValueError: One is invalid.
    """
    parser = arguments.LineParser(add_help=False)
    add_arguments(parser)
    args = parser.parse_args(words)
    if args.resume is None and args.queue is None:
        _check(args, queued=True)
    return args


def _check(args: argparse.Namespace, queued: bool = False) -> None:
    """Checks names, data and fields before a network library is imported.

    Raises:
        ValueError: One is invalid.
    """
    from cnnzoo.cli.queue import check_settings
    from cnnzoo.recipes import recipe
    from cnnzoo.recipes.json_files import find_recipe
    from cnnzoo.training.run_dir import Run, check_vacant, has_run

    if args.resume is not None:  # `cnnzoo.train` checks the other arguments
        Run.open(args.resume)
        return
    if args.name is None and args.start is None:
        raise ValueError(
            "name must be arch.tag, or arch with --data; or --from a model, or --resume a run folder. Received: neither"
        )
    if args.out is not None:
        checks.folder(args.out, "--out")
        if queued and has_run(args.out):
            check_settings(args)
        else:
            check_vacant(args.out)
    own = None if args.start is None else models.architecture(args.start)
    arch, tag = registry.split_name(args.name or str(own))
    if found := args.name and find_recipe(args.name):
        arch = found.checkpoint
    elif tag:
        recipe(args.name)
    checks.architecture(arch)
    if not (found or tag or args.data):
        raise ValueError(f"--data must be a data set, such as --data digits, or a folder for {arch!r}. Received: none")
    checks.data(args.data)
    checks.config(arch, dict(args.config or ()))


def _next(run: Path) -> str:
    from cnnzoo.training.run_dir import Run

    plan = Run.open(run).plan
    task = registry.architecture(plan["architecture"]).task
    return NEXT[task].format(run=shlex.quote(str(run)), scale=plan["config"].get("scale"))
