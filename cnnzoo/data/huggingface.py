"""Data sets of the Hugging Face Hub, and folders in its formats, by `hf:NAME[/CONFIG][#IMAGE[,LABEL]]`.

NAME is ORG/SET, a SET without an organization, or a folder. No code of a data set is run: the package `datasets` reads
Parquet, Arrow, folders of images and the like, and refuses scripts since its version 4.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from cnnzoo.data.addresses import OPTION, Address, of_type
from cnnzoo.data.image_set import DataNotFound
from cnnzoo.data.network import is_reachable
from cnnzoo.data.shards import TESTS, Encoded, EncodedRows, bytes_at, check_size, rows_of_split
from cnnzoo.utils.optional import require


def rows(address: Address, split: str, else_try: str) -> EncodedRows:
    """The pictures of "train" or "test".

    Without a split "test", "validation" is taken; without both, a fixed fifth of "train". The images are the column of
    type Image, the labels the column of type ClassLabel or none; or those in `address`, where the labels may be
    integers.

    Args:
        address: The name, as in the first line of this module.
        split: "train" or "test".
        else_try: Data that need no download, for the error.

    Raises:
        ModuleNotFoundError: The package `datasets` is not installed.
        DataNotFound: It is not on this machine, and there is no network.
        ValueError: No such data set, or no split "train"; no or several columns for the images or the labels.
    """
    require("hf:NAME", "hf", "datasets")
    found = _loaded(address, else_try)
    if "train" not in found:
        raise ValueError(f"{address} must have a split train. Received: {', '.join(found)}")
    splits: dict[str, Callable[[], Encoded]] = {"train": partial(Table, found["train"], address)}
    if tests := next((each for each in TESTS if each in found), None):
        splits["test"] = partial(Table, found[tests], address)
    return rows_of_split(str(address), splits, split)


def _loaded(address: Address, else_try: str) -> Any:
    """The splits of a data set by name, which is downloaded if necessary."""
    import datasets

    place, config = _parts(address.place)
    local = Path(place).is_dir()
    if address.place.startswith((".", "/", "~")) and not local:
        raise DataNotFound(f"{address} must be a folder or the name of a data set. Received: no such folder")
    offline = datasets.config.HF_HUB_OFFLINE
    host = urlsplit(datasets.config.HF_ENDPOINT).hostname or ""
    with _offline(datasets.config, local or offline or not is_reachable(host)):
        try:
            return datasets.load_dataset(place, config)
        except ConnectionError:
            why = "offline mode is on (HF_HUB_OFFLINE)" if offline else "there is no network to fetch it"
            load = f"from datasets import load_dataset; load_dataset({place!r}{f', {config!r}' if config else ''})"
            raise DataNotFound(
                f"{address} is not prepared in {datasets.config.HF_DATASETS_CACHE}, and {why}. Prepare it where there "
                f'is one (python -c "{load}") and copy that folder here, or name its place in HF_DATASETS_CACHE. '
                f"Without a download: {else_try}."
            ) from None
        except Exception as error:  # those of every format
            what = f"{error} {error.__cause__ or ''}"
            raise ValueError(f"{address} cannot be loaded: {' '.join(what.split())}") from None


@contextmanager
def _offline(config: Any, wanted: bool) -> Iterator[None]:
    """Has `datasets` look in its cache at once; without a network it would try again for half a minute before."""
    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or wanted
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def _parts(place: str) -> tuple[str, str | None]:
    """The name of a data set, or a folder, and the configuration or None."""
    whole = Path(place).expanduser()
    if whole.is_dir():
        return str(whole), None
    if place.startswith((".", "/", "~")):
        card = whole.parent / "README.md"  # its metadata list the configurations
        if card.is_file() and card.read_bytes().startswith(b"---"):
            return str(whole.parent), whole.name
        return str(whole), None
    parts = place.split("/")
    return "/".join(parts[:2]), "/".join(parts[2:]) or None


class Table:
    """The pictures in a column of a split; see `cnnzoo.data.shards.Encoded`."""

    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    def __init__(self, found: Any, address: Address):
        import datasets

        columns = found.features
        self._name = str(address)
        image = of_type(self._name, "column", columns, datasets.Image, address.image)
        if image is None:
            raise ValueError(f"{address} must have a column of type Image. Received: {_in_words(columns)}")
        self._image = image
        label = address.label or of_type(self._name, "column", columns, datasets.ClassLabel, "")
        if label:
            self.labels = self._numbers(found, label)
            self.classes = tuple(getattr(columns[label], "names", None) or ())
        self._rows = found.select_columns([image]).cast_column(image, datasets.Image(decode=False))

    def __len__(self) -> int:
        return len(self._rows)

    def encoded(self, i: int) -> tuple[bytes, str]:
        place = f"{self._name}: row {i}"
        cell = self._rows[i][self._image]
        if cell is None:
            raise ValueError(f"{place} must have an image. Received: none")
        if cell["bytes"] is not None:
            return cell["bytes"], place
        path, place = Path(cell["path"]), f"{place}, {cell['path']}"
        if not path.is_file():  # a device or pipe might never end
            raise ValueError(f"{place} must be a file. Received: {'another kind' if path.exists() else 'none'}")
        check_size(size := path.stat().st_size, place)
        return bytes_at(path, 0, size), place

    def stamp(self) -> str:
        return str(self._rows._fingerprint)

    def _numbers(self, found: Any, label: str) -> np.ndarray:
        """The labels in a column.

        Raises:
            ValueError: It is missing, or of another type than ClassLabel and integers, or has empty cells.
        """
        if label not in found.features:
            raise ValueError(f"{self._name} must have the column {label}. Received: {_in_words(found.features)}")
        column = found.select_columns([label]).with_format("arrow")[:].column(0)
        if not re.fullmatch(r"u?int\d+", getattr(found.features[label], "dtype", "")):
            raise ValueError(
                f"Labels of {self._name} must be of type ClassLabel or integers; {OPTION}. "
                f"Received: {_in_words(found.features, label)}"
            )
        if column.null_count:
            raise ValueError(f"Labels of {self._name} must be in every row. Received: {column.null_count} rows without")
        return column.to_numpy().astype(np.int64)


def _in_words(columns: Any, *keys: str) -> str:
    """Columns with their types: "label (int64), name (string)"."""
    kinds = {key: type(columns[key]).__name__ for key in keys or columns}
    return ", ".join(f"{key} ({columns[key].dtype if kind == 'Value' else kind})" for key, kind in kinds.items())
