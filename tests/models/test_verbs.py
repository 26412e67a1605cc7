"""Tests of the compiled graphs of the verbs: against uncompiled layers, with new weights, in bounded number."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import cnnzoo
from cnnzoo.tasks import compiled
from cnnzoo.tasks.photo_inference import with_bicubic_color

rng = np.random.default_rng(0)
SCRIPT = Path(__file__).parents[1] / "scripts" / "jax_verbs.py"


def graphs(model) -> dict:
    return vars(model)["_graphs"].by_key


@pytest.fixture(scope="module")
def espcn():
    keras.utils.set_random_seed(0)
    return cnnzoo.build("espcn", scale=2, width=4, depth=1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (33, 20)])
def test_upscale_matches_network_and_bicubic_color(espcn, channels, size):
    image = rng.integers(0, 256, (*size, channels), np.uint8)
    expected = ops.convert_to_numpy(with_bicubic_color(espcn, 2)(ops.convert_to_tensor(image[None] / np.float32(255))))
    expected = expected[0].clip(0, 1)
    np.testing.assert_allclose(espcn.upscale(image / np.float32(255)), expected, atol=1e-5)
    for largest, dtype in ((255, np.uint8), (65535, np.uint16)):
        made = espcn.upscale((image.astype(int) * largest // 255).astype(dtype))
        assert made.dtype == dtype
        np.testing.assert_allclose(made / largest, expected, atol=0.501 / largest + 1e-5)


def test_ensemble_is_mean_over_eight_views(espcn):
    image = rng.random((7, 10, 1), np.float32)
    views = [np.rot90(side, turns) for side in (image, image[:, ::-1]) for turns in range(4)]
    made = [ops.convert_to_numpy(espcn(np.ascontiguousarray(view)[None]))[0] for view in views]
    back = [np.rot90(one, -i % 4) for i, one in enumerate(made)]
    expected = np.mean([*back[:4], *(one[:, ::-1] for one in back[4:])], axis=0)
    np.testing.assert_allclose(espcn.upscale(image, ensemble=True), expected, atol=1e-5)


def test_graph_is_shared_across_image_sizes(espcn):
    espcn.upscale(np.zeros((5, 6, 3), np.uint8))
    before = len(graphs(espcn))
    for side in range(8, 20):
        espcn.upscale(np.zeros((side, 7, 3), np.uint8))
        espcn.upscale(np.zeros((side % 3 + 1, 4, side, 3), np.uint8))
    assert len(graphs(espcn)) == before


def test_graph_count_is_bounded(monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 2)
    model = cnnzoo.build("espcn", scale=2, width=4, depth=1)
    for dtype in (np.uint8, np.uint16, np.float32):
        for _ in range(2):
            model.upscale(np.zeros((4, 4, 3), dtype))
    assert len(graphs(model)) == 2
    kept = list(graphs(model).values())
    model.upscale(np.zeros((4, 4, 3), np.float32))
    assert list(graphs(model).values()) == kept


def small_classifier():
    keras.utils.set_random_seed(0)
    return cnnzoo.build("cnn", classes=3)


def test_graph_uses_new_weights(tmp_path):
    model, images = small_classifier(), rng.random((5, 28, 28, 1), np.float32)

    def check() -> np.ndarray:
        made = model.classify(images)
        np.testing.assert_allclose(made, ops.convert_to_numpy(model(images)), atol=1e-6)
        return made

    first = check()
    model.compile()
    model.fit(images, np.arange(5) % 3, epochs=2, verbose=0)
    fitted = check()
    assert np.abs(fitted - first).max() > 1e-4
    model.save_weights(tmp_path / "a.weights.h5")
    model.set_weights([1.1 * weight for weight in model.get_weights()])
    assert np.abs(check() - fitted).max() > 1e-4
    model.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(check(), fitted, atol=1e-6)
    assert len(graphs(model)) == 1
    model.head.enable_lora(2)  # adds variables
    model.head.lora_kernel_b.assign(rng.normal(size=model.head.lora_kernel_b.shape))
    assert np.abs(check() - fitted).max() > 1e-4


def test_graphs_are_neither_saved_nor_copied(tmp_path):
    model, images = small_classifier(), rng.random((2, 28, 28, 1), np.float32)
    expected = model.classify(images)
    assert "_graphs" not in vars(model.inference_copy())
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert "_graphs" not in vars(loaded)
    np.testing.assert_allclose(loaded.classify(images), expected, atol=1e-6)


def test_classify_batch_matches_single_images():
    model, images = small_classifier(), rng.integers(0, 256, (300, 28, 28, 1), np.uint8)
    made = model.classify(images)
    np.testing.assert_allclose(made[[0, 299]], [model.classify(images[i])[0] for i in (0, 299)], atol=1e-5)
    assert made.shape == (300, 3) and made.dtype == np.float32


def test_compiled_verbs_match_layers_on_jax():
    subprocess.run([sys.executable, SCRIPT], check=True, timeout=300)
