"""Tests of terminal use at 80 columns: errors before TensorFlow, tables, progress bars, sheets and completion."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import cnnzoo
from cnnzoo.checkpoints import table
from cnnzoo.cli import main
from cnnzoo.cli.commands import explain, tune
from cnnzoo.cli.scores import print_scores
from cnnzoo.gallery.exhibits import Exhibit
from cnnzoo.gallery.numbers import Numbers
from cnnzoo.imaging.arrays import contact_sheet
from cnnzoo.metrics.scores import Score
from cnnzoo.registry import architecture
from cnnzoo.utils import source
from cnnzoo.utils.configuration import fields_of
from cnnzoo.utils.terminal import bars


@pytest.fixture
def command(capsys, monkeypatch):
    """Runs a command line at 80 columns; returns the exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as stopped:
            code = stopped.code
        return code, *capsys.readouterr()

    return run


def fits(text, lines, columns=80):
    shown = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, shown)) <= columns
    assert len(shown) <= lines
    return True


# -- errors -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "trian": "Unknown command 'trian'. ",
    "classify lenet.mnist nowhere.png": "nowhere.png: No such file or directory",
    "classify lenet.mnist text.png": "text.png cannot be read as an image",
    "classify lenet.mnits three.png": "Did you mean lenet.mnist",
    "classify dcgan.mnist three.png": "must be one that can classify. Received: 'dcgan.mnist', whose task is 'gen",
    "reconstruct autoencoder.mnist nowhere.png": "nowhere.png: No such file or directory",
    "upscale nowhere.png out.png --scale 3": "nowhere.png: No such file or directory",
    "upscale three.png out.bmp --scale 3": ".png, .jpg, .jpeg, .webp, .gif, .tif, .tiff. Received: out.bmp",
    "upscale three.png text.png/out.png --scale 3": "but text.png is no folder",
    "upscale three.png out.png --scale 7": "--scale must be above 1 and at most 4. Received: 7",
    "upscale three.png out.png --scale 3 --model espcn.x2": "must be 2 for 'espcn.x2', or a fraction above 1",
    "upscale three.png out.png --scale 3 --sharpness 0.5": "which has no such dial",
    "upscale three.png out.png --scale 4 --model espcn_gan.x4 --sharpness 2": "--sharpness must be between 0 and 1",
    "upscale photos out.png --scale 3": "must go to a folder. Received: out.png, the name of a picture",
    "enhance three.png out.png --strength 9": "cnnzoo enhance: --strength must be between 0 and 2. Received: 9",
    "enhance three.png out.png --strength nan": "--strength must be between 0 and 2. Received: nan",
    "inpaint three.png out.png --mask nowhere.png": "nowhere.png: No such file or directory",
    "denoise three.png out.png --model denoiser.grey_s25": "Did you mean denoiser.gray_s25",
    "stylize three.png out.png --style starry_nite": "Unknown style 'starry_nite'. ",
    "stylize three.png out.png --style wave --style udnie --style wave": "each style once. Received: wave, udnie, wave",
    "stylize three.png out.png --style wave --mask row.png": "must be of 28x28 pixels, as the picture. Received: row.p",
    "inpaint three.png out.png --mask row.png": "--mask must be of 28x28 pixels, as the picture. Received: row.png",
    "stylize three.png out.png --style starry_night --weight 1 --weight 2": "must be given once for each of 1",
    "stylize three.png out.png --style starry_night --network vgg91": "Did you mean vgg19?",
    "stylize three.png out.png --style starry_night --optimizer lbgfs": "Did you mean lbfgs?",
    "stylize three.png out.png --style starry_night --strength 2": "--strength must be between 0 and 1. Received: 2",
    "generate dcgan.mnist -n 0": "-n must be an integer >= 1. Received: 0",
    "generate dcgan.mnits": "Did you mean dcgan.mnist",
    "generate dcgan.mnist --out sheet.bmp": "must end in one of .png, .jpg, .jpeg, .webp. Received: sheet.bmp",
    "generate dcgan.mnist --label 3": "which takes none; conditional models take one: cgan.",
    "generate vae.mnist --truncation 1": "--truncation must not be given with 'vae.mnist', which takes",
    "interpolate autoencoder.mnist three.png nowhere.png": "nowhere.png: No such file or directory",
    "invert dcgan.mnist nowhere.png": "nowhere.png: No such file or directory",
    "nearest dcgan.mnist --data mnsit": "Unknown data set 'mnsit'. ",
    "explain lenet.mnist three.png --method grad_cm": "Did you mean grad_cam",
    "evaluate lenet.mnits": "Did you mean lenet.mnist",
    "evaluate lenet.mnist --split tset": "Did you mean test?",
    "evaluate dcgan.mnist --extractor dcgan.mnist": "--extractor must be a classifier",
    "train": "name must be arch.tag",
    "train nosuch": "Unknown architecture 'nosuch'",
    "train dcgan": "or a folder for 'dcgan'. Received: none",
    "train dcgan --data mnsit": "Unknown data set 'mnsit'. ",
    "train dcgan.mnits": "Unknown recipe 'dcgan.mnits'. Did you mean dcgan.mnist",
    "train vae --data digits --config latent_dim=big": "`latent_dim` must be an integer, such as 32. Received: 'big'",
    "train vae --data digits --config latnt_dim=3": "of vae. Did you mean latent_dim?",
    "train vae --data digits --out text.png": "--out must be a folder, new or not. Received: the file text.png",
    "train --resume nowhere": "nowhere must be the folder of a training run. Received: no run.json",
    "tune vea --data digits": "Did you mean vae",
    "tune vae --data digits --space latnt_dim=1..3": "Did you mean latent_dim?",
    "tune vae --data digits --tuner bayes": "Did you mean bayesian?",
    "export nosuch exports": "Unknown checkpoint 'nosuch'. The nearest are",
    "export espcn.x3 text.png": "folder must be a folder, new or not. Received: the file text.png",
    "verify nowhere": "nowhere: No such file or directory",
    "serve nowhere": "nowhere: No such file or directory",
    "serve photos --port 99999": "--port must be an integer between 0 and 65535. Received: 99999",
    "demo --out text.png": "--out must be a folder, new or not. Received: the file text.png",
    "info nosuch": "The nearest are",
    "list zzz*": "cnnzoo list names all",
}


