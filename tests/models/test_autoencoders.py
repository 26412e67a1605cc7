"""Tests of the autoencoder variants, and of the Gaussian mixture over codes against scikit-learn and SciPy."""

import keras
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

import cnnzoo
from cnnzoo.data import load
from cnnzoo.latent.mixture import CodeMixture
from cnnzoo.models.denoising_autoencoder import Damage

TINY = {"image_shape": (16, 16, 1), "width": 2, "hidden": 8}


@pytest.fixture(scope="module")
def images():
    return load("digits", "train", shape=(16, 16, 1)).images[:500]


def numbers(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


# -- denoising autoencoder -----------------------------------------------------------------------------------------


def test_masking_zeros_given_fraction_of_pixels_in_training():
    images = np.random.default_rng(0).uniform(0.1, 1, (20, 32, 32, 3)).astype(np.float32)
    damage = Damage("masking", 0.3)
    first, second = (numbers(damage(images, training=True)) for _ in range(2))
    masked = (first == 0).all(axis=-1)
    np.testing.assert_array_equal(first, np.where(masked[..., None], 0, images))
    assert masked.mean() == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / masked.size))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(numbers(damage(images)), images)


def test_gaussian_damage_has_given_standard_deviation():
    images = np.full((50, 16, 16, 1), 0.5, np.float32)
    noise = numbers(Damage("gaussian", 0.2)(images, training=True)) - images
    assert abs(noise.mean()) < 5 * 0.2 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(0.2, abs=5 * 0.2 / np.sqrt(2 * noise.size))


def test_denoising_corrupts_training_inputs_but_not_targets(images):
    model = cnnzoo.build("denoising_autoencoder", level=1.0, **TINY)
    clean = images[:4].astype(np.float32) / 255
    learnt = model.forward(clean, None, training=True)
    black = numbers(model(np.zeros_like(clean)))
    np.testing.assert_allclose(numbers(learnt.reconstructions), black, atol=1e-6)  # level=1 masks all pixels
    np.testing.assert_array_equal(numbers(learnt.images), clean)
    model.compile()
    logs = model.evaluate(clean, verbose=0, return_dict=True)
    assert logs["mse"] == pytest.approx(np.mean(np.square(model.reconstruct(clean) - clean)), rel=1e-5)
    logs = model.fit(clean, batch_size=4, shuffle=False, verbose=0).history
    assert logs["mse"][0] == pytest.approx(np.mean(np.square(black - clean)), rel=1e-5)


@pytest.mark.parametrize("config", [{"corruption": "blur"}, {"level": -0.1}, {"level": 1.5}])
def test_denoising_autoencoder_rejects_invalid_configuration(config):
    with pytest.raises(ValueError, match=r"must be .*Received: "):
        cnnzoo.build("denoising_autoencoder", **config)


# -- sparse autoencoder --------------------------------------------------------------------------------------------


