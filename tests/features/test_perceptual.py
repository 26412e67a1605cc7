"""The perceptual distance against an explicit loop, its monotonicity, and its feature maps in a loss."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.ndimage import gaussian_filter
from skimage import data

from cnnzoo import hub, registry
from cnnzoo.data.photographs import Photographs
from cnnzoo.evaluation import restoration
from cnnzoo.features.distance import PerceptualDistance
from cnnzoo.features.maps import FeatureMaps

rng = np.random.default_rng(0)
PHOTO = data.astronaut()[100:180, 180:250]  # (80, 70, 3) uint8, a face


@pytest.fixture(scope="module")
def distance():
    return PerceptualDistance("lenet.cifar10")


@pytest.fixture(scope="module")
def maps():
    return FeatureMaps()


def loop(a, b):
    """The distance between two lists of maps (h, w, c), term by term."""
    means = []
    for x, y in zip(a, b, strict=True):
        total = 0.0
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                p, q = x[i, j].astype(np.float64), y[i, j].astype(np.float64)
                p, q = (v / np.sqrt(np.sum(v**2)) if v.any() else v for v in (p, q))
                total += np.sum((p - q) ** 2)
        means.append(total / (x.shape[0] * x.shape[1]))
    return sum(means) / len(means)


def test_feature_maps_match_activations_of_classifier(maps):
    classifier = hub.build("lenet.cifar10")
    images = rng.random((3, 32, 32, 3), dtype=np.float32)
    x, expected = images, []
    for layer in classifier.backbone.layers:
        x = layer(x)
        if isinstance(layer, keras.layers.Conv2D):
            expected.append(x)
    assert [found.shape for found in maps(images)] == [(3, 28, 28, 6), (3, 10, 10, 16)]
    for found, wanted in zip(maps(images), expected, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(wanted), atol=1e-6)


def test_feature_maps_of_crop_match_crop_of_feature_maps(maps):
    image = rng.random((1, 50, 41, 3), dtype=np.float32)
    whole = [ops.convert_to_numpy(found) for found in maps(image)]
    part = [ops.convert_to_numpy(found) for found in maps(image[:, 8:40, 6:38])]
    np.testing.assert_allclose(whole[0][:, 8:36, 6:34], part[0], atol=1e-6)
    np.testing.assert_allclose(whole[1][:, 4:14, 3:13], part[1], atol=1e-6)  # two pixels here are one after pooling


def test_perceptual_distance_matches_explicit_loop(distance, maps):
    images = rng.random((3, 20, 17, 3), dtype=np.float32)
    others = np.clip(images + 0.2 * rng.standard_normal(images.shape), 0, 1).astype(np.float32)
    a, b = ([ops.convert_to_numpy(found) for found in maps(side)] for side in (images, others))
    expected = [loop([x[k] for x in a], [y[k] for y in b]) for k in range(3)]
    np.testing.assert_allclose(distance(images, others), expected, rtol=1e-5)


def test_perceptual_distance_is_invariant_to_dtype_and_batching(distance, monkeypatch):
    images = rng.integers(0, 256, (5, 16, 18, 3), np.uint8)
    others = rng.integers(0, 256, (5, 16, 18, 3), np.uint8)
    expected = distance(images, others)
    np.testing.assert_allclose(distance(images / np.float32(255), others / 255.0), expected, rtol=1e-5)
    np.testing.assert_allclose(distance(images[2], others[2]), expected[2:3], rtol=1e-5)
    monkeypatch.setattr("cnnzoo.features.distance.PIXELS", 2 * 16 * 18)
    np.testing.assert_allclose(distance(images, others), expected, rtol=1e-5)


def test_perceptual_distance_is_symmetric_and_zero_if_equal(distance):
    other = rng.integers(0, 256, PHOTO.shape, np.uint8)
    assert distance(PHOTO, PHOTO) == 0
    assert distance(PHOTO, other) == distance(other, PHOTO) > 0


@pytest.mark.parametrize("network", ["lenet.cifar10", "cnn.fashion_mnist"])
def test_perceptual_distance_increases_with_noise_and_blur(network):
    distance = PerceptualDistance(network)
    image = PHOTO / 255.0 if network == "lenet.cifar10" else PHOTO[..., 1:2] / 255.0
    noise = rng.standard_normal(image.shape)
    noisy = [distance(image, np.clip(image + sigma / 255 * noise, 0, 1))[0] for sigma in (0, 5, 15, 30, 60)]
    blurred = [distance(image, gaussian_filter(image, (sigma, sigma, 0)))[0] for sigma in (0, 0.5, 1, 2, 4)]
    assert noisy[0] == blurred[0] == 0
    assert (np.diff(noisy) > 0).all() and (np.diff(blurred) > 0).all()


def test_perceptual_distance_of_gray_equals_repeated_channels(distance):
    gray = PHOTO[..., :1]
    blurred = gaussian_filter(gray, (1, 1, 0))
    assert distance(gray, blurred) == distance(np.repeat(gray, 3, axis=2), np.repeat(blurred, 3, axis=2))


def test_perceptual_distance_protocol_names_network(distance):
    sha256 = hub.card("lenet.cifar10")["files"]["model.weights.h5"]["sha256"]
    assert distance.protocol == {"extractor": "lenet.cifar10", "extractor sha256": sha256}


@keras.saving.register_keras_serializable("test_perceptual")
class Brighter(keras.Model):
    """Adds a trainable constant to images; the loss compares feature maps of a classifier."""

    def __init__(self, maps):
        super().__init__()
        self.maps = maps
        self.shift = self.add_weight((), "zeros", name="shift")

    def call(self, images):
        return images + self.shift

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return sum(ops.mean(ops.square(a - b)) for a, b in zip(self.maps(y), self.maps(y_pred), strict=True))


def test_feature_maps_in_loss_train_model_and_stay_frozen(maps):
    dark = rng.random((4, 24, 20, 3), dtype=np.float32) * 0.5
    before = [ops.convert_to_numpy(features) for features in maps(dark)]
    model = Brighter(maps)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    steps = np.tile(dark, (60, 1, 1, 1))
    model.fit(steps, steps + 0.3, batch_size=4, verbose=0)
    assert float(model.shift) == pytest.approx(0.3, abs=0.02)
    assert [weight.name for weight in model.weights] == ["shift"]
    for found, wanted in zip(maps(dark), before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(found), wanted)


def test_feature_maps_include_branches_and_activation_layers(monkeypatch):
    class Residual:
        task, image_shape = "classify", (8, 8, 3)

        def __init__(self):
            inputs = keras.Input(self.image_shape)
            x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
            first = x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
            second = x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
            third = x = keras.layers.Activation("relu")(keras.layers.Add()([first, second]))
            x = keras.layers.GlobalAveragePooling2D()(x)
            self.backbone = keras.Model(inputs, keras.layers.Dense(5, activation="relu")(x))
            self.expected = keras.Model(inputs, [first, second, third])

    classifier = Residual()
    monkeypatch.setattr(hub, "build", lambda name: classifier)
    monkeypatch.setattr(hub, "card", lambda name: {"files": {"model.weights.h5": {"sha256": "0"}}})
    maps = FeatureMaps("residual.mine")
    images = rng.random((2, 8, 8, 3), dtype=np.float32)
    for found, wanted in zip(maps(images), classifier.expected(images), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(wanted), atol=1e-6)
    assert [found.shape for found in maps(images[:, :5])] == [(2, 5, 8, 4)] * 3


def test_perceptual_distance_and_maps_reject_invalid_arguments(distance, maps):
    image = np.zeros((20, 20, 3), np.float32)
    with pytest.raises(ValueError, match=r"one shape. Received: \(1, 20, 20, 3\) and \(1, 19, 20, 3\)"):
        distance(image, image[1:])
    with pytest.raises(ValueError, match="sides of 14 pixels or more and 1 or 3 channels"):
        distance(image[:13], image[:13])
    distance(image[:14, :14], image[:14, :14])
    with pytest.raises(ValueError, match=r"Received: shape \(1, 20, 20, 2\)"):
        maps(image[None, ..., :2])
    with pytest.raises(ValueError, match=r"`network` must be a classifier with convolutions. Received: 'vae\.mnist'"):
        PerceptualDistance("vae.mnist")
    with pytest.raises(registry.UnknownName, match=r"Did you mean lenet\.cifar10"):
        PerceptualDistance("lenet.cifar")


@pytest.mark.parametrize("judge", ["vgg_small.cifar10", "lenet.cifar10"])
def test_perceptual_score_has_caution_if_judge_is_loss_network(judge, monkeypatch):
    if judge == "lenet.cifar10":
        monkeypatch.setattr(PerceptualDistance.__init__, "__defaults__", (judge,))
    found = Photographs("few", "test", (PHOTO,), ("face",))
    scores = {score.name: score for score in restoration.upscaling(hub.build("espcn_gan.x4"), found)}
    protocol = scores["perceptual_few"].protocol
    assert protocol["extractor"] == judge
    assert ("caution" in protocol) == (judge == "lenet.cifar10")
    faithful = {score.name: score for score in restoration.upscaling(hub.build("espcn.x4"), found)}
    assert "caution" not in faithful["perceptual_few"].protocol
