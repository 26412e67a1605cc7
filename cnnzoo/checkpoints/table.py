"""Summaries of checkpoints and architectures, from cards and source files, without importing a network library.

python -m cnnzoo.checkpoints.table      # writes the table of checkpoints into docs/checkpoints.md
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from cnnzoo import registry
from cnnzoo.checkpoints import shipped
from cnnzoo.metrics.scores import Score
from cnnzoo.recipes import list_recipes
from cnnzoo.utils import source
from cnnzoo.utils.atomic_files import write_text

BEGIN, END = "<!-- checkpoints: written by python -m cnnzoo.checkpoints.table -->", "<!-- end of checkpoints -->"


JPEG = 75  # the quality of JPEG in headlines, one of several on the card


def scores(card: Mapping[str, Any]) -> dict[str, Score]:
    """The scores on a card: {name: score}."""
    return {content["name"]: Score.from_json(content) for content in card["scores"]}


def headline(card: Mapping[str, Any]) -> str:
    """The main scores of a checkpoint as text, with their data and intervals."""
    by_name = scores(card)
    if "accuracy" in by_name:
        return f"accuracy {by_name['accuracy']}"
    if "bits_per_dim" in by_name:
        return _bound(by_name["bits_per_dim"], "", "bits per dimension", 2)
    if "iw_nll" in by_name:
        given = "NLL given the label" if "given" in by_name["iw_nll"].protocol else "NLL"
        return _bound(by_name["iw_nll"], f"{given} ", "nats", 1)
    if "mse_over_pca" in by_name:
        samples = f", samples: {_likeness(by_name)}" if "frechet" in by_name else ""
        return f"MSE {by_name['mse']}, {by_name['mse_over_pca'].value:.2f} of PCA's{samples}"
    if "frechet" in by_name:
        return _likeness(by_name)
    if "hole_psnr" in by_name:
        ours, other = (by_name[name].value for name in ("hole_psnr", "biharmonic_hole_psnr"))
        return f"PSNR in holes {ours:.2f} dB, biharmonic {other:.2f} dB ({by_name['hole_psnr'].protocol['data']})"
    if "style_loss" in by_name:
        painted, photograph = (by_name[name].value for name in ("style_loss", "photograph_style_loss"))
        return f"style loss {painted:.3f} (photographs {photograph:.3f}), content loss {by_name['content_loss']}"
    restored = [score for name, score in by_name.items() if name.startswith("psnr_")]
    restored = [score for score in restored if score.protocol.get("jpeg", JPEG) == JPEG]
    if restored := [score for score in restored if score.protocol.get("protocol", "Y-shave") == "Y-shave"]:
        return "PSNR " + ", ".join(_restored(score) for score in restored)
    return ", ".join(f"{name} {score}" for name, score in by_name.items()) or "not scored"


# The main score is the first of these on a card; with its text.
KEY_SCORES = {
    "accuracy": "accuracy {}",
    "bits_per_dim": "≤ {} per dimension",
    "iw_nll": "NLL ≤ {}",
    "frechet": "Fréchet {}",
    "mse": "MSE {}",
    "hole_psnr": "PSNR in holes {}",
    "style_loss": "style loss {}",
}


def key_name(names: Collection[str]) -> str | None:
    """The name of the main score among some; None if there is none."""
    # The samples of an autoencoder are not its main purpose.
    hidden = {"frechet"} if "mse" in names else set()
    found = next((name for name in KEY_SCORES if name in names and name not in hidden), None)
    return found or next((name for name in names if name.startswith("psnr_")), None)


def key_score(card: Mapping[str, Any]) -> Score | None:
    """The main score of a card; None if it has none."""
    by_name = scores(card)
    name = key_name(by_name)
    return None if name is None else by_name[name]


def in_words(score: Score) -> str:
    """A main score as text, such as "PSNR 33.33 dB (set5)"."""
    if score.name in KEY_SCORES:
        return KEY_SCORES[score.name].format(score)
    return f"PSNR {_restored(score)}"


def _restored(score: Score) -> str:
    """A PSNR with its data set and degradation, such as "28.94 dB (bsd68, sigma 25)"."""
    about = score.protocol
    given = f", sigma {about['sigma']:g}" if "sigma" in about else ""
    given += f", {about['exposure']}" if "exposure" in about else ""
    given += f", JPEG {about['jpeg']}" if "jpeg" in about else ""
    return f"{score.value:.2f} dB ({about['data']}{given})"


def _bound(score: Score, name: str, unit: str, decimals: int) -> str:
    """An upper bound with its 95 % interval, if it has one, and the numbers of images and samples."""
    value, *ends = (f"{x:.{decimals}f}" for x in (score.value, *(score.interval or ())))
    interval = f"95 %: {ends[0]} to {ends[1]}; " if ends else ""
    return f"{name}≤ {value} {unit} ({interval}{score.n:,} images, K = {score.protocol['samples']})"


def _likeness(by_name: Mapping[str, Score]) -> str:
    """The scores of generated images: distance, density, coverage, and label accuracy of conditional models."""
    frechet, floor, density, coverage = (by_name[n] for n in ("frechet", "frechet_floor", "density", "coverage"))
    ratio = float(f"{frechet.value / floor.value:.2g}")  # the floor is not more precise
    spread = floor.protocol.get("standard deviation over sets")
    known = f"{floor.value:#.2g}".rstrip(".") + (f", sd {spread:.1g}" if spread is not None else "")
    text = f"Fréchet {frechet.value:.2f} ({ratio:g} times the train-test distance of {known}), "
    text += f"density {density.value:.2f} (1 is ideal), coverage {coverage.value:.2f}"
    if "label_agreement" not in by_name:
        return text
    accuracy = by_name["label_agreement"]
    right = accuracy.protocol.get("accuracy on real images")
    judge = "" if right is None else f" by a judge that is right on {right:.2f} % of real images"
    return f"{text}, label accuracy {accuracy}{judge}"


def size(count: float, unit: str) -> str:
    """A number with a metric prefix, such as "61.7 k" for 61706."""
    for power, prefix in ((1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * power:
            return f"{count / power:.3g} {prefix}{unit}"
    return f"{count:.0f} {unit}".strip()


def table() -> str:
    """The shipped checkpoints as a Markdown table."""
    rows = ["| checkpoint | task | trained on | measured on its test split | parameters | files |"]
    rows.append("| --- | --- | --- | --- | ---: | ---: |")
    for card in shipped.cards():
        cells = [f"`{card['name']}`", card["task"], card["data"]["name"], headline(card)]
        cells += [size(card["parameters"], ""), size(card["bytes"], "B")]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) if len(rows) > 2 else "None is shipped yet."


def with_table(text: str) -> str:
    """Replaces the table between the two markers of a text by the current one.

    Raises:
        ValueError: It lacks a marker.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The text must have the lines {BEGIN!r} and {END!r}. Received: a text without them")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def architecture_card(name: str) -> dict[str, Any]:
    """The summary, description and default configuration of an architecture, from its source file.

    Raises:
        UnknownName: There is none of that name.
    """
    if name not in registry.list_models():
        raise registry.UnknownName("architecture", name, [*registry.list_models(), *shipped.list_checkpoints()])
    lineage = source.lineage(name)
    return {
        "name": name,
        "summary": source.summary(name),
        "description": source.docstring(lineage[0]),
        "config": {key: field.default for key, field in source.fields(lineage).items()},
        "checkpoints": shipped.list_checkpoints(name),
        "recipes": list_recipes(name),
    }


def main() -> None:
    page = Path(__file__).parents[2] / "docs" / "checkpoints.md"
    write_text(page, with_table(page.read_text(encoding="utf-8")))
    print(f"{page}: {len(shipped.list_checkpoints())} checkpoints")


if __name__ == "__main__":
    main()
