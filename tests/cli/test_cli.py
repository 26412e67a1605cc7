"""Tests of the command line through its public interface."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import redirect_stdout

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo import checkpoints, latent
from cnnzoo.cli import main
from cnnzoo.data import load
from cnnzoo.data.catalog import CATALOG
from cnnzoo.evaluation import evaluate
from cnnzoo.imaging.arrays import contact_sheet, to_uint8
from cnnzoo.imaging.files import save_png
from cnnzoo.registry import architecture

# Small networks: one epoch on the digits takes a second.
SMALL = {
    "lenet": ["image_shape=[28, 28, 1]", "dropout=0.5"],
    "autoencoder": ["width=2", "hidden=4", "latent_dim=4"],
    "dcgan": ["width=2", "latent_dim=4", "updates=alternating"],
    "cgan": ["width=2", "latent_dim=4"],
}


@pytest.fixture
def command(run_main, monkeypatch):
    """Runs a command line; returns stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")  # wide enough for tables without wrapped lines
    return run_main


@pytest.fixture
def refusal(command):
    """Runs a command line that must fail; returns its one-line error message."""

    def run(*words):
        out, err = command(*words, code=2)
        assert out == "" and err.count("\n") == 1 and err.endswith("\n")
        return err

    return run


def training(name, out, *more):
    config = [f"--config={setting}" for setting in SMALL[name]]
    return [
        "train",
        name,
        "--data",
        "digits",
        "--epochs",
        "1",
        "--batch-size",
        "256",
        "--out",
        str(out),
        *config,
        *more,
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of the small networks by name, each trained on first access."""

    class Runs(dict):
        def __missing__(self, name):
            self[name] = tmp_path_factory.mktemp("runs") / name
            with redirect_stdout(io.StringIO()):  # hides training output from the capture of the test
                assert main(training(name, self[name])) == 0
            return self[name]

    return Runs()


@pytest.fixture
def digits(tmp_path):
    """The files and the images of five test digits."""
    images = load("digits", "test").images[:5]
    paths = [tmp_path / f"digit{i}.png" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        save_png(path, image)
    return paths, images


def measured(name):
    """Returns the accuracy on the card of a classifier as text."""
    return f"accuracy {cnnzoo.card(name)['scores'][0]['value']:.2f} %"


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- list and info ----------------------------------------------------------------------------------------------------


def test_list_info_and_help_import_no_network_library():
    script = """if True:
        import sys
        from cnnzoo.cli import main
        for line in ("list", "list --json", "info dcgan", "info lenet.mnist", "--help", "train --help", "train --config x"):
            try:
                main(line.split())
            except SystemExit:
                pass
        print({"keras", "tensorflow", "jax", "sklearn", "scipy"} & set(sys.modules))
    """  # noqa: E501
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "lenet.mnist" in out and out.endswith("\nset()\n")


def test_train_rejects_missing_name_in_one_line():
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-m", "cnnzoo", "train"], capture_output=True, text=True, env=env)
    complaint = "name must be arch.tag, or arch with --data; or --from a model, or --resume a run folder."
    complaint += " Received: neither"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"cnnzoo train: {complaint}\n")


def test_import_silences_tensorflow_log_by_default():
    script = "import sys, cnnzoo, keras; keras.ops.ones(1); print('seen', file=sys.stderr)"
    env = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    said = []
    for more in ({}, {"TF_CPP_MIN_LOG_LEVEL": "0"}):
        run = [sys.executable, "-c", script]
        said.append(subprocess.run(run, capture_output=True, text=True, env=env | more, check=True).stderr)
    assert said[0] == "seen\n" and len(said[1]) > len(said[0])


def test_command_reports_lack_of_memory_in_one_line(refusal, monkeypatch):
    def run(args):
        raise MemoryError

    monkeypatch.setattr("cnnzoo.cli.commands.list.run", run)
    assert refusal("list") == "cnnzoo list: too little memory\n"


def test_list_into_closed_pipe_exits_1_without_message():
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    listing = [sys.executable, "-m", "cnnzoo", "list", "--json"]
    done = subprocess.run(listing, stdout=writer, stderr=subprocess.PIPE, text=True, env=env)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_list_shows_all_architectures_and_checkpoints(command):
    out, err = command("list")
    first = [line.split()[0] for line in out.splitlines() if line.strip()]
    for name in [*cnnzoo.list_models(), *cnnzoo.list_checkpoints()]:
        assert first.count(name) == 1
    assert "A small convolutional classifier for 28x28 gray images" in out
    assert measured("lenet.mnist") in next(line for line in out.splitlines() if "lenet.mnist" in line)
    assert err == ""


def test_list_json_matches_cards(command):
    listed = json.loads(command("list", "--json")[0])
    assert [entry["name"] for entry in listed["architectures"]] == cnnzoo.list_models()
    assert [entry["name"] for entry in listed["checkpoints"]] == cnnzoo.list_checkpoints()
    lenet = next(entry for entry in listed["checkpoints"] if entry["name"] == "lenet.mnist")
    card = cnnzoo.card("lenet.mnist")
    assert lenet == {key: card[key] for key in lenet} and {"scores", "parameters", "licence"} <= set(lenet)


def test_list_filters_by_pattern(command):
    listed = json.loads(command("list", "lenet*", "--json")[0])
    assert [entry["name"] for entry in listed["architectures"]] == ["lenet"]
    assert "lenet.mnist" in [entry["name"] for entry in listed["checkpoints"]]
    assert all(entry["name"].startswith("lenet.") for entry in listed["checkpoints"])
    text = command("list", "*gan")[0]
    assert "dcgan" in text and "lenet" not in text and "Checkpoints" not in text


def test_info_shows_architecture_config_and_recipes(command):
    out, _ = command("info", "dcgan")
    assert out.startswith("dcgan: The convolutional GAN, for images of 28, 32 or 64 pixels a side.\n")
    assert ["latent_dim", "32"] in [line.split()[:2] for line in out.splitlines()]
    assert "dcgan.mnist" in next(line for line in out.splitlines() if line.startswith("recipes:"))


@pytest.mark.parametrize("name", cnnzoo.list_models())
def test_info_json_config_matches_class_fields(command, name):
    told = json.loads(command("info", name, "--json")[0])
    fields = architecture(name).config_fields()
    assert told["config"] == json.loads(json.dumps(fields))
    assert told["name"] == name and told["summary"] and told["description"]


def test_info_shows_checkpoint_card(command):
    out, _ = command("info", "lenet.mnist")
    rows = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    assert rows["parameters"].strip() == "61,706"
    assert rows["made by"].strip() == "cnnzoo train lenet.mnist"
    assert "mnist, split 'train' (CC BY-SA 3.0)" in out
    assert measured("lenet.mnist") in " ".join(out.split())
    assert json.loads(command("info", "lenet.mnist", "--json")[0]) == cnnzoo.card("lenet.mnist")


def test_version_option_matches_package_version(command):
    assert command("--version")[0] == f"cnnzoo {cnnzoo.__version__}\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("trian", "cnnzoo: Unknown command 'trian'. "),
        ("--version=3", "cnnzoo: argument --version: ignored explicit argument '3'; see cnnzoo --help"),
        ("list lent", "cnnzoo list: Unknown architecture or checkpoint 'lent'. Did you mean lenet"),
        ("list zzz", "'zzz'. The nearest are "),
        ("info dcgann", "cnnzoo info: Unknown architecture 'dcgann'. Did you mean dcgan"),
        ("info lenet.mnits", "Unknown checkpoint 'lenet.mnits'. Did you mean lenet.mnist"),
        ("info", "cnnzoo info: the following arguments are required: name; see cnnzoo info --help"),
        ("train lenet --epochs many", "--epochs must be an integer >= 1. Received: many"),
        ("train lenet --config depth", "cnnzoo train: --config must be KEY=VALUE. Received: 'depth'"),
        ("train lenet --config =3", "--config must be KEY=VALUE. Received: '=3'"),
        ("train lenet --config 2a=3", "--config must be KEY=VALUE. Received: '2a=3'"),
        ("train lenet --config image_shape=[28", "max. Received: 'image_shape=[28'"),
        (
            "train lenet --config binarize=True",
            "--config must have a JSON value: 0.5, true, null, [28, 28, 1], max. Received: 'binarize=True'",
        ),
        ("train lenet --config dropout=", "max. Received: 'dropout='"),
        (
            "train lenet",
            "cnnzoo train: --data must be a data set, such as --data digits, or a folder for 'lenet'. Received: none",
        ),
        ("train lenet.mnits", "Unknown recipe 'lenet.mnits'. Did you mean lenet.mnist"),
        ("train lenet --data digist", "cnnzoo train: Unknown data set 'digist'. "),
        ("train lenet --data digits --epochs 0", "--epochs must be an integer >= 1. Received: 0"),
        (
            "train lenet --data digits --config depth=3",
            "Unknown configuration field 'depth' of lenet. Available: image_shape=",
        ),
        ("train lenet --resume nowhere", "nowhere must be the folder of a training run"),
        ("train --resume nowhere", "cnnzoo train: nowhere must be the folder of a training run. Received: no run.json"),
        ("evaluate lenet.mnits", "Unknown checkpoint 'lenet.mnits'. Did you mean lenet.mnist"),
        ("evaluate lenet", "Unknown checkpoint 'lenet'. Did you mean lenet."),
        ("evaluate lenet.mnist --data digits --limit 0", "--limit must be an integer >= 1. Received: 0"),
        (
            "evaluate lenet.mnist --data digits --split tset",
            "--split must be one of test, train, fit, validation. Received: 'tset'. ",
        ),
        ("evaluate lenet.mnist --data nowhere", "arrayrecord:PATH, or an existing folder. Received: 'nowhere'"),
        (
            "generate lenet.mnist",
            "The model must be one that can generate. Received: 'lenet.mnist', whose task is 'classify'",
        ),
        ("reconstruct autoencoder.mnist a.png", "cnnzoo reconstruct: a.png: No such file or directory"),
        ("classify lenet.mnist", "the following arguments are required: image"),
        ("classify lenet.mnist a.png --top 0", "--top must be an integer >= 1. Received: 0"),
        ("classify lenet.mnist nowhere.png", "cnnzoo classify: nowhere.png: No such file or directory"),
    ],
)
def test_commands_reject_bad_input_in_one_line(refusal, monkeypatch, tmp_path, line, complaint):
    monkeypatch.chdir(tmp_path)
    assert complaint in refusal(*line.split())
    assert list(tmp_path.iterdir()) == []


# -- training ---------------------------------------------------------------------------------------------------------


def test_train_is_deterministic_and_prints_next_command(command, runs, tmp_path):
    out, err = command(*training("lenet", tmp_path / "run"))
    assert out.splitlines()[0] == f"run folder: {tmp_path / 'run'}"
    assert out.splitlines()[-2] == f"trained weights: {tmp_path / 'run' / 'model.weights.h5'}"
    assert out.splitlines()[-1] == f"next: cnnzoo evaluate {tmp_path / 'run'}"
    assert err == ""
    first, second = (checkpoints.load(run).get_weights() for run in (tmp_path / "run", runs["lenet"]))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_train_saves_options_in_run_plan(runs):
    plan = json.loads((runs["dcgan"] / "run.json").read_text())
    assert {key: plan[key] for key in ("name", "data", "epochs", "batch_size", "seed")} == {
        "name": "dcgan", "data": "digits", "epochs": 1, "batch_size": 256, "seed": 0
    }  # fmt: skip
    chosen = {"width": 2, "latent_dim": 4, "updates": "alternating"}
    assert {key: plan["config"][key] for key in chosen} == chosen
    assert json.loads((runs["lenet"] / "run.json").read_text())["config"]["image_shape"] == [28, 28, 1]


def test_train_seed_changes_weights(command, runs, tmp_path):
    command(*training("lenet", tmp_path / "run", "--seed", "1"))
    first, second = (checkpoints.load(run).get_weights()[0] for run in (tmp_path / "run", runs["lenet"]))
    assert not np.array_equal(first, second)


def test_resume_of_finished_run_has_no_effect(command, runs):
    before = contents(runs["lenet"])
    out, err = command("train", "--resume", runs["lenet"])
    weights = runs["lenet"] / "model.weights.h5"
    next_one = f"next: cnnzoo evaluate {runs['lenet']}"
    assert out == f"{runs['lenet']} is finished: 1 epochs\ntrained weights: {weights}\n{next_one}\n" and err == ""
    assert contents(runs["lenet"]) == before


def test_train_out_rejects_existing_run_or_file(refusal, runs, tmp_path):
    before = contents(runs["lenet"])
    assert f"{runs['lenet']} already holds a run; resume it with --resume" in refusal(*training("lenet", runs["lenet"]))
    assert contents(runs["lenet"]) == before
    (tmp_path / "mine").write_text("mine")
    assert "--out must be a folder, new or not" in refusal(*training("lenet", tmp_path / "mine"))
    assert (tmp_path / "mine").read_text() == "mine"


def test_train_on_sigint_exits_130_and_prints_resume_command(command, tmp_path):
    run, over = tmp_path / "run", threading.Event()

    def press():
        while not (run / "history.json").exists() and not over.is_set():
            time.sleep(0.01)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    hand = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs start with SIGINT ignored
    hand.start()
    try:
        out, err = command(*training("lenet", run, "--epochs", "10000"), code=130)
    finally:
        over.set()
        hand.join()
        signal.signal(signal.SIGINT, before)
    assert out.rstrip().endswith(f"resume with: cnnzoo train --resume {run}") and err == ""
    assert list(run.glob("state/step-*")) and not (run / "model.weights.h5").exists()


def test_evaluate_rejects_unfinished_run(refusal, runs, tmp_path):
    (tmp_path / "run.json").write_bytes((runs["lenet"] / "run.json").read_bytes())
    assert f"the run in {tmp_path} is not finished; resume it with: cnnzoo train --resume" in refusal(
        "evaluate", tmp_path
    )


# -- evaluation -------------------------------------------------------------------------------------------------------


def test_evaluate_accuracy_on_other_data_matches_classify(command):
    out, err = command("evaluate", "lenet.mnist", "--data", "digits", "--limit", "50", "--json")
    report = json.loads(out)
    assert (report["model"], report["data"], report["split"]) == ("lenet.mnist", "digits", "test")
    (score,) = report["scores"]
    test = load("digits", "test").few(50)
    guesses = cnnzoo.build("lenet.mnist").classify(test.images).argmax(axis=1)
    assert score["name"] == "accuracy" and score["n"] == 50
    assert score["value"] == pytest.approx(100 * np.mean(guesses == test.labels))
    assert err == ""


def test_evaluate_run_defaults_to_data_set_of_run(command, runs):
    out, _ = command("evaluate", runs["autoencoder"], "--split", "validation")
    title = f"{runs['autoencoder']} on digits, split 'validation'"
    assert "".join(out.split()).startswith("".join(title.split()))  # independent of line breaks
    expected = evaluate(checkpoints.load(runs["autoencoder"]), "digits", "validation")
    rows = [line.split() for line in out.splitlines()]
    for score in expected.scores:
        row = next(row for row in rows if row and row[0] == score.name)
        assert row[1 : 1 + len(str(score).split())] == str(score).split() and str(score.n) in row


def test_evaluate_generator_uses_given_extractor(command, runs):
    line = ["evaluate", runs["dcgan"], "--limit", "100", "--extractor", "cnn.fashion_mnist", "--json"]
    scores = {score["name"]: score for score in json.loads(command(*line)[0])["scores"]}
    assert {"frechet", "kernel_distance", "density", "coverage"} <= set(scores)
    assert scores["frechet"]["protocol"]["extractor"] == "cnn.fashion_mnist" and scores["frechet"]["n"] == 100


# -- images -----------------------------------------------------------------------------------------------------------


def test_generate_writes_a_contact_sheet(command, runs, tmp_path):
    target = tmp_path / "new" / "sheet.png"
    out, err = command("generate", runs["dcgan"], "-n", "5", "--seed", "3", "--out", target, "--pixels")
    assert (out, err) == (f"{target}\n", "")
    images = checkpoints.load(runs["dcgan"]).generate(5, seed=3)
    np.testing.assert_array_equal(np.asarray(Image.open(target)), contact_sheet(images, 3)[..., 0])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-n", "0"], "-n must be an integer >= 1. Received: 0"),
        (["--seed", "-1"], "--seed must be an integer >= 0. Received: -1"),
        (["-n", "999999999"], "A sheet must have at most 178 megapixels. Received: 999999999 images, of 900"),
        (["--label", "3"], "which takes none; conditional models take one: cgan."),
    ],
)
def test_generate_rejects_invalid_options(refusal, runs, tmp_path, options, complaint):
    assert complaint in refusal("generate", runs["dcgan"], *options, "--out", tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_generate_label_selects_class_and_must_be_in_range(command, refusal, runs, tmp_path):
    command("generate", runs["cgan"], "-n", "4", "--label", "7", "--out", tmp_path / "sheet.png", "--pixels")
    images = checkpoints.load(runs["cgan"]).generate(4, labels=7)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sheet.png")), contact_sheet(images, 2)[..., 0])
    complaint = refusal("generate", runs["cgan"], "-n", "4", "--label", "10")
    assert "`labels` must be 4 integers in [0, 10), or one. Received: 10" in complaint


def test_reconstruct_writes_a_file_for_each_image(command, runs, digits, tmp_path):
    paths, images = digits
    out, err = command("reconstruct", runs["autoencoder"], *paths, "--out", tmp_path / "again", "--pixels")
    made = [tmp_path / "again" / path.name for path in paths]
    assert (out.splitlines(), err) == ([str(path) for path in made], "")
    assert sorted((tmp_path / "again").iterdir()) == made
    expected = checkpoints.load(runs["autoencoder"]).reconstruct(images)
    for path, image in zip(made, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image[..., 0])


def test_reconstruct_rejects_duplicate_file_names(refusal, runs, digits, tmp_path):
    first = digits[0][0]
    (tmp_path / "other").mkdir()
    second = tmp_path / "other" / first.name
    second.write_bytes(first.read_bytes())
    line = refusal("reconstruct", runs["autoencoder"], first, second, "--out", tmp_path / "again")
    assert f"Images must have different names, as the results take them. Received: several named {first.stem}" in line
    assert not (tmp_path / "again").exists()


def test_reconstruct_rejects_input_folder_as_output(refusal, runs, digits, tmp_path):
    path = digits[0][0]
    before = path.read_bytes()
    complaint = refusal("reconstruct", runs["autoencoder"], path, "--out", tmp_path)
    assert f"--out must not be the folder of {path}, which the result would replace. Received: {tmp_path}" in complaint
    assert path.read_bytes() == before


def test_classify_json_matches_model_probabilities(command, digits):
    paths, images = digits
    out, err = command("classify", "lenet.mnist", *paths, "--top", "10", "--json")
    answers = json.loads(out)
    chances = cnnzoo.build("lenet.mnist").classify(images)
    assert [answer["image"] for answer in answers] == [str(path) for path in paths] and err == ""
    for answer, row in zip(answers, chances, strict=True):
        told = {int(entry["name"]): entry["probability"] for entry in answer["classes"]}
        np.testing.assert_allclose([told[i] for i in range(10)], row, atol=1e-6)
        assert list(told.values()) == sorted(told.values(), reverse=True)


def test_classify_accepts_large_color_jpeg(command, digits, tmp_path):
    labels = load("digits", "test").labels
    image = Image.open(digits[0][0]).resize((90, 70)).convert("RGB")
    image.save(tmp_path / "large.jpg", quality=95)
    out, _ = command("classify", "lenet.mnist", tmp_path / "large.jpg", "--top", "1")
    words = next(line for line in out.splitlines() if "large.jpg" in line).split()
    assert words[1] == str(labels[0]) and words[3] == "%" and float(words[2]) > 50


def test_classify_json_has_class_names(command, digits):
    out, _ = command("classify", "cnn.fashion_mnist", digits[0][0], "--top", "10", "--json")
    names = [entry["name"] for entry in json.loads(out)[0]["classes"]]
    assert sorted(names) == sorted(CATALOG["fashion_mnist"].classes)


@pytest.mark.parametrize("damage", ["cut", "no image"])
def test_classify_rejects_damaged_image(refusal, digits, tmp_path, damage):
    whole = digits[0][0]
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:100] if damage == "cut" else b"not a picture")
    assert f"cnnzoo classify: {broken} cannot be read as an image" in refusal("classify", "lenet.mnist", whole, broken)


# -- latent space -----------------------------------------------------------------------------------------------------


def sheet(path):
    return np.asarray(Image.open(path))


def test_interpolate_draws_paths_between_random_latents(command, runs, tmp_path):
    out, err = command(
        "interpolate", runs["dcgan"], "--ways", 2, "--steps", 4, "--seed", 3, "--out", tmp_path / "a.png", "--pixels"
    )
    assert (out, err) == (f"{tmp_path / 'a.png'}\n", "")
    model = checkpoints.load(runs["dcgan"])
    z = np.random.default_rng(3).standard_normal((4, 4), dtype=np.float32)
    rows = np.concatenate([latent.interpolate(model, z[0], z[1], 4), latent.interpolate(model, z[2], z[3], 4)])
    np.testing.assert_array_equal(sheet(tmp_path / "a.png"), contact_sheet(rows, 4)[..., 0])


def test_interpolate_straight_is_linear_between_images(command, runs, digits, tmp_path):
    paths, images = digits
    line = ["interpolate", runs["autoencoder"], *paths[:3], "--steps", 3, "--straight", "--out", tmp_path / "a.png"]
    command(*line, "--pixels")
    model = checkpoints.load(runs["autoencoder"])
    a, b, c = model.encode(images[:3])
    rows = np.concatenate([model.decode(np.stack(row)) for row in ([a, (a + b) / 2, b], [b, (b + c) / 2, c])])
    difference = sheet(tmp_path / "a.png").astype(int) - contact_sheet(rows, 3)[..., 0]
    assert np.abs(difference).max() <= 1  # rounding may differ by one gray level


def test_interpolate_label_selects_class(command, runs, tmp_path):
    line = ["interpolate", runs["cgan"], "--ways", 1, "--steps", 2, "--label", 7, "--out", tmp_path / "a.png"]
    command(*line, "--pixels")
    images = checkpoints.load(runs["cgan"]).generate(2, labels=7)
    difference = sheet(tmp_path / "a.png").astype(int) - contact_sheet(images, 2)[..., 0]
    assert np.abs(difference).max() <= 1


def test_traverse_draws_one_row_per_latent_dimension(command, runs, digits, tmp_path):
    paths, images = digits
    line = ["traverse", runs["autoencoder"], paths[0], "--dimensions", 4, "--steps", 3, "--out", tmp_path / "a.png"]
    command(*line, "--pixels")
    model = checkpoints.load(runs["autoencoder"])
    codes = np.repeat(model.encode(images[:1]), 12, axis=0)  # four latent dimensions, three values each
    codes[np.arange(12), np.repeat(np.arange(4), 3)] = [-3, 0, 3] * 4
    np.testing.assert_array_equal(sheet(tmp_path / "a.png"), contact_sheet(model.decode(codes), 3)[..., 0])


def test_invert_draws_images_and_returns_latents_with_mse(command, runs, digits, tmp_path):
    paths, images = digits
    line = ["invert", runs["autoencoder"], *paths, "--steps", 5, "--out", tmp_path / "a.png", "--json", "--pixels"]
    answers = json.loads(command(*line)[0])
    model = checkpoints.load(runs["autoencoder"])
    made = model.decode(np.array([answer["z"] for answer in answers], np.float32))
    errors = np.mean((made - images / 255.0) ** 2, axis=(1, 2, 3))
    assert [answer["image"] for answer in answers] == [str(path) for path in paths]
    np.testing.assert_allclose([answer["mse"] for answer in answers], errors, rtol=1e-4)
    drawn, expected = sheet(tmp_path / "a.png"), contact_sheet(np.concatenate([images, to_uint8(made)]), 5)[..., 0]
    np.testing.assert_array_equal(drawn[: 28 + 2], expected[: 28 + 2])
    assert np.abs(drawn.astype(int) - expected).max() <= 1  # latents in JSON are rounded


def test_nearest_draws_samples_above_nearest_training_images(command, runs, tmp_path):
    line = ["nearest", runs["dcgan"], "-n", 5, "--seed", 2, "--out", tmp_path / "a.png", "--pixels"]
    about = json.loads(command(*line, "--json")[0])
    assert "median distance to the nearest training image: " in command(*line)[0]
    samples = np.rint(255 * checkpoints.load(runs["dcgan"]).generate(5, seed=2)).astype(np.uint8)
    train = load("digits").images
    distances = [[np.linalg.norm((a / 255.0 - b / 255.0).ravel()) for b in train] for a in samples]
    assert about["indices"] == np.argmin(distances, axis=1).tolist()
    np.testing.assert_allclose(about["distances"], np.min(distances, axis=1), rtol=1e-4)
    pair = np.concatenate([samples, train[about["indices"]]])
    np.testing.assert_array_equal(sheet(tmp_path / "a.png"), contact_sheet(pair, 5)[..., 0])


def test_latent_commands_reject_bad_input_in_one_line(refusal, runs, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image, dcgan, coder = digits[0][0], runs["dcgan"], runs["autoencoder"]
    for line, complaint in (
        (
            ["interpolate", "lenet.mnist"],
            "The model must have latent vectors, as generators and autoencoders have. Received: 'lenet.mnist', whose",
        ),
        (["interpolate", "espcn.x2"], "The model must have latent vectors, "),
        (["traverse", "espcn.x2", image], "The model must have latent vectors, "),
        (["invert", "espcn.x2", image], "The model must have latent vectors, "),
        (["interpolate", "vqvae.cifar10"], "The model must have latent vectors, "),
        (["interpolate", coder], f"{coder} needs images: it cannot draw random codes"),
        (["interpolate", coder, image], "Images must be none, or two or more. Received: one"),
        (
            ["interpolate", dcgan, image, image],
            "must not be given with a model that cannot encode them; autoencoders can",
        ),
        (["interpolate", dcgan, "--ways", "0"], "--ways must be an integer >= 1. Received: 0"),
        (["interpolate", dcgan, "--label", "1"], "`label` must be None with a dcgan, which takes none. Received: 1"),
        (["traverse", dcgan, "--dimensions", "0"], "--dimensions must be an integer >= 1. Received: 0"),
        (["traverse", dcgan, "--dimensions", "99"], "--dimensions must be at most "),
        (["traverse", coder, image, "--seed", "0"], "--seed must be left out where images are encoded. Received: 0"),
        (["interpolate", coder, image, image, "--ways", "3"], "--ways must be left out where images are encoded"),
        (["invert", coder, image, "--seed", "4"], "--seed must be left out where images are encoded. Received: 4"),
        (["invert", runs["cgan"], image], "`label` must be the class of the images, in [0, 10), with a cgan"),
        (["nearest", coder], "The model must be one that can generate. Received: "),
        (["nearest", dcgan, "-n", "0"], "-n must be an integer >= 1. Received: 0"),
        (["generate", dcgan, "--truncation", "0"], "--truncation must be a number > 0. Received: 0"),
    ):
        assert complaint in refusal(*line)
    assert not (tmp_path / "sheet.png").exists()


def test_generate_passes_truncation_to_model(command, runs, tmp_path, monkeypatch):
    monkeypatch.setattr(
        architecture("dcgan"), "generate", lambda self, n, seed=0, truncation=1.0: truncated(n, truncation)
    )

    def truncated(n, truncation):
        return np.full((n, 28, 28, 1), truncation, np.float32)

    command("generate", runs["dcgan"], "-n", 1, "--truncation", 0.5, "--out", tmp_path / "a.png", "--pixels")
    assert sheet(tmp_path / "a.png")[14, 14] == 128
    command("generate", runs["dcgan"], "-n", 1, "--out", tmp_path / "a.png", "--pixels")
    assert sheet(tmp_path / "a.png")[14, 14] == 255


def test_evaluate_inception_rejects_missing_network_file(refusal, runs, tmp_path, monkeypatch):
    def cut(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setenv("CNNZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("cnnzoo.data.network.getproxies", dict)
    monkeypatch.setattr("socket.create_connection", cut)
    assert "The Inception network of 2015 must be at" in refusal("evaluate", runs["dcgan"], "--inception")
