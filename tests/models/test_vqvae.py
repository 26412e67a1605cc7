"""Tests of the VQ-VAE: against SciPy, gradients computed by hand, and the information content of codes."""

import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, softmax

import cnnzoo
from cnnzoo.data import load
from cnnzoo.nn import entropy_coding

CODES = 8


@pytest.fixture(scope="module")
def images():
    return load("digits", "test", shape=(16, 16, 1)).images[:8]


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    config = {"codes": CODES, "width": 4, "prior_width": 4, "prior_depth": 2, "commitment": 0.5}
    return cnnzoo.build("vqvae", image_shape=(16, 16, 1), **config)


def numbers(x) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def prior(model, codes) -> np.ndarray:
    """Returns the logits of the prior, (n, rows, columns, codes)."""
    return numbers(model.prior(codes)).astype(np.float64)


def wide_awake(model):
    """Returns the model with large random weights in the prior. A fresh prior has nearly uniform probabilities."""
    for weight in model.prior.weights:
        weight.assign(np.random.default_rng(1).normal(0, 0.7, weight.shape))
    return model


def test_encode_and_decode_use_nearest_codebook_vectors(model, images):
    points = numbers(model.encoder(images.astype(np.float32) / 255))
    distances = cdist(points.reshape(-1, model.code_dim), numbers(model.codebook.vectors))
    codes = model.encode(images)
    assert codes.dtype == np.int32 and codes.shape == (8, 4, 4)
    np.testing.assert_array_equal(codes.ravel(), distances.argmin(axis=1))
    vectors = numbers(model.codebook.vectors)[codes]
    expected = 1 / (1 + np.exp(-numbers(model.decoder(vectors))))
    np.testing.assert_allclose(model.decode(codes), expected, atol=1e-6)
    np.testing.assert_array_equal(model.reconstruct(images.astype(np.float32) / 255), model.decode(codes))
    assert model.reconstruct(images[0]).shape == (16, 16, 1) and model.reconstruct(images).dtype == np.uint8


