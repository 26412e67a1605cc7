"""Charts that compare runs: their loss by epoch, or a score by the core-hours of training."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from cnnzoo.training.run_dir import CURVE, HISTORY
from cnnzoo.training.status import ABOUT, finite
from cnnzoo.utils.json_content import content
from cnnzoo.utils.optional import require

Curve = Sequence[tuple[float, float]]
NAMES = {  # of scores
    "frechet": "Fréchet distance, validation images",
    "frechet_over_floor": "Fréchet / train-validation distance",
}


def points(path: Path, score: str | None = None) -> list[tuple[float, float]]:
    """A curve of a run: (core-hours, score) of `curve.json`, or (epoch, loss) of `history.json` for None.

    Args:
        path: A run folder, or a file like its `curve.json` or `history.json`.
        score: The name of a score of the curve.

    Raises:
        ValueError: There is no such file, or no such score in it.
    """
    x, y, name, option = ("epoch", "loss", HISTORY, "")
    if score is not None:
        x, y, name, option = ("core_hours", score, CURVE, " --score-every")
    file = path / name if path.is_dir() else path
    try:
        entries = content(file, list)
        names = sorted({name for entry in entries for name in entry} - set(ABOUT))
        found = [(float(entry[x]), entry[y]) for entry in entries if finite(entry.get(y)) is not None]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} must be written by cnnzoo train{option}. Received: {error}") from None
    if not found and score is None:
        raise ValueError(f"{file} must have the loss of an epoch. Received: {', '.join(names) or 'no epochs'}")
    if not found:
        raise ValueError(
            f"--score must be one of {', '.join(names) or 'none yet'}, the scores in {path}. Received: {y}"
        )
    return found


def chart(curves: Mapping[str, Curve], score: str | None = None) -> bytes:
    """A chart of curves from `points`, by name, as PNG, 960 pixels wide.

    The vertical axis is logarithmic where the values span more than a factor of 4. The legend has the last values.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    require("a chart of runs", "plots", "matplotlib")
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        x, y = zip(*points, strict=True)
        axes.plot(x, y, marker="o", markersize=4, label=f"{name}: {y[-1]:.3g}")
    drawn = [value for points in curves.values() for _, value in points]
    if min(drawn) > 0 and max(drawn) > 4 * min(drawn):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.minorticks_off()
    axes.set_xlim(left=0)
    axes.set_xlabel("epoch" if score is None else "core-hours of training")
    axes.set_ylabel(
        "loss, training images" if score is None else NAMES.get(score, f"{score.replace('_', ' ')}, validation images")
    )
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    written = BytesIO()
    figure.savefig(written, format="png", dpi=120)
    return written.getvalue()
