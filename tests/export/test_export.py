"""Exports loaded by other software: TensorFlow, LiteRT and ONNX Runtime."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import exported, samples
from google.protobuf import text_format
from PIL import Image, ImageOps
from scipy.stats import norm
from skimage.data import astronaut
from tensorflow.core.protobuf import saved_model_pb2

import cnnzoo
from cnnzoo import checkpoints
from cnnzoo.cli import main
from cnnzoo.export import writer
from cnnzoo.export.calibration import Range
from cnnzoo.export.image_codec import from_bytes
from cnnzoo.export.isolated_runner import Litert, Onnx
from cnnzoo.export.loader import verify
from cnnzoo.export.serving import write_configs
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import png_bytes, read_image, save_png

PHOTO = np.ascontiguousarray(astronaut()[::8, ::6])  # (64, 86, 3)
NAMES = {"espcn": "espcn.x3", "lenet": "lenet.mnist", "cgan": "cgan.mnist"}
ODD = np.random.default_rng(0).random((1, 37, 29, 1), np.float32)  # prime sides


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of three exports with one version each."""
    root = tmp_path_factory.mktemp("exports")
    for name in NAMES.values():
        cnnzoo.export(name, root, litert=True, onnx=True, data="photos" if name == "espcn.x3" else "digits")
    return root


@pytest.fixture(scope="module")
def loaded(folder):
    return {name: cnnzoo.load_export(folder / name) for name in NAMES}


# -- folder ------------------------------------------------------------------------------------------------------------


def test_export_writes_files_for_tensorflow_serving(folder):
    for name in NAMES:
        inside = {str(path.relative_to(folder / name)) for path in (folder / name).rglob("*") if path.is_file()}
        serving = {"saved_model.pb", "variables/variables.index", "assets.extra/tf_serving_warmup_requests"}
        ours = {"assets.extra/export.json", "assets.extra/golden.npz", "assets.extra/card.json", "onnx/model.onnx"}
        assert {f"1/{file}" for file in serving | ours} <= inside
        assert ("1/batching_params.pbtxt" in inside) == (name == "lenet")  # fixed sides, no inputs without a batch axis
        assert json.loads((folder / name / "1/assets.extra/card.json").read_text()) == cnnzoo.card(NAMES[name])


def test_export_version_increments_and_rejects_another_model(folder, tmp_path):
    shutil.copytree(folder / "lenet", tmp_path / "lenet")
    assert cnnzoo.export("lenet.mnist", tmp_path) == tmp_path / "lenet" / "2"
    (tmp_path / "lenet" / "1").rename(tmp_path / "lenet" / "9")
    (tmp_path / "lenet" / "10").mkdir()  # not written by an export
    (tmp_path / "lenet" / "10" / "file").touch()
    assert cnnzoo.export("lenet.mnist", tmp_path).name == "11"
    with pytest.raises(
        ValueError, match=r"lenet must have versions of 'lenet.mnist' only; .*. Received: 'lenet.cifar10'"
    ):
        cnnzoo.export("lenet.cifar10", tmp_path)
    assert sorted(path.name for path in (tmp_path / "lenet").iterdir()) == ["10", "11", "2", "9"]
    with pytest.raises(ValueError, match=r"Unknown checkpoint 'lenet.mnits'. Did you mean lenet.mnist"):
        cnnzoo.export("lenet.mnits", tmp_path)


def test_export_rejects_another_configuration_and_damaged_description(tmp_path):
    cnnzoo.export(cnnzoo.build("lenet", classes=3), tmp_path)
    complaint = r"lenet must have versions of 'lenet' with classes=3 only; .*. Received: classes=4$"
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.export(cnnzoo.build("lenet", classes=4), tmp_path)
    (tmp_path / "lenet/1/assets.extra/export.json").write_text("{}")
    for read in (cnnzoo.load_export, lambda folder: cnnzoo.export(cnnzoo.build("lenet", classes=3), folder.parent)):
        with pytest.raises(
            ValueError, match=r"export.json must be a file that cnnzoo export wrote. Received: no model"
        ):
            read(tmp_path / "lenet")
    assert [path.name for path in (tmp_path / "lenet").iterdir()] == ["1"]


def test_export_name_is_checkpoint_or_data_set_and_path_is_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(checkpoints.saved_models_dir() / "autoencoder.mnist", "lenet.mnist")
    seen = []
    monkeypatch.setattr(
        writer, "_write_all", lambda aside, model, card, source, name, data, *_: seen.append((source, data))
    )
    cnnzoo.export("lenet.mnist", "exports", name="named", data="digits")
    cnnzoo.export(Path("lenet.mnist"), "exports", name="folder", data=Path("digits"))
    assert seen == [("lenet.mnist", "digits"), ("autoencoder.mnist", str(tmp_path / "digits"))]


