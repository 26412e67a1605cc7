"""Data sets of tensorflow-datasets: any builder with images, by the name `tfds:NAME[/CONFIG][#IMAGE[,LABEL]]`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnzoo.data.addresses import Address, of_type
from cnnzoo.data.image_set import DataNotFound
from cnnzoo.data.network import is_reachable
from cnnzoo.data.records import ArrayRecords, Examples, Records, TFRecords
from cnnzoo.data.shards import Encoded, EncodedRows, rows_of_split
from cnnzoo.registry import suggestion

PREFIX = "tfds:"

Arrays = tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]  # images, labels, class names


def opened(name: str, else_try: str) -> Any:
    """The builder of a data set, which is downloaded and prepared if necessary.

    Args:
        name: NAME or NAME/CONFIG of tensorflow-datasets.
        else_try: Data that need no download, for the error.

    Raises:
        ValueError: There is no builder of that name.
        DataNotFound: It is not prepared, and there is no network.
    """
    import tensorflow_datasets as tfds

    # The package itself reads the variable once, when it is imported.
    folder = os.environ.get("TFDS_DATA_DIR") or None
    try:
        builder = tfds.builder(name, data_dir=folder)
    except tfds.core.registered.DatasetNotFoundError:
        known = [PREFIX + each for each in tfds.list_builders(with_community_datasets=False)]
        hint = suggestion(PREFIX + name.partition("/")[0], known, "none is near.")
        every = 'python -c "import tensorflow_datasets as tfds; print(tfds.list_builders())"'
        raise ValueError(f"Unknown data set {PREFIX}{name}. {hint} All names: {every}") from None
    if not Path(builder.data_dir).exists():
        _check_network(name, builder, else_try)
        builder.download_and_prepare()
    return builder


def _check_network(name: str, builder: Any, else_try: str) -> None:
    """Fails at once where a download would retry for minutes.

    Raises:
        DataNotFound: The download host cannot be reached.
    """
    cached = Path(builder._data_dir_root) / "downloads" / builder.name
    if cached.exists():  # downloaded but not prepared
        return
    if not is_reachable("storage.googleapis.com"):
        raise DataNotFound(
            f"{name} is not prepared in {builder._data_dir_root}, and there is no network to fetch it. Prepare it "
            f"where there is one (python -c \"import tensorflow_datasets as tfds; tfds.load('{name}')\") and copy that "
            f"folder here, or name its place in TFDS_DATA_DIR. Without a download: {else_try}."
        )


def rows(builder: Any, split: str, **settings: Any) -> Any:
    """The examples of a split, in the order of the files, which is the same in every run."""
    import tensorflow_datasets as tfds

    options = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    return builder.as_dataset(split=split, shuffle_files=False, read_config=options, **settings)


def builder_rows(address: Address, split: str, else_try: str) -> EncodedRows:
    """The pictures of a split, "train" or "test".

    Without a split "test", "validation" is taken; without both, a fixed fifth of "train".

    Args:
        address: The name, as in the first line of this module.
        split: "train" or "test".
        else_try: See `opened`.

    Raises:
        ValueError: An unknown builder; no or several features for the images or the labels; no split "train"; or
            it is prepared in a format without random access.
        DataNotFound: See `opened`.
    """
    builder = opened(address.place, else_try)
    features = builder.info.features
    image, label = _features(address, features)
    have = list(builder.info.splits)
    if "train" not in have:
        raise ValueError(f"{address} must have a split train. Received: {', '.join(have) or 'none'}")
    kind = builder.info.file_format.value
    if kind not in _READERS:
        raise ValueError(f"{address} must be prepared as {' or '.join(_READERS)}. Received: {kind}")
    keys = address._replace(image=image, label=label or "")
    classes = tuple(features[label].names) if label else ()

    def read(key: str) -> Encoded:
        files = [Path(path) for path in builder.info.splits[key].filepaths]
        return Examples(_READERS[kind](files), keys, classes, ())

    splits = {"train": partial(read, "train")}
    if tests := next((each for each in ("test", "validation") if each in have), None):
        splits["test"] = partial(read, tests)
    found = rows_of_split(str(address), splits, split)
    return replace(found, channels=features[image].shape[-1])


_READERS: dict[str, Callable[[Sequence[Path]], Records]] = {"tfrecord": TFRecords, "array_record": ArrayRecords}


def _features(address: Address, features: Any) -> tuple[str, str | None]:
    """The keys of the images and of the labels, if any: those in `address`, else by their types.

    Raises:
        ValueError: See `of_type`; or there are no images, or not of 8 bits with 1 or 3 channels.
    """
    import tensorflow_datasets as tfds

    name, columns = str(address), dict(sorted(features.items()))  # the order in their files varies
    image = of_type(name, "feature", columns, tfds.features.Image, address.image)
    label = of_type(name, "feature", columns, tfds.features.ClassLabel, address.label)
    if image is None:
        kept = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in columns.items())
        raise ValueError(f"{name} must have an Image feature. Received: {kept}")
    pixels = features[image]
    if pixels.np_dtype != np.uint8 or pixels.shape[-1] not in (1, 3):
        raise ValueError(
            f"Images of {name} must be uint8 with 1 or 3 channels. Received: {np.dtype(pixels.np_dtype)} of shape "
            f"{pixels.shape}"
        )
    return image, label
