"""Draws a score on validation images against the core-hours of training, a line for each run.

    python benchmarks/quality/curves.py runs/dcgan.mnist docs/curves/script.json --score coverage --out chart.png

A curve is a run folder of `cnnzoo train --score-every`, or a JSON file like its curve.json: a list of objects with
`core_hours` and scores. The legend has the last value of each.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

Curve = list[tuple[float, float]]  # (core-hours, score)


def read(path: Path, score: str) -> Curve:
    """The points of a curve with that score.

    Raises:
        SystemExit: There is none.
    """
    file = path / "curve.json" if path.is_dir() else path
    try:
        entries = json.loads(file.read_text())
        names = sorted({name for entry in entries for name in entry} - {"epoch", "step", "core_hours"})
        points = [(entry["core_hours"], entry[score]) for entry in entries if entry.get(score) is not None]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemExit(f"{file} must be a curve of cnnzoo train --score-every. Received: {error!r}") from None
    if not points:
        raise SystemExit(f"--score must be one of {', '.join(names)} for {path}. Received: {score}")
    return points


def draw(curves: Mapping[str, Curve], score: str, out: Path) -> None:
    """Writes the chart, 960 pixels wide. The score is on a logarithmic axis where it spans more than a factor of 4."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        hours, values = zip(*points, strict=True)
        axes.plot(hours, values, marker="o", markersize=4, label=f"{name}: {values[-1]:.3g}")
    drawn = [value for points in curves.values() for _, value in points]
    if min(drawn) > 0 and max(drawn) > 4 * min(drawn):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.minorticks_off()
    axes.set_xlim(left=0)
    axes.set_xlabel("core-hours of training")
    axes.set_ylabel(f"{score.replace('_', ' ')}, validation images")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    figure.savefig(out, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", nargs="+", type=Path, help="a run folder, or a JSON file like its curve.json")
    parser.add_argument("--score", required=True, help="such as frechet_over_floor")
    parser.add_argument("--out", required=True, type=Path, help="a .png file")
    args = parser.parse_args()
    names = [path.name if path.is_dir() else path.stem for path in args.curve]
    names = names if len(set(names)) == len(names) else list(map(str, args.curve))
    draw({name: read(path, args.score) for name, path in zip(names, args.curve, strict=True)}, args.score, args.out)


if __name__ == "__main__":
    main()
