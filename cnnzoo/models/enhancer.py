"""The enhancer: brings exposure, contrast and colour of photographs of any size in order, by curves.

The curves are those of Zero-DCE, one for each place and channel. The network is a smaller one that looks at a small
version of the picture, as that of Zero-DCE++ does, so that it sees all of it.

Source: Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement", 2020, arXiv:2001.06826,
sections 3.1 and 3.3; curves of a small version: Li et al., "Learning to Enhance Low-Light Image via Zero-Reference Deep
Curve Estimation", 2021, arXiv:2103.00860.
"""

import numbers
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import misexposed
from cnnzoo.imaging.resampling import bilinear, weighted
from cnnzoo.nn.layers import ReplicaSeedGenerator, unit_range
from cnnzoo.nn.losses import color_cast, exposure_error, illumination_smoothness, psnr, spatial_consistency
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import as_photographs, in_type, in_unit_range

SIDE = 128  # pixels a side of what the network sees
GRID = 16  # places a side that have curves of their own
ITERATIONS = 8
WELL = 0.2  # the share of photographs that are not mis-exposed in training
STRONGEST = 2.0  # strength
STRIP = 2**18  # pixels of a photograph at once


@register("enhancer")
class Enhancer(PhasedModel):
    """Finds curves x + a x (1 - x), eight after another, that turn mis-exposed photographs into what they were.

    Each a is in [-1, 1], so that a curve rises from 0 to 1, and no picture becomes a negative or leaves [0, 1]: above 0
    it lightens, below it darkens, and several together make contrast. The network finds them for each channel at 16x16
    places, between which they are interpolated. With the default width it has 7 k parameters.

    In training, four of five photographs are mis-exposed (see `cnnzoo.imaging.degradations.misexposed`). The loss is

        reference |x - x'| + (1 - reference) (spatial consistency + exposure + colour cast / 2 + 20 smoothness)

    for a photograph x and what comes of it, x'. The second part is that of the paper: it needs no x, and wants a mean
    grey value of 0.6 everywhere and no colour in the mean, whatever the picture shows.

    Args:
        width: Channels of the first convolution; the others have twice as many.
        reference: In [0, 1]: 1 to be trained on pairs, 0 by the losses without a reference.
        image_shape: (None, None, 3) for photographs of any size.

    Raises:
        ValueError: For another reference or shape.
    """

    task = "enhance"
    log_names = ("psnr",)
    search_space: ClassVar[dict] = {"learning_rate": (1e-4, 1e-2), "batch_size": [16, 32, 64, 128], "width": [4, 8, 16]}

    def __init__(self, *, width=8, reference=1.0, image_shape=(None, None, 3), **kwargs):
        super().__init__(**kwargs)
        if not isinstance(reference, numbers.Real) or not 0 <= reference <= 1:
            raise ValueError(f"got reference={reference!r}; allowed: 0 to 1")
        if tuple(image_shape) != (None, None, 3):
            raise ValueError(f"got image_shape={image_shape}; allowed: (None, None, 3)")
        self.width, self.reference, self.image_shape = width, reference, tuple(image_shape)
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self.build()

    def make_network(self) -> keras.Model:
        """Small pictures (n, SIDE, SIDE, 3) in [-1, 1] to curves (n, GRID, GRID, 3 ITERATIONS) in [-1, 1], float32."""
        small = keras.Input((SIDE, SIDE, 3))
        x = layers.Conv2D(self.width, 3, 2, "same", activation="relu")(small)  # (n, 64, 64, width)
        x = layers.Conv2D(2 * self.width, 3, 2, "same", activation="relu")(x)  # (n, 32, 32, 2 width)
        x = layers.Conv2D(2 * self.width, 3, 2, "same", activation="relu")(x)  # (n, 16, 16, 2 width)
        whole = layers.GlobalAveragePooling2D(keepdims=True)(x)  # (n, 1, 1, 2 width)
        whole = layers.Conv2D(2 * self.width, 1, activation="relu")(whole)
        whole = layers.Conv2D(2 * self.width, 1)(whole)
        x = layers.Add()([layers.Conv2D(2 * self.width, 3, padding="same")(x), whole])  # what is there, and everywhere
        x = layers.ReLU()(x)
        # It begins with the identity.
        last = layers.Conv2D(3 * ITERATIONS, 1, activation="tanh", kernel_initializer="zeros", dtype="float32")
        return keras.Model(small, last(x), name="network")

    def phases(self):
        return [Phase("curves", [self.network], self.curve_loss)]

    def forward(self, images, labels, training):
        images = shrunk(images)  # what the network sees is enough to learn from
        dim = misexposed(images, self.noise if training else 0, WELL)  # an evaluation repeats, and advances nothing
        curves = self.curves(dim, training)
        return images, dim, bent(dim, spread(curves, SIDE, SIDE)), curves

    def curve_loss(self, seen):
        images, dim, made, curves = seen
        loss = 0.0
        if self.reference > 0:
            loss = loss + self.reference * ops.mean(ops.abs(images - made), (1, 2, 3))
        if self.reference < 1:
            curves = ops.reshape(curves, (-1, GRID, GRID, ITERATIONS, 3))
            free = spatial_consistency(dim, made) + exposure_error(made) + 0.5 * color_cast(made)
            loss = loss + (1.0 - self.reference) * (free + 20.0 * illumination_smoothness(curves))
        return loss, {"psnr": psnr(images, made)}

    def call(self, images, training=False):
        """Photographs, uint8 or float32 in [0, 1], (n, height, width, 3), enhanced, in [0, 1]."""
        return self.enhanced(images)

    def enhanced(self, images, strength=1.0):
        """The same with a strength, a number or one for each image (n,); see `enhance`."""
        images = unit_range(images)
        strength = ops.reshape(ops.cast(strength, "float32"), (-1, 1, 1, 1))
        curves = strengthened(self.curves(shrunk(images)), strength)
        return ops.clip(bent(images, spread(curves, *ops.shape(images)[1:3])), 0.0, 1.0)

    def curves(self, small, training=False):
        """The curves for small pictures (n, SIDE, SIDE, 3) in [0, 1]: (n, GRID, GRID, 3 ITERATIONS)."""
        return self.network(2.0 * small - 1.0, training=training)

    def published_optimizers(self):
        return {"curves": keras.optimizers.Adam(1e-3)}

    def enhance(self, x, strength: float | np.ndarray = 1.0) -> np.ndarray:
        """One photograph or a batch, of any size, in better exposure, contrast and colour, in the type that came in.

        A large photograph is worked through in strips, in little memory.

        Args:
            x: uint8, uint16 or float32 in [0, 1], (height, width, 3) or a batch of them; or a path, a Pillow image or a
                list of them, which come back as uint8 (16 bits: uint16).
            strength: What each a is multiplied by, a number or one for each photograph, (n,): from 0, which changes
                nothing, over 1, what the network holds for right, to 2, where each a is clipped to [-1, 1].

        Raises:
            ValueError: For another type, shape or range, or a strength outside of [0, 2].
        """
        batch, single = as_photographs(x, (3,))
        try:
            strengths = np.broadcast_to(np.asarray(strength, np.float32), len(batch))
        except (TypeError, ValueError):
            strengths = np.array([np.nan])
        if not (strengths.min() >= 0 and strengths.max() <= STRONGEST):  # so written, NaN fails it too
            allowed = f"0 to {STRONGEST:g}, a number or one for each of {len(batch)}"
            raise ValueError(f"got strength={strength!r}; allowed: {allowed}")
        made = np.stack([self._in_strips(*pair) for pair in zip(batch, strengths, strict=True)])
        return made[0] if single else made

    def _in_strips(self, photo: np.ndarray, strength: float) -> np.ndarray:
        height, width = photo.shape[:2]
        step = max(1, STRIP // width)
        strips = [slice(top, min(top + step, height)) for top in range(0, height, step)]

        def light(strip):
            return ops.convert_to_tensor(in_unit_range(photo[None, strip]))

        rows = bilinear(SIDE, height)
        small = sum(weighted(rows[:, strip], light(strip), 1) for strip in strips)
        curves = strengthened(self.curves(weighted(bilinear(SIDE, width), small, 2)), strength)
        curves, rows = weighted(bilinear(width, GRID), curves, 2), bilinear(height, GRID)
        made = np.empty_like(photo)
        for strip in strips:
            light_now = ops.clip(bent(light(strip), weighted(rows[strip], curves, 1)), 0.0, 1.0)
            made[strip] = in_type(ops.convert_to_numpy(light_now)[0], photo.dtype)
        return made

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, 3) mis-exposed, enhanced, and as they are."""
        dim = to_uint8(ops.convert_to_numpy(misexposed(unit_range(ops.convert_to_tensor(images)), 0)))
        return [dim, self.enhance(dim), images]


def shrunk(images):
    """Pictures (n, height, width, 3) as small ones (n, SIDE, SIDE, 3), antialiased."""
    height, width = ops.shape(images)[1:3]
    return weighted(bilinear(SIDE, width), weighted(bilinear(SIDE, height), images, 1), 2)


def spread(curves, height, width):
    """Curves (n, GRID, GRID, c) for each pixel, (n, height, width, c)."""
    return weighted(bilinear(height, GRID), weighted(bilinear(width, GRID), curves, 2), 1)


def strengthened(curves, strength):
    return ops.clip(strength * curves, -1.0, 1.0)


def bent(images, curves):
    """Images (n, height, width, 3) after all their curves, (n, height, width, 3 ITERATIONS)."""
    for a in ops.split(curves, ITERATIONS, axis=3):
        images = images + a * images * (1.0 - images)
    return images
