"""Masks against closed forms, an explicit loop over pixels and segments, and the other backend."""

import hashlib
import io
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image, ImageDraw
from skimage.metrics import mean_squared_error, structural_similarity

from cnnzoo.imaging import given_masks, masks
from cnnzoo.imaging.masks import EVALUATED, KINDS, SCRATCHES, STROKES
from cnnzoo.metrics.reconstruction import hole_mse_per_image, hole_ssim_per_image

SIZES = [(1, 2), (2, 1), (3, 5), (7, 7), (28, 28), (24, 40)]


def shares(kind: str, n: int = 400, side: int = 32) -> np.ndarray:
    return masks.draw(kind, (n, side, side), 0).mean(axis=(1, 2, 3)).astype(float)


@pytest.mark.parametrize("kind", EVALUATED)
@pytest.mark.parametrize("size", SIZES)
def test_draw_returns_masks_with_missing_and_known_pixels(kind, size):
    found = masks.draw(kind, (6, *size), 3)
    assert found.shape == (6, *size, 1) and found.dtype == np.float32
    assert set(np.unique(found)) == {0.0, 1.0}
    missing = found.sum(axis=(1, 2, 3))
    assert (missing > 0).all() and (missing < size[0] * size[1]).all()


@pytest.mark.parametrize("kind", EVALUATED)
def test_draw_is_deterministic_and_independent_of_mask_count(kind):
    found = masks.draw(kind, (5, 16, 24), 7)
    np.testing.assert_array_equal(masks.draw(kind, (3, 16, 24), 7), found[:3])
    if kind != "center":
        assert not np.array_equal(masks.draw(kind, (5, 16, 24), 8), found)
        assert len({mask.tobytes() for mask in found}) == 5


def test_draw_in_chunks_equals_draw_at_once(monkeypatch):
    whole = masks.draw("strokes", (9, 12, 12), 0)
    monkeypatch.setattr(masks, "LARGEST_CHUNK", 1)
    np.testing.assert_array_equal(masks.draw("strokes", (9, 12, 12), 0), whole)


def test_mask_kinds_have_expected_missing_fractions():
    center = masks.draw("center", (2, 32, 48), 0)
    assert center[:, 8:24, 12:36].all() and center.mean() == 0.25
    box = shares("box")
    assert box.min() >= (7 / 32) ** 2 and box.max() <= (17 / 32) ** 2  # sides in pixels are within 1 of exact lengths
    assert box.mean() == pytest.approx((3 / 8) ** 2, abs=4 * float(box.std()) / 20)
    pixels = shares("pixels")
    spread = 4 * math.sqrt(0.25 / 32**2)  # four standard deviations of the fraction at a given probability
    assert 0.25 - spread < pixels.min() < 0.3 and 0.7 < pixels.max() < 0.75 + spread
    assert pixels.mean() == pytest.approx(0.5, abs=4 * float(pixels.std()) / 20)
    strokes, scratches, text = (shares(kind) for kind in ("strokes", "scratches", "text"))
    assert 0.05 < scratches.mean() < strokes.mean() < 0.25
    assert text.min() > 0.05 and text.max() < 0.3


def test_box_masks_are_rectangles_at_any_position():
    found = masks.draw("box", (400, 20, 30), 1)[..., 0]
    for mask in found:
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        np.testing.assert_array_equal(mask, rows[:, None] & columns[None, :])
        assert 4 <= rows.sum() <= 11 and 6 <= columns.sum() <= 16
    assert found.any(axis=(0, 1)).all() and found.any(axis=(0, 2)).all()


