"""A user's own pictures: folders for training, fitting to a shape, and dark-on-light images."""

import io
import json
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import cnnzoo
from cnnzoo import data
from cnnzoo.cli import main
from cnnzoo.data.catalog import CATALOG
from cnnzoo.data.ground import ground_of
from cnnzoo.data.photographs import photographs
from cnnzoo.imaging.arrays import fit_to
from cnnzoo.imaging.files import read_image, save_png
from cnnzoo.registry import architecture, list_models
from cnnzoo.training import shape


def fill(folder, count, size=(60, 40), color=True, suffix=".jpg", start=0):
    """Writes distinct pictures of a size (width, height), in color or with three equal channels; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        noise = np.random.default_rng(i).integers(0, 255, (4, 6, 3 if color else 1), np.uint8)
        whole = Image.fromarray(np.broadcast_to(noise, (4, 6, 3)).copy()).resize(size)
        whole.save(folder / f"{i:03}{suffix}", quality=95)
    return folder


def shape_in(run):
    return json.loads((run / "run.json").read_text())["config"]["image_shape"]


# -- the image shape, derived from the pictures ---------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["gan", pytest.param("dcgan", marks=pytest.mark.slow)])
def test_train_derives_color_shape_from_folder_and_reports_shape(arch, tmp_path, capsys):
    folder = fill(tmp_path / "mine", 23, (600, 400))
    run = cnnzoo.train(arch, data=folder, epochs=1, config={"latent_dim": 4}, out=tmp_path / "run", verbose=2)
    assert shape_in(run) == [64, 64, 3]
    said = capsys.readouterr().out.splitlines()
    sides = {"gan": "8, 9, … 64", "dcgan": "28, 32, 64"}[arch]
    assert said[0] == (
        "mine/: 19 color images (4 more are for testing), 600x400, used as 64x64x3 "
        f"(to choose: --config 'image_shape=[64,64,3]', sides {sides})"
    )
    assert said[1] == "batch size 19 instead of 128, as the data have no more images"
    assert cnnzoo.build(arch, weights=run).generate(1).shape == (1, 64, 64, 3)


def test_resume_keeps_the_shape_of_the_run(tmp_path, monkeypatch):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    folder, out = fill(tmp_path / "mine", 10, color=False), tmp_path / "run"
    config = {"width": 2, "hidden": 4, "latent_dim": 2}
    with pytest.raises(KeyboardInterrupt):
        cnnzoo.train("autoencoder", data=folder, epochs=2, config=config, out=out, callbacks=[Stop()], verbose=0)
    assert shape_in(out) == [40, 40, 1]
    monkeypatch.setattr(shape, "choose", lambda *_: pytest.fail("chosen anew"))
    cnnzoo.train(resume=out, verbose=0)
    assert shape_in(out) == [40, 40, 1]


def test_train_uses_requested_image_shape_silently(tmp_path, capsys):
    folder = fill(tmp_path / "mine", 10)
    config = {"width": 2, "hidden": 4, "image_shape": [8, 12, 1]}
    run = cnnzoo.train("autoencoder", data=folder, epochs=1, batch_size=8, config=config, out=tmp_path / "run")
    assert shape_in(run) == [8, 12, 1]
    assert "image_shape" not in capsys.readouterr().out


def test_recipe_on_other_data_derives_shape_from_pictures(tmp_path):
    folder = fill(tmp_path / "mine", 10, (32, 32))
    run = cnnzoo.train("autoencoder.mnist", data=folder, epochs=1, out=tmp_path / "run", verbose=0)
    assert shape_in(run) == [32, 32, 3]


@pytest.mark.parametrize(
    ("arch", "size", "side"),
    [
        ("dcgan", (25, 60), 28),
        ("dcgan", (47, 60), 32),
        ("dcgan", (48, 60), 64),
        ("sngan", (600, 400), 64),
        ("gan", (41, 60), 41),
        ("vae", (43, 60), 44),
        ("vqvae", (600, 400), 64),
        ("lenet", (600, 400), 32),
        ("cnn", (10, 10), 28),
        ("vgg_small", (10, 20), 10),
    ],
)
def test_choose_returns_nearest_supported_side(arch, size, side, tmp_path):
    fill(tmp_path / "train" / "one", 5, size, suffix=".png")
    assert shape.choose(architecture(arch), tmp_path, "train").shape == (side, side, 3)


def test_build_accepts_smallest_and_largest_sides():
    for name in list_models():
        cls = architecture(name)
        for side in {cls.sides[0], cls.sides[-1]} if cls.sides else ():
            small = {key: 2 for key in ("width", "hidden") if key in cls.config_fields()}
            model = cnnzoo.build(name, image_shape=(side, side, 3), **small)
            assert tuple(model.image_shape) == (side, side, 3)


def test_choose_keeps_gray_and_reports_mixed_gray_and_color(tmp_path):
    gray = fill(tmp_path / "gray", 10, color=False)
    chosen = shape.choose(architecture("dcgan"), gray, "train")
    assert chosen.shape == (32, 32, 1) and "8 gray images" in chosen.line
    Image.open(gray / "000.jpg").convert("L").save(gray / "000.jpg")
    assert shape.choose(architecture("dcgan"), gray, "train").shape == (32, 32, 1)
    fill(gray, 5, start=10)
    chosen = shape.choose(architecture("dcgan"), gray, "train")
    assert chosen.shape == (32, 32, 3)
    counts = [int(word) for word in chosen.line.split() if word.isdigit()][:2]
    assert sum(counts) == 12 and min(counts) > 0 and "color and" in chosen.line


def test_choose_derives_channels_for_models_of_any_size(tmp_path):
    gray, color = fill(tmp_path / "gray", 5, color=False), fill(tmp_path / "color", 5)
    assert [shape.choose(architecture("denoiser"), f, "train").shape[2] for f in (gray, color)] == [1, 3]
    assert [shape.choose(architecture("inpainter"), f, "train").shape[2] for f in (gray, color)] == [1, 3]
    assert shape.choose(architecture("espcn"), color, "train") is None


# -- folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [".", "train"])
def test_load_accepts_pictures_without_class_folders(within, tmp_path):
    fill(tmp_path / within, 10)
    (tmp_path / within / "notes.txt").write_text("of the journey")
    with pytest.warns(UserWarning, match="passed over 1 entry that is no picture"):
        train = data.load(tmp_path, "train", (8, 8, 3))
    with pytest.warns(UserWarning):
        test = data.load(tmp_path, "test", (8, 8, 3))
    assert train.images.shape == (8, 8, 8, 3) and test.images.shape == (2, 8, 8, 3)
    assert train.labels is None and train.classes == ()
    assert not {image.tobytes() for image in train.images} & {image.tobytes() for image in test.images}


def test_load_rejects_two_channels(tmp_path):
    save_png(tmp_path / "0.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"must have 1 or 3 channels.*Received: 3 channels for a model of 2"):
        data.load(tmp_path, shape=(16, 16, 2))


def test_load_accepts_test_pictures_without_class_folders(tmp_path):
    fill(tmp_path / "train", 5)
    fill(tmp_path / "test", 2, start=5)
    assert [len(data.load(tmp_path, split, (8, 8, 3)).images) for split in ("train", "test")] == [5, 2]


def test_photographs_accepts_pictures_without_class_folders(tmp_path):
    fill(tmp_path, 10)
    train, test = (photographs(tmp_path, split).names for split in ("train", "test"))
    assert len(train) == 8 and len(test) == 2 and not set(train) & set(test)


@pytest.mark.parametrize("arch", ["cnn", "cvae", "cgan"])
def test_train_rejects_unlabeled_pictures_before_decoding(arch, tmp_path, monkeypatch):
    fill(tmp_path, 5)
    monkeypatch.setattr(data, "training_images", lambda *_: pytest.fail("decoded before the refusal"))
    with pytest.raises(
        ValueError, match=r"must have labels for \w+: .*<folder>/train/<label>/<image>. Received: .* without labels"
    ):
        cnnzoo.train(arch, data=tmp_path, out=tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_train_reads_string_as_data_set_and_path_as_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = fill(tmp_path / "digits", 10, (16, 16))
    settings = {"epochs": 1, "batch_size": 8, "limit": 8, "config": {"width": 2, "hidden": 4}}
    cnnzoo.train("autoencoder", data="digits", out="named", **settings, verbose=2)
    said = capsys.readouterr().out
    assert "digits is the data set of that name; for the folder: ./digits" in said
    assert "digits: 8 images, used as 28x28x1 (to choose: --config 'image_shape=[28,28,1]')" in said
    own = cnnzoo.train("autoencoder", data=folder.relative_to(tmp_path), out="own", **settings)
    assert shape_in(own) == [16, 16, 3]
    assert data.load(folder.relative_to(tmp_path), shape=(16, 16, 3)).images.shape == (8, 16, 16, 3)


def test_train_raises_for_unknown_architecture_or_missing_data():
    with pytest.raises(ValueError, match="Unknown architecture 'nosuch'"):
        cnnzoo.train("nosuch")
    with pytest.raises(ValueError, match=r"Unknown architecture 'dcgna'. Did you mean dcgan"):
        cnnzoo.train("dcgna", data="digits")
    with pytest.raises(ValueError, match=r"`data` \(--data\) must be the name of a data set or a folder for 'dcgan'"):
        cnnzoo.train("dcgan")


# -- fitting to a shape ---------------------------------------------------------------------------------------------


def test_fit_to_crops_center_and_preserves_aspect_ratio():
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 200  # the middle square
    assert (fit_to(wide[None], (20, 20, 3)) == 200).all()
    assert (fit_to(wide.transpose(1, 0, 2)[None], (20, 20, 3)) == 200).all()
    assert fit_to(wide[None], (20, 50, 1)).shape == (1, 20, 50, 1)
    half = Image.fromarray(wide).resize((50, 20), Image.Resampling.BICUBIC)
    assert np.array_equal(fit_to(wide[None], (20, 50, 3))[0], half)
    assert fit_to(np.zeros((1, 1, 90, 3), np.uint8), (4, 4, 3)).shape == (1, 4, 4, 3)


def test_classify_command_gallery_and_explain_share_fit_to(tmp_path, monkeypatch, capsys):
    path = tmp_path / "cat.png"
    Image.fromarray(cat := cat_of_scikit_image()).save(path)
    model = cnnzoo.build("vgg_small.cifar10")
    expected = model.classify(fit_to(cat[None], (32, 32, 3)))
    np.testing.assert_array_equal(model.classify(path), expected)
    assert main(["classify", "vgg_small.cifar10", str(path), "--json", "--top", "10"]) == 0
    told = {c["name"]: c["probability"] for c in json.loads(capsys.readouterr().out)[0]["classes"]}
    assert sorted(told.values()) == pytest.approx(sorted(expected[0].tolist()), abs=1e-6)
    from cnnzoo.explain.target import LogitExplainer
    from cnnzoo.gallery.small_images import alike

    np.testing.assert_array_equal(alike("cifar10", (32, 32, 3), 1).images[0], fit_to(cat[None], (32, 32, 3))[0])
    np.testing.assert_allclose(LogitExplainer(model, path).images, fit_to(cat[None], (32, 32, 3)) / 255, atol=1e-6)


@pytest.mark.parametrize("size", [(451, 300), (300, 451), (33, 29), (29, 28), (7, 300)])
@pytest.mark.parametrize("sides", [(28, 28), (20, 33)])
def test_export_image_codec_matches_fit_to(size, sides):
    from cnnzoo.export.image_codec import from_bytes

    buffer = io.BytesIO()
    Image.fromarray(cat_of_scikit_image()).resize(size).save(buffer, "PNG")
    found = from_bytes(buffer.getvalue(), (*sides, 3)).numpy()
    expected = fit_to(read_image(buffer.getvalue())[None], (*sides, 3))[0] / 255
    assert np.abs(found - expected).max() <= 1.01 / 255


def cat_of_scikit_image():
    from skimage.data import cat

    return cat()


# -- dark on light --------------------------------------------------------------------------------------------------


@pytest.fixture
def three(tmp_path):
    """The path of a picture of a dark 3 on light gray paper, 600x800."""
    paper = Image.new("L", (600, 800), 200)
    ImageDraw.Draw(paper).text((150, 130), "3", 40, font=ImageFont.load_default(500))
    paper.save(tmp_path / "three.png")
    return tmp_path / "three.png"


def test_classify_warns_about_dark_on_light_digit(three):
    model = cnnzoo.build("lenet.mnist")
    with pytest.warns(UserWarning, match=r"the image looks dark on light; lenet was trained on light on dark") as told:
        model.classify(three)
    assert len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.classify(255 - fit_to(read_image(three)[None], (28, 28, 1))).argmax() == 3
        model.classify(data.load("digits", "test", (28, 28, 1)).images)
        cnnzoo.build("lenet").classify(fit_to(read_image(three)[None], (32, 32, 3)))  # fresh weights, unknown data


def test_classify_and_explain_commands_suggest_and_apply_invert(three, capsys):
    def best(*words):
        assert main(["classify", "lenet.mnist", str(three), "--top", "1", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)[0]["classes"][0]["name"]

    with pytest.warns(UserWarning, match=r"invert the images \(--invert of"):
        assert best() != "3"
    assert best("--invert") == "3"
    with pytest.warns(UserWarning, match=r"invert the images \(--invert of"):
        main(["explain", "lenet.mnist", str(three), "-o", str(three.parent / "a.png"), "--method", "saliency"])
    main(["explain", "lenet.mnist", str(three), "-o", str(three.parent / "b.png"), "--method", "saliency", "--invert"])
    dark, light = (read_image(three.parent / f"{name}.png") for name in "ab")
    assert not np.array_equal(dark, light)


def test_explain_command_warns_once_in_one_line(three):
    words = [sys.executable, "-m", "cnnzoo", "explain", "lenet.mnist", three.name, "--method", "saliency"]
    ended = subprocess.run(words, cwd=three.parent, capture_output=True, text=True, check=True)
    assert ended.stderr.startswith("cnnzoo: the image looks dark on light; lenet was trained on light on dark: invert")
    assert ended.stderr.count("\n") == 1


def test_interpolate_command_rejects_invert_without_images(capsys):
    assert main(["interpolate", "dcgan.mnist", "--invert"]) == 2
    assert "--invert must be given with images. Received: no images" in capsys.readouterr().err


def test_classify_warning_uses_ground_of_the_training_run(tmp_path):
    """The model is trained on dark-on-light images, so that only light-on-dark images cause the warning."""
    for label in ("a", "b"):
        for i in range(6):
            paper = Image.new("L", (28, 28), 230)
            ImageDraw.Draw(paper).text((8, 6), label, 10 * i)
            (tmp_path / "ink" / "train" / label).mkdir(parents=True, exist_ok=True)
            paper.save(tmp_path / "ink" / "train" / label / f"{i}.png")
    run = cnnzoo.train("lenet", data=tmp_path / "ink", epochs=1, out=tmp_path / "run", verbose=0)
    model = cnnzoo.build("lenet", weights=run)
    images = data.load(tmp_path / "ink", shape=(28, 28, 1)).images
    model.classify(images)
    with pytest.warns(UserWarning, match=f"{len(images)} of {len(images)} images look light on dark; lenet was"):
        model.classify(255 - images)
    model.save(tmp_path / "model.keras")
    for other in (model.inference_copy(), keras.saving.load_model(tmp_path / "model.keras")):
        with pytest.warns(UserWarning, match="images look light on dark"):
            other.classify(255 - images)


def test_ground_of_digits_matches_catalog_and_photos_have_none():
    assert ground_of(data.load("digits", "test")) == CATALOG["digits"].ground
    assert ground_of(data.load("photos", "test", (28, 28, 1))) == ""
    assert ground_of(data.load("photos", "test", (28, 28, 3))) == ""


@pytest.mark.slow
def test_catalog_ground_matches_test_images(tfds_data):
    grounds = {name: known.ground for name, known in CATALOG.items() if known.ground}
    assert len(grounds) == 4
    for name, ground in grounds.items():
        assert ground_of(data.load(name, "test")) == ground, name
