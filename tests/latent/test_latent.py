"""Latent spaces: interpolation, inversion and nearest images, against SciPy, least squares and plain loops."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from scipy.spatial import geometric_slerp

import cnnzoo
from cnnzoo import latent
from cnnzoo.data import load

rng = np.random.default_rng(0)


class Mirror:
    """A generator whose image is the latent vector itself."""

    architecture, task, needs_labels = "mirror", "generate", False
    latent_dim, image_shape = 4, (2, 2, 1)

    def __call__(self, z):
        return np.asarray(z).reshape(-1, 2, 2, 1)

    decode = decoded = __call__


def along(*arguments, **settings):
    return latent.interpolate(Mirror(), *arguments, **settings).reshape(-1, 4)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_interpolate_matches_scipy_slerp():
    a, b = unit(rng.normal(size=4)), unit(rng.normal(size=4))
    np.testing.assert_allclose(along(a, b, 7), geometric_slerp(a, b, np.linspace(0, 1, 7)), atol=1e-6)


def test_interpolate_starts_and_ends_at_given_latents():
    a, b = rng.normal(size=(2, 4))
    for spherical in (True, False):
        images = along(a, b, 5, spherical=spherical)
        np.testing.assert_allclose(images[[0, -1]], [a, b], atol=1e-6)
    np.testing.assert_allclose(along(a, b, 5, spherical=False)[2], (a + b) / 2, atol=1e-6)
    assert np.linalg.norm(along(a, b, 5)[2]) > np.linalg.norm((a + b) / 2)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_interpolate_is_linear_for_collinear_latents(factor):
    a = rng.normal(size=4)
    np.testing.assert_allclose(along(a, factor * a, 3)[1], (1 + factor) / 2 * a, atol=1e-5)


def test_interpolate_decodes_autoencoder_codes():
    model = cnnzoo.build("autoencoder", width=2, hidden=4, latent_dim=4)
    a, b = model.encode(load("digits", "test").images[:2])
    images = latent.interpolate(model, a, b, 3, spherical=False)
    np.testing.assert_allclose(images, model.decode(np.stack([a, (a + b) / 2, b])), atol=1e-6)


def test_traverse_changes_one_dimension():
    z, values = rng.normal(size=4), [-3.0, 0.0, 2.5]
    images = latent.traverse(Mirror(), z, 2, values).reshape(-1, 4)
    np.testing.assert_allclose(images[:, 2], values)
    np.testing.assert_allclose(np.delete(images, 2, axis=1), np.tile(np.delete(z, 2), (3, 1)), rtol=1e-6)


def test_latent_functions_pass_label_to_conditional_model():
    model = cnnzoo.build("cgan", width=2, latent_dim=4)
    z = model.generate
    made = z(3, seed=5, labels=7)
    noise = np.random.default_rng(5).standard_normal((3, 4), dtype=np.float32)  # as drawn by `generate`
    np.testing.assert_allclose(latent.images_of(model, noise, label=7), made, atol=1e-6)
    np.testing.assert_allclose(latent.images_of(model, noise), z(3, seed=5), atol=1e-6)
    np.testing.assert_allclose(latent.interpolate(model, noise[0], noise[1], 2, label=7), made[:2], atol=1e-6)
    np.testing.assert_allclose(latent.traverse(model, noise[2], 0, noise[2, :1], label=7), made[2:], atol=1e-6)


class Linear:
    """A generator of images 1/2 plus z times a fixed matrix."""

    architecture, task, needs_labels = "linear", "generate", False
    latent_dim, image_shape = 4, (4, 4, 1)
    weights = np.random.default_rng(1).normal(size=(4, 16)).astype("float32") / 4

    def decoded(self, z):
        return ops.reshape(0.5 + ops.matmul(z, self.weights), (-1, 4, 4, 1))

    def decode(self, z):
        return ops.convert_to_numpy(self.decoded(z))

    def draw(self, n, seed):
        return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


IMAGES = np.random.default_rng(2).uniform(0, 1, (3, 4, 4, 1)).astype("float32")


def in_jax():
    """Returns the latents and errors of `invert` on the JAX backend."""
    script = """if True:
        import json, sys, keras, test_latent
        found = test_latent.latent.invert(test_latent.Linear(), test_latent.IMAGES)
        print(json.dumps([keras.backend.backend(), found.z.tolist(), found.error.tolist()]))
    """
    paths = os.pathsep.join(str(path) for path in Path(__file__).parents[:3])
    env = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ran, z, error = json.loads(done.stdout.splitlines()[-1])
    assert ran == "jax"
    return z, error


@pytest.mark.parametrize("find", [lambda: latent.invert(Linear(), IMAGES), in_jax], ids=["tensorflow", "jax"])
def test_invert_linear_generator_matches_least_squares(find):
    z, error = find()
    images = IMAGES.reshape(3, 16)
    best = np.linalg.lstsq(Linear.weights.T, (images - 0.5).T, rcond=None)[0].T
    np.testing.assert_allclose(z, best, atol=1e-3)  # the last steps of the schedule are smaller than that
    np.testing.assert_allclose(error, np.mean((0.5 + best @ Linear.weights - images) ** 2, axis=1), rtol=1e-4)


def test_invert_is_deterministic():
    first, second = (latent.invert(Linear(), IMAGES, steps=20) for _ in range(2))
    np.testing.assert_array_equal(first.z, second.z)
    np.testing.assert_array_equal(first.error, second.error)


def test_invert_autoencoder_starts_at_code_and_reduces_error():
    keras.utils.set_random_seed(0)  # for a few random weights even a far step reduces the error
    model = cnnzoo.build("autoencoder", width=2, hidden=4, latent_dim=4)
    weights, images = model.get_weights(), load("digits", "test").images[:5]
    truth = images.astype(np.float32) / 255
    found = latent.invert(model, images, steps=20)
    assert (found.error < np.mean((model.reconstruct(truth) - truth) ** 2, axis=(1, 2, 3))).all()
    np.testing.assert_allclose(np.mean((model.decode(found.z) - truth) ** 2, axis=(1, 2, 3)), found.error, rtol=1e-5)
    assert all(np.array_equal(old, new) for old, new in zip(weights, model.get_weights(), strict=True))
    # Steps as large as these do not reduce the error, so the code is kept.
    far = latent.invert(model, images, steps=3, rate=1e4)
    np.testing.assert_array_equal(far.z, model.encode(images))


def test_invert_recovers_noise_of_generated_sample():
    model = cnnzoo.build("dcgan.mnist")
    image = model.generate(40, seed=0)[-1]  # seed 0 also draws the starting noise of the search
    found = latent.invert(model, image, steps=2)
    assert found.z.shape == (1, model.latent_dim) and found.error.shape == (1,)
    noise = np.random.default_rng(0).standard_normal((40, model.latent_dim), dtype=np.float32)[-1]
    np.testing.assert_allclose(found.z[0], noise, atol=0.15)  # two steps of 0.05
    assert found.error[0] < 1e-10


def test_nearest_matches_plain_loop():
    train, test = load("digits").images / 255.0, load("digits", "test").images / 255.0
    samples = rng.uniform(0, 1, (3, 28, 28, 1)).astype(np.float32)

    def least(image):
        return min((np.sqrt(np.sum((image - known) ** 2)), i) for i, known in enumerate(train))

    found = latent.nearest(samples, "digits")
    expected = [least(sample) for sample in samples]
    assert found.indices.tolist() == [i for _, i in expected]
    np.testing.assert_allclose(found.distances, [distance for distance, _ in expected], rtol=1e-4)
    others = np.median([least(image)[0] for image in test[:: 360 // 30]])
    # The tolerance covers `others`, which is from a twelfth of the test images.
    assert found.ratio == pytest.approx(np.median(found.distances) / others, rel=0.1)


def test_nearest_ratio_separates_copies_from_new_images():
    train, test = load("digits").images, load("digits", "test").images
    copied = latent.nearest(train[[5, 900]], "digits")
    assert copied.indices.tolist() == [5, 900] and copied.ratio < 1e-3
    assert latent.nearest(test, "digits").ratio == 1.0
    seen = latent.nearest(test[:20], "digits", extractor="lenet.mnist")
    judge = cnnzoo.build("lenet.mnist")
    known = judge.features(train)
    expected = [np.linalg.norm(known - row, axis=1).argmin() for row in judge.features(test[:20])]
    assert seen.indices.tolist() == expected


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda m: latent.interpolate(m, [0.0] * 4, [0.0] * 4, 1), "`steps` must be an integer >= 2.*Received: 1"),
        (
            lambda m: latent.interpolate(m, [0.0] * 3, [0.0] * 4),
            r"A latent vector must be float32 \(4,\). Received: float32 \(3,\)",
        ),
        (
            lambda m: latent.interpolate(m, [0.0] * 4, [[0.0] * 4]),
            r"A latent vector must be float32 \(4,\). Received: float32 \(1, 4\)",
        ),
        (
            lambda m: latent.traverse(m, [[0.0] * 4], 0, [0.0]),
            r"A latent vector must be float32 \(4,\). Received: float32 \(1, 4\)",
        ),
        (
            lambda m: latent.interpolate(m, [0.0] * 4, [0.0] * 4, label=1),
            "`label` must be None with a mirror, which takes none. Received: 1",
        ),
        (lambda m: latent.traverse(m, [0.0] * 4, 4, [0.0]), "`dimension` must be between 0 and 3.*Received: 4"),
        (lambda m: latent.traverse(m, [0.0] * 4, 0, []), r"Received: float32 \(0, 4\)"),
        (lambda m: latent.invert(m, np.zeros((3, 3, 1), np.uint8)), "Received: shape"),
        (
            lambda m: latent.invert(m, np.zeros((2, 2, 1), np.uint8), steps=0),
            "`steps` must be an integer >= 1.*Received: 0",
        ),
        (lambda m: latent.nearest(np.full((1, 8, 8, 1), 2.0), "digits"), "Received: values in"),
        (lambda m: latent.nearest(np.zeros((1, 8, 8, 1)), "digist"), "`data` must be one of .*. Received: 'digist'"),
    ],
)
def test_latent_functions_reject_invalid_arguments(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call(Mirror())


def test_invert_conditional_model_recovers_noise_of_its_label():
    model = cnnzoo.build("cgan", width=2, latent_dim=4)
    image = model.generate(1, seed=0, labels=7)
    found = latent.invert(model, image, steps=2, label=7)
    np.testing.assert_array_equal(found.z, model.draw(1, 0))  # one of the noise vectors that the search starts from
    np.testing.assert_allclose(found.error, 0, atol=1e-13)
    assert latent.invert(model, image, steps=2, label=2).error[0] > 1e-11


def test_invert_hierarchical_vae_reduces_error_of_its_code():
    model = cnnzoo.build("ladder_vae", image_shape=(16, 16, 1), width=4, depth=1, latent_channels=1)
    image = load("digits", "test", shape=(16, 16, 1)).images[:1]
    begun = np.mean((model.decode(model.encode(image)) - image / 255) ** 2)
    assert latent.invert(model, image, steps=10).error[0] < 0.99 * begun


def test_invert_rejects_missing_labels_and_unsuitable_models():
    conditional = cnnzoo.build("cgan", width=2, latent_dim=4)
    image = np.zeros((28, 28, 1), np.uint8)
    with pytest.raises(ValueError, match=r"`label` must be the class of the images, in \[0, 10\), with a cgan.*None"):
        latent.invert(conditional, image)
    with pytest.raises(ValueError, match=r"`label` must be one integer in \[0, 10\). Received: 10"):
        latent.invert(conditional, image, label=10)
    with pytest.raises(ValueError, match=r"`label` must be None with a mirror, which takes none. Received: 1"):
        latent.invert(Mirror(), np.zeros((2, 2, 1), np.uint8), label=1)
    with pytest.raises(ValueError, match=r"`labels` must be one integer in \[0, 10\). Received: 10"):
        latent.images_of(conditional, np.zeros((1, 4), np.float32), label=10)
    codes = cnnzoo.build("vqvae", width=2, codes=4)
    with pytest.raises(ValueError, match=r"must be a generator, or an autoencoder with one latent vector.*vqvae"):
        latent.invert(codes, image)
