"""Publishes a finished training run as a checkpoint: scores it on the test split and writes its card.

python -m cnnzoo.cli.publish runs/cnn.mnist
python -m cnnzoo.cli.publish --rescore cnn.mnist    # an existing checkpoint; its weights stay
python -m cnnzoo.cli.publish --graphs espcn.x3      # writes its ONNX files anew; its weights and scores stay
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.checkpoints.card import write_card
from cnnzoo.checkpoints.pushing import KEPT
from cnnzoo.data import DataNotFound
from cnnzoo.data.catalog import license_of
from cnnzoo.evaluation import evaluate
from cnnzoo.evaluation.options import Progress
from cnnzoo.recipes import optimizers_of, recipe
from cnnzoo.registry import from_config
from cnnzoo.training.run_dir import Run
from cnnzoo.utils.source import paper

# Larger models are stored as float16; most autoencoders and GANs are.
LARGE = 400_000
TOLERANCE = 0.001  # relative, between two measurements of a score


def publish(run: str | Path, out: str | Path | None = None, progress: Progress | None = None) -> checkpoints.Checkpoint:
    """Scores the model of a run of a recipe, and writes the checkpoint `<out>/<arch.tag>`.

    Args:
        run: The folder of a finished run.
        out: The folder of all checkpoints; of this installation by default.
        progress: Called with (done, total) in long measurements.

    Raises:
        ValueError: The run is not of a recipe, or has other settings than its recipe.
        CheckpointError: The run is not finished.
    """
    plan = Run.open(run).plan
    name, data = plan["name"], plan["data"]
    if "." not in name:
        raise ValueError(f"The run must be trained from a recipe, arch.tag. Received: a run of {name!r}")
    if other := _departures(plan):
        raise ValueError(f"The run of {name!r} must be as its recipe says. Received: another {', '.join(other)}")
    model = checkpoints.load(run).reparameterized()
    half = sum(int(w.numpy().size) for w in model.weights) > LARGE
    if half:
        checkpoints.round_to_half(model)  # so that the stored weights are scored
    saved = checkpoints.save(
        model,
        Path(out or checkpoints.saved_models_dir()) / name,
        name=name,
        description=recipe(name).summary,
        paper=paper(plan["architecture"]),
        data={"name": data, "split": plan["split"], "licence": license_of(data)},
        recipe={"command": f"cnnzoo train {name}", **{key: plan[key] for key in KEPT if key in plan}},
        scores=_scores(model, data, progress),
        half=half,
    )
    return _with_graphs(saved)


def graphs(name: str, out: str | Path | None = None) -> checkpoints.Checkpoint:
    """Writes the ONNX files of a checkpoint of photographs anew, and nothing else.

    Args:
        name: "arch.tag".
        out: The folder of all checkpoints; of this installation by default.

    Raises:
        CheckpointError: There is none, its files differ from its card, or its graphs do not give its golden.
    """
    return _with_graphs(checkpoints.open_checkpoint(Path(out or checkpoints.saved_models_dir()) / name))


def _with_graphs(checkpoint: checkpoints.Checkpoint) -> checkpoints.Checkpoint:
    """A checkpoint with graphs, compared with its golden; as it is if its task is not one of photographs."""
    from cnnzoo.export.graphs import add_graphs
    from cnnzoo.runtime import open_model

    made = add_graphs(checkpoint)
    if (model := open_model(made.path)) is not None:
        difference = checkpoints.check_golden(made, model)
        if not difference <= checkpoints.TOLERANCE:
            raise checkpoints.CheckpointError(f"the graphs of {made.path} differ from its golden by {difference:.1e}")
    return made


def rescore(name: str, out: str | Path | None = None, progress: Progress | None = None) -> checkpoints.Checkpoint:
    """Measures a checkpoint again and replaces the scores on its card, and nothing else.

    Args:
        name: "arch.tag".
        out: The folder of all checkpoints; of this installation by default.
        progress: Called with (done, total) in long measurements.

    Raises:
        CheckpointError: There is none, its files differ from its card, or a score is not finite.
    """
    folder = Path(out or checkpoints.saved_models_dir()) / name
    card = checkpoints.open_checkpoint(folder).card
    scores = _scores(checkpoints.load(folder), card["data"]["name"], progress)
    write_card({**card, "scores": scores}, folder, folder / checkpoints.CARD)
    return checkpoints.open_checkpoint(folder)


def check(name: str, out: str | Path | None = None, progress: Progress | None = None) -> list[str]:
    """Measures a checkpoint again and compares it with its card; changes nothing.

    The relative tolerance is `TOLERANCE`, since float32 rounding differs between processors. A percentage may differ
    by one image, and a PSNR by 0.005 dB.

    Args:
        name, out, progress: As for `rescore`.

    Returns:
        One line for each difference in a value, number of images or protocol, and for each score of one side alone.

    Raises:
        CheckpointError: There is none, or its files differ from its card.
        DataNotFound: The test data are not on this machine.
    """
    folder = Path(out or checkpoints.saved_models_dir()) / name
    card = checkpoints.open_checkpoint(folder).card
    found = json.loads(json.dumps(_scores(checkpoints.load(folder), card["data"]["name"], progress)))
    measured = {score["name"]: score for score in found}
    recorded = {score["name"]: score for score in card["scores"]}
    differences = [f"{name}: only on the card" for name in recorded if name not in measured]
    differences += [f"{name}: not on the card" for name in measured if name not in recorded]
    for name, score in recorded.items():
        if name in measured:
            differences += [f"{name}: {difference}" for difference in _differences(score, measured[name])]
    return differences


def _differences(recorded: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """The differences of two scores of one name."""
    least = {"%": 150 / max(1, found["n"]), "dB": 0.005}.get(found["unit"], 0.0)
    differences = []
    if abs(recorded["value"] - found["value"]) > max(TOLERANCE * abs(recorded["value"]), least):
        differences.append(f"card {recorded['value']:.6g}, measured {found['value']:.6g} {found['unit']}".rstrip())
    sides = [{**side["protocol"], **{key: side[key] for key in ("n", "unit", "better")}} for side in (recorded, found)]
    for key in dict.fromkeys((*sides[0], *sides[1])):
        values = [side.get(key) for side in sides]
        measured = any(isinstance(value, float | dict) for value in values)  # numbers that vary with the score
        if (values[0] is None) != (values[1] is None) or (values[0] != values[1] and not measured):
            differences.append(f"{key}: card {values[0]!r}, measured {values[1]!r}")
    return differences


def _scores(model: Any, data: str, progress: Progress | None) -> list[dict[str, Any]]:
    """The scores of a checkpoint, as on its card."""
    from cnnzoo.export.quantization_loss import litert_costs

    report = evaluate(model, data, progress=progress)
    return [score.to_json() for score in (*report.scores, *litert_costs(model, data))]


def _departures(plan: dict[str, Any]) -> list[str]:
    """The settings of a run that differ from its recipe."""
    import keras

    base = recipe(plan["name"])
    own = from_config(plan["architecture"], dict(base.config))
    config = own.get_config()
    other = [f"config {key}" for key, value in plan["config"].items() if config[key] != value]
    same = ("data", "split", "epochs", "batch_size", "seed", "crop", "limit")
    other += [key for key in same if key in plan and plan[key] != getattr(base, key)]
    other += ["start"] if plan.get("start") != base.start else []
    other += ["frozen"] if plan.get("frozen") else []
    other += ["precision"] if base.precision not in ("auto", plan.get("precision", "float32")) else []
    if other:  # they change the optimizers too
        return other
    optimizers = optimizers_of(base, own, plan["steps"])
    expected = {key: keras.saving.serialize_keras_object(value) for key, value in optimizers.items()}
    return [
        f"optimizer of {key}" for key, value in plan["optimizers"].items() if _unnamed(value) != _unnamed(expected[key])
    ]


def _unnamed(optimizer: dict[str, Any]) -> dict[str, Any]:
    """A serialized optimizer as JSON values, without its name, which has a counter."""
    content = json.loads(json.dumps(optimizer))
    return {**content, "config": {**content["config"], "name": ""}}


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 1 if a card differs, or could not be compared."""
    from cnnzoo.utils.terminal import progress

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("run", nargs="?", help="the folder of a finished run")
    action.add_argument("--rescore", metavar="NAME", help="a checkpoint to measure again")
    action.add_argument("--graphs", metavar="NAME", nargs="+", help="checkpoints whose ONNX files to write anew")
    action.add_argument(
        "--check", metavar="NAME", nargs="*", help="checkpoints to compare with their cards (default: all)"
    )
    parser.add_argument("--out", help="the folder of all checkpoints (default: of this installation)")
    args = parser.parse_args(arguments)
    if args.check is not None:
        return _check_all(args.check, args.out)
    if args.graphs:
        for name in args.graphs:
            print(graphs(name, args.out).path, flush=True)
        return 0
    action_of, target = (rescore, args.rescore) if args.rescore else (publish, args.run)
    with progress("scoring") as update:
        made = action_of(target, args.out, update)
    for score in made.card["scores"]:
        print(f"{score['name']:20} {score['value']:.6g} {score['unit']}")
    print(made.path)
    return 0


def _check_all(names: list[str], out: str | None) -> int:
    from cnnzoo.utils.terminal import progress

    folder, failed = Path(out or checkpoints.saved_models_dir()), 0
    for name in names or sorted(path.parent.name for path in folder.glob(f"*/{checkpoints.CARD}")):
        try:
            with progress(name) as update:
                differences = check(name, out, update)
        except (checkpoints.CheckpointError, DataNotFound) as error:
            differences = [f"not compared: {error}"]
        failed += bool(differences)
        print(f"{name}: {'differs' if differences else 'agrees'}", *differences, sep="\n    ", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
