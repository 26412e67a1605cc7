"""`cnnzoo tune`"""

import argparse
from pathlib import Path
from typing import Any

from cnnzoo.cli import arguments, checks
from cnnzoo.utils.terminal import bars, print_json

HELP = "search hyperparameters of an architecture, by a metric on validation images"
EXAMPLES = (
    "cnnzoo tune vae --data mnist --trials 12",
    "cnnzoo tune dcgan --data fashion_mnist --tuner hyperband --epochs 9 --limit 10000",
    "cnnzoo tune cnn --data digits --space learning_rate=1e-4..1e-2 --space 'batch_size=[32, 64]'",
    "cnnzoo tune vae --data mnist --config latent_dim=2 --objective negative_elbo --out SEARCH",
    "cnnzoo train SEARCH/best --epochs 50       # train the best settings",
)
TUNERS = ("random", "hyperband", "bayesian")
OBJECTIVES = (
    "accuracy", "iw_nll", "negative_elbo", "mse", "psnr", "ssim", "hole_psnr", "frechet", "kernel_distance", "coverage",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="an architecture, such as vae")
    parser.add_argument("--data", required=True, help="a data set, or a folder <folder>/<split>/<label>/<image>")
    parser.add_argument(
        "--tuner",
        type=arguments.one_of(*TUNERS),
        default="bayesian",
        help="random, hyperband or bayesian (default: bayesian)",
    )
    parser.add_argument(
        "--trials", type=arguments.integer(1), default=12, help="number of trials, at most (default: 12)"
    )
    parser.add_argument("--epochs", type=arguments.integer(1), default=5, help="epochs per trial (default: 5)")
    parser.add_argument(
        "--limit", type=arguments.integer(1), help="train on at most this number of images (default: all)"
    )
    parser.add_argument("--seed", type=arguments.integer(0), default=0, help="the random seed (default: 0)")
    parser.add_argument("--crop", type=arguments.integer(1), help="side of crops of photographs (default: 48)")
    parser.add_argument(
        "--objective",
        type=arguments.one_of(*OBJECTIVES),
        help=f"{', '.join(OBJECTIVES[:-1])} or {OBJECTIVES[-1]} (default: the first that applies to the architecture)",
    )
    parser.add_argument(
        "--space",
        type=_domain,
        action="append",
        metavar="KEY=DOMAIN",
        help="search only these fields, in [a, list] or LOW..HIGH (default: the search space of the "
        "architecture); fields are those of the configuration, learning_rate and batch_size",
    )
    parser.add_argument(
        "--out", type=Path, help="the folder, new or of the same search (default: ./runs/ARCH.DATA.search)"
    )
    arguments.config(parser, "a fixed field, as JSON")
    arguments.json_flag(parser)


def run(args: argparse.Namespace) -> None:
    from cnnzoo.tuning.space import TRAINING

    if "." not in args.name:  # a checkpoint is an error of the search
        checks.architecture(args.name)
    checks.data(args.data)
    checks.fields(args.name, [key for key, _ in args.space or () if key not in TRAINING])
    checks.config(args.name, dict(args.config or ()))
    if args.out is not None:
        checks.folder(args.out, "--out")
    from cnnzoo.training.progress import EpochBar  # with Keras
    from cnnzoo.tuning import tune

    options = ("data", "tuner", "trials", "epochs", "limit", "seed", "crop", "objective", "out")
    with bars() as shown:
        search = tune(
            args.name,
            **{key: getattr(args, key) for key in options},
            space=dict(args.space) if args.space else None,
            config=dict(args.config) if args.config else None,
            callbacks=[EpochBar(shown)],
            verbose=not args.json,
        )
    if args.json:
        print_json(search.to_json())


def _domain(text: str) -> tuple[str, Any]:
    from cnnzoo.tuning.space import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
