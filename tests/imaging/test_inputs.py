"""Every input format of an image (array, tensor, file, Pillow image), for every method with image inputs."""

import io
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cnnzoo
from cnnzoo import explain, latent

FORMS = ("tf.Tensor", "JAX array", "Pillow image", "path", "name of a file", "bytes of a file", "list of arrays")


@pytest.fixture
def given(tmp_path):
    """A function from a uint8 image to the same image in one of `FORMS`."""

    def make(image: np.ndarray, form: str):
        picture = Image.fromarray(image.squeeze(2) if image.ndim == 3 and image.shape[2] == 1 else image)
        path, buffer = tmp_path / f"{image.shape}.png", io.BytesIO()
        picture.save(path)
        picture.save(buffer, "PNG")
        forms = (tf.constant(image), jax.numpy.asarray(image), picture, path, str(path), buffer.getvalue(), [image])
        return dict(zip(FORMS, forms, strict=True))[form]

    return make


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


DIGIT, PHOTOGRAPH, MASK = image(28, 28, 1), image(20, 24, 3), image(20, 24) > 128

GRAY = {"image_shape": (28, 28, 1)}

# By method: the architecture, its configuration, the input image, and the call with model and image.
VERBS = {
    "classify": ("lenet", GRAY, DIGIT, lambda model, x: model.classify(x)),
    "features": ("lenet", GRAY, DIGIT, lambda model, x: model.features(x)),
    "saliency": ("lenet", GRAY, DIGIT, lambda model, x: explain.saliency(model, x)),
    "encode": ("autoencoder", GRAY, DIGIT, lambda model, x: model.encode(x)),
    "reconstruct": ("autoencoder", GRAY, DIGIT, lambda model, x: model.reconstruct(x)),
    "invert": ("autoencoder", GRAY, DIGIT, lambda model, x: latent.invert(model, x, steps=1).z),
    "with labels": ("cvae", GRAY, DIGIT, lambda model, x: model.reconstruct(x, labels=3)),
    "compress": ("vqvae", GRAY, DIGIT, lambda model, x: model.encode(x)),
    "upscale": ("espcn", {"scale": 2}, PHOTOGRAPH, lambda model, x: model.upscale(x)),
    "denoise": ("denoiser", {"image_shape": (None, None, 3)}, PHOTOGRAPH, lambda model, x: model.restore(x)),
    "inpaint": ("inpainter", {}, PHOTOGRAPH, lambda model, x: model.restore(x, MASK)),
}


@pytest.fixture(scope="module")
def model_of():
    made = {}

    def build(verb: str):
        name, config, _, _ = VERBS[verb]
        if name not in made:
            made[name] = cnnzoo.build(name, **config)
        return made[name]

    return build


@pytest.mark.parametrize("verb", VERBS)
def test_image_input_formats_give_equal_results(verb, model_of, given):
    model = model_of(verb)
    _, _, x, act = VERBS[verb]
    wanted = np.asarray(act(model, x))
    for form in FORMS:
        found = np.asarray(act(model, given(x, form)))
        assert found.dtype == wanted.dtype, form
        found = found[0] if found.ndim > wanted.ndim else found  # a list is a batch
        np.testing.assert_allclose(found.astype(float), wanted.astype(float), atol=1e-5, err_msg=form)


def test_mask_input_formats_give_equal_results(model_of, given):
    whole = model_of("inpaint").restore(PHOTOGRAPH, MASK)
    gray = np.where(MASK, 255, 0).astype(np.uint8)
    for form in FORMS[:-1]:
        np.testing.assert_array_equal(model_of("inpaint").restore(PHOTOGRAPH, given(gray, form)), whole)
    black_and_white = Image.fromarray(gray).convert("1")
    np.testing.assert_array_equal(model_of("inpaint").restore(PHOTOGRAPH, black_and_white), whole)


def test_stylize_input_formats_give_equal_results(given):
    model = cnnzoo.build("style_transfer")
    content, style = image(40, 40, 3), image(36, 44, 3)
    painted = model.stylize(content, style, steps=1)
    for form in ("tf.Tensor", "path"):
        np.testing.assert_array_equal(model.stylize(given(content, form), given(style, form), steps=1), painted)
    two = model.stylize(given(content, "Pillow image"), [style, given(style, "name of a file")], steps=1)
    np.testing.assert_allclose(two.astype(float), painted, atol=1)