def chains_by_hand(brush, numbers: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask of one image by a loop over chains, links and pixels, in float64."""
    mask, side = np.zeros((height, width), bool), min(height, width)
    numbers = numbers.astype(np.float64)
    for chain in range(math.floor(1 + brush.chains * numbers[0])):
        own = numbers[1 + chain * (3 + 3 * brush.links) :]
        x, y, heading = own[0] * width, own[1] * height, 2 * math.pi * own[2]
        for link in range(brush.links):
            turn, length, radius = (own[3 + part * brush.links + link] for part in range(3))
            heading += brush.turn * (2 * turn - 1)
            length = side * np.interp(length, [0, 1], brush.length)
            radius = max(side * np.interp(radius, [0, 1], brush.radius), brush.least)
            dx, dy = length * math.cos(heading), length * math.sin(heading)
            for row in range(height):
                for column in range(width):
                    px, py = column + 0.5 - x, row + 0.5 - y
                    share = min(max((px * dx + py * dy) / (dx * dx + dy * dy), 0), 1)
                    mask[row, column] |= math.hypot(px - share * dx, py - share * dy) < radius
            x, y = x + dx, y + dy
    return mask


@pytest.mark.parametrize(("kind", "brush"), [("strokes", STROKES), ("scratches", SCRATCHES)])
def test_brush_masks_match_loop_over_segments(kind, brush):
    numbers = np.random.default_rng(5).random((3, brush.numbers(20, 28)), np.float32)
    found = masks.draw(kind, (3, 20, 28), 5)[..., 0] > 0
    for mask, own in zip(found, numbers, strict=True):
        # In float32, a pixel at the boundary may be on either side.
        assert np.sum(mask != chains_by_hand(brush, own, 20, 28)) <= 1
    assert found.any(axis=(1, 2)).all()


def test_sample_draws_mask_kinds_in_given_proportions():
    center = masks.draw("center", (1, 16, 16), 0)[0]
    drawn = ops.convert_to_numpy(masks.sample(("center", "pixels", "box"), (600, 16, 16), 0))
    assert drawn.shape == (600, 16, 16, 1) and drawn.dtype == np.float32 and set(np.unique(drawn)) == {0.0, 1.0}
    alike = np.mean((drawn == center).all(axis=(1, 2, 3)))
    assert alike == pytest.approx(1 / 3, abs=4 * math.sqrt(2 / 9 / 600))
    twice = ops.convert_to_numpy(masks.sample(("center", "pixels", "center"), (600, 16, 16), 0))
    assert np.mean((twice == center).all(axis=(1, 2, 3))) == pytest.approx(2 / 3, abs=4 * math.sqrt(2 / 9 / 600))


@pytest.mark.parametrize("kind", KINDS)
def test_sample_equals_draw_for_equal_random_numbers(kind, monkeypatch):
    height, width = 16, 24
    numbers = np.random.default_rng(4).random((5, KINDS[kind].numbers(height, width)), np.float32)
    with_choice = np.concatenate([np.zeros((5, 1), np.float32), numbers], axis=1)
    monkeypatch.setattr(keras.random, "uniform", lambda shape, seed: ops.convert_to_tensor(with_choice))
    expected = masks.draw(kind, (5, height, width), 4)
    np.testing.assert_array_equal(masks.sample((kind,), (5, height, width), 0), expected)


def test_sample_repeats_with_integer_seed_not_with_generator():
    def draw(seed):
        return ops.convert_to_numpy(masks.sample(("strokes", "box", "pixels"), (4, 16, 16), seed))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))
    generator = keras.random.SeedGenerator(1)
    assert not np.array_equal(draw(generator), draw(generator))


def digests() -> list[str]:
    return [hashlib.sha256(masks.draw(kind, (20, 32, 32), 0).tobytes()).hexdigest() for kind in EVALUATED]


def test_draw_is_equal_between_backends():
    script = "import test_masks; print(*test_masks.digests())"
    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    env = {**os.environ, "KERAS_BACKEND": other, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == digests()


def test_for_evaluation_is_deterministic_for_mixed_image_sizes():
    photographs = [np.zeros((20, 30, 3), np.uint8), np.zeros((16, 16, 1), np.uint8), np.zeros((20, 30, 3), np.uint8)]
    found = masks.for_evaluation(photographs, "strokes", 2)
    assert [mask.shape for mask in found] == [(20, 30, 1), (16, 16, 1), (20, 30, 1)]
    assert not np.array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[0], masks.for_evaluation(photographs[:1], "strokes", 2)[0])
    together = masks.for_evaluation(np.zeros((4, 20, 30, 3), np.uint8), "box", 2)
    np.testing.assert_array_equal(together, masks.draw("box", (4, 20, 30), 2))


def test_hole_metrics_score_only_missing_pixels():
    rng = np.random.default_rng(0)
    images = [rng.random((19, 17, 3)), rng.random((15, 18, 1))]
    made = [rng.random(image.shape) for image in images]
    hidden = masks.for_evaluation(images, "pixels")
    squared, ssim = [], []
    for a, b, m in zip(images, made, hidden, strict=True):
        missing = m[:, :, 0] > 0
        squared.append(mean_squared_error(a[missing], b[missing]))
        _, similar = structural_similarity(
            a, b, data_range=1, channel_axis=2, gaussian_weights=True, use_sample_covariance=False, full=True
        )
        ssim.append(similar[missing].mean())
    np.testing.assert_allclose(hole_mse_per_image(images, made, hidden), squared)
    np.testing.assert_allclose(hole_ssim_per_image(images, made, hidden), ssim)
    with pytest.raises(
        ValueError, match=r"Each mask must mark at least one pixel as missing. Received: a mask of zeros"
    ):
        hole_mse_per_image(images[:1], made[:1], [np.zeros((19, 17, 1))])


@pytest.mark.parametrize("given", ["(h, w)", "(h, w, 1)", "(n, h, w)", "(n, h, w, 1)"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_as_missing_accepts_masks_of_all_shapes_and_dtypes(given, dtype):
    hole = masks.draw("box", (3, 6, 8), 0)
    hole = hole if "n" in given else hole[:1]
    mask = {"(h, w)": hole[0, :, :, 0], "(h, w, 1)": hole[0], "(n, h, w)": hole[..., 0], "(n, h, w, 1)": hole}[given]
    found = given_masks.as_missing((200 * mask).astype(dtype), (3, 6, 8))
    np.testing.assert_array_equal(found, np.broadcast_to(hole > 0, (3, 6, 8, 1)))


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        (np.eye(6, 7), r"Masks must have shape \(6, 8\[, 1\]\) or \(2, 6, 8\[, 1\]\). Received: \(6, 7\)"),
        (np.ones((3, 6, 8)), r"Received: \(3, 6, 8\)"),
        (np.eye(6, 8, dtype=complex), "Masks must be booleans or numbers. Received: complex128"),
        (np.zeros((6, 8)), "Each mask must mark at least one pixel as .*: the mask of image 0, by which nothing is"),
        (np.stack([np.eye(6, 8), np.ones((6, 8))]), "the mask of image 1, by which everything is missing"),
    ],
)
def test_as_missing_rejects_invalid_masks(mask, complaint):
    with pytest.raises(ValueError, match=complaint):
        given_masks.as_missing(mask, (2, 6, 8))


def test_draw_and_sample_reject_unknown_kinds_and_single_pixels():
    with pytest.raises(ValueError, match=r"`masks` must be one or more of center, box, strokes.*Received: \('text',\)"):
        masks.sample(("text",), (1, 8, 8), 0)
    with pytest.raises(ValueError, match=r"`masks` must be .*Received: \(\)"):
        masks.check_kinds(())
    with pytest.raises(ValueError, match=r"`kind` must be one of center, .*, text.*Received: 'round'"):
        masks.draw("round", (1, 8, 8), 0)
    for draw in (lambda: masks.draw("box", (1, 1, 1), 0), lambda: masks.sample(("box",), (1, 1, 1), 0)):
        with pytest.raises(ValueError, match=r"Images must have two pixels or more. Received: 1x1"):
            draw()


# -- masks from users -------------------------------------------------------------------------------------------------


@pytest.fixture
def strokes() -> np.ndarray:
    """The painted pixels of a mask, booleans (60, 80)."""
    picture = Image.new("1", (80, 60))
    pen = ImageDraw.Draw(picture)
    pen.line((8, 10, 70, 45), fill=1, width=6)
    pen.ellipse((10, 30, 28, 50), fill=1)
    return np.asarray(picture)


def file_of(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def layer(strokes: np.ndarray, color: tuple, ground: tuple) -> Image.Image:
    return Image.fromarray(np.where(strokes[..., None], color, ground).astype(np.uint8))


@pytest.mark.parametrize(
    "painted",
    [
        lambda s: file_of(Image.fromarray(s)),  # one bit per pixel
        lambda s: file_of(Image.fromarray(s.astype(np.uint8))),  # labels 0 and 1
        lambda s: file_of(Image.fromarray(np.where(s, 60, 0).astype(np.uint8))),
        lambda s: file_of(Image.fromarray(np.where(s, 65535, 0).astype(np.uint16))),
        lambda s: file_of(Image.fromarray(np.where(s, 33000, 1000).astype(np.uint16))),
        lambda s: file_of(layer(s, (200, 0, 0), (0, 0, 0)).quantize(2)),
        lambda s: file_of(layer(s, (0, 0, 255), (0, 0, 0))),
        lambda s: file_of(layer(s, (255, 255, 255, 255), (255, 255, 255, 0))),  # the mask is the alpha channel
        lambda s: file_of(layer(s, (0, 0, 0, 255), (0, 0, 0, 0))),
        lambda s: file_of(layer(s, (255, 0, 0, 160), (90, 200, 30, 0))),
        lambda s: file_of(layer(s, (255, 255, 255, 255), (0, 0, 0, 255))),
        lambda s: file_of(layer(s, (255, 255, 255), (0, 0, 0)), "WEBP", lossless=True),
        lambda s: file_of(layer(s, (255, 255, 255), (0, 0, 0)), "TIFF"),
        lambda s: Image.fromarray(s),
    ],
)
def test_read_mask_returns_painted_pixels(strokes, painted):
    np.testing.assert_array_equal(given_masks.read_mask(painted(strokes)), strokes)


@pytest.mark.parametrize("quality", [30, 75, 90])
@pytest.mark.parametrize("color", ["white", "red"])
def test_read_mask_ignores_jpeg_artifacts(strokes, quality, color):
    paint = {"white": (255, 255, 255), "red": (255, 0, 0)}[color]
    raw = file_of(layer(strokes, paint, (0, 0, 0)), "JPEG", quality=quality)
    traces = np.asarray(Image.open(io.BytesIO(raw))).max(axis=2) > 0
    wrong = given_masks.read_mask(raw) != strokes
    assert (traces & ~strokes).sum() > 0.5 * strokes.sum()  # artifacts that a threshold of 0 would mark as missing
    assert wrong.sum() < 0.05 * strokes.sum()


def test_read_mask_thresholds_soft_edges_at_half():
    slope = np.arange(256, dtype=np.uint8)[None].repeat(2, 0)
    np.testing.assert_array_equal(given_masks.read_mask(file_of(Image.fromarray(slope))), slope >= 128)
    alpha = Image.fromarray(np.dstack([np.full_like(slope, 255), slope]))
    np.testing.assert_array_equal(given_masks.read_mask(file_of(alpha)), slope >= 128)


def test_as_missing_thresholds_integer_arrays_like_files(strokes):
    raw = file_of(layer(strokes, (255, 255, 255), (0, 0, 0)).convert("L"), "JPEG")
    array = np.asarray(Image.open(io.BytesIO(raw)))
    expected = given_masks.read_mask(raw)[None, ..., None]
    np.testing.assert_array_equal(given_masks.as_missing(raw, (1, 60, 80)), expected)
    np.testing.assert_array_equal(given_masks.as_missing(array, (1, 60, 80)), expected)
    assert (expected[0, ..., 0] != strokes).sum() < 0.05 * strokes.sum() < (array > 0).sum() - strokes.sum()
    np.testing.assert_array_equal(given_masks.as_missing(array.astype(np.uint16) * 257, (1, 60, 80)), expected)
    numbers = given_masks.as_missing(array / 255, (1, 60, 80))  # in float masks, every nonzero pixel is missing
    np.testing.assert_array_equal(numbers[0, ..., 0], array > 0)


def test_read_mask_rejects_partly_erased_photograph(strokes, tmp_path):
    rng = np.random.default_rng(0)
    photo = np.dstack([rng.integers(0, 256, (60, 80, 3), np.uint8), np.where(strokes, 0, 255).astype(np.uint8)])
    Image.fromarray(photo).save(tmp_path / "erased.png")
    with pytest.raises(
        ValueError, match=r"Received: the mask .*erased\.png with transparent parts, whose opaque ones are bo"
    ):
        given_masks.read_mask(tmp_path / "erased.png")


def test_as_missing_rejects_dark_mask_image(strokes):
    dim = np.where(strokes, 90, 0).astype(np.uint8)
    dim[0, 0] = 40  # a third value, so the threshold is half of white
    with pytest.raises(ValueError, match=r"in a picture by half of white or more.*by which nothing is missing"):
        given_masks.as_missing(file_of(Image.fromarray(dim)), (1, 60, 80))
