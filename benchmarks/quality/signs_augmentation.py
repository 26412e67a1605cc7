"""Measures the effect of differentiable augmentation: a DCGAN on a fifth of the photographs of hand signs.

    python benchmarks/quality/signs_augmentation.py --epochs 300 --out runs/signs

The runs with and without augmentation have the same settings, images (`limit`), seeds and number of steps. Scores are
those of `cnnzoo.evaluate` on test photographs, in the features of `cnn.signs`. Finished runs are not trained again.
"""

import argparse
from pathlib import Path

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.data import load
from cnnzoo.utils.terminal import print_table

SHOWN = ("frechet", "frechet_over_floor", "density", "coverage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--share", type=float, default=0.2, help="of the training images")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    limit = round(asked.share * len(load("signs").images))
    rows = []
    for name, kinds in {"with": ["color", "translation", "cutout"], "without": []}.items():
        run = asked.out / name
        if not (run / "run.json").exists():
            settings = {"limit": limit, "epochs": asked.epochs, "config": {"augmentation": kinds}}
            cnnzoo.train("dcgan.signs", out=run, verbose=0, **settings)
        else:
            cnnzoo.train(resume=run, verbose=0)
        report = cnnzoo.evaluate(checkpoints.load(run), "signs")
        rows.append((name, *(f"{report[score].value:.3f}" for score in SHOWN)))
    print_table(f"{limit} photographs, {asked.epochs} epochs", ("augmentation", *SHOWN), rows)


if __name__ == "__main__":
    main()
