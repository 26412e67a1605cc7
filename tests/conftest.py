"""Setup of all tests: quiet logs, float32 training, memory release, and fixtures for real data sets."""

import os
import signal
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# XLA optimization takes longer than the few small steps of a test. TensorFlow and JAX read this variable.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import pytest
from memory import give_back

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # background start; subprocesses of tests need SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)

SETS = ("mnist", "fashion_mnist")
SOURCE = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module", autouse=True)
def _memory():
    """Frees the memory of a file's models before the next file."""
    yield
    give_back()


@pytest.fixture(scope="module", autouse=True)
def _float32(request):
    """Trains in float32 on every machine, like the references, unless a file sets `TRAINING_PRECISION = None`."""
    with pytest.MonkeyPatch.context() as patch:
        if getattr(request.module, "TRAINING_PRECISION", "float32"):
            import cnnzoo.phases.precision as precision

            patch.setattr(precision, "_available", lambda: precision.PRECISIONS[:1])
        yield


@pytest.fixture(scope="session")
def tfds_data(tmp_path_factory) -> Path:
    """The tensorflow-datasets folder with MNIST and Fashion-MNIST prepared, set as TFDS_DATA_DIR.

    Uses the folder in TFDS_DATA_DIR if it has both sets, or else prepares one from the files in `shared/data` next to
    the checkout. Skips the test if neither exists.
    """
    named = os.environ.get("TFDS_DATA_DIR")
    if named and all((Path(named) / name).is_dir() for name in SETS):
        return Path(named)
    if not (SOURCE / "seed_tfds.py").exists():
        pytest.skip("needs MNIST and Fashion-MNIST: neither TFDS_DATA_DIR nor ../shared/data has them")
    folder = tmp_path_factory.mktemp("tfds")
    seed = [sys.executable, str(SOURCE / "seed_tfds.py"), "--data-dir", str(folder), *SETS]
    subprocess.run(seed, check=True, capture_output=True)
    os.environ["TFDS_DATA_DIR"] = str(folder)
    return folder


@pytest.fixture
def photograph_sets(monkeypatch) -> Path:
    """The folder of the full-size photograph sets, set as CNNZOO_DATA_DIR. Skips the test if any set is missing."""
    folder = Path(os.environ.get("CNNZOO_DATA_DIR") or SOURCE)
    sets = ("t91", "bsds500", "train400", "set5", "set14", "bsd68", "set12")
    if missing := [name for name in sets if not (folder / name).is_dir()]:
        pytest.skip(f"needs {', '.join(missing)}: neither CNNZOO_DATA_DIR nor ../shared/data has them")
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def set5(photograph_sets) -> list:
    """The five images of Set5, uint8 (height, width, 3)."""
    from cnnzoo.data.photographs import photographs

    return list(photographs("set5", "test", 3).images)
