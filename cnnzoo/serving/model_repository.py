"""The served models and versions: those of `models.config` that exist in the folder.

A new version is loaded and warmed up before it replaces the old one.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from cnnzoo.export.loader import Export
from cnnzoo.export.saved_model import EXTRA, versions
from cnnzoo.export.serving import WARMUP, read_models
from cnnzoo.serving.protocol import Refusal, invalid

MOUNT = "/models/"  # the folder inside a container, as in models.config


@dataclass(frozen=True, eq=False)
class Servable:
    """A loaded version of a model.

    Attributes:
        most: The largest batch of joined requests, in rows; 1 if requests cannot be joined.
    """

    name: str
    version: int
    export: Export
    most: int

    @classmethod
    def load(cls, name: str, path: Path) -> "Servable":
        """Loads a version and runs its warm-up requests."""
        export = Export.open(path)
        servable = cls(name, int(path.name), export, _rows_at_once(path))
        for signature, inputs in _warmup(path):
            export(signature, **inputs)
        return servable


class ModelRepository:
    """The models of a folder, by name and version; one thread may refresh it while others read.

    Args:
        folder: A folder of models from `cnnzoo export`.

    Raises:
        ValueError: There is no model, or one cannot be loaded.
    """

    def __init__(self, folder: Path):
        if versions(folder):
            raise ValueError(
                f"{folder} must be the folder of all models, {folder.resolve().parent}. Received: that of one model"
            )
        self.folder = folder
        self.failed: dict[tuple[str, int], str] = {}
        self._changed: dict[tuple[str, int], float] = {}  # modification time of each failed version
        self._loaded: dict[tuple[str, int], Servable] = {}
        self._labels: dict[tuple[str, str], int] = {}
        self._updating = Lock()
        self.refresh()
        for (name, version), reason in self.failed.items():
            raise ValueError(f"{folder / name / str(version)} cannot be loaded: {reason}")
        if not self._loaded:
            raise ValueError(f"{folder} must be a folder that cnnzoo export wrote models into. Received: no models")

    def refresh(self) -> None:
        """Loads new versions and drops replaced ones.

        Raises:
            ValueError: `models.config` cannot be read.
        """
        with self._updating:
            wanted, labels = self._wanted()
            loaded = {key: self._loaded[key] for key in wanted if key in self._loaded}
            changed = {key: _newest(path) for key, path in wanted.items() if key not in loaded}
            # A failed version is tried again once its files change: it may have been half copied.
            failed = {key: self.failed[key] for key in changed if self._changed.get(key) == changed[key]}
            for key in sorted(set(wanted) - set(loaded) - set(failed)):
                try:
                    loaded[key] = Servable.load(key[0], wanted[key])
                except Exception as error:  # the other versions are served
                    failed[key] = " ".join(str(error).split()) or type(error).__name__
                    logging.getLogger(__name__).warning("%s cannot be loaded: %s", wanted[key], failed[key])
            broken = {name for name, _ in failed}  # models that keep their loaded versions
            kept = {key: servable for key, servable in self._loaded.items() if key[0] in broken}
            self._loaded, self.failed, self._labels = {**kept, **loaded}, failed, labels
            self._changed = {key: changed[key] for key in failed}

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """A version by number or label, or the highest.

        Raises:
            Refusal: There is none.
        """
        loaded = self._loaded
        if label is not None:
            version = self._labels.get((name, label))
            if version is None:
                raise invalid(f"Unrecognized servable version label: {label}")
        if version is None:
            version = max((number for known, number in loaded if known == name), default=None)
        if version is None or (name, version) not in loaded:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refusal("NOT_FOUND", f"Servable not found for request: {wanted}")
        return loaded[name, version]

    def all(self) -> list[Servable]:
        """The loaded versions, sorted by name and version."""
        loaded = self._loaded
        return [loaded[key] for key in sorted(loaded)]

    def _wanted(self) -> tuple[dict[tuple[str, int], Path], dict[tuple[str, str], int]]:
        """The folders of all versions to serve, and the versions of labels."""
        wanted: dict[tuple[str, int], Path] = {}
        labels: dict[tuple[str, str], int] = {}
        for config in read_models(self.folder):
            base = config.base_path
            path = self.folder / base.removeprefix(MOUNT) if base.startswith(MOUNT) else Path(base)
            found = versions(path)
            policy = config.model_version_policy
            if policy.HasField("specific"):
                found = [version for version in found if version in policy.specific.versions]
            elif not policy.HasField("all"):
                found = found[-(policy.latest.num_versions or 1) :]
            wanted |= {(config.name, version): path / str(version) for version in found}
            labels |= {(config.name, label): version for label, version in config.version_labels.items()}
        return wanted, labels


def _newest(version: Path) -> float:
    """The latest modification time of a file or folder of a version."""
    return max((path.stat().st_mtime for path in (version, *version.rglob("*"))), default=0.0)


def _rows_at_once(version: Path) -> int:
    """The batch size in `batching_params.pbtxt`; 1 without that file."""
    file = version / "batching_params.pbtxt"
    found = re.search(r"max_batch_size\s*\{\s*value:\s*(\d+)", file.read_text()) if file.exists() else None
    return max(1, int(found[1])) if found else 1


def _warmup(version: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The signature and inputs of each warm-up request."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    file = version / EXTRA / WARMUP
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator() if file.exists() else ():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        yield request.model_spec.signature_name, {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
