"""The server of exports as a process, over HTTP: responses, errors and fuzzing."""

import base64
import http.client
import io
import json
import re
import runpy
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from skimage.data import astronaut
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

import cnnzoo
from cnnzoo.imaging.files import png_bytes

PHOTO = np.ascontiguousarray(astronaut()[::16, ::12])  # (32, 43, 3)
PNG = png_bytes(PHOTO)
MEGABYTE, PIXELS = 2**20, 20_000  # limits given to the server


CLIENT = Path(cnnzoo.__file__).parent / "serving" / "client.py"
METRICS = "/monitoring/prometheus/metrics"


class Client:
    """A connection to a server, reopened after the server closes it."""

    def __init__(self, address: str):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=60)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def __call__(self, path: str, body=None, method: str = "", **headers: str) -> tuple[int, bytes]:
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request(method or ("GET" if body is None else "POST"), path, sent, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def predict(self, model: str, body) -> dict:
        status, content = self(f"/v1/models/{model}:predict", body)
        assert status == 200, content
        return json.loads(content)

    def refused(self, path: str, body=None, method: str = "") -> tuple[int, str]:
        status, content = self(path, body, method)
        answer = json.loads(content)
        assert status >= 400 and list(answer) == ["error"] and answer["error"], content
        return status, answer["error"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    for name in ("espcn.x3", "lenet.mnist", "cgan.mnist"):
        cnnzoo.export(name, root)
    config = root / "models.config"
    labeled = 'name: "lenet" version_labels { key: "stable" value: 1 }'
    config.write_text(config.read_text().replace('name: "lenet"', labeled))
    return root


@pytest.fixture(scope="module")
def started(folder):
    """The server process and its output at startup."""
    command = [sys.executable, "-m", "cnnzoo", "serve", str(folder), "--port", "0"]
    command += ["--megabytes", "1", "--megapixels", str(PIXELS / 1e6)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = ""
        while "kubectl" not in said and (line := process.stdout.readline()):
            said += line
        yield process, said
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


@pytest.fixture(scope="module")
def address(started):
    found = re.search(r"Serving on http://(127\.0\.0\.1:\d+)", started[1])
    assert found, started[1]
    return found[1]


@pytest.fixture(scope="module")
def client(address):
    with Client(address) as client:
        yield client


@pytest.fixture(scope="module")
def loaded(folder):
    return {name: cnnzoo.load_export(folder / name) for name in ("espcn", "lenet", "cgan")}


def b64(file: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(file).decode()}


# -- responses ---------------------------------------------------------------------------------------------------------


def test_serve_prints_models_and_production_commands(started, folder):
    said = started[1]
    assert "Production is TensorFlow Serving" in said
    assert "/v1/models/espcn/versions/1  serving_default, upscale, upscale_bytes" in said
    assert f"docker run -p 8500:8500 -p 8501:8501 -v {folder}:/models tensorflow/serving" in said
    assert Path(re.search(r"kubectl apply -f (.*)", said)[1]).exists()
    assert all((folder / name).exists() for name in re.findall(r"--\w+=/models/(\S+)", said))


def test_predict_matches_export_in_row_and_column_format(client, loaded):
    images = np.stack([PHOTO, PHOTO[::-1]])[:, :24].astype(np.float32) / 255  # the response has nine times the pixels
    wanted = loaded["espcn"]("upscale", image=images)["image"]
    rows = client.predict("espcn", {"instances": images.tolist()})
    named = client.predict("espcn", {"instances": [{"image": image.tolist()} for image in images]})
    columns = client.predict("espcn", {"signature_name": "upscale", "inputs": images.tolist()})
    objects = client.predict("espcn/versions/1", {"inputs": {"image": images.tolist()}})
    assert rows == named and columns == objects and list(rows) == ["predictions"] and list(columns) == ["outputs"]
    np.testing.assert_array_equal(np.array(rows["predictions"], np.float32), wanted)
    np.testing.assert_array_equal(np.array(columns["outputs"], np.float32), wanted)


def test_predict_upscale_bytes_returns_encoded_files(client, loaded):
    for files in ([PNG], [PNG, png_bytes(PHOTO[:9, :7])]):
        wanted = loaded["espcn"]("upscale_bytes", image_bytes=files)["image_bytes"].tolist()
        made = client.predict("espcn", {"signature_name": "upscale_bytes", "instances": [b64(f) for f in files]})
        assert made == {"predictions": [b64(file) for file in wanted]}
        unpadded = {"b64": "\n".join(re.findall(".{1,76}", b64(files[0])["b64"].rstrip("=")))}
        made = client.predict("espcn", {"signature_name": "upscale_bytes", "inputs": {"image_bytes": [unpadded]}})
        assert made == {"outputs": [b64(wanted[0])]}


def test_predict_names_multiple_outputs(client, loaded):
    files = [PNG, png_bytes(PHOTO[::-1])]
    wanted = loaded["lenet"]("classify_bytes", image_bytes=files)
    sent = [b64(file) for file in files]
    rows = client.predict("lenet/labels/stable", {"signature_name": "classify_bytes", "instances": sent})["predictions"]
    columns = client.predict("lenet", {"signature_name": "classify_bytes", "inputs": sent})["outputs"]
    assert [row["class_names"] for row in rows] == [[str(i) for i in range(10)]] * 2 == columns["class_names"]
    for made in ([row["probabilities"] for row in rows], columns["probabilities"]):
        np.testing.assert_allclose(np.array(made, np.float32), wanted["probabilities"], atol=1e-6)


def test_predict_accepts_scalar_inputs_only_in_column_format(client, loaded):
    inputs = {"seed": 7, "labels": [3, 8]}
    made = client.predict("cgan", {"signature_name": "generate_bytes", "inputs": inputs})["outputs"]
    wanted = loaded["cgan"]("generate_bytes", **inputs)
    assert made["image_bytes"] == [b64(file) for file in wanted["image_bytes"]]
    np.testing.assert_array_equal(np.array(made["code"], np.float32), wanted["code"])
    status, reason = client.refused(
        "/v1/models/cgan:predict", {"signature_name": "generate", "instances": [{"seed": 7, "labels": 3}]}
    )
    assert status == 400 and "`seed` must be of shape []. Received: [1]" in reason


def test_predict_reads_and_writes_nan(client):
    def decoding(*code):
        inputs = f'{{"code": [[{", ".join(code)}]], "labels": [1]}}'
        return f'{{"signature_name": "decode", "inputs": {inputs}}}'.encode()

    status, reason = client.refused("/v1/models/cgan:predict", decoding("NaN", *["0.5"] * 31))
    assert status == 400 and "`code` must be finite numbers. Received: NaN or infinity" in reason
    overflowing = decoding(*["3e38", "-3e38"] * 16)
    assert np.isnan(client.predict("cgan", overflowing)["outputs"]).any()


def test_predict_rejects_nan_and_infinity_in_images(client):
    body = b'{"instances": [[[[NaN], [0.5]], [[Infinity], [0]]]]}'
    status, reason = client.refused("/v1/models/espcn:predict", body)
    assert status == 400 and "`image` must be images in [0, 1]. Received: values outside [0, 1]" in reason


def test_status_and_metadata_match_protobuf_messages(client, folder):
    for path in ("espcn", "espcn/versions/1", "lenet/labels/stable"):
        status, content = client(f"/v1/models/{path}")
        told = json_format.Parse(content, get_model_status_pb2.GetModelStatusResponse()).model_version_status
        assert status == 200 and [(each.version, each.state) for each in told] == [(1, 30)]  # AVAILABLE
    saved = saved_model_pb2.SavedModel.FromString((folder / "lenet/1/saved_model.pb").read_bytes())
    for path in ("lenet", "lenet/versions/1", "lenet/labels/stable"):
        status, content = client(f"/v1/models/{path}/metadata")
        told = json.loads(content)
        assert status == 200 and told["model_spec"] == {"name": "lenet", "signature_name": "", "version": "1"}
        signatures = json_format.ParseDict(told["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap())
        assert signatures.signature_def == saved.meta_graphs[0].signature_def


def test_metrics_count_requests_like_tensorflow_serving(client):
    def counts():
        status, page = client(METRICS)
        assert status == 200 and b"\n# TYPE :tensorflow:serving:request_count counter\n" in page
        found = {}
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                found[sample.name, *sorted(sample.labels.values())] = sample.value
        return found

    before = counts()
    client.predict("lenet", {"instances": np.zeros((2, 28, 28, 1)).tolist()})
    client.refused("/v1/models/lenet:predict", b"{")
    client.refused("/v1/models/another:predict", b"{}")
    after = counts()
    grown = {key: after[key] - before.get(key, 0) for key in after if key[0].startswith(":tensorflow:serving:request")}
    assert b':tensorflow:serving:request_count{model_name="lenet",status="OK"}' in client(METRICS)[1]
    count = ":tensorflow:serving:request_count_total"  # the parser adds the ending to every counter
    latency = ":tensorflow:serving:request_latency"
    assert (
        grown[count, "OK", "lenet"] == grown[count, "INVALID_ARGUMENT", "lenet"] == grown[count, "", "NOT_FOUND"] == 1
    )
    assert grown[f"{latency}_count", "REST", "lenet", "predict"] == 1
    assert 10 < grown[f"{latency}_sum", "REST", "lenet", "predict"] < 6e7  # microseconds
    assert grown[f"{latency}_bucket", "+Inf", "REST", "lenet", "predict"] == 1
    assert not any("another" in key for key in after)
    assert after["process_resident_memory_bytes",] > 1e7


def test_example_client_works_over_rest(address, loaded, tmp_path):
    client = runpy.run_path(str(CLIENT))
    files = [PNG, png_bytes(PHOTO[:9, :7])]
    made = client["by_rest"](files, f"http://{address}", "espcn", "upscale_bytes")
    assert made == loaded["espcn"]("upscale_bytes", image_bytes=files)["image_bytes"].tolist()
    with pytest.raises(client["Refused"], match="400: Invalid PNG"):
        client["by_rest"]([PNG[:50]], f"http://{address}", "espcn", "upscale_bytes")
    with pytest.raises(client["Refused"], match=r"must be one of files to files. Received: 'classify_bytes'"):
        client["by_rest"]([PNG], f"http://{address}", "lenet", "classify_bytes")
    with pytest.raises(ValueError, match=r"must start with http:// or https://. Received: localhost8501"):
        client["by_rest"]([PNG], "localhost8501", "espcn", "upscale_bytes")
    (tmp_path / "in.png").write_bytes(PNG)
    command = [sys.executable, CLIENT, "in.png", "out.png", "--rest", f"http://{address}"]
    subprocess.run([*command], cwd=tmp_path, check=True)
    assert (tmp_path / "out.png").read_bytes() == made[0]
    done = subprocess.run([*command, "--model", "no"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and "client: 404: Servable not found for request: Latest(no)" in done.stderr


def test_server_page_lists_models_and_fetches_nothing(client, address):
    status, content = client("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
    page = content.decode()
    assert status == 200 and page.startswith("<!doctype html>") and "width=device-width" in page
    assert not re.search(r"<script|<img|<link|src=|@import|url\(", page)
    for name, version in (("espcn", 1), ("lenet", 1), ("cgan", 1)):
        assert f"{name}, version {version}: AVAILABLE" in page
    assert page.count("<pre>") == page.count("<h3>") == 3 + 3 + 5
    for link in re.findall(r'href="([^"]+)"', page):
        assert client(link)[0] == 200, link
    assert client("/")[1] == content  # also without an Accept header


def test_server_page_curl_commands_return_listed_outputs(client, address, tmp_path):
    status, content = client("/", Accept="application/json")
    told = json.loads(content)
    assert status == 200 and {model["state"] for model in told["models"]} == {"AVAILABLE"}
    (tmp_path / "photo.jpg").write_bytes(PNG)
    for model in told["models"]:
        for name, about in model["signatures"].items():
            line = about["curl"]
            sent = f"curl -s http://{address}/v1/models/{model['name']}:predict -d"
            before, found, after = line.partition(sent)
            assert found and (name in line)
            if after == " @-":  # read from the commands before the pipe
                made = subprocess.run(
                    ["sh", "-c", before.rpartition("|")[0]], cwd=tmp_path, capture_output=True, check=True
                )
                body = made.stdout
            else:
                (body,) = shlex.split(after)
            outputs = client.predict(model["name"], json.loads(body))["outputs"]
            assert set(outputs) == set(about["outputs"]) if len(about["outputs"]) > 1 else outputs


# -- errors ------------------------------------------------------------------------------------------------------------

FILES = "upscale_bytes"
HUGE = PNG[:16] + (300).to_bytes(4, "big") * 2 + PNG[24:]  # claims 90,000 pixels
BAD = [
    ("espcn", b"", 400, "JSON Parse error: The document is empty"),
    ("espcn", b"{", 400, "JSON Parse error"),
    ("espcn", b"\xff\xfe{}", 400, "JSON Parse error"),
    ("espcn", b'{"instances": ' + b"[" * 100_000, 400, "JSON Parse error"),
    ("espcn", [], 400, "JSON must be an object. Received: an empty list"),
    ("espcn", {}, 400, "Missing 'inputs' or 'instances' key"),
    ("espcn", {"inputs": 1, "instances": [1]}, 400, "`inputs` must not be given with `instances`"),
    ("espcn", {"instances": []}, 400, "`instances` must be a list with at least one value. Received: an empty list"),
    ("espcn", {"instances": 1}, 400, "`instances` must be a list with at least one value. Received: a number"),
    ("espcn", {"signature_name": 3, "inputs": 1}, 400, "`signature_name` must be a string. Received: a number"),
    ("espcn", {"signature_name": "no", "inputs": 1}, 400, '"no" not found in signature def. It must be one of se'),
    ("espcn", {"inputs": {"picture": 1}}, 400, "Missing named input: image"),
    ("espcn", {"instances": [{"picture": 1}]}, 400, "must have the keys image. Received: picture"),
    ("espcn", {"instances": [{"image": 1}, 1]}, 400, "All or none of `instances` must be objects"),
    ("espcn", {"instances": [1]}, 400, "`image` must be of shape [any, any, any, any]. Received: [1]"),
    ("lenet", {"instances": [[[[0.5]]]]}, 400, "`image` must be of shape [any, 28, 28, 1]. Received: [1, 1, 1, 1]"),
    ("espcn", {"instances": [[[[1, 2], [1]]]]}, 400, "`image` must be lists of equal lengths"),
    ("espcn", {"instances": [[[["a"]]]]}, 400, "not of expected type: float32"),
    ("espcn", {"instances": [[[[True]]]]}, 400, "not of expected type: float32"),
    ("espcn", {"instances": [[[[0.5], [False]]]]}, 400, "not of expected type: float32"),
    ("espcn", {"instances": [[[[None]]]]}, 400, "not of expected type: float32"),
    ("espcn", {"instances": [[[[b64(PNG)]]]]}, 400, "not of expected type: float32"),
    ("cgan", {"signature_name": "generate", "inputs": {"seed": 1.0, "labels": [1]}}, 400, "expected type: int64"),
    (
        "cgan",
        {"signature_name": "generate", "inputs": {"seed": 1, "labels": [2**31]}},
        400,
        "`labels` must be of int32",
    ),
    (
        "cgan",
        {"signature_name": "generate", "inputs": {"seed": 1, "labels": [10]}},
        400,
        "`labels` must be numbers in [0, 9]",
    ),
    (
        "cgan",
        {"signature_name": "generate", "inputs": {"seed": 1, "labels": []}},
        400,
        "`labels` must have one value or more",
    ),
    ("cgan", {"signature_name": "generate", "inputs": [1]}, 400, "`inputs` must be objects with "),
    (
        "cgan",
        {"signature_name": "decode", "inputs": {"code": [[0.0] * 5], "labels": [1]}},
        400,
        "`code` must be of shape",
    ),
    (
        "espcn",
        {"signature_name": FILES, "instances": [1]},
        400,
        "must be a string or an object with b64. Received: a number",
    ),
    (
        "espcn",
        {"signature_name": FILES, "instances": [[b64(PNG)]]},
        400,
        "strings inside 1 lists. Received: a list inside 1",
    ),
    (
        "espcn",
        {"signature_name": FILES, "inputs": b64(PNG)},
        400,
        "strings inside 1 lists. Received: an object inside 0",
    ),
    ("espcn", {"signature_name": FILES, "instances": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
    ("espcn", {"signature_name": FILES, "instances": ["\ud800"]}, 400, "not Unicode"),
    ("espcn", {"signature_name": FILES, "instances": ["text"]}, 400, "must be a PNG or JPEG"),
    ("espcn", {"signature_name": FILES, "instances": [b64(PNG[:99])]}, 400, "Invalid PNG"),
    (
        "espcn",
        {"signature_name": FILES, "instances": [b64(HUGE)]},
        400,
        f"at most {PIXELS} pixels in all. Received: 90000",
    ),
    (
        "espcn",
        {"signature_name": FILES, "instances": [b64(PNG)] * 15},
        400,
        f"at most {PIXELS} pixels in all. Received: 20640",
    ),
    ("espcnn", {"inputs": 1}, 404, "Servable not found for request: Latest(espcnn)"),
    ("espcn/versions/2", {"inputs": 1}, 404, "Servable not found for request: Specific(espcn, 2)"),
    ("espcn/labels/stable", {"inputs": 1}, 400, "Unrecognized servable version label: stable"),
    ("espcn/versions/" + "9" * 19, {"inputs": 1}, 400, "Failed to convert version"),
    ("espcn/versions/" + "9" * 5000, {"inputs": 1}, 400, "Failed to convert version"),
    ("espcn/versions/one", {"inputs": 1}, 400, "Malformed request: POST /v1/models/espcn/versions/one:predict"),
]


@pytest.mark.parametrize("model, body, status, reason", BAD, ids=[f"{bad[3][:40]} {i}" for i, bad in enumerate(BAD)])
def test_predict_rejects_bad_request_with_reason(model, body, status, reason, client):
    found = client.refused(f"/v1/models/{model}:predict", body)
    assert found[0] == status and reason in found[1]


def test_server_rejects_unknown_paths_and_wrong_methods(client):
    for method, path, status, reason in [
        ("PUT", "/v1/models/espcn", 400, "Malformed request: PUT /v1/models/espcn"),
        ("GET", "/v1/models/espcn:predict", 400, "Malformed request: GET"),
        ("POST", "/v1/models/espcn", 400, "Malformed request: POST"),
        ("POST", "/v1/models/espcn:upscale", 400, "Malformed request: POST"),
        ("GET", "/v1/models", 400, "Missing model name"),
        ("GET", "/v1/nothing", 400, "Malformed request"),
        ("GET", "/v1/models/nothing", 404, "Could not find any versions of model nothing"),
        ("GET", "/v1/models/espcn/versions/2", 404, "Could not find version 2 of model espcn"),
        ("GET", "/v1/models/nothing/metadata", 404, "Servable not found for request: Latest(nothing)"),
        ("GET", "/nothing", 404, "Not Found"),
        ("POST", "/", 405, "Method Not Allowed"),
        ("POST", "/healthz", 405, "Method Not Allowed"),
        ("DELETE", METRICS, 405, "Method Not Allowed"),
    ]:
        found = client.refused(path, None, method)
        assert found[0] == status and reason in found[1], (method, path)
    examples = {"examples": [{"image": 0.5}]}
    assert client.refused("/v1/models/lenet:classify", examples)[0] == 400
    assert client.refused("/v1/models/nothing:regress", examples)[0] == 404


def test_server_rejects_large_body_and_accepts_next_one(address):
    with Client(address) as client:
        for size in (MEGABYTE + 1, 3 * MEGABYTE):
            status, reason = client.refused("/v1/models/espcn:predict", b" " * size)
            assert status == 413 and f"at most {MEGABYTE} bytes" in reason
        small = b'{"inputs": [[[[0.5]]]]}'
        assert client("/v1/models/espcn:predict", small + b" " * (MEGABYTE - len(small)))[0] == 200


def test_server_survives_invalid_and_unfinished_requests(address):
    host, port = address.split(":")
    half = b"POST /v1/models/espcn:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
    with socket.create_connection((host, int(port))) as slow, Client(address) as client:
        slow.sendall(half)
        for garbage in (b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\xff", b"GET / HTTP/9.9\r\n\r\n", half):
            with socket.create_connection((host, int(port))) as other:
                other.sendall(garbage)
        assert client("/healthz") == (200, b"ok\n")
        assert client.predict("espcn", {"instances": [[[[0.5]]]]})


# -- fuzzing -----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(b64(PNG)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("b64"), inner, max_size=3)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(["image", "image_bytes", "seed", "labels", "code"])
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(["classify", "classify_bytes", "upscale_bytes", "generate", "decode"])
        | VALUES,
        "inputs": st.dictionaries(NAMES, VALUES, max_size=3) | VALUES,
        "instances": st.lists(st.dictionaries(NAMES, VALUES, max_size=3) | VALUES, max_size=3) | VALUES,
    },
)
MODELS = st.sampled_from(["espcn", "lenet", "cgan", "cgan/versions/1"])
QUICK = settings(max_examples=150, deadline=None, database=None, derandomize=True)


def answered(client: Client, model: str, body: bytes) -> int:
    """Returns the status of a response, which must be 200, or 400 with a reason."""
    status, content = client(f"/v1/models/{model}:predict", body)
    assert status in (200, 400), content
    assert status == 200 or json.loads(content)["error"]
    return status


@QUICK
@given(model=MODELS, request=REQUESTS)
def test_predict_answers_random_json(client, model, request):
    answered(client, model, json.dumps(request).encode())


@QUICK
@given(model=MODELS, body=st.binary(max_size=200))
def test_predict_rejects_random_bytes(client, model, body):
    assert answered(client, model, body) == 400


@QUICK
@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "GIF"]))
def test_predict_answers_corrupted_files(client, data, kind):
    Image.fromarray(PHOTO).save(buffer := io.BytesIO(), kind)
    file = bytearray(buffer.getvalue())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(file) - 1), st.integers(0, 255)), max_size=8)):
        file[place] = value
    file = bytes(file[: data.draw(st.integers(0, len(file)))])
    answered(client, "espcn", json.dumps({"signature_name": FILES, "instances": [b64(file)]}).encode())