def test_export_config_parses_and_preserves_user_entries(folder, tmp_path):
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((folder / "models.config").read_text(), config)
    found = {model.name: (model.base_path, model.model_platform) for model in config.model_config_list.config}
    assert found == {name: (f"/models/{name}", "tensorflow") for name in NAMES}
    text = (folder / "models.config").read_text()
    example = re.findall(r"^# +(model_version_policy.*|version_labels.*)$", text, re.MULTILINE)
    model = text_format.Parse("\n".join(example), model_server_config_pb2.ModelConfig())
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert dict(model.version_labels) == {"stable": 1, "canary": 2}
    for name in ("lenet", "espcn"):
        shutil.copytree(folder / name, tmp_path / name)
    held = 'model_config_list { config { name: "lenet" base_path: "/x" model_version_policy { all {} } } } # mine\n'
    (tmp_path / "models.config").write_text(held)
    write_configs(tmp_path)
    text_format.Parse((tmp_path / "models.config").read_text(), config := model_server_config_pb2.ModelServerConfig())
    found = {model.name: model.base_path for model in config.model_config_list.config}
    assert found == {"lenet": "/x", "espcn": "/models/espcn"} and "# mine" in (tmp_path / "models.config").read_text()


def test_export_warmup_requests_cover_every_signature(folder, loaded):
    from tensorflow_serving.apis import prediction_log_pb2

    for name, export in loaded.items():
        file = str(folder / name / "1/assets.extra/tf_serving_warmup_requests")
        asked = set()
        for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            assert request.model_spec.name == name
            signature = request.model_spec.signature_name
            export(signature, **{key: tf.make_ndarray(value) for key, value in request.inputs.items()})
            asked.add(signature)
        assert asked == set(export.signatures)


