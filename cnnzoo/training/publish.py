"""Makes a checkpoint of a finished training run: scores it on the test split and writes its card.

    python -m cnnzoo.training.publish runs/cnn.mnist
    python -m cnnzoo.training.publish --rescore cnn.mnist    # a checkpoint that is there, whose files stay
"""

import argparse
import ast
import importlib.util
from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.evaluation import evaluate
from cnnzoo.files import write_json
from cnnzoo.registry import from_config
from cnnzoo.training.recipes import recipe
from cnnzoo.training.runs import Run

# How each data set may be used, as its makers or keepers say.
LICENCES = {
    "mnist": "CC BY-SA 3.0",
    "fashion_mnist": "MIT",
    "cifar10": "none stated",
    "cmaterdb": "Apache-2.0, for non-commercial use",
    "digits": "CC BY 4.0",
    "signs": "Apache-2.0",
    "t91": "none stated",
    "bsds500": "for non-commercial research and education",
    "train400": "for non-commercial research and education",
}
# Most of the autoencoders and games are larger; their weights are stored as float16.
LARGE = 400_000


def publish(run: str | Path, out: str | Path | None = None, progress=None) -> checkpoints.Checkpoint:
    """Scores the model of a run, trained from a recipe, and writes `<out>/<arch.tag>`.

    Args:
        run: The folder of a finished run.
        out: The folder of all checkpoints; by default that of this installation.
        progress: Called with (done, total) in long measurements.

    Raises:
        ValueError: It was not trained from a recipe, or with other settings than its recipe's.
        CheckpointError: It is not finished.
    """
    plan = Run.open(run).plan
    name, data = plan["name"], plan["data"]
    if "." not in name:
        raise ValueError(f"got a run of {name!r}; allowed: one that was trained from a recipe, arch.tag")
    if other := _departures(plan):
        raise ValueError(f"got a run of {name!r} with another {', '.join(other)}; allowed: one as its recipe says")
    model = checkpoints.load(run).fused()
    half = sum(int(w.numpy().size) for w in model.weights) > LARGE
    if half:
        checkpoints.round_to_half(model)  # what is scored is what is stored
    kept = ("epochs", "steps", "batch_size", "seed", "crop", "start", "limit", "optimizers", "versions")
    return checkpoints.save(
        model,
        Path(out or checkpoints.saved_models_dir()) / name,
        name=name,
        description=_docstring(f"cnnzoo.training.recipes.{name.replace('.', '_')}").splitlines()[0].rstrip("."),
        paper=_source(plan["architecture"]),
        data={"name": data, "split": plan["split"], "licence": _licence(data)},
        recipe={"command": f"cnnzoo train {name}", **{key: plan[key] for key in kept if key in plan}},
        scores=_scores(model, data, progress),
        half=half,
    )


def rescore(name: str, out: str | Path | None = None, progress=None) -> checkpoints.Checkpoint:
    """Measures a checkpoint anew and replaces the scores on its card; all else stays as it is.

    Args:
        name: "arch.tag".
        out: The folder of all checkpoints; by default that of this installation.
        progress: Called with (done, total) in long measurements.

    Raises:
        CheckpointError: There is none, or its files are not those of its card.
    """
    folder = Path(out or checkpoints.saved_models_dir()) / name
    card = checkpoints.open_checkpoint(folder).card
    scores = _scores(checkpoints.load(folder), card["data"]["name"], progress)
    write_json(folder / checkpoints.CARD, {**card, "scores": scores})
    return checkpoints.open_checkpoint(folder)


def _scores(model: Any, data: str, progress) -> list[dict[str, Any]]:
    """What is measured of a checkpoint, as its card has it."""
    from cnnzoo.export.costs import litert_costs

    report = evaluate(model, data, progress=progress)
    return [score.to_json() for score in (*report.scores, *litert_costs(model, data))]


def _departures(plan: dict[str, Any]) -> list[str]:
    """The settings of a run that are not those of its recipe."""
    base = recipe(plan["name"])
    own = from_config(plan["architecture"], dict(base.config)).get_config()
    config = [f"config {key}" for key, value in plan["config"].items() if own[key] != value]
    kept = ("data", "split", "epochs", "batch_size", "seed", "crop", "limit")
    return [key for key in kept if key in plan and plan[key] != getattr(base, key)] + config


def _licence(data: str) -> str:
    """The terms of a data set, or of each of several joined by "+"."""
    terms = [LICENCES.get(part.split("/")[0], "not known") for part in data.split("+")]
    return "; ".join(dict.fromkeys(terms))


def _docstring(module: str) -> str:
    """The docstring of a module, read without importing it."""
    return ast.get_docstring(ast.parse(Path(importlib.util.find_spec(module).origin).read_text())) or ""


def _source(architecture: str) -> str:
    """What the module of an architecture names as its source."""
    paragraphs = _docstring(f"cnnzoo.models.{architecture}").split("\n\n")
    sources = [p.removeprefix("Source: ") for p in paragraphs if p.startswith("Source: ")]
    return " ".join(sources[0].split()) if sources else "none; a plain convolutional network"


def main(arguments: list[str] | None = None) -> None:
    from cnnzoo.terminal import progress

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("run", nargs="?", help="the folder of a finished run")
    what.add_argument("--rescore", metavar="NAME", help="a checkpoint to measure anew")
    parser.add_argument("--out", help="the folder of all checkpoints (default: that of this installation)")
    asked = parser.parse_args(arguments)
    make, of = (rescore, asked.rescore) if asked.rescore else (publish, asked.run)
    with progress("scoring") as update:
        made = make(of, asked.out, update)
    for score in made.card["scores"]:
        print(f"{score['name']:20} {score['value']:.6g} {score['unit']}")
    print(made.path)


if __name__ == "__main__":
    main()
