"""The scores of a card, with their protocol in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnnzoo.checkpoints import table
from cnnzoo.metrics.scores import Score

SETS = {"set5": "Set5", "set14": "Set14", "bsd68": "BSD68", "bsd100": "BSD100", "set12": "Set12"}
NONE = ""  # an empty cell


@dataclass(frozen=True)
class Numbers:
    """A table of scores.

    Attributes:
        header: Titles of the columns.
        rows: Cells; the first of each row is its title.
        protocol: How they were measured, in sentences.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    protocol: str


def numbers(card: Mapping[str, Any]) -> Numbers:
    """The main scores of a card."""
    works: dict[str, Callable[[Mapping[str, Any], Mapping[str, Score]], Numbers]] = {
        "upscale": _upscale,
        "restore": _restore,
        "inpaint": _inpaint,
        "enhance": _enhance,
        "stylize": _stylize,
        "classify": _classify,
        "generate": _generate,
        "reconstruct": _reconstruct,
    }
    return works[card["task"]](card, table.scores(card))


def _beside(name: str, scores: Mapping[str, Score], baseline: str) -> tuple[str, str]:
    """A score, and that of a baseline."""
    other = scores.get(f"{baseline}_{name}")
    return _decimals(scores[name]), NONE if other is None else _decimals(other)


def _decimals(score: Score) -> str:
    return f"{score.value:.2f}"


def _upscale(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    quality = table.JPEG if card["config"].get("degradation") == "real" else None
    rows = [
        (SETS[score.protocol["data"]], *_beside(name, scores, "bicubic"))
        for name, score in scores.items()
        if name.startswith("psnr_")
        and score.protocol["protocol"] == "Y-shave"
        and score.protocol.get("jpeg") == quality
    ]
    made = "made by antialiased bicubic downscaling" + (f" and JPEG of quality {quality}" if quality else "")
    words = (
        f"Mean over the photographs of each set, of the luma, without a border of {card['config']['scale']} pixels. "
        f"The small images are {made}. Higher is better."
    )
    return Numbers(("PSNR in dB", "this model", "bicubic"), tuple(rows), words)


def _restore(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    rows = [
        (f"{SETS[s.protocol['data']]}, sigma {s.protocol['sigma']:g}", *_beside(name, scores, "non_local_means"))
        for name, s in scores.items()
        if name.startswith("psnr_")
    ]
    words = "Mean over the photographs of each set, with Gaussian noise of a fixed seed, not clipped. Higher is better."
    return Numbers(("PSNR in dB", "this model", "non-local means"), tuple(rows), words)


def _inpaint(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    start = "hole_psnr_"
    rows = [
        (name.removeprefix(start), *_beside(name, scores, "biharmonic")) for name in scores if name.startswith(start)
    ]
    about = scores["hole_psnr"]
    data, (height, width, _) = about.protocol["data"], about.protocol["size"]
    protocol = (
        f"Mean over {about.n:,} test images of {SETS.get(data, data)}, {height}x{width} pixels, in the missing pixels "
        "alone; a row for each kind of mask. Higher is better."
    )
    return Numbers(("PSNR in holes, dB", "this model", "biharmonic"), tuple(rows), protocol)


def _enhance(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    rows = [
        (s.protocol["exposure"], *_beside(name, scores, "unchanged"))
        for name, s in scores.items()
        if name.startswith("psnr_")
    ]
    words = (
        "Mean over the 100 photographs of BSD100, by their exposure, against the well-exposed ones. Higher is better."
    )
    return Numbers(("PSNR in dB", "this model", "unchanged"), tuple(rows), words)


def _stylize(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    rows = [(f"{kind} loss", *_beside(f"{kind}_loss", scores, "photograph")) for kind in ("style", "content")]
    about = scores["style_loss"]
    words = (
        f"Mean over {about.n} pairs of a BSD100 photograph and a style, by the features of {about.protocol['network']}."
    )
    return Numbers(("", "painted", "photograph"), tuple(rows), f"{words} Lower is better.")


def _classify(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    accuracy = scores["accuracy"]
    low, high = accuracy.interval or (accuracy.value, accuracy.value)
    row = ("accuracy", str(accuracy), f"{low:.2f} to {high:.2f} %")
    words = f"Share of the {accuracy.n:,} test images that are classified correctly; the interval is Wilson's."
    return Numbers(("", "this model", "95 % interval"), (row,), words)


def _generate(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    rows = [("Fréchet distance", *(_decimals(scores[name]) for name in ("frechet", "frechet_floor")))]
    rows += [(name, _decimals(scores[name]), ideal) for name, ideal in (("density", "1"), ("coverage", "1"))]
    if (agreed := scores.get("label_agreement")) is not None:
        real = agreed.protocol.get("accuracy on real images")
        rows.append(("label accuracy", str(agreed), NONE if real is None else f"{real:.2f} %"))
    about = scores["frechet"]
    words = (
        f"{about.n:,} samples against as many test images, by the features of {about.protocol['extractor']}, so it is "
        f"not an FID; mean over {len(about.protocol['generation seeds'])} seeds. Lower is better for the distance, "
        "higher for the rest."
    )
    return Numbers(("", "this model", "real images"), tuple(rows), words)


def _reconstruct(card: Mapping[str, Any], scores: Mapping[str, Score]) -> Numbers:
    error, other = scores["mse"], scores.get("pca_mse")
    rows = [("mean squared error", f"{error.value:.4f}", NONE if other is None else f"{other.value:.4f}")]
    words = f"Mean over {error.n:,} test images, pixels in [0, 1]. Lower is better."
    if other is not None:
        words = f"PCA has as many numbers, {other.protocol['components']}. {words}"
    if (bound := scores.get("bits_per_dim") or scores.get("iw_nll")) is not None:
        unit = "bits per dimension" if bound.name == "bits_per_dim" else "negative log-likelihood, nats"
        rows.append((unit, f"≤ {bound.value:.4g}", NONE))
        words += f" The bound of the likelihood is from {bound.protocol['samples']:,} draws for {bound.n:,} images."
    return Numbers(("", "this model", "PCA"), tuple(rows), words)
