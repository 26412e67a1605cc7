"""What of the zoo works on this machine, and what to do about the rest: packages, devices, data, checkpoints."""

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cnnzoo

PREPARED = {"cmaterdb": "cmaterdb/bangla"}  # the folder of a builder, where it is not the builder's name


def examine() -> dict[str, Any]:
    """All that `cnnzoo doctor` says.

    Returns:
        `usable`: whether models can be built, trained and run, and all shipped weights are whole.
        `advice`: what to do about each thing that is missing, the most important first.
        `cnnzoo`, `python`, `platform`: versions.
        `packages`: what is required, each with its `name`, the `allowed` versions, the one `installed` or None, and
        whether that is `ok`.
        `extras`: the same for each extra, and the `install` command.
        `backend`: its `name`, `version`, `devices`, `threads` and `precision`, or the `error` of importing it.
        `data`: by the variable that names it, each `folder` with the sets that are `here` and those `missing`.
        `checkpoints`: the `folder`, how many are `verified`, and the error of each that is `broken`.
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
    from packaging.requirements import Requirement

    try:
        listed = importlib.metadata.requires("cnnzoo") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Requirement(line) for line in listed]


def _extras() -> list[str]:
    try:
        return importlib.metadata.metadata("cnnzoo").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _packages(extra: str) -> Iterator[dict[str, Any]]:
    """Those of an extra, or for "" those that are always required."""
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
            about["error"] = f"got the backend {name!r}; allowed: tensorflow, jax"
    except Exception as error:  # a broken installation raises anything, and that is what is asked about
        return {"error": f"{type(error).__name__}: {error}"}
    return about


def _prepared() -> dict[str, Any]:
    """What tensorflow-datasets has prepared."""
    from cnnzoo.data.sources import BUILDERS

    folder = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    here = [name for name in BUILDERS if any(folder.glob(f"{PREPARED.get(name, name)}/*/dataset_info.json"))]
    return {"folder": str(folder), "here": here, "missing": [name for name in BUILDERS if name not in here]}


def _sets() -> dict[str, Any]:
    """The sets of pictures that the zoo itself looks for."""
    from cnnzoo.data.paintings import paintings
    from cnnzoo.data.photographs import TESTING, TRAINING
    from cnnzoo.utils.atomic_files import data_dir

    places = {"signs": "sign_digits", **TRAINING, **TESTING}
    here = [name for name, place in places.items() if (data_dir() / place).is_dir()]
    missing = [name for name in places if name not in here]
    (here if paintings() else missing).append("paintings")
    return {"folder": str(data_dir()), "here": here, "missing": missing}


def _checkpoints() -> dict[str, Any]:
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