def test_losses_and_perplexity_match_numpy(model, images):
    truth = images.astype(np.float32) / 255
    made, points = model.reconstruct(truth), numbers(model.encoder(truth))
    vectors = numbers(model.codebook.vectors)[model.encode(truth)]
    apart = np.square(points - vectors).sum(axis=(1, 2, 3))
    expected = np.mean(np.square(truth - made).sum(axis=(1, 2, 3)) + apart + 0.5 * apart)
    model.compile()
    logs = model.evaluate(truth, verbose=0, return_dict=True)
    assert logs["autoencoder_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["mse"] == pytest.approx(np.mean(np.square(truth - made)), rel=1e-5)
    used = np.bincount(model.encode(truth).ravel(), minlength=CODES) / (8 * 16)
    entropy = -np.sum(used[used > 0] * np.log(used[used > 0]))
    assert logs["perplexity"] == pytest.approx(np.exp(entropy), rel=1e-5)
    codes = model.encode(truth)
    chosen = np.take_along_axis(log_softmax(prior(model, codes), axis=-1), codes[..., None], -1)
    assert logs["prior_loss"] == pytest.approx(-chosen.mean(), rel=1e-5)


def test_straight_through_gradient_matches_hand_computation(model, images):
    truth = tf.constant(images.astype(np.float32) / 255)
    model.commitment = 0.0
    weights = [w.value for w in model.encoder.trainable_variables]
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(model.autoencoder_loss(model.forward(truth, None, training=True))[0])
    found = tape.gradient(loss, weights)
    with tf.GradientTape(persistent=True) as tape:
        points = model.encoder(truth, training=True)
        vectors = tf.constant(numbers(model.codebook(points)[1]))
        tape.watch(vectors)
        made = tf.sigmoid(model.decoder(vectors))
        distortion = tf.reduce_sum(tf.square(truth - made)) / len(images)
    expected = tape.gradient(points, weights, output_gradients=tape.gradient(distortion, vectors))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_codebook_and_commitment_gradients_match_formula(model, images):
    truth = images.astype(np.float32) / 255
    with tf.GradientTape(persistent=True) as tape:
        passed = model.forward(truth, None, training=True)
        tape.watch(passed.points)
        loss = keras.ops.mean(model.autoencoder_loss(passed)[0])
        model.commitment = 0.0
        uncommitted = keras.ops.mean(model.autoencoder_loss(passed)[0])
    codes, points = numbers(passed.codes), numbers(passed.points)
    vectors = numbers(model.codebook.vectors)
    expected = [2 * (vectors[k] - points[codes == k]).sum(axis=0) / len(images) for k in range(CODES)]
    np.testing.assert_allclose(tape.gradient(loss, model.codebook.vectors.value), expected, rtol=1e-4, atol=1e-4)
    pull = tape.gradient(loss, passed.points) - tape.gradient(uncommitted, passed.points)
    np.testing.assert_allclose(pull, 0.5 * 2 * (points - vectors[codes]) / len(images), rtol=1e-3, atol=1e-5)


def test_prior_is_causal_without_blind_spot(model):
    wide_awake(model)
    codes = np.random.default_rng(0).integers(0, CODES, (1, 4, 4))
    before = prior(model, codes)
    for place in range(16):
        changed = codes.copy()
        changed.reshape(-1)[place] = (changed.reshape(-1)[place] + 3) % CODES
        moved = np.abs(prior(model, changed) - before).max(axis=-1).reshape(-1) > 0
        assert not moved[: place + 1].any(), place
        if place < 15:
            assert moved[place + 1 :].any(), place
    # Beyond the first step, two layers reach two rows up and two columns to each side.
    corner = codes.copy()
    corner[0, 1, 3] = (corner[0, 1, 3] + 1) % CODES
    assert np.abs(prior(model, corner) - before)[0, 2, 1].max() > 0, "blind to what stands above and to the right"


def test_prior_of_single_positions_is_that_of_whole_grids(model):
    wide_awake(model)
    codes = np.random.default_rng(0).integers(0, CODES, (3, 4, 4))
    whole = prior(model, codes)
    for row in range(4):
        across = [each[:, row:] for each in model.prior.down(codes[:, : row + 1])]
        for column in range(4):
            known = codes[:, row : row + 1].copy()
            known[:, :, column:] = 0
            found = numbers(model.prior.along(known, across))[:, 0, column]
            np.testing.assert_allclose(found, whole[:, row, column], atol=1e-4 * np.abs(whole).max())


def test_prior_training_has_no_effect_on_autoencoder(model, images):
    model.compile({"autoencoder": keras.optimizers.SGD(0.0), "prior": keras.optimizers.SGD(1.0)})
    theirs = [model.encoder, model.codebook, model.decoder]
    before = [numbers(w) for layer in theirs for w in layer.trainable_weights]
    prior = numbers(model.prior.head.kernel)
    model.fit(images, batch_size=8, shuffle=False, verbose=0)
    assert not np.array_equal(numbers(model.prior.head.kernel), prior)
    for old, weight in zip(before, [w for layer in theirs for w in layer.trainable_weights], strict=True):
        np.testing.assert_array_equal(numbers(weight), old)


def test_generate_samples_codes_from_prior(model, monkeypatch):
    chances = softmax(np.linspace(-2, 1, CODES))
    model.prior.head.kernel.assign(np.zeros(model.prior.head.kernel.shape))
    model.prior.head.bias.assign(np.log(chances))
    monkeypatch.setattr(type(model), "decode", lambda self, codes: codes)
    codes = model.generate(400, seed=3)
    assert codes.shape == (400, 4, 4)
    share = np.bincount(codes.ravel(), minlength=CODES) / codes.size
    np.testing.assert_allclose(share, chances, atol=5 * 0.5 / np.sqrt(codes.size))  # five standard errors
    np.testing.assert_array_equal(model.generate(400, seed=3), codes)
    assert not np.array_equal(model.generate(400, seed=4), codes)


def test_generate_conditions_on_previous_codes(model, monkeypatch):
    wide_awake(model)
    monkeypatch.setattr(type(model), "decode", lambda self, codes: codes)
    codes = model.generate(300, seed=0)
    likely = log_softmax(prior(model, codes), axis=-1)
    own = np.take_along_axis(likely, codes[..., None], -1)[..., 0]
    entropy = -np.sum(np.exp(likely) * likely, axis=-1)
    spread = own.std() / np.sqrt(own.size)
    assert -own.mean() == pytest.approx(entropy.mean(), abs=5 * spread)


def test_compress_decompress_equals_encode_decode(model, images):
    wide_awake(model)
    data = model.compress(images)
    assert isinstance(data, bytes)
    np.testing.assert_array_equal(model.decompress(data), model.decode(model.encode(images)))
    np.testing.assert_array_equal(model.decompress(model.compress(images[0])), model.decode(model.encode(images[0])))


def test_compress_size_matches_prior_log_likelihood(model, images):
    wide_awake(model)
    codes = model.encode(images)
    likely = np.take_along_axis(log_softmax(prior(model, codes), axis=-1), codes[..., None], -1)
    bits = -likely.sum() / np.log(2)
    # 24 bytes of header and coder state. The frequencies of the codes are rounded to 2^-16.
    assert 8 * len(model.compress(images)) == pytest.approx(bits + 8 * 24, abs=8 + 0.01 * codes.size)


def test_decompress_rejects_altered_bytes_and_other_weights(model, images):
    data = model.compress(images)
    for bad in (b"", data[:-1], data[:10], data[:30] + bytes([data[30] ^ 4]) + data[31:]):
        with pytest.raises(ValueError, match=r"cut short or altered|holds no compressed images"):
            model.decompress(bad)
    with pytest.raises(ValueError, match=r"must be bytes that compress\(\) gave. Received: str"):
        model.decompress("text")
    model.prior.head.bias.assign(model.prior.head.bias + 1e-3)
    with pytest.raises(
        ValueError, match=r"compressed with the weights of this model, .*Received: images of the weights"
    ):
        model.decompress(data)


def test_decompress_rejects_different_probabilities(model, images, monkeypatch):
    wide_awake(model)
    data = model.compress(images)
    frequencies = entropy_coding.frequencies
    monkeypatch.setattr(entropy_coding, "frequencies", lambda p: np.roll(frequencies(p), 1, axis=1))
    with pytest.raises(ValueError, match=r"probabilities this machine computes otherwise \(.*\)"):
        model.decompress(data)


def test_vqvae_rejects_invalid_arguments(model):
    for codes, complaint in (
        (np.zeros((1, 4, 3), int), r"`codes` must be integers \(n, 4, 4\) with n >= 1. Received: int64 \(1, 4, 3\)"),
        (np.zeros((0, 4, 4), int), r"Received: int64 \(0, 4, 4\)"),
        (np.zeros((1, 4, 4)), "Received: float64"),
        (np.full((1, 4, 4), CODES), r"`codes` must be in \[0, 8\). Received: values in \[8, 8\]"),
        (np.full((1, 4, 4), -1), r"Received: values in \[-1, -1\]"),
    ):
        with pytest.raises(ValueError, match=complaint):
            model.decode(codes)
    for arguments in ({"n": 0}, {"n": 1, "seed": -1}):
        with pytest.raises(ValueError, match=r"must be an integer >= .*Received: "):
            model.generate(**arguments)
    for config in ({"codes": 1}, {"codes": 5000}, {"commitment": -1.0}, {"image_shape": (30, 32, 3)}):
        with pytest.raises(ValueError, match=r"must be .*Received: "):
            cnnzoo.build("vqvae", **config)


@pytest.mark.parametrize(
    ("count", "received"),
    [(0, r"\d+ bytes that were cut short or altered"), *((n, "images whose prob") for n in (2, 2**32 - 1))],
)
def test_decompress_rejects_forged_image_count(model, images, count, received):
    data = bytearray(model.compress(images[:1]))
    data[4:8] = count.to_bytes(4, "little")
    data[-4:] = zlib.crc32(bytes(data[:-4])).to_bytes(4, "little")
    with pytest.raises(ValueError, match=f"Received: {received}"):
        model.decompress(bytes(data))
