"""Keeps from the reader what TensorFlow's libraries write on stderr about themselves while they are imported.

They do so before any log level counts. Whoever wants to read it sets `TF_CPP_MIN_LOG_LEVEL` below 3 before the import,
which is also what TensorFlow goes by afterwards; where it is not set, importing `cnnzoo` sets it to 3.
"""

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
OF_ITSELF = re.compile(rb"WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d")


def keep_tensorflow_quiet() -> None:
    """Has TensorFlow imported quietly, unless it is there already or is asked to speak."""
    if "tensorflow" not in sys.modules and os.environ.setdefault(LEVEL, "3") >= "3":
        sys.meta_path.insert(0, _Quietly())


class _Quietly(MetaPathFinder):
    """Finds TensorFlow as ever, and has it loaded quietly."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_quietly(module: ModuleType) -> None:
            with _without_what_it_says_of_itself():
                load(module)

        spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


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
