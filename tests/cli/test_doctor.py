"""Tests of `cnnzoo doctor`: its report on the installation, and its advice on missing parts."""

import importlib.metadata
import json
import os
import shutil
import sys

import pytest

import cnnzoo
from cnnzoo import checkpoints, cli
from cnnzoo.cli import diagnostics


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A simulated machine: two required packages, one extra, two data sets of each kind, two checkpoints."""
    required = ["numpy<3,>=2", "keras<4,>=3.15", "onnx<2,>=1; extra == 'export'", "cnnzoo[export]; extra == 'test'"]
    installed = {"numpy": "2.4.6", "keras": "3.15.1", "onnx": "1.23.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(diagnostics, "_extras", lambda: ["export", "test"])
    for place in ("tfds/mnist/3.0.1", "tfds/cmaterdb/bangla/1.0.0", "data/set5/test", "data/bsds500/val"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "tfds/mnist/3.0.1/dataset_info.json").touch()
    (tmp_path / "tfds/cmaterdb/bangla/1.0.0/dataset_info.json").touch()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path / "data"))
    shipped = checkpoints.saved_models_dir()
    for name in ("lenet.mnist", "espcn.x2"):
        shutil.copytree(shipped / name, tmp_path / "saved" / name)
    monkeypatch.setattr(checkpoints, "saved_models_dir", lambda: tmp_path / "saved")
    monkeypatch.setattr(checkpoints.shipped, "saved_models_dir", lambda: tmp_path / "saved")
    return tmp_path, installed


def asked(capsys, *options: str) -> tuple[int, str]:
    code = cli.main(["doctor", *options])
    said = capsys.readouterr()
    assert said.err == ""
    return code, said.out


def test_doctor_json_reports_installation(machine, capsys):
    code, said = asked(capsys, "--json")
    found = json.loads(said)
    assert code == 0 and found["usable"] and found["cnnzoo"] == cnnzoo.__version__
    assert [(p["name"], p["installed"], p["ok"]) for p in found["packages"]] == [
        ("numpy", "2.4.6", True),
        ("keras", "3.15.1", True),
    ]
    assert [p["name"] for p in found["extras"]["export"]["packages"]] == ["onnx"]
    assert found["backend"]["precision"] == "float32" and "CPU" in " ".join(found["backend"]["devices"])
    assert found["backend"]["threads"]["processors"] == len(os.sched_getaffinity(0))
    assert found["data"]["TFDS_DATA_DIR"]["here"] == ["mnist", "cmaterdb"]
    assert found["data"]["CNNZOO_DATA_DIR"]["here"] == ["set5", "bsd100"]
    assert found["checkpoints"]["verified"] == 2 and found["checkpoints"]["broken"] == []
    assert any("fashion_mnist" in advice and "TFDS_DATA_DIR" in advice for advice in found["advice"])
    assert any("t91" in advice and "CNNZOO_DATA_DIR" in advice for advice in found["advice"])


def test_doctor_text_reports_installation_and_missing_extra(machine, capsys):
    _, installed = machine
    del installed["onnx"]
    code, said = asked(capsys)
    assert code == 0 and said.endswith("The zoo can be used.\n")
    text = " ".join(said.split())
    assert "packages numpy 2.4.6 keras 3.15.1" in text
    assert "onnx is missing (must be <2,>=1); pip install -e '.[export]'" in text
    assert "2 of 2 have the sha256 of their card" in text
    assert max(map(len, said.splitlines())) <= 119


def test_doctor_exits_1_for_missing_required_package(machine, capsys):
    _, installed = machine
    del installed["numpy"]
    code, said = asked(capsys, "--json")
    assert code == 1 and "numpy: required and not installed: pip install -e ." in json.loads(said)["advice"][0]


def test_doctor_advises_on_untested_package_version(machine, capsys):
    _, installed = machine
    installed["keras"] = "4.1.0"
    code, said = asked(capsys, "--json")
    advice = json.loads(said)["advice"][0]
    assert code == 0 and "keras 4.1.0" in advice and "pip install 'keras<4,>=3.15'" in advice


def test_doctor_exits_1_for_altered_checkpoint(machine, capsys):
    folder, _ = machine
    with (folder / "saved" / "espcn.x2" / "model.weights.h5").open("ab") as file:
        file.write(b"0")
    code, said = asked(capsys)
    assert code == 1 and said.endswith("The zoo cannot be used as it is.\n")
    text = " ".join(said.split())
    assert "1 of 2 have the sha256" in text and "espcn.x2/model.weights.h5 was cut short or altered" in text


def test_doctor_exits_1_for_backend_import_error(machine, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    code, said = asked(capsys, "--json")
    found = json.loads(said)
    assert code == 1 and "keras" in found["backend"]["error"] and "Keras cannot be used" in found["advice"][0]


def test_doctor_exits_0_if_cnnzoo_is_not_installed(machine, capsys, monkeypatch):
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    code, said = asked(capsys, "--json")
    assert code == 0 and "cnnzoo is not installed" in json.loads(said)["advice"][0]
