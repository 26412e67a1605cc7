"""The registry: names, and the models built from them."""

import pickle
import subprocess
import sys

import pytest

import cnnzoo
from cnnzoo.registry import UnknownName, architecture, register, split_name


def test_list_models_filters_by_pattern():
    assert cnnzoo.list_models("*gan") == ["cgan", "dcgan", "espcn_gan", "gan", "sngan"]
    assert {"cnn", "cnn_wide", "lenet", "autoencoder", "vae"} <= set(cnnzoo.list_models())


def test_list_and_card_import_no_deep_learning_library():
    script = """if True:
        import sys, cnnzoo
        cnnzoo.list_models(), cnnzoo.list_checkpoints()
        [cnnzoo.card(name) for name in cnnzoo.list_checkpoints()]
        print({"keras", "tensorflow", "jax", "sklearn", "scipy"} & set(sys.modules))
    """
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"


def test_unknown_name_survives_pickling():
    with pytest.raises(UnknownName) as caught:
        cnnzoo.build("dcgann")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is UnknownName and str(copy) == str(caught.value)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: cnnzoo.build("dcgann"), "Unknown architecture 'dcgann'. Did you mean dcgan"),
        (lambda: cnnzoo.build("zzz"), "Unknown architecture 'zzz'. The nearest are .*; cnnzoo list names all"),
        (lambda: cnnzoo.card("dcgan.minst"), "Unknown checkpoint 'dcgan.minst'"),
        (lambda: cnnzoo.build("cnn", color=3), r"Unknown configuration field 'color' of cnn. Available: .*dropout=0.0"),
        (
            lambda: cnnzoo.build("cnn.mnist", dropout=0.5),
            "`dropout` must not be given with trained weights.* Received: dropout=0.5",
        ),
        (
            lambda: cnnzoo.build("cnn.mnist", weights="here"),
            "`weights` must not be given with 'cnn.mnist'.* Received: weights='here'",
        ),
        (lambda: cnnzoo.build("cnn", pooling="median"), "`pooling` must be one of max, average.*Received: 'median'"),
        (
            lambda: cnnzoo.build("lenet", image_shape=(30, 30, 1)),
            r"`image_shape` must be \(32, 32.*Received: \(30, 30, 1\)",
        ),
        (
            lambda: cnnzoo.build("vae", likelihood="poisson"),
            "`likelihood` must be one of bernoulli, gaussian.*Received: 'poisson'",
        ),
        (
            lambda: cnnzoo.build("vae", likelihood="gaussian", binarize=True),
            "`binarize` must be .*Received: binarize=True",
        ),
        (
            lambda: cnnzoo.build("vae", image_shape=(27, 27, 1)),
            r"`image_shape` must be .*multiples of 4. Received: \(27, 27, 1\)",
        ),
        (
            lambda: cnnzoo.build("dcgan", image_shape=(30, 30, 1)),
            r"`image_shape` must be .*28, 32 or 64. Received: \(30, 30, 1\)",
        ),
        (
            lambda: cnnzoo.build("gan", updates="random"),
            "`updates` must be one of alternating, simultaneous.*Received: 'random'",
        ),
        (
            lambda: cnnzoo.build("cnn", image_shape=(8, 8, 1)),
            r"`image_shape` must be .*sides >= 18\. Received: \(8, 8, 1\)",
        ),
        (
            lambda: cnnzoo.build("cnn", augmentation={"rotate": 5}),
            "`augmentation` must have keywords of rotation, .*Received: rotate",
        ),
        (
            lambda: cnnzoo.build("cnn", augmentation={"zoom": -3}),
            "`zoom` must be a number between 0 and 1. Received: -3",
        ),
    ],
)
def test_build_and_card_reject_invalid_names_and_fields(ask, answer):
    with pytest.raises(ValueError, match=answer):
        ask()