def test_export_describes_every_input_and_output(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "espcn/1/saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["upscale"]
    assert signature.method_name == "tensorflow/serving/predict"
    about = json.loads((folder / "espcn/1/assets.extra/export.json").read_text())["signatures"]
    for key, of_graph in saved.meta_graphs[0].signature_def.items():
        if key in about:
            for side in ("inputs", "outputs"):
                assert set(about[key][side]) == set(getattr(of_graph, side))
                assert all(tensor["description"] for tensor in about[key][side].values())
    assert [side.size for side in signature.inputs["image"].tensor_shape.dim] == [-1] * 4


# -- other loaders -----------------------------------------------------------------------------------------------------


def test_verify_export_passes_and_detects_changed_golden(folder, tmp_path, capsys):
    assert main(["verify", *(str(folder / name) for name in NAMES), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [str(folder / name / "1") for name in NAMES]
    files = {"litert/float32.tflite", "litert/float16.tflite", "litert/int8.tflite", "onnx/model.onnx"}
    assert all(files < set(differences) for differences in found.values())
    shutil.copytree(folder / "lenet", tmp_path / "lenet")
    file = tmp_path / "lenet/1/assets.extra/golden.npz"
    with np.load(file) as golden:
        changed = dict(golden)
    changed["classify/out/probabilities"] = changed["classify/out/probabilities"] + np.float32(2e-5)
    np.savez_compressed(file, **changed)
    with pytest.raises(ValueError, match="lenet/1: classify is off by 2e-05"):
        verify(tmp_path / "lenet")
    with pytest.raises(ValueError, match="must be a folder that cnnzoo export wrote"):
        verify(tmp_path)


def test_verify_export_reports_exit_code_of_killed_process(folder, monkeypatch):
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *words, **options: killed)
    with pytest.raises(ValueError, match="cannot be loaded: exit code -9"):
        verify(folder / "lenet")


def test_export_onnx_and_litert_accept_other_image_sizes(folder, tmp_path):
    denoiser = cnnzoo.export("denoiser.gray_s25", tmp_path, litert=True, onnx=True, data="photos")
    for version, verb in ((folder / "espcn" / "1", "upscale"), (denoiser, "restore")):
        about = json.loads((version / "assets.extra" / "export.json").read_text())
        wanted = getattr(cnnzoo.build(about["model"]), verb)(ODD)
        assert wanted.std() > 0.05
        for form in (Onnx(version / "onnx/model.onnx"), Litert(version / "litert/float32.tflite")):
            np.testing.assert_allclose(form({"image": ODD}), wanted, atol=1e-4)


def test_export_onnx_retries_conversion_with_lost_dimension(tmp_path, monkeypatch):
    import tf2onnx

    convert, flattened = tf2onnx.convert.from_function, []

    def wrong(*given):
        model, storage = convert(*given)
        if len(flattened) < times:
            del model.graph.output[0].type.tensor_type.shape.dim[0]
            flattened.append(1)
        return model, storage

    monkeypatch.setattr(tf2onnx.convert, "from_function", wrong)
    times = 1
    version = cnnzoo.export(cnnzoo.build("cnn"), tmp_path, onnx=True)
    assert len(flattened) == 1 and Onnx(version / "onnx/model.onnx").session.get_outputs()[0].shape == ["n", 10]
    times = 100
    with pytest.raises(RuntimeError, match=r"tf2onnx .* made no graph whose output has 2 sides"):
        cnnzoo.export(cnnzoo.build("cnn"), tmp_path / "other", onnx=True)
    assert not any((tmp_path / "other").rglob("saved_model.pb"))


def test_export_int8_uses_integers_and_costs_little_psnr(folder):
    from ai_edge_litert.interpreter import Interpreter

    sizes = [(folder / f"espcn/1/litert/{kind}.tflite").stat().st_size for kind in ("float32", "float16", "int8")]
    assert sizes[0] > 1.5 * sizes[1] > 2 * sizes[2]
    file = folder / "espcn/1/litert/int8.tflite"
    details = Interpreter(model_path=str(file)).get_tensor_details()
    assert {detail["dtype"] for detail in details if len(detail["shape"]) == 4} == {np.int8}
    model = cnnzoo.build("espcn.x3")
    truth = astronaut()[None, :255, :255, :1].astype(np.float32) / 255
    small = np.asarray(model.small(truth))

    def psnr(made):
        return -10 * np.log10(np.mean(np.square(truth - np.rint(made * 255) / 255)))

    assert psnr(Litert(file)({"image": small})) > psnr(model.upscale(small)) - 0.15


def test_calibration_range_excludes_outliers():
    values = np.random.default_rng(0).standard_normal(500_000).astype(np.float32)
    values[::100_000] = 100.0
    seen = Range()
    np.testing.assert_array_equal(seen(tf.constant(values)), values)
    np.testing.assert_allclose(seen.ends, norm.ppf([1e-4, 1 - 1e-4]), atol=0.15)  # of 50 values at each end
    seen.known = True
    rounded, step = seen(tf.constant(values)).numpy(), (seen.ends[1] - seen.ends[0]) / 255
    inside = (values > seen.ends[0] + step) & (values < seen.ends[1] - step)
    assert np.abs(rounded - values)[inside].max() <= 0.5 * step * 1.001
    assert rounded.max() < seen.ends[1] + step and len(np.unique(rounded)) <= 256 and 0 in rounded


# -- files -------------------------------------------------------------------------------------------------------------


def file_of(image: np.ndarray, kind: str, orientation: int = 0, order: str = "<") -> bytes:
    exif = Image.Exif()
    exif.endian = order
    if orientation:
        exif[0x010F], exif[0x0112] = "Maker", orientation
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def decode():
    spec = tf.TensorSpec((), tf.string)
    whole = tf.function(lambda file: from_bytes(file, (None, None, 3)), [spec], autograph=False)
    return lambda file: np.rint(whole(file).numpy() * 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_export_decodes_files_upright_like_pillow(kind, decode):
    for orientation in range(9):
        for order in "<>":
            file = file_of(PHOTO, kind, orientation, order)
            wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
            np.testing.assert_array_equal(decode(file), wanted)
    damaged = file.replace(b"II*\0", b"II*\xff").replace(b"MM\0*", b"MM\xff\xff")
    assert decode(damaged).size == PHOTO.size
    at = file.index(b"MM\0*")
    lost = file[: at + 4] + b"\xff\xff\xff\xff" + file[at + 8 :]  # EXIF directory beyond the end of the file
    if kind == "JPEG":  # in a PNG the checksum would be wrong
        np.testing.assert_array_equal(decode(lost), np.asarray(Image.open(io.BytesIO(file))))


def test_export_converts_files_to_model_input(decode, loaded):
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).quantize(64).save(buffer, "PNG")
    np.testing.assert_array_equal(decode(buffer.getvalue()), read_image(buffer.getvalue()))
    model, made = cnnzoo.build("lenet.mnist"), loaded["lenet"]("classify_bytes", image_bytes=[file_of(PHOTO, "PNG")])
    # Pillow resizes in fixed point: a few pixels differ by one of 255 levels.
    np.testing.assert_allclose(made["probabilities"], model.classify(fit_to(PHOTO[None], model.image_shape)), atol=5e-4)
    assert made["class_names"].tolist() == [[str(i).encode() for i in range(10)]]


@pytest.mark.parametrize("light", [False, True], ids=["dark", "light"])
def test_export_composites_transparent_files_like_python(decode, light):
    pixels = PHOTO // 2 + (127 if light else 0)
    alpha = np.random.default_rng(0).integers(0, 256, pixels.shape[:2]).astype(np.uint8)
    alpha[:20] = 0  # and their hidden colors
    palette = Image.fromarray(pixels).quantize(4)
    gray = Image.fromarray(pixels[..., 0] // 64 * 64)
    for image, more in (
        (Image.fromarray(np.dstack([pixels, alpha])), {}),
        (Image.fromarray(np.dstack([pixels[..., 0], alpha])), {}),
        (Image.fromarray(np.dstack([pixels, np.zeros_like(alpha)])), {}),
        (palette, {"transparency": 1}),  # of two bits
        (palette, {}),
        (gray, {"transparency": int(gray.getpixel((0, 0)))}),
        (gray.convert("1"), {}),
    ):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", **more)
        expected = read_image(buffer.getvalue(), 3)
        np.testing.assert_array_equal(decode(buffer.getvalue()), expected, err_msg=f"{image.mode} {more}")


def test_export_upscale_bytes_accepts_files_of_mixed_sizes(loaded):
    photos = [PHOTO, PHOTO[:20, :31], PHOTO[:9, :9, :1]]
    made = loaded["espcn"]("upscale_bytes", image_bytes=[png_bytes(photo) for photo in photos])["image_bytes"]
    model = cnnzoo.build("espcn.x3")
    for photo, file in zip(photos, made, strict=True):
        difference = read_image(file, 3).astype(int) - model.upscale(np.repeat(photo, 3 // photo.shape[2], axis=2))
        assert np.abs(difference).max() <= 1


def test_export_upscale_bytes_rejects_bad_files(loaded):
    png = png_bytes(PHOTO)
    header = png[:16] + (2**16).to_bytes(4) * 2 + png[24:]  # claims 4 gigapixels
    other = "must be a PNG or JPEG"
    bad = [(b"", other), (b"no", other), (png[:200], "PNG"), (png[:8], other), (header, "must have at most")]
    for file, message in bad:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            loaded["espcn"]("upscale_bytes", image_bytes=[png, file])
    assert len(loaded["espcn"]("upscale_bytes", image_bytes=[png])["image_bytes"]) == 1


# -- verbs -------------------------------------------------------------------------------------------------------------


def test_export_generate_is_deterministic_and_rejects_bad_labels(loaded):
    ask, labels = loaded["cgan"], [3, 3, 7]
    first, again, other = (ask("generate", seed=seed, labels=labels) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first["image"], again["image"])
    assert np.abs(first["image"] - other["image"]).max() > 0.5
    assert not np.array_equal(first["image"][0], first["image"][1])
    of_codes = cnnzoo.build("cgan.mnist").decode(first["code"], np.array(labels))
    np.testing.assert_allclose(first["image"], of_codes, atol=1e-5)
    files = ask("generate_bytes", seed=5, labels=labels)["image_bytes"]
    assert max(np.abs(read_image(f) - 255 * x).max() for f, x in zip(files, first["image"], strict=True)) <= 0.51
    named = cnnzoo.build("lenet.mnist").classify(first["image"]).argmax(axis=1)
    assert named.tolist() == labels
    range_rule, none_rule = r"`labels` must be numbers in \[0, 9\]", "`labels` must have one value or more"
    many_rule = "The number of images must be between 1 and 1024"
    for wrong, rule in (([10], range_rule), ([-1], range_rule), ([0] * 1025, many_rule), ([], none_rule)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
            ask("generate", seed=0, labels=np.array(wrong, np.int32))


@pytest.mark.parametrize("prior", ["normal", "vampprior"])
def test_export_generate_samples_vae_prior(prior, tmp_path):
    small = {"image_shape": (4, 4, 1), "width": 2, "hidden": 4, "latent_dim": 3}
    model = cnnzoo.build("vae", prior=prior, pseudo_inputs=4, **small)
    if prior == "vampprior":  # four narrow components
        means, log_variances = (keras.ops.convert_to_numpy(part) for part in model.components())
    export = cnnzoo.load_export(cnnzoo.export(model, tmp_path))
    code = export("generate", seed=1, n=1024)["code"]
    if prior == "normal":
        np.testing.assert_allclose([code.mean(axis=0), code.std(axis=0)], [[0] * 3, [1] * 3], atol=0.12)
    else:
        spread = np.exp(log_variances).mean(axis=0) + means.var(axis=0)
        np.testing.assert_allclose(code.mean(axis=0), means.mean(axis=0), atol=0.15)
        np.testing.assert_allclose(code.var(axis=0), spread, rtol=0.2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="number of images"):
        export("generate", seed=1, n=0)


def test_export_omits_training_only_weights_and_operations(tmp_path):
    for name in ("espcn", "dcgan", "vqvae"):
        model = samples.fresh(name, **({"expansion": 64} if name == "espcn" else {}))
        version = cnnzoo.export(model, tmp_path)
        trained = sum(weight.numpy().size for weight in model.weights)
        left = {"espcn": 0.5, "dcgan": 0.5, "vqvae": 1.0}[name]  # collapsed; no critic; no statistics
        assert exported.weights(version) < left * trained
        assert not {"FusedBatchNormV3", "Rsqrt"} & exported.operations(exported.graph(version))


def test_export_converts_mixed_precision_to_float32(tmp_path):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = samples.fresh("dcgan")
        version = cnnzoo.export(model, tmp_path)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(policy)
    whole = model.inference_copy()
    z = np.random.default_rng(0).standard_normal((3, model.latent_dim), dtype=np.float32)
    made = cnnzoo.load_export(version)("decode", code=z)["image"]
    np.testing.assert_allclose(made, whole.decode(z), atol=1e-5)


def test_load_export_lists_signatures_and_rejects_wrong_inputs(loaded, folder):
    export = loaded["lenet"]
    assert export.path == folder / "lenet" / "1" and export.about["model"] == "lenet.mnist"
    assert export.signatures == ["classify", "classify_bytes", "serving_default"]
    with pytest.raises(
        ValueError, match=r"`signature` must be one of classify, classify_bytes, serving_default\. Received: 'upscale'"
    ):
        export("upscale")
    with pytest.raises(ValueError, match=r"The inputs must be image\. Received: x"):
        export("classify", x=0)
    with pytest.raises(ValueError, match="must be a folder that cnnzoo export wrote"):
        cnnzoo.load_export(folder)


@pytest.mark.slow
def test_export_under_jax_matches_model(tmp_path):
    script = f"""if True:
        import os
        os.environ["KERAS_BACKEND"] = "jax"
        import cnnzoo, numpy as np
        model = cnnzoo.build("lenet.mnist")
        model.class_names = tuple("abcdefghij")
        print(cnnzoo.export(model, {str(tmp_path)!r}, name="digits"))
        np.save({str(tmp_path / "made.npy")!r}, model.classify(np.full((1, 28, 28, 1), 0.5, np.float32)))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "digits" / "1")]
    made = cnnzoo.load_export(tmp_path / "digits")("classify", image=np.full((1, 28, 28, 1), 0.5, np.float32))
    np.testing.assert_allclose(made["probabilities"], np.load(tmp_path / "made.npy"), atol=1e-4)
    made = cnnzoo.load_export(tmp_path / "digits")("classify_bytes", image_bytes=[file_of(PHOTO, "PNG")])
    assert sorted(made["class_names"][0].tolist()) == [letter.encode() for letter in "abcdefghij"]


# -- command -----------------------------------------------------------------------------------------------------------


def test_export_command_prints_folder_and_reports_unknown_name(tmp_path, capsys):
    assert main(["export", "lenet.mnist", str(tmp_path), "--name", "digits"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "digits" / "1")]
    assert main(["export", "nonsense", str(tmp_path)]) == 2
    assert "Unknown checkpoint 'nonsense'" in capsys.readouterr().err


@pytest.mark.slow
def test_export_of_run_has_class_names_of_training_data(tmp_path):
    """The image folder no longer exists at export."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for i in range(4):
            save_png(tmp_path / f"pets/train/{label}/{i}.png", rng.integers(0, 256, (28, 28, 1), np.uint8))
    run = cnnzoo.train("lenet", data=tmp_path / "pets", epochs=1, batch_size=4, out=tmp_path / "run", verbose=0)
    (tmp_path / "pets").rename(tmp_path / "elsewhere")
    cnnzoo.export(str(run), tmp_path / "exports", name="pets")
    made = cnnzoo.load_export(tmp_path / "exports" / "pets")("classify_bytes", image_bytes=[file_of(PHOTO, "PNG")])
    assert made["class_names"].tolist() == [[b"cat", b"dog"]]
