"""The figures of cnnzoo.show, compare and plot_history, and their errors."""

import importlib
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import cnnzoo


@pytest.fixture
def photograph() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)


def drawn(figure) -> list[np.ndarray]:
    """The pixels of each image in a figure."""
    return [np.asarray(axis.images[0].get_array()) for axis in figure.axes]


def titles(figure) -> list[str]:
    return [axis.get_title() or axis.get_title(loc="left") for axis in figure.axes]


def rendered(figure) -> np.ndarray:
    """The image displayed by a notebook, RGBA."""
    data, size = figure._repr_png_()
    image = Image.open(io.BytesIO(data))
    assert image.size == (2 * size["width"], 2 * size["height"])
    return np.asarray(image.convert("RGBA"))


def test_show_accepts_arrays_paths_and_pillow_images(photograph, tmp_path):
    path = tmp_path / "it.png"
    Image.fromarray(photograph).save(path)
    wide = photograph.astype(np.uint16) * 257
    forms = [photograph, photograph[None], photograph / 255, wide, path, str(path), Image.fromarray(photograph), [path]]
    for form in forms:
        (shown,) = drawn(cnnzoo.show(form))
        np.testing.assert_array_equal(shown, photograph)


def test_show_accepts_tensorflow_and_jax_tensors(photograph):
    tensorflow, jax = pytest.importorskip("tensorflow"), pytest.importorskip("jax")
    for form in (tensorflow.constant(photograph), jax.numpy.asarray(photograph)):
        (shown,) = drawn(cnnzoo.show(form))
        np.testing.assert_array_equal(shown, photograph)


def test_show_accepts_images_of_different_sizes_and_dtypes(photograph):
    figure = cnnzoo.show([photograph, photograph[:10, :, :1], photograph[0] > 128], titles=["a", "b", 3])
    assert [image.shape for image in drawn(figure)] == [(30, 40, 3), (10, 40), (40, 3)]
    assert titles(figure) == ["a", "b", "3"]
    assert set(np.unique(drawn(figure)[2])) == {0, 255}


def test_show_draws_gray_without_contrast_stretching(photograph):
    ramp = np.linspace(0.25, 0.75, 64, dtype=np.float32).reshape(8, 8)
    pixels = rendered(cnnzoo.show(ramp))
    opaque = pixels[pixels[..., 3] == 255][:, :3].astype(int)
    assert np.abs(opaque - opaque[:, :1]).max() == 0
    assert abs(opaque.min() - 64) <= 1 and abs(opaque.max() - 191) <= 1  # not stretched to the range black to white


def test_show_clips_floats_outside_unit_range():
    noisy = np.array([[-0.4, 0.5], [0.5, 1.3]])
    np.testing.assert_array_equal(drawn(cnnzoo.show(noisy))[0], [[0, 128], [128, 255]])


def test_show_grid_has_expected_number_of_rows():
    def rows(figure):
        return len({round(axis.get_position().y0, 6) for axis in figure.axes})

    digits = np.zeros((9, 28, 28, 1))
    assert rows(cnnzoo.show(digits)) == 2
    assert rows(cnnzoo.show(digits, columns=3)) == 3
    assert rows(cnnzoo.show(digits[:4], columns=9)) == 1


def test_show_has_transparent_background_and_gray_titles(photograph, tmp_path):
    figure = cnnzoo.show(photograph, titles="a title")
    pixels = rendered(figure)
    ink = pixels[:54][pixels[:54, :, 3] == 255][:, 0]  # above the image
    assert (pixels[0, :, 3] == 0).all() and len(ink) and ((ink > 90) & (ink < 170)).all()
    figure.savefig(tmp_path / "figure.png")
    assert Image.open(tmp_path / "figure.png").convert("RGBA").getpixel((0, 0))[3] == 0


def test_figures_leave_pyplot_state_unchanged(photograph):
    import matplotlib.pyplot as plt

    before = dict(plt.rcParams)
    cnnzoo.compare([photograph, photograph], [photograph, photograph])
    cnnzoo.plot_history({"loss": [1.0]})
    assert plt.get_fignums() == [] and dict(plt.rcParams) == before
    assert "pyplot" not in sys.modules["cnnzoo.imaging.figures"].__dict__


def test_compare_draws_one_pair_side_by_side_and_more_in_rows(photograph):
    one = cnnzoo.compare(photograph, photograph[::2, ::2])
    boxes = [axis.get_position() for axis in one.axes]
    assert titles(one) == ["before", "after"] and boxes[0].y0 == boxes[1].y0 and boxes[0].width == boxes[1].width
    many = cnnzoo.compare([photograph] * 2, [photograph] * 2, titles=("noisy", "clean"))
    assert titles(many) == ["noisy", "", "clean", ""]
    assert many.axes[0].get_position().y0 > many.axes[2].get_position().y0
    assert many.axes[0].get_position().x0 == pytest.approx(many.axes[2].get_position().x0)


