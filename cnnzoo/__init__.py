"""Image networks for generation, restoration and editing, built by name, with trained weights.

Importing this package is fast: each public name is imported from its module on first use.
"""

from typing import TYPE_CHECKING, Any

from cnnzoo._bootstrap import keep_tensorflow_quiet, register_with_keras

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cnnzoo.evaluation import evaluate
    from cnnzoo.export import export, load_export
    from cnnzoo.hub import build, card, list_checkpoints, pipeline, push_to_hub
    from cnnzoo.imaging.figures import compare, plot_history, show
    from cnnzoo.registry import list_models
    from cnnzoo.training.loop import train
    from cnnzoo.tuning import tune
    from cnnzoo.web_app import app

__all__ = [
    "__version__",
    "app",
    "build",
    "card",
    "compare",
    "evaluate",
    "export",
    "list_checkpoints",
    "list_models",
    "load_export",
    "pipeline",
    "plot_history",
    "push_to_hub",
    "show",
    "train",
    "tune",
]

_HOME = {
    "app": "cnnzoo.web_app",
    "build": "cnnzoo.hub",
    "card": "cnnzoo.hub",
    "list_checkpoints": "cnnzoo.hub",
    "list_models": "cnnzoo.registry",
    "evaluate": "cnnzoo.evaluation",
    "export": "cnnzoo.export",
    "load_export": "cnnzoo.export",
    "pipeline": "cnnzoo.hub",
    "push_to_hub": "cnnzoo.hub",
    "compare": "cnnzoo.imaging.figures",
    "plot_history": "cnnzoo.imaging.figures",
    "show": "cnnzoo.imaging.figures",
    "train": "cnnzoo.training.loop",
    "tune": "cnnzoo.tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cnnzoo' has no attribute {name!r}; public names: {', '.join(__all__)}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


keep_tensorflow_quiet()
register_with_keras()