def test_sparse_code_keeps_largest_entries(images):
    model = cnnzoo.build("sparse_autoencoder", latent_dim=20, active=3, **TINY)
    x = images[:50].astype(np.float32) / 255
    for layer in model.encoder.layers[:-1]:  # all layers except the sparsity layer
        x = layer(x)
    whole = numbers(x)
    expected = np.zeros_like(whole)
    for row, code in zip(expected, whole, strict=True):
        kept = np.argsort(code)[-3:]
        row[kept] = code[kept]
    found = model.encode(images[:50])
    np.testing.assert_array_equal(found != 0, expected != 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # a compiled graph rounds differently
    np.testing.assert_allclose(model.reconstruct(images[:50].astype(np.float32) / 255), model.decode(found), atol=1e-6)


@pytest.mark.parametrize("active", [0, 21])
def test_sparse_autoencoder_rejects_active_out_of_range(active):
    with pytest.raises(ValueError, match=rf"`active` must be between 1 and latent_dim=20.*Received: {active}"):
        cnnzoo.build("sparse_autoencoder", latent_dim=20, active=active)


# -- Gaussian mixture over codes -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return cnnzoo.build("autoencoder", latent_dim=3, **TINY)


@pytest.fixture(scope="module")
def mixture(model, images):
    return CodeMixture.fit(model, images, components=4, seed=0)


def test_mixture_fit_matches_scikit_learn(model, images, mixture):
    codes = model.encode(images)
    peer = GaussianMixture(4, max_iter=300, random_state=0).fit(codes.astype(np.float64))
    np.testing.assert_allclose(mixture.log_density(codes), peer.score_samples(codes), rtol=1e-6, atol=1e-6)


def test_mixture_log_density_matches_scipy(mixture):
    points = np.random.default_rng(0).normal(size=(20, 3))
    parts = [
        np.log(weight) + multivariate_normal(mean, factor @ factor.T).logpdf(points)
        for weight, mean, factor in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(points), logsumexp(parts, axis=0), rtol=1e-9)


def test_mixture_draw_matches_moments_and_is_deterministic(mixture):
    codes = mixture.draw(40_000, seed=5)
    assert codes.shape == (40_000, 3) and codes.dtype == np.float32
    mean = mixture.weights @ mixture.means
    apart = mixture.means - mean
    second = mixture.factors @ mixture.factors.transpose(0, 2, 1) + apart[:, :, None] * apart[:, None, :]
    covariance = np.tensordot(mixture.weights, second, 1)
    deviation = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((codes.mean(axis=0) - mean) / deviation, 0, atol=5 / np.sqrt(len(codes)))
    scale = np.outer(deviation, deviation)
    np.testing.assert_allclose(np.cov(codes, rowvar=False) / scale, covariance / scale, atol=15 / np.sqrt(len(codes)))
    np.testing.assert_array_equal(mixture.draw(40_000, seed=5), codes)
    assert not np.array_equal(mixture.draw(40_000, seed=6), codes)


def test_mixture_draw_selects_components_by_weight():
    mixture = CodeMixture(np.array([0.2, 0.8]), np.array([[-9.0], [9.0]]), np.ones((2, 1, 1)))
    share = (mixture.draw(10_000, seed=0) > 0).mean()
    assert share == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / 10_000))


@pytest.mark.parametrize("name", ["autoencoder", "vae", "denoising_autoencoder", "sparse_autoencoder"])
def test_mixture_generate_equals_decoded_draws_for_any_model(name, images):
    sparse = {"active": 2} if name == "sparse_autoencoder" else {}
    model = cnnzoo.build(name, latent_dim=3, **sparse, **TINY)
    mixture = CodeMixture.fit(model, images[:100], components=1)
    made = mixture.generate(model, 5, seed=1)
    assert made.shape == (5, 16, 16, 1) and made.dtype == np.float32
    np.testing.assert_array_equal(made, model.decode(mixture.draw(5, seed=1)))


def test_mixture_save_load_round_trip(mixture, tmp_path):
    mixture.save(tmp_path / "codes.npz")
    again = CodeMixture.load(tmp_path / "codes.npz")
    np.testing.assert_array_equal(again.draw(50), mixture.draw(50))
    assert [p.name for p in tmp_path.iterdir()] == ["codes.npz"]


def test_mixture_rejects_invalid_files_codes_and_arguments(model, images, mixture, tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(2))
    (tmp_path / "text.npz").write_text("weights")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(ValueError, match=rf"{name} must be a mixture written by CodeMixture.save. Received: "):
            CodeMixture.load(tmp_path / name)
    for n, components in ((10, 11), (10, 0), (1, 1)):
        with pytest.raises(ValueError, match=rf"`components` must be .*Received: {components} for {n} images"):
            CodeMixture.fit(model, images[:n], components=components)
    with pytest.raises(ValueError, match=r"`codes` must be floats .*Received: int32 \(2, 4, 4\)"):
        CodeMixture.fit(
            cnnzoo.build("vqvae", image_shape=(16, 16, 1), width=2, prior_width=2, prior_depth=1), images[:2]
        )
    for arguments in ({"n": 0}, {"n": 1.5}, {"n": 1, "seed": -1}):
        with pytest.raises(ValueError, match=r"must be an integer >= .*Received: "):
            mixture.draw(**arguments)
