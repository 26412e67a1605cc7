"""What all tests share: quiet logs, and the real data sets where they are at hand."""

import os
import signal
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A few small steps take less time than it takes XLA to make them fast; TensorFlow and JAX read it.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import pytest
from memory import give_back

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background; the processes of tests hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

SETS = ("mnist", "fashion_mnist")
SOURCE = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module", autouse=True)
def _memory():
    """What the models of a file have taken is given back before the next file."""
    yield
    give_back()


@pytest.fixture(scope="module", autouse=True)
def _float32(request):
    """Trains in float32 on every machine, as the references do, unless a file has `TRAINING_PRECISION = None`."""
    with pytest.MonkeyPatch.context() as patch:
        if getattr(request.module, "TRAINING_PRECISION", "float32"):
            import cnnzoo.phases.precision as precision

            patch.setattr(precision, "_available", lambda: precision.PRECISIONS[:1])
        yield


@pytest.fixture(scope="session")
def tfds_data(tmp_path_factory) -> Path:
    """A folder of tensorflow-datasets with MNIST and Fashion-MNIST prepared, set as TFDS_DATA_DIR.

    It is the one that TFDS_DATA_DIR names, or is made from the files in `shared/data` beside the checkout; where there
    is neither, the test is skipped.
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
    """The folder of the sets of whole photographs, set as CNNZOO_DATA_DIR; skipped where they are not at hand."""
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
