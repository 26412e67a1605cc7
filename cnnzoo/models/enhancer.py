"""The enhancer: corrects exposure, contrast and color of photographs of any size by tone curves.

The curves are those of Zero-DCE, one per position and channel. As in Zero-DCE++, a small network predicts them from a
downscaled image, for a global receptive field.

Source: Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", 2020, arXiv:2001.06826,
sections 3.1 and 3.3; curves of a small version: Li et al., "Learning to Enhance Low-Light Image via Zero-Reference Deep
Curve Estimation", 2021, arXiv:2103.00860.
"""

import numbers
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import misexposed
from cnnzoo.imaging.resampling import bilinear, weighted
from cnnzoo.nn.layers import ReplicaSeedGenerator, unit_range
from cnnzoo.nn.losses import color_cast, exposure_error, illumination_smoothness, psnr, spatial_consistency
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.compiled import in_batches, run
from cnnzoo.tasks.photo_inference import as_photographs, levels, units
from cnnzoo.tasks.sharing import Shared

SIDE = 128  # side of the network input in pixels
GRID = 16  # side of the grid of curves
ITERATIONS = 8
WELL = 0.2  # fraction of unmodified photographs in training
STRONGEST = 2.0  # maximum strength
STRIP = 2**18  # pixels per strip


@register("enhancer")
class Enhancer(Shared):
    """Predicts eight successive curves x + a x (1 - x) per channel, to restore mis-exposed photographs.

    Each a is in [-1, 1], so that curves are monotonic on [0, 1]: a > 0 brightens, a < 0 darkens, and combinations
    change the contrast. The network predicts a on a 16x16 grid, interpolated bilinearly. The default has 7 k
    parameters.

    In training, four of five photographs are mis-exposed (see `cnnzoo.imaging.degradations.misexposed`). The loss is

        reference |x - x'| + (1 - reference) (spatial consistency + exposure + color cast / 2 + 20 smoothness)

    for a photograph x and the enhanced image x'. The second part is the zero-reference loss of the paper: without x, it
    targets a mean gray value of 0.6 in every region and a gray mean color, for any image.

    Args:
        width: Channels of the first convolution; the others have twice as many.
        reference: In [0, 1]: from 0, the zero-reference losses, to 1, the loss on pairs.
        image_shape: (None, None, 3) for photographs of any size.

    Raises:
        ValueError: For another reference or shape.
    """

    task = "enhance"
    log_names = ("psnr",)
    search_space: ClassVar[dict] = {"learning_rate": (1e-4, 1e-2), "batch_size": [16, 32, 64, 128], "width": [4, 8, 16]}

    def __init__(
        self, *, width: int = 8, reference: float = 1.0, image_shape: Sequence[Any] = (None, None, 3), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        _check_reference(reference)
        if tuple(image_shape) != (None, None, 3):
            raise ValueError(f"`image_shape` must be (None, None, 3). Received: {image_shape}")
        self.width, self.reference, self.image_shape = width, reference, tuple(image_shape)
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self.build()

    def make_network(self) -> keras.Model:
        """Small images (n, SIDE, SIDE, 3) in [-1, 1] to curves (n, GRID, GRID, 3 ITERATIONS) in [-1, 1], float32."""
        small = keras.Input((SIDE, SIDE, 3))
        x = layers.Conv2D(self.width, 3, 2, "same", activation="relu")(small)  # (n, 64, 64, width)
        x = layers.Conv2D(2 * self.width, 3, 2, "same", activation="relu")(x)  # (n, 32, 32, 2 width)
        x = layers.Conv2D(2 * self.width, 3, 2, "same", activation="relu")(x)  # (n, 16, 16, 2 width)
        whole = layers.GlobalAveragePooling2D(keepdims=True)(x)  # (n, 1, 1, 2 width)
        whole = layers.Conv2D(2 * self.width, 1, activation="relu")(whole)
        whole = layers.Conv2D(2 * self.width, 1)(whole)
        x = layers.Add()([layers.Conv2D(2 * self.width, 3, padding="same")(x), whole])  # local and global features
        x = layers.ReLU()(x)
        # Zero initialization: training starts from the identity.
        last = layers.Conv2D(3 * ITERATIONS, 1, activation="tanh", kernel_initializer="zeros", dtype="float32")
        return keras.Model(small, last(x), name="network")

    def phases(self) -> list[Phase]:
        return [Phase("curves", [self.network], self.curve_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        images = shrunk(images)  # training runs at the size of the network input
        dim = misexposed(images, self.noise if training else 0, WELL)  # a fixed seed in evaluation
        curves = self.curves(dim, training)
        return images, dim, bent(dim, spread(curves, SIDE, SIDE)), curves

    def curve_loss(self, seen: Any) -> Any:
        images, dim, made, curves = seen
        loss = 0.0
        if self.reference > 0:
            loss = loss + self.reference * ops.mean(ops.abs(images - made), (1, 2, 3))
        if self.reference < 1:
            curves = ops.reshape(curves, (-1, GRID, GRID, ITERATIONS, 3))
            free = spatial_consistency(dim, made) + exposure_error(made) + 0.5 * color_cast(made)
            loss = loss + (1.0 - self.reference) * (free + 20.0 * illumination_smoothness(curves))
        return loss, {"psnr": psnr(images, made)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Photographs, uint8 or float32 in [0, 1], (n, height, width, 3), enhanced, in [0, 1]."""
        return self.enhanced(images)

    def enhanced(self, images: Any, strength: Any = 1.0) -> Any:
        """As `call`, with a strength, a number or one per image (n,); see `enhance`."""
        images = unit_range(images)
        strength = ops.reshape(ops.cast(strength, "float32"), (-1, 1, 1, 1))
        curves = strengthened(self.curves(shrunk(images)), strength)
        return ops.clip(bent(images, spread(curves, *ops.shape(images)[1:3])), 0.0, 1.0)

    def curves(self, small: Any, training: bool = False) -> Any:
        """The curves for small images (n, SIDE, SIDE, 3) in [0, 1]: (n, GRID, GRID, 3 ITERATIONS)."""
        return self.network(2.0 * small - 1.0, training=training)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"curves": keras.optimizers.Adam(1e-3)}

    def enhance(self, x: Any, strength: float | np.ndarray = 1.0) -> np.ndarray:
        """Enhances exposure, contrast and color of one photograph or a batch, of any size, in the input dtype.

        Photographs are processed in strips, in little memory.

        Args:
            x: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them; or a path, a Pillow image or a
                list of them, returned as uint8 (16 bits: uint16).
            strength: Factor of each a, a number or one per photograph, (n,): 0 for the identity, 1 for the prediction,
                up to 2, with a clipped to [-1, 1].

        Raises:
            ValueError: For another type, shape or range, or a strength outside [0, 2].
        """
        batch, single = as_photographs(x, (3,))
        try:
            strengths = np.broadcast_to(np.asarray(strength, np.float32), len(batch))
        except (TypeError, ValueError):
            strengths = np.array([np.nan])
        if not (strengths.min() >= 0 and strengths.max() <= STRONGEST):  # negated so that NaN is rejected
            allowed = f"a number between 0 and {STRONGEST:g}, or one for each of {len(batch)} images"
            raise ValueError(f"`strength` must be {allowed}. Received: {strength!r}")
        pixels = batch.shape[1] * batch.shape[2]
        if pixels <= STRIP:
            made = in_batches(self, _enhanced, batch, strengths, at_once=STRIP // pixels)
        else:
            made = np.stack([self._in_strips(*pair) for pair in zip(batch, strengths, strict=True)])
        return made[0] if single else made

    def _in_strips(self, photo: np.ndarray, strength: float) -> np.ndarray:
        height, width = photo.shape[:2]
        step = max(1, STRIP // width)
        strips = [slice(top, min(top + step, height)) for top in range(0, height, step)]
        rows = ops.convert_to_numpy(bilinear(SIDE, height)).T
        small: Any = sum(run(self, _rows_of_small, photo[None, strip], rows[strip]) for strip in strips)
        curves = run(self, _columns_of_curves, small, np.array([strength], np.float32))
        rows = ops.convert_to_numpy(bilinear(height, GRID))
        made = np.empty_like(photo)
        for strip in strips:
            made[strip] = run(self, _enhanced_rows, photo[None, strip], curves, rows[strip])[0]
        return made

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3) mis-exposed, enhanced, and original."""
        dim = to_uint8(ops.convert_to_numpy(misexposed(unit_range(ops.convert_to_tensor(images)), 0)))
        return [dim, self.enhance(dim), images]


def _check_reference(reference: Any) -> None:
    if not (isinstance(reference, numbers.Real) and 0 <= float(reference) <= 1):
        raise ValueError(f"`reference` must be between 0 and 1. Received: {reference!r}")


def shrunk(images: Any) -> Any:
    """Images (n, height, width, 3) downscaled to (n, SIDE, SIDE, 3), antialiased."""
    height, width = ops.shape(images)[1:3]
    return weighted(bilinear(SIDE, width), weighted(bilinear(SIDE, height), images, 1), 2)


def spread(curves: Any, height: Any, width: Any) -> Any:
    """Curves (n, GRID, GRID, c) interpolated to pixels, (n, height, width, c)."""
    return weighted(bilinear(height, GRID), weighted(bilinear(width, GRID), curves, 2), 1)


def strengthened(curves: Any, strength: Any) -> Any:
    return ops.clip(strength * curves, -1.0, 1.0)


def bent(images: Any, curves: Any) -> Any:
    """Images (n, height, width, 3) after all curves (n, height, width, 3 ITERATIONS)."""
    for a in ops.split(curves, ITERATIONS, axis=3):
        images = images + a * images * (1.0 - images)
    return images


# -- graphs of `enhance`: images in their dtype ------------------------------------------------------------------------


def _enhanced(model: Enhancer, images: Any, strength: Any) -> Any:
    """Enhanced images."""
    return levels(model.enhanced(units(images), strength), keras.backend.standardize_dtype(images.dtype))


def _rows_of_small(model: Enhancer, strip: Any, rows: Any) -> Any:
    """The part of some rows (k, SIDE) of an image in its downscaled rows (1, SIDE, width, 3)."""
    return weighted(ops.transpose(rows), units(strip), 1)


def _columns_of_curves(model: Enhancer, small: Any, strength: Any) -> Any:
    """The curves (1, GRID, width, 3 ITERATIONS) for an image with downscaled rows (1, SIDE, width, 3)."""
    width = ops.shape(small)[2]
    curves = model.curves(weighted(bilinear(SIDE, width), small, 2))
    return weighted(bilinear(width, GRID), strengthened(curves, strength), 2)


def _enhanced_rows(model: Enhancer, strip: Any, curves: Any, rows: Any) -> Any:
    """Enhanced rows (1, k, width, 3), with their weights (k, GRID) of the curves."""
    made = bent(units(strip), weighted(rows, curves, 1))
    return levels(made, keras.backend.standardize_dtype(strip.dtype))
