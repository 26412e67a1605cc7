"""Lets `keras.saving.load_model` load the zoo's models wherever `cnnzoo` has been imported, and no more of it.

Keras finds a saved class by its registered name, which exists once the module of the class has been imported. Importing
`cnnzoo` imports neither those nor Keras, so until then a stand-in has the name: it imports the class when Keras asks it
to make a model. The stand-ins are registered as soon as there is a Keras to register them with.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from cnnzoo._imports import Load, around_import


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
