"""Unit tests of the server's parts, the client over gRPC, and the manifests of `deploy/`."""

import asyncio
import base64
import gzip
import json
import re
import runpy
import shlex
import shutil
import socket
import threading
from collections.abc import Sequence
from concurrent import futures
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from skimage.data import astronaut
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc

import cnnzoo
from cnnzoo.cli import main
from cnnzoo.imaging.files import png_bytes
from cnnzoo.serving import app as serving_app
from cnnzoo.serving import metrics
from cnnzoo.serving.app import application
from cnnzoo.serving.batching import Full, Workers
from cnnzoo.serving.metadata import status
from cnnzoo.serving.model_repository import MOUNT, ModelRepository
from cnnzoo.serving.page import address, overview, page
from cnnzoo.serving.predictor import Predictor
from cnnzoo.serving.protocol import Refusal, answer

DEPLOY = Path(__file__).parents[2] / "deploy"
PNG = png_bytes(astronaut()[::16, ::12])
PATH = "/v1/models/lenet:predict"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("exports")
    cnnzoo.export("lenet.mnist", root)
    return root


@pytest.fixture(scope="module")
def catalog(folder):
    return ModelRepository(folder)


# -- application -------------------------------------------------------------------------------------------------------


async def call(
    app, path: str, *chunks: bytes, method: str = "POST", then: str = "", headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[int, bytes]:
    """Returns status and body of the response to a chunked request, which may stall or end in a disconnection."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if not then:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    if then == "disconnect":
        messages.append({"type": "http.disconnect"})
    sent = []

    async def receive():
        return messages.pop(0) if messages else await asyncio.Future()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": [*headers]}
    await app({**scope, "query_string": b"", "root_path": ""}, receive, send)
    return sent[0]["status"], sent[1]["body"]


def test_server_refuses_bytes_after_gzip_body_at_once(catalog):
    app = application(catalog, Workers(Held(), 1, 3), 1000)
    body = gzip.compress(b"{}")
    encoded = [(b"content-encoding", b"gzip")]
    for chunks in ([body + b"more"], [body, b"more"], [body, gzip.compress(b"{}")]):
        status, content = asyncio.run(call(app, PATH, *chunks, then="stall", headers=encoded))
        assert status == 400 and "must end with its stream. Received: bytes after it" in json.loads(content)["error"]


class Held:
    """Work that blocks until `go` is set, and then returns "done"."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, servable, bodies):
        self.begun.set()
        assert self.go.wait(60)
        return [b'"done"'] * len(bodies)


@pytest.mark.parametrize("waiting, most, reason", [(3, 1000, "are waiting"), (100, 10, "being sent")])
def test_server_rejects_excess_requests_and_finishes_the_rest(waiting, most, reason, catalog):
    held, taken = Held(), 4 if waiting == 3 else serving_app.BODIES
    workers = Workers(held, 1, waiting)
    servable = replace(catalog.find("lenet"), most=1)
    app = application(Fixed(servable), workers, most)

    async def all_of_it():
        first = asyncio.create_task(call(app, PATH, b"[" * 10))
        await asyncio.to_thread(held.begun.wait, 60)
        others = [asyncio.create_task(call(app, PATH, b"[" * 10)) for _ in range(taken - 1)]
        await asyncio.sleep(0)  # each task runs until its first wait
        code, content = await call(app, PATH, b"[" * 10)
        assert code == 503 and reason in json.loads(content)["error"]
        assert await call(app, "/healthz", method="GET") == (200, b"ok\n")  # while all work is blocked
        held.go.set()
        assert await asyncio.gather(first, *others) == [(200, b'"done"')] * taken
        assert await call(app, PATH, b"[" * 10) == (200, b'"done"')

    asyncio.run(all_of_it())
    workers.close()


class Fixed:
    """A model repository with one version."""

    def __init__(self, servable):
        self.servable = servable

    def find(self, name, version, label):
        return self.servable

    def all(self):
        return [self.servable]


def test_server_handles_timeout_disconnect_and_internal_error(catalog, monkeypatch, caplog):
    def work(servable, bodies):
        raise KeyError("a secret")

    workers = Workers(work, 1, 10)
    app = application(catalog, workers, 1000)
    monkeypatch.setattr(serving_app, "PATIENCE", 0.01)
    code, content = asyncio.run(call(app, PATH, b"{", then="nothing"))
    assert code == 408 and "did not arrive" in json.loads(content)["error"]
    assert asyncio.run(call(app, PATH, b"{", then="disconnect"))[0] == 499
    assert asyncio.run(call(app, PATH, b"{}")) == (500, b'{"error": "the server failed"}')
    assert "a secret" in caplog.text  # in the server's log only
    workers.close()


# -- queue -------------------------------------------------------------------------------------------------------------


def test_queue_batches_jobs_of_equal_key_oldest_first():
    held, done = threading.Event(), []

    def work(key, payloads):
        if key == "first":
            assert held.wait(60)
        if "bad" in payloads:
            raise ValueError("bad")
        done.append((key, list(payloads)))
        return [payload * 2 for payload in payloads]

    workers = Workers(work, 1, 20)
    first = workers.submit("first", 0)
    jobs = [
        workers.submit(key, n, most) for n, (key, most) in enumerate([("a", 3), ("b", 1), ("b", 1)] + [("a", 3)] * 4)
    ]
    bad = workers.submit("c", "bad", 2)
    assert jobs[4].cancel()
    held.set()
    assert [job.result(60) for n, job in enumerate(jobs) if n != 4] == [0, 2, 4, 6, 10, 12]
    with pytest.raises(ValueError, match="bad"):
        bad.result(60)
    workers.close()
    assert first.result() == 0
    assert done == [("first", [0]), ("a", [0, 3]), ("b", [1]), ("b", [2]), ("a", [5, 6])]
    with pytest.raises(Full):
        workers.submit("a", 1)


class Counted:
    """An export that records its calls."""

    def __init__(self, export):
        self.about, self.signatures, self.export, self.calls = export.about, export.signatures, export, []

    def __call__(self, signature, **inputs):
        self.calls.append((signature, len(next(iter(inputs.values())))))
        return self.export(signature, **inputs)


def of_files(*files: bytes) -> bytes:
    values = [{"b64": base64.b64encode(file).decode()} for file in files]
    return json.dumps({"signature_name": "classify_bytes", "inputs": values}).encode()


def of_numbers(count: int) -> bytes:
    return json.dumps({"instances": np.random.default_rng(count).random((count, 28, 28, 1)).tolist()}).encode()


def test_predictor_batches_requests_and_isolates_bad_ones(catalog):
    known, predict = catalog.find("lenet"), Predictor(1e6)
    servable = replace(known, export=Counted(known.export), most=32)
    bodies = [
        of_files(PNG),
        of_numbers(3),
        of_files(PNG, png_bytes(astronaut()[:9, :9])),
        of_numbers(30),
        of_numbers(40),
    ]
    alone = [json.loads(predict(known, [body])[0]) for body in bodies]
    joined = [json.loads(made) for made in predict(servable, bodies)]
    assert sorted(servable.export.calls) == [
        ("classify_bytes", 3),
        ("serving_default", 3),
        ("serving_default", 30),
        ("serving_default", 40),  # above the batch limit: runs alone
    ]
    for one, other in zip(alone, joined, strict=True):
        probabilities = [made["outputs"]["probabilities"] if "outputs" in made else
                         [row["probabilities"] for row in made["predictions"]] for made in (one, other)]  # fmt: skip
        np.testing.assert_allclose(*probabilities, atol=1e-6)
    servable.export.calls.clear()
    made = predict(servable, [bodies[0], b"{", of_files(PNG[:50]), bodies[2]])
    assert [type(each) for each in made] == [bytes, Refusal, Refusal, bytes]
    # Exact equality: the retry runs alone. A batch of another size may round its sums differently.
    assert json.loads(made[3]) == alone[2] and made[2].http == 400 and "PNG" in str(made[2])
    assert servable.export.calls == [("classify_bytes", n) for n in (4, 1, 1, 2)]


def test_answer_rejects_unbatched_outputs_in_row_format():
    outputs = {"code": np.zeros((2, 3), np.float32), "loss": np.float32(0.1)}
    assert answer(outputs, rows=False) == b'{"outputs":{"code":[[0.0,0.0,0.0],[0.0,0.0,0.0]],"loss":0.1}}'
    for wrong in (outputs, {"loss": outputs["loss"]}, {**outputs, "loss": np.zeros(3)}):
        with pytest.raises(Refusal, match="Outputs must be one for each instance"):
            answer(wrong, rows=True)


# -- model repository --------------------------------------------------------------------------------------------------


def states(catalog: ModelRepository) -> dict[str, tuple[str, str]]:
    told = json.loads(status(catalog, "lenet", None))["model_version_status"]
    return {each["version"]: (each["state"], each["status"]["error_message"]) for each in told}


def test_model_repository_replaces_version_after_warmup(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    catalog = ModelRepository(tmp_path)
    shutil.copytree(tmp_path / "lenet/1", tmp_path / "lenet/2")
    catalog.refresh()
    assert states(catalog) == {"2": ("AVAILABLE", "")} and catalog.find("lenet").version == 2
    with pytest.raises(Refusal, match=r"Servable not found for request: Specific\(lenet, 1\)"):
        catalog.find("lenet", 1)
    shutil.copytree(tmp_path / "lenet/1", tmp_path / "lenet/3")
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "nonsense"
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    with tf.io.TFRecordWriter(str(tmp_path / "lenet/3/assets.extra/tf_serving_warmup_requests")) as file:
        file.write(log.SerializeToString())
    catalog.refresh()
    found = states(catalog)
    assert found["2"] == ("AVAILABLE", "") and catalog.find("lenet").version == 2
    assert found["3"][0] == "END" and "Received: 'nonsense'" in found["3"][1]
    with pytest.raises(ValueError, match=r"lenet/3 cannot be loaded: `signature` must be .*\. Received: 'nonsense'"):
        ModelRepository(tmp_path)
    shutil.copytree(tmp_path / "lenet/1", tmp_path / "lenet/4")
    catalog.refresh()
    assert states(catalog) == {"4": ("AVAILABLE", "")}


def test_model_repository_follows_version_policy_and_labels(folder, tmp_path):
    for version in "123":
        shutil.copytree(folder / "lenet/1", tmp_path / "lenet" / version)

    catalog = None

    def served(policy: str, base: str = "/models/lenet") -> list[int]:
        nonlocal catalog
        config = f'model_config_list {{ config {{ name: "lenet" base_path: "{base}" {policy} }} }}'
        (tmp_path / "models.config").write_text(config)
        catalog = catalog or ModelRepository(tmp_path)
        catalog.refresh()
        return [servable.version for servable in catalog.all()]

    assert served("") == served("", str(tmp_path / "lenet")) == [3]
    assert served("model_version_policy { latest { num_versions: 2 } }") == [2, 3]
    assert served("model_version_policy { all {} }") == [1, 2, 3]
    both = 'version_labels { key: "stable" value: 1 } version_labels { key: "gone" value: 2 }'
    assert served(f"model_version_policy {{ specific {{ versions: 1 versions: 3 }} }} {both}") == [1, 3]
    assert catalog.find("lenet").version == 3 and catalog.find("lenet", label="stable").version == 1
    with pytest.raises(Refusal, match=r"Specific\(lenet, 2\)"):
        catalog.find("lenet", label="gone")
    with pytest.raises(ValueError, match=r"models.config cannot be read: .*nonsense"):
        served("nonsense { }")


# -- startup -----------------------------------------------------------------------------------------------------------


def test_serve_command_reports_errors_in_one_line(folder, tmp_path, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, reason in [
            ([str(tmp_path)], "must be a folder that cnnzoo export wrote models into"),
            ([str(folder / "lenet")], f"must be the folder of all models, {folder}. Received: that of one model"),
            ([str(folder), "--megabytes", "0"], "--megabytes must be a number > 0. Received: 0"),
            ([str(folder), "--port", port], f"or with 0 for any. Received: 127.0.0.1:{port}: "),
            ([str(folder), "--port", "70000"], "--port must be an integer between 0 and 65535. Received: 70000"),
        ]:
            try:
                code = main(["serve", *words])
            except SystemExit as stopped:
                code = stopped.code
            assert code == 2
            said = capsys.readouterr().err
            assert reason in said and said.count("\n") == 1
    monkeypatch.setattr("cnnzoo.utils.optional.find_spec", lambda name: None if name == "uvicorn" else name)
    assert main(["serve", str(folder)]) == 2
    assert "serving needs uvicorn; install it by: pip install -e '.[serve]', where" in capsys.readouterr().err


# -- production --------------------------------------------------------------------------------------------------------


class Double(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A test double of TensorFlow Serving's gRPC service, on its official stubs, around one export.

    It verifies that the client's messages fit the service and that the client reads the responses. It is not the
    server, and verifies nothing about the server.
    """

    def __init__(self, name: str, export):
        self.name, self.export = name, export

    def Predict(self, request, context):
        if request.model_spec.name != self.name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {request.model_spec.name}")
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            made = self.export(request.model_spec.signature_name, **inputs)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        outputs = {key: tf.make_tensor_proto(value) for key, value in made.items()}
        return predict_pb2.PredictResponse(outputs=outputs)


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "404: Not Found"), (200, "must be a server of exports. Received: another answer")]
)
def test_example_client_reports_answers_of_other_servers(status, reason):
    class Page(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>not JSON</html>")

        def log_message(self, *_):
            pass

    client = runpy.run_path(str(Path(cnnzoo.__file__).parent / "serving" / "client.py"))
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.handle_request).start()
        with pytest.raises(client["Refused"], match=reason):
            client["by_rest"]([PNG], f"http://127.0.0.1:{server.server_port}", "espcn", "upscale_bytes")


def test_example_client_works_over_grpc(tmp_path):
    export = cnnzoo.load_export(cnnzoo.export(cnnzoo.build("espcn", scale=2), tmp_path))
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Double("espcn", export), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        client = runpy.run_path(str(Path(cnnzoo.__file__).parent / "serving" / "client.py"))
        files = [PNG, png_bytes(astronaut()[:9, :7])]
        made = client["by_grpc"](files, address, "espcn", "upscale_bytes")
        assert made == export("upscale_bytes", image_bytes=files)["image_bytes"].tolist()
        with pytest.raises(client["Refused"], match="NOT_FOUND: Servable not found for request: another"):
            client["by_grpc"](files, address, "another", "upscale_bytes")
        with pytest.raises(client["Refused"], match=r"(?s)INVALID_ARGUMENT: .*PNG"):
            client["by_grpc"]([PNG[:50]], address, "espcn", "upscale_bytes")
    finally:
        server.stop(None).wait()


def test_kubernetes_manifest_is_consistent_with_export(folder):
    parts = {part["kind"]: part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}
    claim, deployment, service, scaler = (
        parts[kind] for kind in ("PersistentVolumeClaim", "Deployment", "Service", "HorizontalPodAutoscaler")
    )
    pod = deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    (container,), (volume,) = pod["spec"]["containers"], pod["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", container["image"])  # a fixed version, not latest
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"] and f"{mount['mountPath']}/" == MOUNT
    files = dict(re.fullmatch(r"--(\w+)=/models/(\S+)", arg).groups() for arg in container["args"] if "=" in arg)
    assert set(files) == {"model_config_file", "monitoring_config_file", "batching_parameters_file"}
    assert all((folder / file).is_file() for file in files.values())
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}  # the ports of the image
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert serving_app.MODEL.fullmatch(asked["path"])["name"] == "espcn" and asked["port"] in ports
    told = {key.removeprefix("prometheus.io/"): value for key, value in pod["metadata"]["annotations"].items()}
    assert told == {"scrape": "true", "port": str(ports["rest"]), "path": metrics.PATH}
    assert f'path: "{metrics.PATH}"' in (folder / files["monitoring_config_file"]).read_text()
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    (rule,) = yaml.safe_load((DEPLOY / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert f'__name__="{metrics.LATENCY}_sum"' in rule["seriesQuery"]
    assert [each["pods"]["metric"]["name"] for each in scaler["spec"]["metrics"]] == [rule["name"]["as"]]


# -- page --------------------------------------------------------------------------------------------------------------


def test_server_page_escapes_names_and_errors(catalog):
    class Odd(Fixed):
        failed: ClassVar[dict] = {("a<b>", 3): "no <script>alert(1)</script>"}

    signature = {
        "description": "</pre><script>",
        "inputs": {"x'y": {"dtype": "float32", "shape": [None, 2], "description": "<b>"}},
        "outputs": {"z": {"dtype": "float32", "shape": [], "description": "<i>"}},
    }
    export = SimpleNamespace(about={"model": "m", "signatures": {"a'b": signature}}, signatures=["a'b"])
    told = overview(Odd(SimpleNamespace(name="q&/ '", version=2, export=export)), "http://h:1")
    shown = page(told)
    assert not re.search("<script|<b>|<i>", shown)
    assert "a&lt;b&gt;, version 3: END" in shown and "/v1/models/q%26%2F%20%27/versions/2/metadata" in shown
    words = shlex.split(told["models"][0]["signatures"]["a'b"]["curl"])
    assert words[:3] == ["curl", "-s", "http://h:1/v1/models/q%26%2F%20%27:predict"]
    assert json.loads(words[4]) == {"signature_name": "a'b", "inputs": {"x'y": [[0.5, 0.5]]}}


@pytest.mark.parametrize(
    "host, found",
    [
        ("localhost:8501", "http://localhost:8501"),
        ("[::1]:9", "http://[::1]:9"),
        ("evil'; rm", "http://127.0.0.1:7"),
        ("", "http://127.0.0.1:7"),
    ],
)
def test_address_uses_host_header_if_valid(host, found):
    assert address(host, ("127.0.0.1", 7)) == found
