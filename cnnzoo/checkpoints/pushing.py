"""Checkpoints for the Hugging Face Hub: of runs and models in memory, with a model card, and their upload."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cnnzoo.checkpoints import table
from cnnzoo.checkpoints.card import CARD, GRAPHS, Checkpoint, CheckpointError, read_plan
from cnnzoo.checkpoints.remote import LARGEST, PREFIX, address_of, asking, silence
from cnnzoo.checkpoints.store import load, save, verify
from cnnzoo.data.addresses import GIVEN, ON_DISK, folder_name
from cnnzoo.data.addresses import address_of as data_address_of
from cnnzoo.data.catalog import license_of
from cnnzoo.metrics.scores import Score
from cnnzoo.registry import own_architectures
from cnnzoo.utils.optional import require
from cnnzoo.utils.source import paper

README, KERAS = "README.md", "config.json"
UNKNOWN = "not stated"
# The parts of the plan of a run on a card, besides data and configuration.
KEPT = (
    "epochs",
    "steps",
    "batch_size",
    "seed",
    "crop",
    "start",
    "frozen",
    "limit",
    "precision",
    "optimizers",
    "versions",
)
SETTINGS = ("epochs", "batch_size", "seed", "start", "frozen")  # of those, in the README
PIPELINES = {"classify": "image-classification", "generate": "unconditional-image-generation"}  # others: image-to-image
CALLS = {  # by task, or by architecture
    "classify": "chances = model.classify(images)",
    "reconstruct": "images = model.reconstruct(images)",
    "generate": "images = model.generate(16, seed=0)",
    "restore": 'clean = model.restore("photo.png")',
    "inpaint": 'whole = model.restore("photo.png", "mask.png")',
    "upscale": 'larger = model.upscale("photo.png")',
    "enhance": 'better = model.enhance("photo.jpg")',
    "stylize": 'painted = model.stylize("photo.jpg")',
    "adain": 'painted = model.stylize("photo.jpg", "painting.jpg")',
}


def upload(checkpoint: Checkpoint, repository: str, *, private: bool = False) -> str:
    """Writes a checkpoint with its model card to a repository of the Hub, in one commit; creates the repository.

    Args:
        checkpoint: Its files are compared with its card first.
        repository: "USER/NAME".
        private: Whether a new repository is private; an existing one stays as it is.

    Returns:
        Its name with the commit, for `build`.

    Raises:
        ModuleNotFoundError: The package huggingface_hub is not installed.
        CheckpointError: A file is altered; the Hub cannot be reached, or refuses.
        ValueError: The name is malformed.
    """
    check_repository(repository)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    verify(checkpoint)
    if checkpoint.card["bytes"] > LARGEST:
        raise CheckpointError(f"its files must have at most {LARGEST} bytes. Received: {checkpoint.card['bytes']}")
    if why := silence():
        raise CheckpointError(f"{PREFIX}{repository}: {why}")
    api, where = HfApi(library_name="cnnzoo"), f"model {repository!r} on the Hub"
    files = [CARD, *checkpoint.card["files"]]
    try:
        with asking(where):
            api.create_repo(repository, private=private or None, exist_ok=True)
            stale = [name for name in api.list_repo_files(repository) if name in GRAPHS and name not in files]
            content = str(model_card(checkpoint.card, repository)).encode()
            made = api.create_commit(
                repository,
                [
                    *(CommitOperationAdd(name, str(checkpoint.path / name)) for name in files),
                    CommitOperationAdd(README, content),
                    CommitOperationAdd(KERAS, json.dumps(_for_keras(checkpoint.card)).encode()),
                    *(CommitOperationDelete(name) for name in stale),
                ],
                commit_message=f"{checkpoint.name}, by cnnzoo",
            )
    except ConnectionError as error:
        raise CheckpointError(f"{PREFIX}{repository}: {error}") from None
    return f"{PREFIX}{repository}@{made.oid}"


def _for_keras(card: Mapping[str, Any]) -> dict[str, Any]:
    """What `keras.saving.load_model("hf://USER/NAME")` builds a model from, once cnnzoo is imported."""
    arch = card["architecture"]
    config = {"name": arch, **card["config"]}
    return {
        "module": f"cnnzoo.models.{arch}",
        "class_name": arch,
        "config": config,
        "registered_name": f"cnnzoo>{arch}",
    }


def check_repository(repository: str) -> None:
    """Checks the name of a repository to write to, and that the package for it is installed.

    Raises:
        ModuleNotFoundError, ValueError: As `upload`.
    """
    require("a push to the Hub", "hub", "huggingface_hub")
    name = repository.removeprefix(PREFIX)
    if "@" in name or repository != name:
        raise ValueError(f"The repository to write to must be USER/NAME. Received: {repository!r}")
    address_of(PREFIX + name)


def of_model(
    model: Any,
    folder: Path,
    *,
    name: str,
    description: str = "",
    data: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    scores: Iterable[Score | Mapping[str, Any]] = (),
    licence: str = "Apache-2.0",
) -> Checkpoint:
    """The checkpoint of a model in memory, written to a folder.

    Args:
        model: A `PhasedModel`.
        folder: The new folder.
        name: "arch.tag".
        description: One line.
        data: name, split and licence of the training data. Its classes and its ground are those of the model.
        recipe: The training settings.
        scores: As from `cnnzoo.evaluate`; those that are not finite are left out.
        licence: The license of the weights.
    """
    arch = type(model).architecture
    known: dict[str, Any] = {"classes": list(names)} if (names := getattr(model, "class_names", ())) else {}
    known |= {"ground": model.ground} if model.ground else {}
    as_json = [score.to_json() if isinstance(score, Score) else dict(score) for score in scores]
    return save(
        model,
        folder,
        name=name,
        description=description or f"{arch} trained with cnnzoo",
        data={**dict.fromkeys(("name", "split", "licence"), UNKNOWN), **known, **(data or {})},
        recipe={"command": UNKNOWN, **(recipe or {})},
        scores=[score for score in as_json if math.isfinite(score["value"])],
        paper=paper(arch) if arch in own_architectures() else UNKNOWN,
        licence=licence,
    )


def of_run(run: Path, folder: Path, **about: Any) -> Checkpoint:
    """The checkpoint of a finished run, written to a folder. Paths on this machine are reduced to their last part.

    Args:
        run: The run folder.
        folder: The new folder.
        **about: `description`, `scores` and `licence`, as in `of_model`.

    Raises:
        CheckpointError: The run is not finished.
    """
    model = load(run)
    plan = read_plan(run)
    data = _data_of(plan["data"])
    tag = re.sub(r"[^\w.-]+", "_", folder_name(plan["data"])).strip("._-") or "run"
    name = plan["name"] if "." in plan["name"] else f"{plan['name']}.{tag}"
    recipe = {key: plan[key] for key in KEPT if key in plan}
    if Path(str(recipe.get("start", ""))).is_absolute():
        recipe["start"] = Path(recipe["start"]).name
    command = f"cnnzoo train {plan['name']} --data '{data}'"
    known = {"name": data, "split": plan["split"], "licence": license_of(data)}
    return of_model(model, folder, name=name, data=known, recipe={"command": command, **recipe}, **about)


def _data_of(data: str) -> str:
    """The training data of a run in words for others: without the folders of this machine."""
    if data.startswith(GIVEN):
        return "images from a program"
    if Path(data).is_absolute():
        return f"folder {Path(data).name}"
    address = data_address_of(data)
    on_disk = address is not None and (address.prefix in ON_DISK or Path(address.place).is_absolute())
    return f"{address.prefix}{folder_name(data)}" if address is not None and on_disk else data


def model_card(card: Mapping[str, Any], repository: str) -> Any:
    """The README of a repository: a `huggingface_hub.ModelCard` with the scores as its model index."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    scores = [score for score in table.scores(card).values() if math.isfinite(score.value)]
    task = PIPELINES.get(card["task"], "image-to-image")

    def result(score: Score) -> Any:
        data = str(score.protocol.get("data", card["data"]["name"]))
        return EvalResult(
            task_type=task,
            dataset_type=data,
            dataset_name=data,
            metric_type=score.name,
            metric_name=f"{score.name} ({score.unit})" if score.unit else score.name,
            metric_value=score.value,
            metric_args=json.loads(json.dumps(dict(score.protocol), default=str)) or None,
        )

    known = card["data"]["licence"] not in ("not known", UNKNOWN)
    about = ModelCardData(
        model_name=card["name"],
        library_name="keras",
        tags=["cnnzoo", card["architecture"], card["task"]],
        license=card["licence"].lower(),
        datasets=card["data"]["name"].split("+") if known else None,
        metrics=[score.name for score in scores] or None,
        pipeline_tag=task,
        eval_results=[result(score) for score in scores] or None,
    )
    return ModelCard(f"---\n{about.to_yaml()}\n---\n\n{_body(card, repository, scores)}")


