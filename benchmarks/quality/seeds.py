"""Measures coverage, density and Fréchet distance of a GAN over five seeds, and counts collapsed runs.

    python benchmarks/quality/seeds.py cgan --data digits --epochs 100 --out runs/seeds
    python benchmarks/quality/seeds.py dcgan.mnist --data mnist --epochs 50 --out runs/seeds
    python benchmarks/quality/seeds.py gan --data digits --epochs 400 --validation --out runs/chosen

The first command needs no download and takes most of an hour on a slow core. The name is an architecture, for its
default settings, or a recipe. A run is collapsed if its coverage at the end, measured as by `cnnzoo evaluate`, is below
0.6; a run that is too short to reach 0.6 counts as collapsed, too. The third command is for the choice of settings: it
trains without the validation images and scores on them, so that the test images stay unused. An interrupted command
continues when it is repeated: it skips finished runs and resumes unfinished ones.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.recipes import Recipe
from cnnzoo.recipes.json_files import write_recipe
from cnnzoo.training.run_dir import Run
from cnnzoo.utils.terminal import print_table

SEEDS = 5
COLLAPSED = 0.6  # coverage
COLUMNS = ("coverage", "density", "frechet", "frechet_over_floor")


def check_same(folder: Path, epochs: int, config: dict[str, Any]) -> None:
    """Raises ValueError if the run in a folder was started with other settings."""
    plan = Run.open(folder).plan
    other = [f"{key}={plan['config'].get(key)!r}" for key, value in config.items() if plan["config"].get(key) != value]
    other += [f"epochs={plan['epochs']}"] if plan["epochs"] != epochs else []
    if other:
        raise ValueError(
            f"The settings must be those of the run in {folder}, {', '.join(other)}; for others give another --out. "
            f"Received: epochs={epochs}, config={config}"
        )


def begin(asked: argparse.Namespace, folder: Path, seed: int) -> None:
    """Trains a run from one seed."""
    settings: dict[str, Any] = {"data": asked.data, "epochs": asked.epochs, "seed": seed}
    if asked.validation:
        write_recipe(folder, Recipe(checkpoint=asked.name, **settings, split="fit", expects="", config=asked.config))
        cnnzoo.train(folder, out=folder, verbose=0)
    else:
        cnnzoo.train(asked.name, **settings, config=asked.config, out=folder, verbose=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="arch or arch.tag")
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--config", type=json.loads, default={}, help="fields of the architecture, as a JSON object")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the five run folders")
    parser.add_argument("--validation", action="store_true", help="judge an architecture by validation images")
    asked = parser.parse_args()
    if asked.validation and "." in asked.name:
        parser.error(
            f"--validation must be given with an architecture, since recipes say their split. Received: {asked.name!r}"
        )

    rows, whole = [], 0
    for seed in range(SEEDS):
        keras.backend.clear_session()
        folder = asked.out / f"{asked.name}.{asked.data}.seed{seed}"
        if (folder / "run.json").exists():
            check_same(folder, asked.epochs, asked.config)
            cnnzoo.train(resume=folder, verbose=0)
        else:
            begin(asked, folder, seed)
        report = cnnzoo.evaluate(checkpoints.load(folder), asked.data, "validation" if asked.validation else "test")
        holds = report["coverage"].value >= COLLAPSED
        whole += holds
        rows.append((str(seed), *(str(report[column]) for column in COLUMNS), "no" if holds else "yes"))
        print(*rows[-1], flush=True)
    title = f"{asked.name} on {asked.data}, {asked.epochs} epochs: {whole} of {SEEDS} without a collapse"
    print_table(title, ("seed", *COLUMNS, "collapsed"), rows)


if __name__ == "__main__":
    main()
