"""Models by name: shipped checkpoints, their cards and their training data.

`arch.tag` is a checkpoint, the name of its folder in `saved_models/`. Listing checkpoints imports no network library.
"""

from pathlib import Path
from typing import Any

from cnnzoo import checkpoints
from cnnzoo.checkpoints.shipped import card, checkpoint_path, list_checkpoints
from cnnzoo.data import ImageSet, training_images
from cnnzoo.recipes import recipe
from cnnzoo.registry import architecture, from_config, list_models, split_name

__all__ = ["build", "card", "checkpoint_path", "list_checkpoints", "pipeline"]


def build(name: str, *, weights: str | Path | None = None, **config: Any) -> Any:
    """Builds a model.

    Args:
        name: `arch.tag` for a trained model, `arch` for one with fresh weights.
        weights: With `arch`: a checkpoint or run folder with the weights and the configuration.
        **config: With `arch`: fields of its configuration.

    Returns:
        A `cnnzoo.phases.PhasedModel`.

    Raises:
        UnknownName: There is no such architecture or checkpoint.
        CheckpointError: The files of the checkpoint are missing, truncated or altered.
        ValueError: An unknown field, or a field for trained weights.
    """
    arch, tag = split_name(name)
    if not tag and weights is None:
        return from_config(arch, config)
    if config:
        raise ValueError(
            f"{', '.join(f'`{k}`' for k in config)} must not be given with trained weights, which come with their "
            f"configuration; for fresh weights: build({arch!r}, {', '.join(f'{k}=…' for k in config)}). "
            f"Received: {', '.join(f'{k}={v!r}' for k, v in config.items())}"
        )

    if weights is not None and not tag:
        cls = architecture(arch)
        model = checkpoints.load(weights)
        if type(model) is not cls:
            raise ValueError(
                f"`weights` must be those of {arch!r}. Received: {weights} of {type(model).architecture!r}"
            )
        return model
    if weights is not None:
        raise ValueError(
            f"`weights` must not be given with {name!r}, which has its own; for others: build({arch!r}, weights=…). "
            f"Received: weights={str(weights)!r}"
        )
    return checkpoints.load(checkpoint_path(name))


def pipeline(name: str | Path, split: str = "train", batch_size: int = 128, seed: int = 0) -> Any:
    """The `tf.data.Dataset` for `model.fit`: uint8 images and labels, one epoch per pass.

    Every pass over "train", "fit" or "validation" has the next order of `ImageSet.stream`. "test" is complete and
    in its own order; its last batch may be short.

    Args:
        name: A data set or folder as in `load`; or a checkpoint, "arch.tag", for its training data in its image shape,
            which are crops of photographs for a model of images of any size.
        split: As in `load`.
        batch_size: Images per batch.
        seed: The seed of the order.

    Raises:
        DataNotFound, ValueError: As `load`.
    """
    import tensorflow as tf

    images = training_images(*_data_of(str(name), split))
    if split == "test" and isinstance(images, ImageSet):
        return images.in_order(batch_size)
    per_epoch = images.steps_per_epoch(batch_size)
    # A pass over the data set is one epoch; the variable holds the number of the next.
    epoch = tf.Variable(-1, dtype=tf.int64, trainable=False)

    def begin(_: Any) -> Any:
        return images.stream(batch_size, seed, epoch.assign_add(1) * per_epoch).take(per_epoch)

    dataset = tf.data.Dataset.range(1).flat_map(begin)
    return dataset.apply(tf.data.experimental.assert_cardinality(per_epoch))


def _data_of(name: str, split: str) -> tuple:
    """The arguments of `training_images` for a data set, or for the data of a checkpoint."""
    arch, tag = split_name(name)
    if not tag or arch not in list_models() or Path(name).is_dir():
        return name, split, None
    if name in list_checkpoints():
        found = card(name)
        shape = from_config(found["architecture"], found["config"]).image_shape
        return found["data"]["name"], split, shape, found["recipe"].get("crop")
    plan = recipe(name)
    return plan.data, split, from_config(arch, dict(plan.config)).image_shape, plan.crop