def test_commands_reject_bad_input_before_importing_tensorflow(tmp_path):
    """Each error is one line, with exit code 2 and no file written."""
    Image.new("L", (28, 28)).save(tmp_path / "three.png")
    Image.frombytes("L", (28, 1), bytes(14) + 14 * b"\xff").save(tmp_path / "row.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "photos").mkdir()
    Image.new("L", (28, 28)).save(tmp_path / "photos" / "one.png")
    before = sorted(tmp_path.rglob("*"))
    script = f"""if True:
        import contextlib, io, json, sys
        from cnnzoo.cli import main
        told = {{}}
        for line in {list(REFUSED)}:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = main(line.split())
                except SystemExit as stopped:
                    code = stopped.code
            loaded = sorted({{"tensorflow", "keras", "jax"}} & set(sys.modules))
            told[line] = code, out.getvalue(), err.getvalue(), loaded
            assert not loaded, told[line]
        print(json.dumps(told))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    for line, (code, out, err, _) in json.loads(done.stdout).items():
        assert (code, out, err.count("\n")) == (2, "", 1), (line, err)
        assert REFUSED[line] in err, (line, err)
        assert len(err) < 500, err
    assert sorted(tmp_path.rglob("*")) == before


def test_command_choices_match_library_constants():
    from cnnzoo.explain import METHODS
    from cnnzoo.features.maps import NETWORKS
    from cnnzoo.tuning.objectives import objectives
    from cnnzoo.tuning.spec import TUNERS

    assert tuple(METHODS) == explain.METHODS
    assert tune.TUNERS == TUNERS
    assert set(tune.OBJECTIVES) == {name for arch in cnnzoo.list_models() for name in objectives(architecture(arch))}
    from cnnzoo.cli.commands import stylize

    assert tuple(NETWORKS) == stylize.NETWORKS


# -- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cnnzoo.list_models())
def test_source_fields_match_class_fields(name):
    assert source.fields(source.lineage(name)) == fields_of(architecture(name))


@pytest.mark.parametrize(
    ("arch", "config", "complaint"),
    [
        ("vae", {"latent_dim": "big"}, "`latent_dim` must be an integer, such as 32.*Received: 'big'"),
        ("vae", {"latent_dim": 2.5}, "`latent_dim` must be an integer.*Received: 2.5"),
        ("vae", {"latent_dim": True}, "`latent_dim` must be an integer.*Received: True"),
        ("vae", {"beta": "x"}, "`beta` must be a number, such as 1.0.*Received: 'x'"),
        ("vae", {"binarize": 1}, "`binarize` must be true or false.*Received: 1"),
        ("vae", {"likelihood": 3}, "`likelihood` must be a word, such as 'bernoulli'.*Received: 3"),
        (
            "vae",
            {"image_shape": [28, 28, "a"]},
            r"`image_shape` must be a list of integers.*Received: \[28, 28, 'a'\]",
        ),
        ("vae", {"image_shape": 28}, "`image_shape` must be a list of integers.*Received: 28"),
        ("dcgan", {"regularizer": 3}, "`regularizer` must be a word or null.*Received: 3"),
        ("dcgan", {"augmentation": "translation"}, "`augmentation` must be a list.*Received: 'translation'"),
        ("lenet", {"augmentation": 3}, "`augmentation` must be an object or null.*Received: 3"),
        ("denoiser", {"sigma": "strong"}, "`sigma` must be a number or a list.*Received: 'strong'"),
    ],
)
def test_build_rejects_config_value_of_wrong_type(arch, config, complaint):
    with pytest.raises(ValueError, match=complaint):
        cnnzoo.build(arch, **config)


def test_build_accepts_numpy_integer_and_int_for_float():
    model = cnnzoo.build("lenet", classes=np.int64(3), dropout=0, image_shape=[28, 28, 1], augmentation=None)
    assert model.classes == 3 and model.image_shape == (28, 28, 1)


# -- tables -----------------------------------------------------------------------------------------------------------


def test_list_has_one_line_per_checkpoint_in_80_columns(command):
    code, out, err = command("list")
    assert (code, err) == (0, "") and fits(out, lines=80)
    lines = out.splitlines()
    for name in cnnzoo.list_checkpoints():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        card = cnnzoo.card(name)
        _, task, rest = line.split(maxsplit=2)
        parameters = table.size(card["parameters"], "").strip()
        assert task == card["task"] and rest.rstrip().endswith(parameters)
        assert re.search(r"\d", rest.rstrip().removesuffix(parameters)), "no score"
    assert "accuracy 99.47 %" in next(line for line in lines if line.startswith("lenet.mnist "))


@pytest.mark.parametrize("name", [*cnnzoo.list_models(), *cnnzoo.list_checkpoints()])
def test_info_fits_80_columns_and_45_lines(command, name):
    code, out, err = command("info", name)
    assert (code, err) == (0, "") and fits(out, lines=45)
    assert "sha256" not in out and out.startswith(f"{name}: ")


def test_list_filters_by_task_and_data_and_sorts(command):
    def names(*words):
        return [card["name"] for card in json.loads(command("list", *words, "--json")[1])["checkpoints"]]

    every = {name: cnnzoo.card(name) for name in cnnzoo.list_checkpoints()}
    assert names("--task", "upscale") == [name for name, card in every.items() if card["task"] == "upscale"]
    assert names("--data", "mnist") == [name for name, card in every.items() if card["data"]["name"] == "mnist"]
    assert "espcn.x3" in names("--data", "t91") and "lenet.mnist" not in names("--data", "t91")
    sizes = [every[name]["parameters"] for name in names("--sort", "parameters")]
    assert sizes == sorted(sizes)
    right = [every[name]["scores"][0]["value"] for name in names("--task", "classify", "--sort", "score")]
    assert right == sorted(right, reverse=True)
    out = command("list", "--task", "classify")[1]
    assert "Architectures" not in out and "lenet.mnist" in out and "dcgan" not in out
    complaint = command("list", "--data", "mnsit")[2]
    assert complaint.startswith("cnnzoo list: No checkpoint was trained on 'mnsit'. ") and "mnist?" in complaint


def test_list_csv_has_unrounded_scores(command):
    rows = list(csv.DictReader(io.StringIO(command("list", "--csv")[1])))
    assert [row["name"] for row in rows] == cnnzoo.list_checkpoints()
    (lenet,) = (row for row in rows if row["name"] == "lenet.mnist")
    score = cnnzoo.card("lenet.mnist")["scores"][0]
    assert (lenet["score"], float(lenet["value"]), lenet["unit"]) == ("accuracy", score["value"], "%")
    assert all(row["score"] and float(row["value"]) and int(row["parameters"]) for row in rows)


def test_print_scores_writes_each_score_and_protocol_once(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    protocol = {"data": "mnist", "split": "test", "sha256": 64 * "a", "extractor sha256": 64 * "b"}
    scores = [
        Score(f"score_{i}", 1.5, "dB", "higher", 10000, (1.25, 1.75), {**protocol, "seed": i // 6}) for i in range(12)
    ]
    print_scores(scores, "a title")
    out = capsys.readouterr().out
    assert fits(out, lines=24) and "aaaa" not in out and "bbbb" not in out
    for i in range(12):
        (line,) = (line for line in out.splitlines() if line.split()[:1] == [f"score_{i}"])
        assert "1.5 dB" in line and "1.25 to 1.75" in line and "10000" in line
    assert out.count("data: mnist") == 1 and out.count("seed: 0") == 1 and out.count("seed: 1") == 1


def test_demo_table_has_one_line_per_checkpoint(command, monkeypatch, tmp_path):
    names = cnnzoo.list_checkpoints()
    did = "classified 24 photographs, of which only the cat is of its classes, 3 of them as their labels say"
    made = [Exhibit(name, "classify", "", did, "", Numbers((), (), ""), 0.012345) for name in names]
    monkeypatch.setattr("cnnzoo.gallery.page.make", lambda out, update: made)
    code, out, _ = command("demo", "--out", tmp_path / "show")
    assert code == 0 and fits(out.replace(str(tmp_path), ""), lines=60)
    for name in names:
        assert sum(line.startswith(f"{name} ") for line in out.splitlines()) == 1
    assert out.count(" 12.3") == len(names)


# -- training ---------------------------------------------------------------------------------------------------------


def test_progress_bar_shows_count_and_times_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")  # simulates a terminal
    monkeypatch.setenv("TERM", "xterm")
    with bars() as shown:
        losses = "  ".join(f"{name}_loss 0.9885" for name in ("discriminator", "generator", "classifier"))
        task = shown.add_task("epoch 13/120", total=468, note="")
        shown.update(task, completed=312, note=losses)
        shown.refresh()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    lines = [line for line in re.split(r"[\r\n]+", plain) if "312/468" in line]
    assert lines and all(len(line.rstrip()) <= 80 for line in lines)
    assert all(
        re.search(r"epoch 13/120 ━+.* 312/468 \d:\d\d:\d\d [-\d]+:[-\d]+:[-\d]+ discriminator_loss 0", x) for x in lines
    )


def test_train_prints_one_line_per_epoch_and_next_command(command, tmp_path):
    config = ["--config", "width=2", "--config", "latent_dim=4"]
    run = tmp_path / "my_gan"
    code, out, _ = command("train", "dcgan", "--data", "digits", "--epochs", 2, "--out", run, *config)
    used, first, *epochs, weights, following = out.splitlines()
    assert used.startswith("digits: 1,437 images, used as 28x28x1")
    assert code == 0 and first == f"run folder: {run}" and weights.startswith("trained weights: ")
    assert following == f"next: cnnzoo generate {run}"
    history = json.loads((run / "history.json").read_text())
    assert len(epochs) == 2 and all(len(line) < 80 for line in epochs)
    for line, logs in zip(epochs, history, strict=True):
        assert re.match(rf"epoch {logs['epoch']}/2  \d+ s  ", line)
        assert f"discriminator_loss {logs['discriminator_loss']:.4g}" in line and " loss " not in line


# -- sheets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "times"), [(1, 28), (16, 7), (64, 4), (900, 1)])
def test_generate_scales_sheet_by_integer_to_about_900_pixels(command, monkeypatch, tmp_path, n, times):
    class Noise:
        task, image_shape = "generate", (28, 28, 1)

        def generate(self, n, seed):
            return np.random.default_rng(seed).integers(256, size=(n, 28, 28, 1), dtype=np.uint8)

    monkeypatch.setattr("cnnzoo.cli.models.load_with_method", lambda name, verb: Noise())
    for words, scale in (([], times), (["--pixels"], 1)):
        assert command("generate", "noise", "-n", n, "--out", tmp_path / "sheet.png", *words)[0] == 0
        sheet = contact_sheet(Noise().generate(n, 0), int(np.ceil(np.sqrt(n))))[..., 0]
        made = np.asarray(Image.open(tmp_path / "sheet.png"))
        np.testing.assert_array_equal(made, sheet.repeat(scale, axis=0).repeat(scale, axis=1))
    assert times == 1 or 600 <= times * sheet.shape[1] <= 1200


# -- shell ------------------------------------------------------------------------------------------------------------


def test_cnnzoo_without_arguments_prints_short_help(command):
    code, out, err = command()
    assert (code, err) == (2, "") and fits(out, lines=24)
    assert out.startswith("usage: cnnzoo ") and "Start with: cnnzoo demo" in out and "upscale" in out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completion_offers_commands_options_and_files(command, tmp_path):
    code, script, err = command("completion", "bash")
    assert (code, err) == (0, "")
    (tmp_path / "completion").write_text(script)
    (tmp_path / "photo.jpg").touch()

    def completed(*words):
        asked = f"""source completion
            COMP_WORDS=({" ".join(["cnnzoo", *(word or "''" for word in words)])}); COMP_CWORD={len(words)}
            $(complete -p cnnzoo | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            echo "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, cwd=tmp_path, check=True)
        return done.stdout.split()

    assert completed("up") == ["upscale"]
    assert "--scale" in completed("upscale", "--sc")
    assert "photo.jpg" in completed("upscale", "ph")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_zsh_and_tcsh_completion_script_lists_commands(command, shell):
    code, out, err = command("completion", shell)
    assert (code, err) == (0, "") and "upscale" in out
