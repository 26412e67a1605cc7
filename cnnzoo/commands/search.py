"""Searching good settings."""

import argparse
from pathlib import Path
from typing import Any

from cnnzoo.terminal import bars, print_json


def arguments(to: argparse.ArgumentParser) -> None:
    """What `cnnzoo tune` takes."""
    to.add_argument("name", help="an architecture, such as vae")
    to.add_argument("--data", required=True, help="a data set, or a folder <folder>/<split>/<label>/<image>")
    to.add_argument("--tuner", default="bayesian", help="random, hyperband or bayesian (default: bayesian)")
    to.add_argument("--trials", type=int, default=12, help="how many trainings at most (default: 12)")
    to.add_argument("--epochs", type=int, default=5, help="passes over the data of each (default: 5)")
    to.add_argument("--limit", type=int, help="train on so many of the images alone (default: all)")
    to.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    to.add_argument("--crop", type=int, help="side of the crops of photographs (default: 64)")
    to.add_argument(
        "--objective",
        help="accuracy, iw_nll, negative_elbo, mse, psnr, ssim, hole_psnr, frechet, kernel_distance or coverage "
        "(default: the first of these that the architecture has)",
    )
    to.add_argument(
        "--space",
        type=_domain,
        action="append",
        metavar="KEY=DOMAIN",
        help="search these fields alone, in [a, list] or between LOW..HIGH (default: what stands beside the "
        "architecture); beside those of the configuration there are learning_rate and batch_size",
    )
    to.add_argument("--out", type=Path, help="the folder, new or of the same search (default: ./runs/ARCH.DATA.search)")


def tune(asked: argparse.Namespace) -> None:
    from cnnzoo.training.progress import EpochBar
    from cnnzoo.tuning import tune

    options = ("data", "tuner", "trials", "epochs", "limit", "seed", "crop", "objective", "out")
    with bars() as shown:
        search = tune(
            asked.name,
            **{key: getattr(asked, key) for key in options},
            space=dict(asked.space) if asked.space else None,
            config=dict(asked.config) if asked.config else None,
            callbacks=[EpochBar(shown)],
            verbose=not asked.json,
        )
    if asked.json:
        print_json(search.to_json())


def _domain(text: str) -> tuple[str, Any]:
    from cnnzoo.tuning.space import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
