"""Conformance tests of exports of every architecture in the registry, including new ones, with external loaders:
`saved_model_cli`, the C API of TensorFlow and, in a process without cnnzoo, TensorFlow, onnxruntime and LiteRT.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.tools import saved_model_cli

import cnnzoo
from cnnzoo.export.loader import verify
from cnnzoo.export.signatures import main
from cnnzoo.registry import architecture
from conformance import exported, samples

SERVED = [name for name in cnnzoo.list_models() if architecture(name).ships]
every_served = samples.few("cnn", "dcgan", "espcn", of=SERVED)


@pytest.fixture(scope="module")
def exports(request, tmp_path_factory):
    """Exports and their models by architecture name, each written on first access.

    They include LiteRT and ONNX if the slow test of these formats is selected.
    """
    tests = {getattr(item, "originalname", "") for item in request.session.items}
    converted = test_exports_match_golden_without_cnnzoo.__name__ in tests

    class Exports(dict):
        def __missing__(self, name):
            model, settings = samples.fresh(name), {}
            if converted:
                data = "digits" if samples.shape(model)[2] == 1 and model.image_shape[0] else "photos"
                settings = {"onnx": True, "litert": True, "data": data}
            folder = cnnzoo.export(model, tmp_path_factory.mktemp("exports"), **settings)
            self[name] = folder, model
            return self[name]

    return Exports()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """`saved_model.c`, compiled against the libraries of the TensorFlow package."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc to compile a program that uses the C interface of TensorFlow")
    target, home = tmp_path_factory.mktemp("program") / "saved_model", Path(tf.sysconfig.get_lib())
    libraries = [str(home / "libtensorflow_cc.so.2"), str(home / "libtensorflow_framework.so.2")]
    if not Path(libraries[0]).exists():
        pytest.skip("needs the libtensorflow_cc.so.2 that TensorFlow has on Linux")
    source = Path(__file__).parents[1] / "scripts" / "saved_model.c"
    command = ["gcc", source, "-o", target, f"-I{tf.sysconfig.get_include()}", *libraries, f"-Wl,-rpath,{home}"]
    subprocess.run([*map(str, command)], check=True)
    return target


@every_served
def test_export_has_verbs_stock_operations_and_no_extra_weights(name, exports):
    folder, model = exports[name]
    golden = exported.golden(folder)
    about = json.loads((folder / "assets.extra" / "export.json").read_text())["signatures"]
    assert set(about) == {"serving_default", *golden, *(f"{verb}_bytes" for verb in golden)}
    for verb in set(golden) - {"generate"}:  # its noise differs
        given, made = golden[verb]
        (wanted,) = (made[name] for name in made if name != "class_names")
        np.testing.assert_allclose(getattr(model, verb)(*given.values()), wanted, atol=1e-5)
    graph = exported.graph(folder)
    assert exported.operations(graph) <= exported.STOCK
    assert graph.versions.min_consumer <= 12  # TensorFlow 1.4
    assert exported.weights(folder) <= sum(weight.numpy().size for weight in model.reparameterized().weights)


@samples.few("cnn", of=SERVED)
def test_export_runs_in_c_api_and_saved_model_cli(name, exports, program, tmp_path, monkeypatch, capsys):
    folder, model = exports[name]
    verb = "decode" if model.task == "generate" else main(model)
    given, wanted = exported.golden(folder)[verb]
    (output,) = (key for key in wanted if key != "class_names")
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def[verb]
    words = []
    for key, value in given.items():
        value.tofile(tmp_path / key)
        np.save(tmp_path / f"{key}.npy", value)
        sides = ",".join(map(str, (tf.as_dtype(value.dtype).as_datatype_enum, *value.shape)))
        words.append(f"{signature.inputs[key].name}={sides}={tmp_path / key}")
    command = [program, folder, tmp_path / "made", *words, signature.outputs[output].name]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    made = np.fromfile(tmp_path / "made", np.float32).reshape(wanted[output].shape)
    np.testing.assert_allclose(made, wanted[output], atol=1e-5)

    arguments = ["run", "--dir", folder, "--tag_set", "serve", "--signature_def", verb, "--outdir", tmp_path / "out"]
    arguments += ["--inputs", ";".join(f"{key}={tmp_path / key}.npy" for key in given)]
    monkeypatch.setattr(sys, "argv", ["saved_model_cli", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        saved_model_cli.main()
    assert not ended.value.code
    np.testing.assert_allclose(np.load(tmp_path / "out" / f"{output}.npy"), wanted[output], atol=1e-5)


@pytest.mark.slow
def test_exports_match_golden_without_cnnzoo(exports):
    found = verify(*(exports[name][0] for name in SERVED))
    assert set(found) == {str(exports[name][0]) for name in SERVED}
    for differences in found.values():
        assert {"litert/float32.tflite", "onnx/model.onnx"} <= set(differences)


@pytest.mark.parametrize("name", sorted(set(cnnzoo.list_models()) - set(SERVED)))
def test_export_rejects_unservable_architectures(name, tmp_path):
    with pytest.raises(ValueError, match=f"`model` must be trained to classify, .*. Received: a {name}, "):
        cnnzoo.export(samples.fresh(name), tmp_path)
    assert not list(tmp_path.iterdir())