@pytest.mark.parametrize(
    ("name", "config", "allowed"),
    [
        ("gan", {"latent_dim": 0}, "an integer >= 1"),
        ("vae", {"latent_dim": 0}, "an integer >= 1"),
        ("dcgan", {"width": 0}, "an integer >= 1"),
        ("dcgan", {"hidden": -1}, "an integer >= 0"),
        ("autoencoder", {"hidden": 0}, "an integer >= 1"),
        ("cnn", {"classes": 0}, "an integer >= 1"),
        ("denoiser", {"depth": -1}, "an integer >= 0"),
        ("vqvae", {"prior_depth": -1}, "an integer >= 0"),
        ("fast_style", {"blocks": -1}, "an integer >= 0"),
        ("fast_style", {"adversarial_weight": -1.0}, "a number >= 0"),
        ("adain", {"style_weight": -5.0}, "a number >= 0"),
        ("cnn", {"l2": float("nan")}, "a number >= 0"),
        ("dcgan", {"image_shape": (28, 28)}, r"\(height, width, channels\), each >= 1"),
        ("gan", {"image_shape": (28, 28, 0)}, r"\(height, width, channels\), each >= 1"),
    ],
)
def test_build_rejects_numbers_out_of_range(name, config, allowed):
    (field,) = config
    with pytest.raises(ValueError, match=f"`{field}` must be {allowed}. Received: "):
        cnnzoo.build(name, **config)


def test_cnn_accepts_the_least_side():
    for name, side in (("cnn", 18), ("cnn_wide", 22)):
        with pytest.raises(ValueError, match=f"sides >= {side}"):
            cnnzoo.build(name, image_shape=(28, side - 1, 1))
        assert cnnzoo.build(name, image_shape=(side, side, 1)).built


def test_register_rejects_duplicate_name():
    cnn = architecture("cnn")
    with pytest.raises(ValueError, match=r"'cnn', which is cnnzoo.models.cnn.CNN already"):
        register("cnn")(type("CNN", (cnn,), {"__module__": "elsewhere"}))
    assert architecture("cnn") is cnn
    assert issubclass(UnknownName, ValueError)


def test_split_name_returns_architecture_and_tag():
    assert split_name("espcn.x2") == ("espcn", "x2")
    assert split_name("espcn") == ("espcn", "")


@pytest.mark.parametrize(
    ("name", "config", "parameters"),
    [
        ("cnn", {}, 93_322),  # 320 + 18,496 + 36,928 + 36,928 + 650
        ("cnn_wide", {}, 110_474),  # 320 + 18,496 + 73,856 + 16,512 + 1,290
        ("lenet", {"image_shape": (28, 28, 1)}, 61_706),  # 156 + 2,416 + 48,120 + 10,164 + 850
        ("lenet", {}, 62_006),  # 456 in the first layer, with three channels
    ],
)
def test_classifiers_have_published_parameter_counts(name, config, parameters):
    model = cnnzoo.build(name, **config)
    assert sum(w.numpy().size for w in model.trainable_variables) == parameters


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_cnn_pooling_halves_feature_maps(pooling):
    model = cnnzoo.build("cnn", pooling=pooling)
    assert [layer.output.shape[1] for layer in model.backbone.layers if "pooling" in layer.name] == [13, 5]


def test_public_names_are_unchanged():
    """A missing name breaks users' programs. A new name must be added here and to the documentation."""
    assert sorted(cnnzoo.__all__) == [
        "__version__", "app", "build", "card", "compare", "evaluate", "export", "list_checkpoints", "list_models",
        "load_export", "pipeline", "plot_history", "push_to_hub", "show", "train", "tune",
    ]  # fmt: skip
    assert all(callable(getattr(cnnzoo, name)) for name in cnnzoo.__all__ if name != "__version__")


@pytest.mark.parametrize(
    ("arch", "verbs"),
    {
        "lenet": ["classify", "features"],
        "autoencoder": ["encode", "decode", "reconstruct"],
        "vae": ["encode", "decode", "reconstruct", "draw", "generate", "log_weights", "elbo"],
        "vqvae": ["encode", "decode", "reconstruct", "generate", "compress", "decompress"],
        "dcgan": ["draw", "decode", "generate"],
        "espcn": ["upscale"],
        "denoiser": ["restore"],
        "inpainter": ["restore"],
        "enhancer": ["enhance"],
        "fast_style": ["stylize"],
        "adain": ["stylize"],
        "style_transfer": ["stylize"],
    }.items(),
)
def test_architecture_provides_its_verbs(arch, verbs):
    cls = architecture(arch)
    assert [verb for verb in verbs if not callable(getattr(cls, verb, None))] == []