ENTRIES = [
    {"epoch": 1, "step": 5, "discriminator_loss": 1.0, "generator_loss": 2.0, "loss": 3.0, "coverage": 0.5},
    {"epoch": 2, "step": 10, "discriminator_loss": 0.5, "generator_loss": 3.0, "loss": 3.5, "coverage": 0.75},
]


def curves(axis) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axis.lines}


def test_plot_history_of_run_has_one_panel_per_quantity(tmp_path):
    (tmp_path / "history.json").write_text(json.dumps(ENTRIES))
    for run in (tmp_path, str(tmp_path), tmp_path / "history.json"):
        figure = cnnzoo.plot_history(run)
        assert titles(figure) == ["loss", "coverage"]
        assert curves(figure.axes[0]) == {"discriminator": [1.0, 0.5], "generator": [2.0, 3.0]}
        assert list(figure.axes[1].lines[0].get_xdata()) == [1, 2]


def test_plot_history_of_run_leaves_gap_for_infinite_loss(tmp_path):
    (tmp_path / "history.json").write_text('[{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": null}]')
    (line,) = cnnzoo.plot_history(tmp_path).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), [2.0, np.nan])


def test_plot_history_draws_learning_rates_in_one_panel():
    figure = cnnzoo.plot_history(
        {"loss": [1.0], "learning_rate_generator": [0.1], "learning_rate_discriminator": [0.2]}
    )
    assert titles(figure) == ["loss", "learning rate"]
    assert curves(figure.axes[1]) == {"generator": [0.1], "discriminator": [0.2]}


def test_plot_history_accepts_keras_history():
    history = SimpleNamespace(epoch=[2, 3], history={"loss": [1.0, 0.001], "psnr": [20, 21], "val_loss": [1.0, 0.5]})
    figure = cnnzoo.plot_history(history)
    assert titles(figure) == ["loss", "psnr"] and figure.axes[0].get_yscale() == "log"
    assert curves(figure.axes[0]) == {"training": [1.0, 0.001], "validation": [1.0, 0.5]}
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-", "--"]
    assert list(figure.axes[1].lines[0].get_xdata()) == [3, 4]
    assert rendered(figure)[0, 0, 3] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cnnzoo.show([]), "`images` must have one image or more. Received: none"),
        (
            lambda: cnnzoo.show(np.zeros((2, 3, 4, 5))),
            r"Images must be uint8, uint16.*Received: an image of shape \(3, 4, 5\)",
        ),
        (lambda: cnnzoo.show(np.zeros((0, 3, 4, 3))), r"Received: shape \(0, 3, 4, 3\)"),
        (lambda: cnnzoo.show(np.full((4, 4), 200.0)), r"Received: an image with values in \[200, 200\]"),
        (lambda: cnnzoo.show(np.full((4, 4), np.nan)), "Received: an image with values in"),
        (lambda: cnnzoo.show(np.zeros((4, 4), int)), "Received: an image of dtype int64"),
        (lambda: cnnzoo.show(np.zeros((2, 4, 4)), titles=["a"]), "`titles` must be .*Received: 1 titles for 2 images"),
        (lambda: cnnzoo.show(np.zeros((4, 4)), columns=0), "`columns` must be an integer >= 1.*Received: 0"),
        (lambda: cnnzoo.compare(np.zeros((2, 4, 4)), np.zeros((4, 4))), "equally many images. Received: 2 and 1"),
        (lambda: cnnzoo.compare(np.zeros((4, 4)), np.zeros((4, 4)), titles=["x"]), "`titles` must be two.*Received: "),
        (lambda: cnnzoo.plot_history(__file__), r"test_plots\.py must be the history of a run"),
        (
            lambda: cnnzoo.plot_history("nowhere"),
            "`run` must be the folder of a run .*Received: nowhere, which has no history",
        ),
        (lambda: cnnzoo.plot_history({}), "`run` must have one finished epoch or more. Received: {}"),
        (lambda: cnnzoo.plot_history({"loss": [1.0], "psnr": []}), "Received: 1 epochs of some and"),
        (lambda: cnnzoo.plot_history(3), "`run` must be a run folder, a Keras History .*Received: int"),
    ],
)
def test_show_compare_and_plot_history_reject_invalid_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_figures_without_matplotlib_raise_with_install_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "cnnzoo.imaging.figures")
    with pytest.raises(
        ModuleNotFoundError, match=r"a figure needs matplotlib; install it by: pip install -e '\.\[plots\]'"
    ):
        importlib.import_module("cnnzoo.imaging.figures")


def test_show_does_not_wrap_single_title_of_row():
    title = "a title of several words for the whole row"
    figure = cnnzoo.show([np.zeros((16, 16), np.uint8)] * 6, [title, *[""] * 5], columns=6)
    assert titles(figure) == [title, *[""] * 5]
