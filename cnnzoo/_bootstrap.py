"""The changes that importing `cnnzoo` makes to the process: hooks around the first imports of TensorFlow and Keras.

- TensorFlow's libraries log on stderr during their import, before any log level applies. These lines are dropped,
  unless `TF_CPP_MIN_LOG_LEVEL` is below 3 before the import; importing `cnnzoo` sets it to 3 if it is not set.
- `keras.saving.load_model` finds a class by its registered name, after the import of its module. Until then, a stand-in
  is registered, which imports the class when Keras builds a model from its configuration.
"""

import importlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
STARTUP_LINE = re.compile(rb"WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d")
Load = Callable[[ModuleType], None]


class ImportHook(MetaPathFinder):
    """Passes the first import of a package to a function of its usual loader and the module."""

    def __init__(self, name: str, loading: Callable[[Load, ModuleType], None]):
        self.name, self.loading = name, loading

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: self.loading(load, module)  # type: ignore[method-assign]
        return spec


def hook_import(name: str, loading: Callable[[Load, ModuleType], None]) -> None:
    """Calls `loading(load, module)` at the first import of a package; it must call `load(module)`."""
    sys.meta_path.insert(0, ImportHook(name, loading))


def keep_tensorflow_quiet() -> None:
    """Drops the startup lines of TensorFlow, unless it is imported already or its log level is below 3."""
    if "tensorflow" not in sys.modules and os.environ.setdefault(LEVEL, "3") >= "3":
        hook_import("tensorflow", _load_quietly)


def _load_quietly(load: Load, module: ModuleType) -> None:
    with _without_startup_lines():
        load(module)


@contextmanager
def _without_startup_lines() -> Iterator[None]:
    """Captures file descriptor 2, also of native libraries, and writes it out at the end without startup lines."""
    try:
        stderr = os.dup(2)
    except OSError:  # no stderr
        yield
        return
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            captured.seek(0)
            for line in captured:
                if not STARTUP_LINE.match(line):
                    os.write(2, line)


def register_with_keras() -> None:
    """Registers the stand-ins now, or after the import of Keras."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        hook_import("keras", _load_and_register)


def _load_and_register(load: Load, keras: ModuleType) -> None:
    load(keras)
    _register(keras)


def _register(keras: ModuleType) -> None:
    from cnnzoo.registry import own_architectures

    known = keras.saving.get_custom_objects()
    modules = {name: f"cnnzoo.models.{name}" for name in own_architectures()}
    modules["PhaseOptimizer"] = "cnnzoo.phases.optimizer"
    for name, module in modules.items():
        known.setdefault(f"cnnzoo>{name}", _stand_in(f"cnnzoo>{name}", module))


def _stand_in(registered: str, module: str) -> type:
    class StandIn:
        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            importlib.import_module(module)  # which registers the class in place of this one
            import keras

            return keras.saving.get_custom_objects()[registered].from_config(config)

    return StandIn