def _body(card: Mapping[str, Any], repository: str, scores: list[Score]) -> str:
    data, recipe = card["data"], card["recipe"]
    rows = [f"| {score.name} | {score} | {score.n:,} | {_protocol(score)} |" for score in scores]
    measured = ["| score | value | images | protocol |", "| --- | --- | ---: | --- |", *rows] if rows else ["None yet."]
    settings = [f"{key} {recipe[key]}" for key in SETTINGS if recipe.get(key) is not None]
    lines = [
        f"# {card['name']}",
        "",
        f"{card['description']}. {table.size(card['parameters'], '')} parameters, {table.size(card['bytes'], 'B')}.",
        "",
        "```python",
        "import cnnzoo",
        "",
        f'model = cnnzoo.build("{PREFIX}{repository}")  # in a clone: pip install -e ".[hub]"',
        CALLS.get(card["architecture"], CALLS[card["task"]]),
        "```",
        "",
        "`card.json` has the SHA-256 of each file, which is checked before the weights are read. No file is a pickle.",
        "",
        "## Scores",
        "",
        *measured,
        "",
        "## Training",
        "",
        f"- Data: {data['name']}, split {data['split']}. Their license: {data['licence']}.",
        f"- By `{recipe['command']}`" + (f" ({', '.join(settings)})." if settings else "."),
        f"- Source of the architecture: {card['paper']}",
        "",
    ]
    return "\n".join(lines)


def _protocol(score: Score) -> str:
    return "; ".join(f"{key}: {value}" for key, value in score.protocol.items()).replace("|", "/")
