"""The Inception network of 2015: verification of the file, and outputs of the graph.

The real network is not available to the tests. A graph of three nodes with the same names replaces it.
"""

import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cnnzoo
from cnnzoo.data import DataNotFound, load
from cnnzoo.evaluation import evaluate
from cnnzoo.features import inception
from cnnzoo.metrics import features
from cnnzoo.utils.atomic_files import sha256

WEIGHTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def write_graph(path):
    """Writes a graph: mean and squared mean of each channel as features, then a last layer with a bias."""
    tf = pytest.importorskip("tensorflow")
    with tf.Graph().as_default() as graph:
        picture = tf.compat.v1.placeholder(tf.float32, (None, None, 3), name="Cast")
        images = tf.expand_dims(picture, 0, name="ExpandDims")  # a single image, as in the real graph
        small = tf.compat.v1.image.resize_bilinear(images, (8, 8)) / 255.0
        mean = tf.reduce_mean(small, axis=(1, 2), keepdims=True)
        pooled = tf.concat([mean, mean**2], axis=3, name="pool_3")  # (1, 1, 1, 6)
        flat = tf.reshape(pooled, (1, 6))
        logits = tf.matmul(flat, tf.constant(WEIGHTS), name="softmax/logits/MatMul")
        tf.nn.softmax(logits + 3.0 * tf.range(5.0), name="softmax")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph.as_graph_def().SerializeToString())


def by_hand(images):
    """Features and probabilities of the graph, for images of 8x8 pixels or with the same mean at 8x8 pixels."""
    small = np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images
    mean = small.astype(np.float64).mean(axis=(1, 2)) / 255
    found = np.concatenate([mean, mean**2], axis=1)
    chances = np.exp(found @ WEIGHTS)
    return found, chances / chances.sum(axis=1, keepdims=True)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The path of the network in an empty data folder, without proxies."""
    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "inception-2015-12-05" / "classify_image_graph_def.pb"


@pytest.fixture
def small(place, monkeypatch):
    """The graph of three nodes, installed as the network."""
    write_graph(place)
    monkeypatch.setattr(inception, "SHA256", sha256(place))
    return place


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_returns_features_and_probabilities_of_graph(small, channels):
    images = np.random.default_rng(1).integers(0, 256, (120, 8, 8, channels), np.uint8)  # three batches
    found, chances = inception.network()(images)
    expected, expected_chances = by_hand(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(chances, expected_chances, atol=1e-5)  # without the bias


def test_evaluate_inception_scores_match_metrics(small):
    model = cnnzoo.build("gan")
    report = evaluate(model, "digits", limit=60, inception=True)
    network = inception.network()
    real, _ = network(load("digits", "test").few(60).images)
    fakes = [network(np.rint(255 * model.generate(60, seed=seed)).astype(np.uint8)) for seed in (1, 2, 3)]
    expected = {
        "inception2015_fid": [features.frechet_distance(fake, real) for fake, _ in fakes],
        "inception2015_kid": [features.kernel_distance(fake, real) for fake, _ in fakes],
        "inception2015_is": [features.inception_score(chances, 10) for _, chances in fakes],
    }
    for name, values in expected.items():
        assert report[name].value == pytest.approx(np.mean(values), rel=1e-6)
        assert report[name].protocol["network sha256"] == sha256(small)
    without = {score.name for score in evaluate(model, "digits", limit=60).scores}
    assert "frechet" in without and not any("inception" in name for name in without)


def test_inception_rejects_file_with_wrong_sha256(place):
    write_graph(place)
    before = place.read_bytes()
    with pytest.raises(
        ValueError, match=f"must be the Inception network of 2015 with sha256 .*Received: sha256 {sha256(place)}"
    ):
        inception.network()
    assert place.read_bytes() == before


@pytest.fixture
def server(place, tmp_path, monkeypatch):
    """A local HTTP server of the graph of three nodes; with `stalls`, the first answer waits in the middle."""
    source = tmp_path / "elsewhere" / place.name
    write_graph(source)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            data, stalls = source.read_bytes(), self.server.stalls and len(self.server.asked) == 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:100])
            self.wfile.flush()
            if stalls:
                self.server.begun.set()
                self.server.go.wait(60)
            self.wfile.write(data[100:])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.stalls = [], False
        server.begun, server.go = threading.Event(), threading.Event()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(inception, "URL", f"http://127.0.0.1:{server.server_port}/{place.name}")
        monkeypatch.setattr(inception, "SHA256", sha256(source))
        monkeypatch.setattr(inception, "is_reachable", lambda host: True)
        yield server
        server.shutdown()
        thread.join()


def test_graph_file_is_downloaded_only_once(place, server):
    assert inception.graph_file() == place and sha256(place) == inception.SHA256
    assert inception.graph_file() == place
    assert server.asked == [f"/{place.name}"] and list(place.parent.iterdir()) == [place]


def test_graph_file_may_be_downloaded_twice_at_a_time(place, server):
    server.stalls = True
    with ThreadPoolExecutor() as pool:
        first = pool.submit(inception.graph_file)
        assert server.begun.wait(60)
        assert inception.graph_file() == place
        server.go.set()
        assert first.result() == place
    assert sha256(place) == inception.SHA256 and list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize(("name", "value", "reason"), [("SHA256", "0" * 64, "other bytes"), ("BYTES", -40_000, "more")])
def test_graph_file_deletes_download_with_other_bytes(place, server, monkeypatch, name, value, reason):
    monkeypatch.setattr(inception, name, value)
    with pytest.raises(ValueError, match=f"has changed: {reason}.*; put the file from .* there yourself"):
        inception.graph_file()
    assert list(place.parent.iterdir()) == []


def test_evaluate_inception_fails_quickly_without_internet(place, monkeypatch):
    def cut(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setattr("socket.create_connection", cut)
    began = time.monotonic()
    with pytest.raises(
        DataNotFound, match=r"must be at .*classify_image_graph_def\.pb, and cannot be fetched: .*CNNZOO_DATA"
    ):
        evaluate("dcgan.mnist", "digits", inception=True)
    assert time.monotonic() - began < 30  # a bound for slow machines; most of the time is for building the model
    assert not place.parent.exists()
