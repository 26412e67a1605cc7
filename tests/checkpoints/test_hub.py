"""Tests of checkpoints on the Hugging Face Hub, with a local server in its place."""

import json
import re
import socket
from hashlib import sha256
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import yaml
from hub_server import in_place

import cnnzoo
from cnnzoo import checkpoints, hub
from cnnzoo.checkpoints import CheckpointError, remote
from cnnzoo.cli import main, models
from cnnzoo.metrics.scores import Score
from cnnzoo.training import start
from cnnzoo.training.run_dir import Run

SCORES = [
    Score("accuracy", 91.5, "%", "higher", 360, (88.0, 94.0), {"data": "digits"}),
    Score("psnr", float("inf"), "dB", "higher", 360, None, {"data": "digits"}),  # not finite, so left out of the card
]
ABOUT = {"description": "Reads digits", "data": "digits", "scores": SCORES}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """An empty local Hub, with an empty cache."""
    with in_place(monkeypatch, tmp_path / "cache") as made:
        models._fetched.cache_clear()
        yield made
    models._fetched.cache_clear()


@pytest.fixture(scope="module")
def model():
    return cnnzoo.build("lenet")


@pytest.fixture
def pushed(server, model):
    """The name, with commit, of a model pushed to the Hub."""
    return model.push_to_hub("me/digits", **ABOUT)


@pytest.fixture(scope="module")
def classifier_run(tmp_path_factory):
    """A training run on a folder of pictures with class names."""
    from cnnzoo.imaging.files import save_png

    folder = tmp_path_factory.mktemp("private") / "letters"
    for split in ("train", "test"):
        for i, name in enumerate(("alpha", "beta")):
            for k in range(3):
                save_png(folder / split / name / f"{k}.png", np.full((28, 28, 1), 100 * i + k, np.uint8))
    return cnnzoo.train("lenet", data=folder, epochs=1, out=folder.parent / "run", verbose=0)


def files_of(server, repository="me/digits"):
    return dict(server.at(repository, "main")[1])


