"""Tests of ESPCN: super-resolution by sub-pixel convolution, through the public API."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import signal
from skimage.data import astronaut

import cnnzoo
from cnnzoo.imaging.resampling import downscale, upscale
from cnnzoo.models.espcn import CollapsibleConv2D

PUBLISHED = {2: 21_284, 3: 22_729, 4: 24_752}  # 64 filters of 5x5, 32 of 3x3 and scale^2 of 3x3, with biases


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return astronaut()[:301:2, :281:2]  # 151x141


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_espcn_size_is_close_to_published_network(scale):
    classic = cnnzoo.build("espcn_classic", scale=scale)
    assert classic.count_params() == PUBLISHED[scale]
    small = cnnzoo.build("espcn", scale=scale).reparameterized()
    assert small.count_params() <= 25_000
    # The multiplications per input pixel equal the number of kernel weights, since no layer has a stride.
    weights = [sum(w.numpy().size for w in m.trainable_weights if len(w.shape) == 4) for m in (small, classic)]
    assert weights[0] <= 1.04 * weights[1]


def test_collapsible_conv_matches_scipy_composition():
    block = CollapsibleConv2D(6, 3, expansion=20)
    x = np.random.default_rng(0).normal(size=(1, 9, 8, 6)).astype(np.float32)
    made = ops.convert_to_numpy(block(x))
    wide, narrow, bias = block.get_weights()
    expected = np.tile(x[0] + bias, 1)
    for inside in range(20):
        response = sum(
            signal.correlate2d(x[0, :, :, k].astype(np.float64), wide[:, :, k, inside], mode="same") for k in range(6)
        )
        expected = expected + response[..., None] * narrow[inside]
    np.testing.assert_allclose(made[0], expected, atol=1e-4)


@pytest.mark.parametrize("scale", [2, 3])
def test_reparameterized_matches_model_with_fewer_parameters(photograph, scale):
    model = cnnzoo.build("espcn", scale=scale)
    fused = model.reparameterized()
    assert fused.count_params() < 0.3 * model.count_params()
    np.testing.assert_allclose(fused(photograph[None, :, :, :1]), model(photograph[None, :, :, :1]), atol=1e-5)
    assert fused.get_config()["expansion"] == 0


def test_init_from_accepts_fused_weights_and_other_scale(photograph):
    """A fused network is unfolded into linear blocks that compute the same function."""
    shipped = cnnzoo.build("espcn", scale=3, expansion=0)
    model, larger = cnnzoo.build("espcn", scale=3), cnnzoo.build("espcn", scale=4)
    model.init_from(shipped)
    small = photograph[None, :, :, :1]
    np.testing.assert_allclose(model(small), shipped(small), atol=1e-5)
    larger.init_from(shipped)
    *kept, last = zip(larger.convolutions, shipped.convolutions, strict=True)
    for mine, theirs in kept:
        np.testing.assert_allclose(mine.kernel, theirs.kernel, atol=1e-6)
    assert last[0].kernel.shape[:-1] == last[1].kernel.shape[:-1]


@pytest.mark.parametrize("name", ["espcn", "espcn_gan"])
def test_init_from_rejects_model_of_another_kind(name):
    with pytest.raises(ValueError, match=f"'{name}' must begin with a model of equal layers. Received: 'lenet'"):
        cnnzoo.build(name, scale=2).init_from(cnnzoo.build("lenet"))


@pytest.mark.parametrize("name", ["espcn", "espcn_classic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_upscale_preserves_dtype_for_any_size(name, dtype, photograph):
    model = cnnzoo.build(name, scale=3)
    largest = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]
    image = (photograph / 255 * largest).astype(dtype)
    made = model.upscale(image)
    assert made.shape == (453, 423, 3) and made.dtype == dtype
    assert model.upscale(image[:1, :1]).shape == (3, 3, 3)
    assert model.upscale(image[:, :, 0]).shape == (453, 423, 1)
    both = model.upscale(np.stack([image, image]))
    off = np.abs(both[1].astype(float) - made)
    assert off.max() <= (1 if largest > 1 else 1e-5) and (off > 1e-5).mean() < 0.02  # rounding


def test_upscale_chroma_matches_bicubic(photograph):
    """Cb and Cr of the result match bicubic upscaling, except in pixels clipped to [0, 1]."""
    from skimage.color import rgb2ycbcr

    image = (0.3 + 0.4 * photograph / 255).astype(np.float32)
    keras.utils.set_random_seed(0)
    made = cnnzoo.build("espcn_classic", scale=2).upscale(image)
    inside = ((made > 0) & (made < 1)).all(axis=2)
    assert inside.mean() > 0.3
    expected = rgb2ycbcr(ops.convert_to_numpy(upscale(image[None], 2))[0])
    np.testing.assert_allclose(rgb2ycbcr(made)[inside][:, 1:], expected[inside][:, 1:], atol=2e-2)


def test_upscale_tiling_matches_whole_image():
    image = np.tile(astronaut(), (1, 2, 1))[:430, :700]
    model = cnnzoo.build("espcn", scale=2)
    whole = np.rint(np.asarray(model(image[None, :, :, :1])) * 255)[0]
    tiled = model.upscale(image[:, :, :1])
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_ensemble_is_equivariant_to_rotation(photograph):
    model, image = cnnzoo.build("espcn", scale=2), photograph[:64, :64].astype(np.float32) / 255
    turned = model.upscale(np.rot90(image), ensemble=True)
    np.testing.assert_allclose(turned, np.rot90(model.upscale(image, ensemble=True)), atol=1e-5)
    plain = model.upscale(np.rot90(image))
    assert np.abs(plain - np.rot90(model.upscale(image))).max() > 1e-3  # a single view is not equivariant


def test_training_beats_nearest_neighbor(photograph):
    """The initial output is close to nearest-neighbor upscaling. A few steps bring it closer to the photograph."""
    import keras

    model = cnnzoo.build("espcn", scale=2, width=8, depth=2)
    gray = np.stack([photograph[y : y + 32, x : x + 32, :1] for y in range(0, 96, 16) for x in range(0, 96, 16)])
    small = ops.convert_to_numpy(downscale(gray / np.float32(255), 2))
    repeated = np.repeat(np.repeat(small, 2, axis=1), 2, axis=2)
    model.compile({"pixels": keras.optimizers.Adam(3e-3)})
    model.fit(gray, epochs=60, batch_size=12, verbose=0)
    errors = [np.mean((x - gray / 255) ** 2) for x in (np.asarray(model(small)), repeated)]
    assert errors[0] < 0.8 * errors[1]


def test_espcn_rejects_invalid_configuration_and_images():
    with pytest.raises(ValueError, match=r"`scale` must be one of 2, 3, 4.*Received: 5"):
        cnnzoo.build("espcn", scale=5)
    with pytest.raises(ValueError, match=r"`degradation` must be one of bicubic, real. Received: 'jpeg'"):
        cnnzoo.build("espcn", degradation="jpeg")
    with pytest.raises(ValueError, match=r"`image_shape` must be \(None, None, 1\).*Received: .*"):
        cnnzoo.build("espcn", image_shape=(32, 32, 3))
    for config in ({"scale": 2, "width": 16, "expansion": 15}, {"scale": 4, "width": 8, "expansion": 15}):
        with pytest.raises(ValueError, match=r"`expansion` must be 0, or an integer >= 16.*Received: 15"):
            cnnzoo.build("espcn", **config)
    model = cnnzoo.build("espcn_classic")
    for bad in (np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.int32)):
        with pytest.raises(ValueError, match=r"Images must be uint8, uint16 or float32.*Received: "):
            model.upscale(bad)
    for value in (np.nan, 1.5):
        with pytest.raises(ValueError, match=r"Received: values in"):
            model.upscale(np.full((4, 4), value, np.float32))
    model.compile()
    with pytest.raises(ValueError, match=r"Images must have sides that are multiples of 3. Received: 16x17"):
        model.fit(np.zeros((2, 16, 17, 1), np.uint8), verbose=0)


def test_real_degradation_is_random_only_in_training(photograph):
    model = cnnzoo.build("espcn", scale=2, width=4, depth=1, degradation="real")
    images = photograph[None, :96, :96, :1] / np.float32(255)
    first, second = (ops.convert_to_numpy(model.small(images, training=True)) for _ in range(2))
    assert (first != second).any()
    first, second = (ops.convert_to_numpy(model.small(images)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    clean = cnnzoo.build("espcn", scale=2, width=4, depth=1)
    assert (first != ops.convert_to_numpy(clean.small(images))).any()
    assert [w.shape for w in model.trainable_weights] == [w.shape for w in clean.trainable_weights]


@pytest.mark.parametrize("name", ["espcn", "espcn_gan"])
def test_real_degradation_loss_is_negative_psnr_or_mae(name):
    model = cnnzoo.build(name, scale=2, width=4, depth=1, degradation="real")
    images = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    made = images + np.array([0.02, 0.1, 0.3], np.float32)[:, None, None, None]
    loss, logs = model.pixel_loss((images, made))
    expected = [0.02, 0.1, 0.3] if name == "espcn_gan" else -np.log(10) / 10 * ops.convert_to_numpy(logs["psnr"])
    np.testing.assert_allclose(loss, expected, rtol=0.03)  # 1e-5 in the logarithm is 1 / 40 of the first error
