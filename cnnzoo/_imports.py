"""Lets something be done around the import of another package, whenever that comes, without importing it."""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

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
