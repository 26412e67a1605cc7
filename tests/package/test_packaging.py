"""The editable install of the README and the contents of the wheel."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import setuptools

ROOT = Path(__file__).parents[2]
CHECKPOINTS = ["lenet.mnist", "espcn.x3"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A checkout in a folder with the name of the package, as `git clone` makes it."""
    folder = tmp_path_factory.mktemp("home") / "cnnzoo"
    shutil.copytree(ROOT / "cnnzoo", folder / "cnnzoo", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in CHECKPOINTS:
        shutil.copytree(ROOT / "saved_models" / name, folder / "saved_models" / name)
    return folder


def test_editable_install_imports_from_every_folder(clone, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "build_tools.pth").write_text(f"{Path(setuptools.__file__).parents[1]}\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "-e", clone], check=True)
    program = "import cnnzoo; cnnzoo.build; print(*cnnzoo.list_checkpoints())"
    for folder in (clone.parent, clone, tmp_path):
        printed = subprocess.run([python, "-c", program], cwd=folder, capture_output=True, text=True)
        assert printed.stdout.split() == sorted(CHECKPOINTS), f"from {folder}: {printed.stderr}"


def test_wheel_contains_package_checkpoints_and_manifests(clone, tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, clone]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in CHECKPOINTS:
        for file in ("card.json", "model.weights.h5", "golden.npz"):
            assert f"cnnzoo/saved_models/{name}/{file}" in names
    assert {f"cnnzoo/deploy/{path.name}" for path in (ROOT / "deploy").glob("*.*")} <= names
    files = [path for path in (ROOT / "cnnzoo").rglob("*.*") if path.suffix != ".pyc"]
    assert {f"cnnzoo/{path.relative_to(ROOT / 'cnnzoo')}" for path in files} <= names
