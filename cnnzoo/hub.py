"""Models by name: shipped checkpoints, their cards and their training data.

`arch.tag` is a checkpoint, the name of its folder in `saved_models/`. `hf://USER/NAME` is one of the Hugging Face Hub,
see `cnnzoo.checkpoints.remote`. Listing checkpoints imports no network library.
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo import checkpoints
from cnnzoo.checkpoints import pushing, remote
from cnnzoo.checkpoints.shipped import list_checkpoints
from cnnzoo.checkpoints.trained import checkpoint_path, described, folder_of, is_checkpoint
from cnnzoo.data import ImageSet, training_images
from cnnzoo.data.catalog import license_of
from cnnzoo.metrics.scores import Score
from cnnzoo.recipes import recipe
from cnnzoo.registry import architecture, from_config, list_models, split_name

__all__ = ["build", "card", "checkpoint_path", "is_checkpoint", "list_checkpoints", "pipeline", "push_to_hub"]


def card(name: str | Path) -> dict[str, Any]:
    """The card of a checkpoint: the data, the recipe, the scores with their protocol, sizes and licenses.

    Args:
        name: `arch.tag`, `hf://USER/NAME[@REVISION]`, or the folder of a checkpoint.

    Raises:
        UnknownName: There is no such checkpoint.
        CheckpointError: Its card cannot be read; or it is a run, which has none; or as `checkpoint_path`.
    """
    folder, about = described(name)
    if not _has_card(folder):
        raise checkpoints.CheckpointError(
            f"`name` must be of a checkpoint, which has a card. Received: the run {folder}"
        )
    return about


def build(name: str, *, weights: str | Path | None = None, **config: Any) -> Any:
    """Builds a model.

    Args:
        name: `arch.tag` for a trained model, `hf://USER/NAME` or `hf://USER/NAME@REVISION` for one of the Hugging Face
            Hub, `arch` for one with fresh weights.
        weights: With `arch`: a checkpoint or run folder with the weights and the configuration.
        **config: With `arch`: fields of its configuration.

    Returns:
        A `cnnzoo.phases.PhasedModel`.

    Raises:
        UnknownName: There is no such architecture or checkpoint.
        CheckpointError: The files of the checkpoint are missing, truncated or altered; or the Hub cannot be reached, or
            does not have it.
        ValueError: An unknown field, a field for trained weights, or a folder as `name`.
    """
    _check_no_folder(name)
    arch, tag = ("", "") if remote.is_remote(name) else split_name(name)
    is_trained = remote.is_remote(name) or bool(tag)
    if not is_trained and weights is None:
        return from_config(arch, config)
    if config:
        fresh = repr(arch) if arch else "arch"
        raise ValueError(
            f"{', '.join(f'`{k}`' for k in config)} must not be given with trained weights, which come with their "
            f"configuration; for fresh weights: build({fresh}, {', '.join(f'{k}=…' for k in config)}). "
            f"Received: {', '.join(f'{k}={v!r}' for k, v in config.items())}"
        )

    if weights is not None and not is_trained:
        cls = architecture(arch)
        model = checkpoints.load(weights)
        if type(model) is not cls:
            raise ValueError(
                f"`weights` must be those of {arch!r}. Received: {weights} of {type(model).architecture!r}"
            )
        return model
    if weights is not None:
        raise ValueError(
            f"`weights` must not be given with {name!r}, which has its own; for others: build(arch, weights=…). "
            f"Received: weights={str(weights)!r}"
        )
    return checkpoints.load(checkpoint_path(name))


def _check_no_folder(name: str | Path) -> None:
    """Checks that a name is not the folder of a checkpoint or run.

    Raises:
        UnknownName: It is a `Path` without a folder.
        ValueError: It is a folder.
    """
    if isinstance(name, str) and (not Path(name).is_dir() or is_checkpoint(name) or name in list_models()):
        return
    arch = described(name)[1]["architecture"]
    raise ValueError(
        f"`name` must be that of an architecture or checkpoint; of a folder: build({arch!r}, weights={str(name)!r}). "
        f"Received: {name!r}"
    )


def push_to_hub(
    model: Any,
    repository: str,
    *,
    description: str = "",
    data: str = "",
    scores: Iterable[Score] = (),
    licence: str | None = None,
    private: bool = False,
) -> str:
    """Writes a trained model to a repository of the Hugging Face Hub, for `build("hf://USER/NAME")`.

    The repository gets the files of a checkpoint, which are data alone, and a model card with the scores. All is one
    commit. The token is that of `hf auth login`, or `HF_TOKEN`.

    Args:
        model: The name of a checkpoint, the folder of a checkpoint or a finished run, or a model. A model with the
            weights that it was loaded with is pushed as its checkpoint or run.
        repository: "USER/NAME"; created if it does not exist.
        description: One line, for a run or a model.
        data: The name of the training data, for a model.
        scores: Of a run or a model: `cnnzoo.evaluate(model, data).scores`.
        licence: Of the weights of a run or a model, as the Hub names it; by default "Apache-2.0".
        private: Whether a new repository is private.

    Returns:
        The name with the commit: "hf://USER/NAME@COMMIT".

    Raises:
        ModuleNotFoundError: The package huggingface_hub is not installed.
        CheckpointError: Files are missing or altered; the run is not finished; the Hub cannot be reached, or refuses.
        ValueError: The repository is no USER/NAME; or `description`, `data`, `scores` or `licence` for a checkpoint,
            whose card has them.
    """
    pushing.check_repository(repository)
    about: dict[str, Any] = {"description": description, "data": data, "scores": list(scores), "licence": licence}
    about = {key: value for key, value in about.items() if value}
    source = model if isinstance(model, str | Path) else _origin(model)
    with tempfile.TemporaryDirectory() as aside:
        target = Path(aside) / "model"
        made = _of_model(model, target, repository, about) if source is None else _of_folder(source, target, about)
        return pushing.upload(made, repository, private=private)


def _has_card(folder: Path) -> bool:
    return (folder / checkpoints.CARD).exists()


def _origin(model: Any) -> Path | None:
    """The folder of the checkpoint or run that a model was loaded from, if it still has those weights."""
    origin = getattr(model, "origin", None)
    if origin is None or not origin.is_dir():
        return None
    before, now = checkpoints.load(origin).get_weights(), model.get_weights()
    return origin if len(before) == len(now) and all(map(np.array_equal, before, now)) else None


def _of_folder(source: str | Path, target: Path, about: Mapping[str, Any]) -> checkpoints.Checkpoint:
    """A checkpoint as it is, or that of a run, written to `target`.

    Raises:
        ValueError: Something is given that the card, or the plan of the run, has.
    """
    folder = folder_of(source)
    has_card = _has_card(folder)
    if refused := [key for key in about if key == "data" or has_card]:
        what = f"whose {'card' if has_card else 'run'} has {'it' if len(refused) == 1 else 'them'}"
        raise ValueError(
            f"{', '.join(f'`{key}`' for key in refused)} must not be given with {str(source)!r}, {what}. "
            f"Received: {', '.join(f'{key}={about[key]!r}' for key in refused)}"
        )
    return checkpoints.open_checkpoint(folder) if has_card else pushing.of_run(folder, target, **about)


def _of_model(model: Any, target: Path, repository: str, about: Mapping[str, Any]) -> checkpoints.Checkpoint:
    """The checkpoint of a model whose weights are those of no folder, written to `target`."""
    data = about.get("data")
    known = {"name": data, "licence": license_of(data)} if data else {}
    name = f"{model.architecture}.{repository.partition('/')[2]}"
    return pushing.of_model(model, target, name=name, **{**about, "data": known})


def pipeline(name: str | Path, split: str = "train", batch_size: int = 128, seed: int = 0) -> Any:
    """The `tf.data.Dataset` for `model.fit`: uint8 images and labels, one epoch per pass.

    Every pass over "train", "fit" or "validation" has the next order of `ImageSet.stream`. "test" is complete and
    in its own order; its last batch may be short.

    Args:
        name: A data set or folder as in `load`; or a checkpoint, as in `build`, for its training data in its image
            shape, which are crops of photographs for a model of images of any size.
        split: As in `load`.
        batch_size: Images per batch.
        seed: The seed of the order.

    Raises:
        DataNotFound, ValueError: As `load`.
    """
    import tensorflow as tf

    images = training_images(*_data_of(name, split))
    if split == "test" and isinstance(images, ImageSet):
        return images.in_order(batch_size)
    per_epoch = images.steps_per_epoch(batch_size)
    # A pass over the data set is one epoch; the variable holds the number of the next.
    epoch = tf.Variable(-1, dtype=tf.int64, trainable=False)

    def begin(_: Any) -> Any:
        return images.stream(batch_size, seed, epoch.assign_add(1) * per_epoch).take(per_epoch)

    dataset = tf.data.Dataset.range(1).flat_map(begin)
    return dataset.apply(tf.data.experimental.assert_cardinality(per_epoch))


def _data_of(name: str | Path, split: str) -> tuple:
    """The arguments of `training_images` for a data set, or for the data of a checkpoint."""
    if isinstance(name, Path):
        return name, split, None
    if is_checkpoint(name):
        found = card(name)
        shape = from_config(found["architecture"], found["config"]).image_shape
        return found["data"]["name"], split, shape, found["recipe"].get("crop")
    arch, tag = split_name(name)
    if not tag or arch not in list_models() or Path(name).is_dir():
        return name, split, None
    plan = recipe(name)
    return plan.data, split, from_config(arch, dict(plan.config)).image_shape, plan.crop