def test_files_and_pillow_images_are_fitted_to_model_input(model_of, tmp_path):
    large = Image.fromarray(image(56, 40, 3))
    large.save(tmp_path / "large.png")
    several = model_of("classify").classify([tmp_path / "large.png", Image.fromarray(DIGIT[:, :, 0])])
    left, top = (large.width - 40) // 2, (large.height - 40) // 2
    middle = large.crop((left, top, left + 40, top + 40))
    by_hand = middle.convert("L").resize((28, 28), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(several[0], model_of("classify").classify(np.asarray(by_hand))[0], atol=0.02)
    np.testing.assert_allclose(several[1], model_of("classify").classify(DIGIT)[0], atol=1e-6)
    assert model_of("denoise").restore(Image.fromarray(DIGIT[:, :, 0])).shape == (28, 28, 3)
    assert model_of("upscale").upscale(Image.fromarray(DIGIT[:, :, 0])).shape == (56, 56, 1)


def test_list_of_8_and_16_bit_pictures_is_of_16_bits(model_of, tmp_path):
    Image.fromarray(DIGIT[:, :, 0]).save(tmp_path / "8.png")
    Image.fromarray(DIGIT[:, :, 0].astype(np.uint16) * 257).save(tmp_path / "16.png")
    deep, shallow = model_of("upscale").upscale([tmp_path / "16.png", tmp_path / "8.png"])
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(deep, shallow)
    with pytest.raises(ValueError, match=r"Images in one list must be of one dtype. Received: float32, uint8"):
        model_of("upscale").upscale([DIGIT, (DIGIT / 255).astype(np.float32)])


def test_upscale_applies_exif_orientation_and_preserves_uint16(model_of, tmp_path):
    lying, exif = Image.fromarray(np.rot90(PHOTOGRAPH)), Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees clockwise
    lying.save(tmp_path / "lying.png", exif=exif)
    wanted = model_of("upscale").upscale(PHOTOGRAPH)
    for form in (tmp_path / "lying.png", Image.open(tmp_path / "lying.png")):
        np.testing.assert_array_equal(model_of("upscale").upscale(form), wanted)
        np.testing.assert_array_equal(cnnzoo.imaging.files.read_image(form), PHOTOGRAPH)
    deep = image(20, 24).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    for form in (tmp_path / "deep.png", Image.open(tmp_path / "deep.png")):
        larger = model_of("upscale").upscale(form)
        assert larger.dtype == np.uint16
        np.testing.assert_array_equal(larger, model_of("upscale").upscale(deep))
        np.testing.assert_array_equal(cnnzoo.imaging.files.read_image(form)[:, :, 0], deep // 257)


def test_classify_and_upscale_reject_invalid_image_inputs(model_of, tmp_path):
    classify, upscale = model_of("classify").classify, model_of("upscale").upscale
    (tmp_path / "text.png").write_text("no image")
    for verb in (classify, upscale):
        with pytest.raises(ValueError, match=r"text\.png cannot be read as an image"):
            verb(tmp_path / "text.png")
        with pytest.raises(FileNotFoundError, match="nowhere"):
            verb(Path("nowhere.png"))
        with pytest.raises(
            ValueError, match=r"of one shape. Received: images of the shapes \(20, 24, 3\), \(28, 28, 1\) in one list"
        ):
            verb([PHOTOGRAPH, DIGIT])
        with pytest.raises(ValueError, match=r"Received: object|Received: shape \(\)"):
            verb(None)
        symbolic = tf.keras.Input((28, 28, 1))
        with pytest.raises(
            ValueError, match=r"Images must be NumPy .*Received: KerasTensor, which has no values to look at"
        ):
            verb(symbolic)
    with pytest.raises(ValueError, match=r"Received: images of the shapes \(20, 24, 3\), \(28, 28, 1\) in one list"):
        upscale([Image.fromarray(PHOTOGRAPH), Image.fromarray(DIGIT[:, :, 0])])
