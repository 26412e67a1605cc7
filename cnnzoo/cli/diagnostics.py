"""The state of an installation: packages, devices, data sets and checkpoints, with advice on what is missing."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cnnzoo


def examine() -> dict[str, Any]:
    """The report of `cnnzoo doctor`.

    Returns:
        `usable`: whether models can be built, trained and run, and all shipped weights are intact.
        `advice`: remedies for missing parts, the most important first.
        `cnnzoo`, `python`, `platform`: versions.
        `packages`: the required packages, each with its `name`, the `allowed` versions, the `installed` one or None,
        and `ok` if it is allowed.
        `extras`: the same for each extra, and the `install` command.
        `backend`: its `name`, `version`, `devices`, `threads` and `precision`, or the `error` of importing it.
        `data`: for each environment variable, the `folder` and the data sets that are `here` or `missing`.
        `checkpoints`: the `folder`, the number of `verified` ones, and the errors of the `broken` ones.
    """
    found: dict[str, Any] = {
        "cnnzoo": cnnzoo.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": list(_packages("")),
        "extras": {
            extra: {"packages": list(_packages(extra)), "install": f"pip install -e '.[{extra}]'"}
            for extra in _extras()
        },
        "backend": _backend(),
        "data": {"TFDS_DATA_DIR": _prepared(), "CNNZOO_DATA_DIR": _sets()},
        "checkpoints": _checkpoints(),
    }
    missing = [package["name"] for package in found["packages"] if package["installed"] is None]
    usable = not (missing or "error" in found["backend"] or found["checkpoints"]["broken"])
    return {"usable": usable, "advice": list(_advice(found)), **found}


def _requirements() -> list[Any]:
    """The requirements of the package, with those of its extras."""
    from packaging.requirements import Requirement

    try:
        listed = importlib.metadata.requires("cnnzoo") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Requirement(line) for line in listed]


def _extras() -> list[str]:
    """The names of the extras."""
    try:
        return importlib.metadata.metadata("cnnzoo").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _packages(extra: str) -> Iterator[dict[str, Any]]:
    """The packages of an extra, or for "" those that are always required."""
    for wanted in _requirements():
        if wanted.name == "cnnzoo" or bool(extra) != bool(wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        ok = version is not None and wanted.specifier.contains(version, prereleases=True)
        yield {"name": wanted.name, "allowed": str(wanted.specifier), "installed": version, "ok": ok}


def _backend() -> dict[str, Any]:
    """The Keras backend and its devices."""
    try:
        import keras

        name = keras.backend.backend()
        about: dict[str, Any] = {"name": name, "precision": keras.config.dtype_policy().name}
        about["threads"] = {
            "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        }
        if name == "tensorflow":
            import tensorflow as tf

            about["version"] = tf.__version__
            about["devices"] = [
                device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()
            ]
            about["threads"]["in an operation"] = tf.config.threading.get_intra_op_parallelism_threads()
            about["threads"]["between operations"] = tf.config.threading.get_inter_op_parallelism_threads()
        elif name == "jax":
            import jax

            about["version"] = jax.__version__
            about["devices"] = [str(device) for device in jax.devices()]
        else:
            about["error"] = f"The backend must be one of tensorflow, jax. Received: {name!r}"
    except Exception as error:  # a broken installation may raise any exception, which the report shows
        return {"error": f"{type(error).__name__}: {error}"}
    return about


def _prepared() -> dict[str, Any]:
    """The data sets that tensorflow-datasets has prepared, and those it has not."""
    from cnnzoo.data.catalog import CATALOG

    folder = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    builders = {name: known.builder for name, known in CATALOG.items() if known.source == "tfds"}
    here = [name for name, builder in builders.items() if any(folder.glob(f"{builder}/*/dataset_info.json"))]
    return {"folder": str(folder), "here": here, "missing": [name for name in builders if name not in here]}


def _sets() -> dict[str, Any]:
    """The data sets in `CNNZOO_DATA_DIR`, and those that are missing there."""
    from cnnzoo.data.catalog import CATALOG
    from cnnzoo.data.paintings import paintings
    from cnnzoo.utils.atomic_files import data_dir

    names = [name for name, known in CATALOG.items() if known.files]
    here = [name for name in names if (paintings() if name == "paintings" else CATALOG[name].folder().is_dir())]
    missing = [name for name in names if name not in here]
    return {"folder": str(data_dir()), "here": here, "missing": missing}


def _checkpoints() -> dict[str, Any]:
    """The shipped checkpoints, verified against the hashes on their cards."""
    from cnnzoo.checkpoints import CheckpointError, open_checkpoint, saved_models_dir, verify
    from cnnzoo.hub import list_checkpoints

    folder = saved_models_dir()
    broken = []
    names = list_checkpoints()
    for name in names:
        try:
            verify(open_checkpoint(folder / name))
        except (CheckpointError, OSError) as error:
            broken.append(str(error))
    return {"folder": str(folder), "verified": len(names) - len(broken), "broken": broken}


def _advice(found: dict[str, Any]) -> Iterator[str]:
    """The remedies for missing parts, the most important first."""
    if not found["packages"]:
        yield "cnnzoo is not installed, so nothing says which versions it takes: pip install -e ."
    if missing := [package["name"] for package in found["packages"] if package["installed"] is None]:
        yield f"{', '.join(missing)}: required and not installed: pip install -e ."
    for package in found["packages"]:
        if package["installed"] and not package["ok"]:
            yield (
                f"{package['name']} {package['installed']} is installed, tried are {package['allowed']}: "
                f"pip install '{package['name']}{package['allowed']}'"
            )
    if "error" in found["backend"]:
        yield f"Keras cannot be used ({found['backend']['error']}): pip install -e ., KERAS_BACKEND=tensorflow or jax"
    for error in found["checkpoints"]["broken"]:
        yield f"{error}: restore that file, as by git checkout saved_models"
    if not (found["checkpoints"]["verified"] or found["checkpoints"]["broken"]):
        yield f"there are no checkpoints in {found['checkpoints']['folder']}: install cnnzoo from a whole checkout"
    prepared, sets = found["data"]["TFDS_DATA_DIR"], found["data"]["CNNZOO_DATA_DIR"]
    if prepared["missing"]:
        yield (
            f"{', '.join(prepared['missing'])}: fetched when first used; without a network, copy "
            f"{prepared['folder']} from a machine that has them, or name its place in TFDS_DATA_DIR"
        )
    if sets["missing"]:
        yield (
            f"{', '.join(sets['missing'])}: cnnzoo data get NAME fetches each into {sets['folder']}; or name their "
            "place in CNNZOO_DATA_DIR (digits and photos need nothing)"
        )