def down(server, monkeypatch):
    """Points the Hub client to a port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{port}")


def test_hub_build_matches_pushed_model(server, model, pushed):
    loaded = cnnzoo.build("hf://me/digits")
    assert all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
    images = np.random.default_rng(0).integers(0, 256, (8, *model.image_shape), np.uint8)
    np.testing.assert_array_equal(loaded.classify(images), model.classify(images))
    card = cnnzoo.card("hf://me/digits")
    assert card["name"] == "lenet.digits" and card["description"] == "Reads digits"
    assert [score["name"] for score in card["scores"]] == ["accuracy"]
    assert not [name for name in files_of(server) if Path(name).suffix not in (".json", ".h5", ".npz", ".md")]


def test_hub_model_card_has_scores_as_model_index(server, pushed):
    _, front, text = files_of(server)["README.md"].decode().split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["library_name"] == "keras" and about["license"] == "apache-2.0"
    assert about["datasets"] == ["digits"] and about["tags"] == ["cnnzoo", "lenet", "classify"]
    (entry,) = about["model-index"]
    (result,) = entry["results"]
    assert result["task"]["type"] == "image-classification" and result["dataset"]["name"] == "digits"
    assert [(each["type"], each["value"]) for each in result["metrics"]] == [("accuracy", 91.5)]
    assert 'cnnzoo.build("hf://me/digits")' in text and "| accuracy | 91.50 % | 360 | data: digits |" in text


def test_hub_name_with_commit_is_pinned_and_loads_from_cache(server, model, pushed, monkeypatch):
    before = cnnzoo.build(pushed).get_weights()
    other = cnnzoo.build("lenet")
    again = other.push_to_hub("me/digits", **ABOUT)
    assert again != pushed
    assert all(map(np.array_equal, cnnzoo.build("hf://me/digits").get_weights(), other.get_weights()))
    server.asked.clear()
    down(server, monkeypatch)
    assert all(map(np.array_equal, cnnzoo.build(pushed).get_weights(), before))
    assert not server.asked


def test_push_to_hub_preserves_shipped_checkpoint_files(server):
    cnnzoo.build("lenet.mnist").push_to_hub("me/mnist")
    folder = hub.checkpoint_path("lenet.mnist")
    added = {"README.md", "config.json"}
    assert files_of(server, "me/mnist").keys() == {path.name for path in folder.iterdir()} | added
    for name, content in files_of(server, "me/mnist").items():
        assert name in added or content == (folder / name).read_bytes()
    for key, value in (("description", "mine"), ("licence", "Apache-2.0")):
        refused = f"`{key}` must not be given with 'lenet.mnist', whose card has it. Received: {key}='{value}'"
        with pytest.raises(ValueError, match=re.escape(refused)):
            cnnzoo.push_to_hub("lenet.mnist", "me/mnist", **{key: value})


def test_keras_load_model_from_hub_matches_pushed_model(server, model, pushed):
    loaded = keras.saving.load_model("hf://me/digits")
    assert type(loaded) is type(model)
    assert all(map(np.array_equal, loaded.get_weights(), model.get_weights()))


def test_push_to_hub_removes_graphs_of_previous_checkpoint(server, model):
    cnnzoo.push_to_hub("espcn.x2", "me/model")
    assert "network.onnx" in files_of(server, "me/model")
    model.push_to_hub("me/model", **ABOUT)
    assert "network.onnx" not in files_of(server, "me/model")
    assert len(server.commits["me/model"]) == 2


def test_push_to_hub_preserves_class_names_and_omits_local_paths(server, classifier_run):
    name = cnnzoo.push_to_hub(classifier_run, "me/letters")
    loaded = cnnzoo.build(name)
    assert loaded.class_names == ("alpha", "beta")
    assert all(map(np.array_equal, loaded.get_weights(), checkpoints.load(classifier_run).get_weights()))
    for content in (files_of(server, "me/letters")[name] for name in ("README.md", "card.json")):
        assert b"folder letters" in content and str(classifier_run.parent).encode() not in content
    assert cnnzoo.card(name)["name"] == "lenet.letters"


@pytest.mark.parametrize("is_loaded", [True, False])
def test_push_to_hub_of_loaded_run_adds_to_its_card(server, classifier_run, is_loaded):
    model = checkpoints.load(classifier_run)
    if not is_loaded:
        model.set_weights([weight + 1 for weight in model.get_weights()])
    card = cnnzoo.card(model.push_to_hub("me/letters", description="Reads letters", scores=SCORES[:1]))
    assert card["data"]["classes"] == ["alpha", "beta"]
    assert card["description"] == "Reads letters" and len(card["scores"]) == 1
    assert (card["data"]["name"], "train lenet" in card["recipe"]["command"]) == (
        ("folder letters", True) if is_loaded else ("not stated", False)
    )
    if is_loaded:
        with pytest.raises(ValueError, match=r"`data` must not be given with '.*', whose run has it. Received: data="):
            model.push_to_hub("me/letters", data="mnist")


def test_push_to_hub_name_is_checkpoint_and_path_is_folder(server, classifier_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lenet.mnist").symlink_to(classifier_run)
    assert cnnzoo.card(cnnzoo.push_to_hub("lenet.mnist", "me/named"))["name"] == "lenet.mnist"
    assert cnnzoo.card(cnnzoo.push_to_hub(Path("lenet.mnist"), "me/folder"))["name"] == "lenet.letters"


@pytest.mark.parametrize("name", ["golden.npz", "model.weights.h5"])
def test_hub_build_rejects_altered_file(server, pushed, name):
    content = files_of(server)[name]
    server.altered[name] = content[:-1] + bytes([content[-1] ^ 1])
    with pytest.raises(CheckpointError, match=rf"^hf://me/digits: .*{name} was cut short or altered: sha256"):
        cnnzoo.build("hf://me/digits")


def replaced(server, **changes):
    """Commits the files of the pushed model with a changed card."""
    files = files_of(server)
    card = json.loads(files["card.json"])
    files["card.json"] = json.dumps({**card, **changes}).encode()
    server.commit("me/digits", files)


def files_entry(server, name, **changes):
    entries = json.loads(files_of(server)["card.json"])["files"]
    return {**entries, name: {**entries[name], **changes}}


def test_hub_build_rejects_card_mismatch_before_download(server, pushed, monkeypatch):
    refusals = {
        r"model\.weights\.h5 must have the hash 0{64} of the card": files_entry(
            server, "model.weights.h5", sha256="0" * 64
        ),
        r"golden\.npz must have 5 bytes, as the card says": files_entry(server, "golden.npz", bytes=5),
        r"network\.onnx is missing": {
            **files_entry(server, "golden.npz"),
            "network.onnx": {"sha256": "0" * 64, "bytes": 1},
        },
        r"its files must have at most \d+ bytes. Received: \d+": files_entry(server, "golden.npz", bytes=2**40),
    }
    for message, files in refusals.items():
        replaced(server, files=files)
        server.asked.clear()
        with pytest.raises(CheckpointError, match=rf"^hf://me/digits: {message}"):
            cnnzoo.build("hf://me/digits")
        assert not any(line.endswith((".h5", ".npz", ".onnx")) for line in server.asked)
    monkeypatch.setattr(remote, "LARGEST_CARD", 10)
    with pytest.raises(CheckpointError, match=r"card\.json must have at most 10 bytes"):
        cnnzoo.build("hf://me/digits")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "must be of format 1 for this version of cnnzoo. Received: 2"),
        ({"name": "../lenet"}, "`name` must be arch.tag. Received: '../lenet'"),
        ({"architecture": "no_such"}, "Unknown architecture 'no_such'"),
    ],
)
def test_hub_build_rejects_invalid_card_in_one_line(server, pushed, changes, message):
    replaced(server, **changes)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")) as caught:
        cnnzoo.build("hf://me/digits")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["compressed", "linked"])
def test_hub_build_rejects_weights_with_decompression_bomb(kind, server, pushed, tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        if kind == "compressed":
            file.create_dataset("zeros", (2**24,), "f4", chunks=(2**20,), compression="gzip")
        else:
            file.create_dataset("0", (2**18,), "f4")[:] = 0.0
            for i in range(1, 2**6):
                file[str(i)] = file["0"]
    bomb = (tmp_path / "bomb.h5").read_bytes()
    files = files_of(server)
    entry = {"sha256": sha256(bomb).hexdigest(), "bytes": len(bomb)}
    card = json.loads(files["card.json"])
    card["files"]["model.weights.h5"] = entry
    server.commit("me/digits", {**files, "model.weights.h5": bomb, "card.json": json.dumps(card).encode()})
    with pytest.raises(CheckpointError, match=rf"must decode to at most {2 * len(bomb)} bytes. Received: {2**26}"):
        cnnzoo.build("hf://me/digits")


def test_hub_build_rejects_unknown_or_invalid_name(server, pushed):
    server.commit("me/other", {"README.md": b"", "pytorch_model.bin": b""})
    refusals = {
        "hf://me/none": r"there is no public model 'me/none' on the Hub",
        "hf://me/digits@v9": r"model 'me/digits' on the Hub must have that revision",
        "hf://me/other": r"must be one of a cnnzoo checkpoint, with card\.json\. Received: README\.md, pytorch_m",
        "hf://digits": r"must be hf://USER/NAME\[@REVISION\]\. Received: 'hf://digits'",
        "hf://me/../x": r"must be hf://USER/NAME\[@REVISION\]",
    }
    for name, message in refusals.items():
        with pytest.raises(ValueError, match=message) as caught:
            cnnzoo.build(name)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="`dropout` must not be given with trained weights"):
        cnnzoo.build("hf://me/digits", dropout=0.1)


@pytest.mark.parametrize("why", ["down", "broken", "offline"])
def test_info_without_hub_lists_shipped_checkpoints(server, why, monkeypatch, capsys):
    server.commit("me/digits", {})
    if why == "down":
        down(server, monkeypatch)
    elif why == "broken":
        server.status = 503
    else:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["info", "hf://me/digits"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    reason = {"down": "cannot be reached", "broken": "answers with status 503", "offline": "offline mode is on"}[why]
    assert reason in line and "it is not in the cache" in line
    assert all(name in line for name in cnnzoo.list_checkpoints())


def test_hub_build_falls_back_to_cache_without_hub(server, model, pushed, monkeypatch):
    cnnzoo.build("hf://me/digits")
    commit = pushed.partition("@")[2]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert all(map(np.array_equal, cnnzoo.build("hf://me/digits").get_weights(), model.get_weights()))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    down(server, monkeypatch)
    with pytest.warns(UserWarning, match=rf"hf://me/digits: .*; its copy of {commit[:7]} in the cache is taken"):
        cnnzoo.build("hf://me/digits")


def test_push_to_hub_raises_for_network_login_and_name_errors(server, model, monkeypatch):
    with monkeypatch.context() as patch:
        down(server, patch)
        with pytest.raises(CheckpointError, match=r"^hf://me/digits: http://127.* cannot be reached$"):
            model.push_to_hub("me/digits", **ABOUT)
    server.status = 403
    with pytest.raises(CheckpointError, match="log in by: hf auth login"):
        model.push_to_hub("me/digits", **ABOUT)
    for name in ("digits", "hf://me/digits", "me/digits@main"):
        with pytest.raises(ValueError, match="must be"):
            model.push_to_hub(name, **ABOUT)


def test_commands_accept_hub_name(server, pushed, run_command, tmp_path):
    from cnnzoo.imaging.files import save_png

    save_png(tmp_path / "one.png", np.zeros((28, 28, 1), np.uint8))
    assert "lenet.digits: Reads digits" in run_command("info", "hf://me/digits")
    assert json.loads(run_command("verify", "hf://me/digits", "--json"))
    (read,) = json.loads(run_command("classify", "hf://me/digits", tmp_path / "one.png", "--json"))
    assert read["image"].endswith("one.png")
    found = json.loads(run_command("push", "hf://me/digits", "me/copy", "--json"))
    assert found["name"].startswith("hf://me/copy@")
    copied = {key: content for key, content in files_of(server, "me/copy").items() if key != "README.md"}
    assert copied == {key: content for key, content in files_of(server).items() if key != "README.md"}


@pytest.fixture
def run_command(capsys):
    def run(*words):
        assert main([str(word) for word in words]) == 0
        return capsys.readouterr().out

    return run


def test_push_evaluate_option_adds_scores_to_card(server, classifier_run, run_command):
    name = run_command("push", classifier_run, "me/letters", "--evaluate").strip()
    assert "accuracy" in [score["name"] for score in cnnzoo.card(name)["scores"]]


def test_train_start_from_hub_saves_pinned_commit(server, classifier_run, tmp_path):
    name = cnnzoo.push_to_hub(classifier_run, "me/letters")
    data = classifier_run.parent / "letters"
    run = cnnzoo.train(start="hf://me/letters", data=data, epochs=1, out=tmp_path / "tuned", verbose=0)
    assert Run.open(run).plan["start"] == name


def test_start_optimizer_accepts_only_plain_keras_config():
    config = {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.1, "beta_1": 0.5}}
    made = start._gentler(config, 10)
    assert made.beta_1 == 0.5 and float(made.learning_rate) == pytest.approx(0.01)
    nested = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
    for other in ({**config, "module": "os"}, {**config, "config": {"learning_rate": 0.1, "name": nested}}):
        with pytest.raises(ValueError, match="must be of Keras"):
            start._gentler(other, 10)
