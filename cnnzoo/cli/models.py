"""The trained model that a command names."""

from pathlib import Path
from typing import Any

from cnnzoo import hub, registry


def find(name: str) -> tuple[Path, str]:
    """The folder of a trained model and the data it was trained on.

    Raises:
        ValueError: There is no trained model of that name.
        CheckpointError: A card that cannot be read.
    """
    path, about = _described(name)
    return path, about["data"] if isinstance(about["data"], str) else about["data"]["name"]


def _described(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained model, and its card or the plan of its run."""
    from cnnzoo.checkpoints import open_checkpoint
    from cnnzoo.training.run_dir import Run

    known = hub.list_checkpoints()
    if name in known or (Path(name) / "card.json").exists():
        path = hub.checkpoint_path(name) if name in known else Path(name)
        return path, open_checkpoint(path).card
    if Path(name).is_dir():
        run = Run.open(name)
        return run.path, run.plan
    if name in registry.list_models():
        own = hub.list_checkpoints(name)
        raise ValueError(f"got {name!r}, an architecture; allowed: {', '.join([*own, 'the folder of a run'])}")
    raise registry.UnknownName("checkpoint", name, known)


def config(name: str) -> dict[str, Any]:
    """The configuration of a trained model."""
    return _described(name)[1]["config"]


def takes(name: str, verb: str, option: str) -> bool:
    """Whether a verb of a trained model has an option, by its source."""
    from cnnzoo.utils import source

    arch = _described(name)[1]["architecture"]
    return option in (source.parameters(source.lineage(arch), verb) or ())


def check(name: str, verb: str = "") -> None:
    """Refuses a model that is not there, or does not have the verb by its source, before anything large is imported.

    Raises:
        ValueError: For either.
    """
    from cnnzoo.utils import source

    arch = _described(name)[1]["architecture"]
    if arch in registry.own_architectures():
        lineage = source.lineage(arch)
        if verb and source.parameters(lineage, verb) is None:
            task = source.value(lineage, "task")
            raise ValueError(f"got {name!r}, whose task is {task!r}; allowed: a model that can {verb}")


def able(name: str, verb: str = "") -> Any:
    """The trained model `name`, which must have the verb."""
    from cnnzoo.checkpoints import load

    check(name, verb)
    return load(find(name)[0])
