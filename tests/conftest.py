"""What all tests share: quiet logs, and the real data sets where they are at hand."""

import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

SETS = ("mnist", "fashion_mnist")
SOURCE = Path(__file__).parents[2] / "shared" / "data"


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


@pytest.fixture(scope="session")
def set5() -> list:
    """The five images of Set5, uint8 (height, width, 3), from CNNZOO_DATA_DIR or `shared/data` beside the checkout."""
    from cnnzoo.images import read_image

    named = os.environ.get("CNNZOO_DATA_DIR")
    folders = [folder / "set5" / "test" for folder in (SOURCE, *([Path(named)] if named else []))]
    files = next((found for folder in folders if (found := sorted(folder.glob("*/*.png")))), None)
    if files is None:
        pytest.skip("needs Set5: neither CNNZOO_DATA_DIR nor ../shared/data has it")
    return [read_image(file, 3) for file in files]
