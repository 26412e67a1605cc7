"""All that importing `cnnzoo` changes in the process, around the imports of TensorFlow and Keras, whenever they come.

- TensorFlow's libraries write about themselves on stderr while they are imported, before any log level counts. These
  lines are held back. Whoever wants to read them sets `TF_CPP_MIN_LOG_LEVEL` below 3 before the import; where it is not
  set, importing `cnnzoo` sets it to 3.
- `keras.saving.load_model` finds a saved class by its registered name, which exists once the module of the class has
  been imported. Until then a stand-in has the name: it imports the class when Keras asks it to make a model.
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
OF_ITSELF = re.compile(rb"WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d")
Load = Callable[[ModuleType], None]


class Around(MetaPathFinder):
    """Finds a package as ever, once, and has its loading done by a function of the usual loading and the module."""

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


def around_import(name: str, loading: Callable[[Load, ModuleType], None]) -> None:
    """Has `loading(load, module)` called when the package is imported first; it is to call `load(module)`."""
    sys.meta_path.insert(0, Around(name, loading))


def keep_tensorflow_quiet() -> None:
    """Has TensorFlow imported quietly, unless it is there already or is asked to speak."""
    if "tensorflow" not in sys.modules and os.environ.setdefault(LEVEL, "3") >= "3":
        around_import("tensorflow", _load_quietly)


def _load_quietly(load: Load, module: ModuleType) -> None:
    with _without_what_it_says_of_itself():
        load(module)


@contextmanager
def _without_what_it_says_of_itself() -> Iterator[None]:
    """Holds stderr, of the libraries as well, and lets go of it at the end, less the lines that are of no use."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is none
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            for line in said:
                if not OF_ITSELF.match(line):
                    os.write(2, line)


def register_when_keras_is_there() -> None:
    """Registers the stand-ins now, or when Keras is imported."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        around_import("keras", _load_and_register)


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
            importlib.import_module(module)  # which registers the class in the place of this one
            import keras

            return keras.saving.get_custom_objects()[registered].from_config(config)

    return StandIn
