"""Plots a score on validation images against the core-hours of training, one line per run.

    python benchmarks/quality/curves.py runs/dcgan.mnist docs/curves/script.json --score coverage --out chart.png

A curve is a run folder of `cnnzoo train --score-every`, or a JSON file in the format of its curve.json: a list of
objects with `core_hours` and scores. `cnnzoo runs --plot` accepts run folders only.
"""

import argparse
from pathlib import Path

from cnnzoo.training.curves import chart, points
from cnnzoo.utils.atomic_files import write_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", nargs="+", type=Path, help="a run folder, or a JSON file like its curve.json")
    parser.add_argument("--score", required=True, help="such as frechet_over_floor")
    parser.add_argument("--out", required=True, type=Path, help="a .png file")
    args = parser.parse_args()
    names = [path.name if path.is_dir() else path.stem for path in args.curve]
    names = names if len(set(names)) == len(names) else list(map(str, args.curve))
    try:
        curves = {name: points(path, args.score) for name, path in zip(names, args.curve, strict=True)}
    except ValueError as error:
        raise SystemExit(str(error)) from None
    write_bytes(args.out, chart(curves, args.score))


if __name__ == "__main__":
    main()
