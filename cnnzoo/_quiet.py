"""Keeps from the reader what TensorFlow's libraries write on stderr about themselves while they are imported.

They do so before any log level counts. Whoever wants to read it sets `TF_CPP_MIN_LOG_LEVEL` below 3 before the import,
which is also what TensorFlow goes by afterwards; where it is not set, importing `cnnzoo` sets it to 3.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from cnnzoo._imports import Load, around_import

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
OF_ITSELF = re.compile(rb"WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:\d")


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
