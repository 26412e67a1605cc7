"""The trained model that a command names."""

from pathlib import Path


def find(name: str) -> tuple[Path, str]:
    """The folder of a trained model and the data it was trained on.

    Raises:
        ValueError: There is no trained model of that name.
        CheckpointError: A card that cannot be read.
    """
    from cnnzoo import hub, registry
    from cnnzoo.checkpoints import open_checkpoint
    from cnnzoo.training.run_dir import Run

    known = hub.list_checkpoints()
    if name in known or (Path(name) / "card.json").exists():
        path = hub.checkpoint_path(name) if name in known else Path(name)
        return path, open_checkpoint(path).card["data"]["name"]
    if Path(name).is_dir():
        run = Run.open(name)
        return run.path, run.plan["data"]
    if name in registry.list_models():
        own = hub.list_checkpoints(name)
        raise ValueError(f"got {name!r}, an architecture; allowed: {', '.join([*own, 'the folder of a run'])}")
    raise registry.UnknownName("checkpoint", name, known)


def able(name: str, verb: str):
    """The trained model `name`, which must have the verb."""
    from cnnzoo.checkpoints import load

    model = load(find(name)[0])
    if not hasattr(model, verb):
        raise ValueError(f"got {name!r}, whose task is {model.task!r}; allowed: a model that can {verb}")
    return model
