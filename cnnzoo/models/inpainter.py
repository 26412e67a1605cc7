"""The inpainter: a small U-Net of gated convolutions that fills holes of any shape in images of any size.

Source: Yu et al., "Free-Form Image Inpainting with Gated Convolution", 2019, arXiv:1806.03589.

A gated convolution is told the mask and learns, for each channel and place, how far to trust what it sees. A partial
convolution (Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", 2018, arXiv:1804.07723) does
that by a fixed rule: it divides by how much of its window is known. That division, which a network cannot learn easily,
is done here once, by the smooth filling that the network starts from; what is left to learn is then a matter of gates.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.features.maps import FeatureMaps, unit_distance
from cnnzoo.imaging.masks import as_missing, check_kinds, sample
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.imaging.tiling import tiled
from cnnzoo.nn.gan_losses import hinge_discriminator_loss, wasserstein_generator_loss
from cnnzoo.nn.layers import PACKAGE, DepthToSpace, ReplicaSeedGenerator, SpectralConv2D, unit_range
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import as_photographs, in_type, in_unit_range

LEVELS = 10  # how often the smooth filling halves an image at most: it reaches into holes of 1024 pixels
LEAST = 1e-7  # less than any known share of a pixel of the coarsest level, 4^-10, and no 0 in half precision
HARMONIC = 5  # how often each pixel of a level takes the mean of its neighbours
BIHARMONIC = 16  # how often the finest level is smoothed further
DILATIONS = (1, 2, 4)  # of the convolutions at the coarsest stride of the U-Net
GREY = 128  # how holes are shown
TILE = 256  # pixels a side of what is kept of a tile


def smooth_filling(images, known):
    """Images with their holes filled as smoothly as a few steps can.

    The image and its mask are halved until one pixel is left. Back from that one, each pixel takes the average of what
    was known in it or, as far as that was less than a quarter of it, what the next coarser has, relaxed some times
    towards the mean of its neighbours: a solution of Laplace's equation. At full size further steps go towards that of
    the biharmonic equation, which goes on slopes as well as levels; they are few, so that only thin holes, where it is
    the better one, come to it.

    Source: the pull-push algorithm of Gortler et al., "The Lumigraph", 1996, section 3.4; Damelin and Hoang, "On
    Surface Completion and Image Inpainting by Biharmonic Functions", 2018.

    Args:
        images: float32 (n, height, width, channels) in [0, 1].
        known: (n, height, width, 1), 1 where a pixel is known, 0 where it is not.

    Returns:
        float32 of the shape of `images`, which it equals where they are known.
    """
    return _filled_smoothly(images * known, known)


def _filled_smoothly(total, share, finest: int = 0):
    """The same for images without their holes, halved `finest` times, and how much of each pixel is known."""
    sides, most = total.shape[1:3], max(LEVELS - finest, 0)
    levels = most if None in sides else min(most, (max(sides) - 1).bit_length())
    *pyramid, (total, share) = _halved(total, share, levels)
    return _refilled(pyramid, total / ops.maximum(share, LEAST), finest)


def _halved(total, share, times: int) -> list[tuple]:
    """Images without their holes and how much of each pixel is known, at full size and after each halving."""
    pyramid = [(total, share)]
    for _ in range(times):
        pyramid.append(tuple(ops.average_pool(part, 2, 2, "same") for part in pyramid[-1]))
    return pyramid


def _refilled(pyramid: list[tuple], filled, finest: int = 0):
    """The finest level of a pyramid, which was halved `finest` times, filled from what lies beyond its coarsest."""
    for level, (total, share) in reversed(list(enumerate(pyramid, finest))):
        height, width = ops.shape(total)[1:3]
        filled = ops.repeat(ops.repeat(filled, 2, axis=1), 2, axis=2)[:, :height, :width]
        trust = ops.minimum(4.0 * share, 1.0) if level else share
        found = trust * total / ops.maximum(share, LEAST)
        filled = found + (1.0 - trust) * filled
        for _ in range(HARMONIC):
            filled = found + (1.0 - trust) * (filled + _laplacian(filled))
    if finest:
        return filled
    for _ in range(BIHARMONIC):
        # The largest eigenvalue of the Laplacian here is 2, so that steps of up to 1/2 are stable.
        filled = found + (1.0 - trust) * (filled - 0.48 * _laplacian(_laplacian(filled)))
    return ops.clip(filled, 0.0, 1.0)  # from slopes the biharmonic steps go beyond


def _laplacian(x):
    """How far the mean of its four neighbours lies above each pixel; the border is mirrored."""
    around = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "symmetric")
    rows, columns = around[:, :, 1:-1], around[:, 1:-1]
    return (rows[:, :-2] + rows[:, 2:] + columns[:, :, :-2] + columns[:, :, 2:]) / 4.0 - x


@keras.saving.register_keras_serializable(PACKAGE)
class GatedConv2D(layers.Layer):
    """f(relu(x)) * 2 sigmoid(g(x)), with f and g convolutions of 3x3; g begins at 0, so that all gates are half open.

    Args:
        filters: Channels of the result.
        strides, dilation: Of both convolutions.

    Source: Yu et al., 2019, section 3.1; there the activation stands behind f and not before it.
    """

    def __init__(self, filters: int, strides: int = 1, dilation: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.strides, self.dilation = filters, strides, dilation
        settings = {"dilation_rate": dilation, "dtype": self.dtype_policy}
        self.features = layers.Conv2D(filters, 3, strides, "same", **settings)
        self.gates = layers.Conv2D(filters, 3, strides, "same", kernel_initializer="zeros", **settings)

    def build(self, input_shape):
        self.features.build(input_shape)
        self.gates.build(input_shape)

    def call(self, x):
        return self.features(ops.relu(x)) * (2.0 * ops.sigmoid(self.gates(x)))

    def compute_output_shape(self, input_shape):
        return self.features.compute_output_shape(input_shape)

    def get_config(self):
        own = {"filters": self.filters, "strides": self.strides, "dilation": self.dilation}
        return {**super().get_config(), **own}


def u_net(seen: int, made: int, width: int, depth: int, convolution: Callable[..., layers.Layer]) -> keras.Model:
    """Maps (n, height, width, seen), with sides that are multiples of 2^depth, to float32 (n, height, width, made).

    What each convolution gives is added to what it was given, but for those that halve the sides.

    Args:
        seen, made: Channels.
        width: Channels of the convolutions at first; each halving adds as many.
        depth: How often the sides are halved.
        convolution: Gives a layer for its filters, `strides` and `dilation`.
    """

    def further(x, dilation=1):
        return layers.Add()([x, convolution(x.shape[-1], dilation=dilation)(x)])

    shown = keras.Input((None, None, seen))
    x = further(layers.Conv2D(width, 3, padding="same")(shown))  # (n, height, width, width)
    beside = []
    for level in range(1, depth + 1):
        beside.append(x)
        x = convolution((level + 1) * width, strides=2)(x)  # (n, height / 2, width / 2, 2 * width)
        for dilation in DILATIONS if level == depth else (1,):
            x = further(x, dilation)
    for finer in reversed(beside):
        x = DepthToSpace(2)(layers.Conv2D(4 * finer.shape[-1], 1)(x))  # the shape of what lies beside
        x = further(layers.Add()([x, finer]))
    # It begins with nothing to add.
    x = layers.Conv2D(made, 3, padding="same", kernel_initializer="zeros", dtype="float32")(layers.ReLU()(x))
    return keras.Model(shown, x, name="network")


class InpainterOutputs(NamedTuple):
    """A batch with holes that were filled."""

    images: object  # (n, height, width, channels) in [0, 1], as they were without holes
    mask: object  # (n, height, width, 1)
    made: object  # what the network makes of all pixels; it is only asked about those that are missing
    real_logits: object = None  # of each patch, (n, rows, columns, 1)
    fake_logits: object = None


@register("inpainter")
class Inpainter(PhasedModel):
    """Minimises |x - x'| over the missing pixels; the known ones stay as they are.

    In training, holes of the kinds in `masks` are drawn anew for each image. The network sees the image without what is
    missing, the mask and the smooth filling; it gives the difference from the smooth filling. Known pixels do not
    count, unlike in Liu et al., equation 7: as the smooth filling is exact there, asking for them keeps the network
    from leaving it anywhere.

    Args:
        image_shape: (None, None, channels): images of any size, with 1 or 3 channels.
        width: Channels at full size; each halving adds as many.
        depth: How often the U-Net halves that.
        masks: The kinds of holes it is trained on; see `cnnzoo.imaging.masks.sample`.
        content: The weight of the distance in the features of `lenet.cifar10` (see `cnnzoo.features.maps`).
        adversarial: The weight of the opinion of a discriminator of patches, which is trained beside it; without one
            there is no discriminator (Yu et al., section 3.2).
    """

    task = "inpaint"
    channels = (1, 3)
    log_names = ("hole_psnr",)
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 1e-2),
        "batch_size": [16, 32, 64, 128],
        "width": [8, 16, 24],
        "depth": [2, 3, 4],
    }
    updates = "simultaneous"

    def __init__(
        self,
        *,
        image_shape=(None, None, 3),
        width=16,
        depth=3,
        masks=("strokes", "box", "pixels"),
        content=0.0,
        adversarial=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if tuple(image_shape) not in ((None, None, 1), (None, None, 3)):
            raise ValueError(f"got image_shape={image_shape}; allowed: (None, None, 1 or 3), images of any size")
        if depth < 1:
            raise ValueError(f"got depth={depth}; allowed: >= 1")
        for name, weight in (("content", content), ("adversarial", adversarial)):
            if weight < 0:
                raise ValueError(f"got {name}={weight}; allowed: 0 to leave it out, or a weight above it")
        check_kinds(masks)
        self.image_shape, self.width, self.depth = tuple(image_shape), width, depth
        self.masks, self.content, self.adversarial = tuple(masks), content, adversarial
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self._features = FeatureMaps() if content else None
        if adversarial:
            self.discriminator = self.make_discriminator()
        self.build()

    def make_network(self) -> keras.Model:
        """What is seen, (n, height, width, 2 * channels + 1), to (n, height, width, channels)."""
        channels = self.image_shape[2]
        return u_net(2 * channels + 1, channels, self.width, self.depth, GatedConv2D)

    def make_discriminator(self) -> keras.Model:
        """Images in [-1, 1] with their mask (n, height, width, channels + 1) to a logit for each patch."""
        x = seen = keras.Input((None, None, self.image_shape[2] + 1))
        for level in range(1, 4):
            x = layers.LeakyReLU(0.2)(SpectralConv2D(2 * level * self.width, 5, 2, "same")(x))
        return keras.Model(seen, SpectralConv2D(1, 3, padding="same", dtype="float32")(x), name="discriminator")

    def phases(self):
        restoration = Phase("restoration", [self.network], self.restoration_loss)
        if not self.adversarial:
            return [restoration]
        return [Phase("discriminator", [self.discriminator], self.discriminator_loss), restoration]

    def forward(self, images, labels, training):
        shape = (ops.shape(images)[0], *images.shape[1:3])
        mask = sample(self.masks, shape, self.noise if training else 0)
        made = self.made(images, mask, training)
        if not self.adversarial:
            return InpainterOutputs(images, mask, made)
        real, fake = (
            self.discriminator(ops.concatenate([2.0 * shown - 1.0, mask], axis=-1), training=training)
            for shown in (images, composed(images, mask, made))
        )
        return InpainterOutputs(images, mask, made, real, fake)

    def made(self, images, mask, training=False):
        """What becomes of images in [0, 1], whatever stands where the mask is 1; not clipped to [0, 1]."""
        return self.refined(images, mask, smooth_filling(images, 1.0 - mask), training)

    def refined(self, images, mask, smooth, training=False):
        """The smooth filling and what the network adds to it."""
        height, width = ops.shape(images)[1:3]
        known = 1.0 - mask
        seen = ops.concatenate([known * (2.0 * images - 1.0), known, 2.0 * smooth - 1.0], axis=-1)
        added = self.network(mirror_to_multiple(seen, self.stride), training=training)
        return smooth + 0.5 * added[:, :height, :width]

    def restoration_loss(self, filled: InpainterOutputs):
        error = filled.mask * (filled.images - filled.made)
        loss = ops.mean(ops.abs(error), (1, 2, 3))  # over all pixels: an image with large holes counts for more
        if self.content:
            whole = composed(filled.images, filled.mask, filled.made)
            loss += self.content * unit_distance(self._features(filled.images), self._features(whole))
        if self.adversarial:
            loss = ops.mean(loss) + self.adversarial * wasserstein_generator_loss(filled.fake_logits)
        missing = self.image_shape[2] * ops.sum(filled.mask, axis=(1, 2, 3))
        squared = ops.sum(ops.square(error), axis=(1, 2, 3)) / missing
        return loss, {"hole_psnr": -10.0 * ops.log10(ops.maximum(squared, 1e-10))}

    def discriminator_loss(self, filled: InpainterOutputs):
        return hinge_discriminator_loss(filled.real_logits, filled.fake_logits)

    def published_optimizers(self):
        return {phase.name: keras.optimizers.Adam(1e-3) for phase in self.phases()}

    def call(self, x, training=False):
        """Images with their mask as the last channel (n, height, width, channels + 1) to whole ones in [0, 1].

        The images are uint8 or float32 in [0, 1]; the mask is not 0 where a pixel is missing.
        """
        images, mask = unit_range(x[..., :-1]), ops.cast(x[..., -1:] != 0, "float32")
        return composed(images, mask, self.made(images, mask, training))

    @property
    def call_shape(self):
        return (*self.image_shape[:2], self.image_shape[2] + 1)

    def images_in(self, x):
        return x[..., :-1]

    @property
    def stride(self) -> int:
        """The pixels that the coarsest map of the U-Net has one for."""
        return 2**self.depth

    @property
    def margin(self) -> int:
        """How many pixels away from its own, in the image and its smooth filling, a pixel of the result depends on."""
        finer = [2**level for level in range(self.depth)]  # the strides of the maps but the coarsest
        # At each of them there is a convolution on the way down, one to the next coarser and one on the way up.
        reach = 3 * sum(finer) + self.stride * sum(DILATIONS) + 2  # … and the first and the last
        return reach + self.stride  # a pixel may lie at either side of the coarse one that it belongs to

    @property
    def smooth_margin(self) -> int:
        """How far a pixel of the smooth filling depends on the image, if that is known at the coarsest stride."""
        return HARMONIC * (self.stride - 1) + 2 * BIHARMONIC + self.stride

    def restore(self, x, mask) -> np.ndarray:
        """One image or a batch, of any size, with the missing pixels filled in, in the type that came in.

        Args:
            x: uint8, uint16 or float32 in [0, 1], (height, width, channels) or a batch of them; for a model of grey
                images (height, width) too. Or a path, a Pillow image or a list of them, which come back as uint8 (16
                bits: uint16). What stands in the holes does not matter.
            mask: Not 0 where a pixel is missing, of booleans or any numbers: (height, width[, 1]) for all images, or
                (n, height, width[, 1]). Or a path or a Pillow image, at least half of white there (see
                `cnnzoo.imaging.masks.read_mask`); so are uint8 and uint16 of more than two values.

        Returns:
            The images; known pixels are those that came in, bit for bit.

        Raises:
            ValueError: For images of another shape, type or range, a mask of another size, or one by which all of an
                image or none of it is missing.
        """
        batch, single = as_photographs(x, self.image_shape[2:])
        missing = as_missing(mask, batch.shape[:3])
        made = [self._filled(*pair) for pair in zip(batch, missing, strict=True)]
        return made[0] if single else np.stack(made)

    def _filled(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """An image filled where `missing` (height, width, 1) is true; tile by tile."""
        beside = [(missing, 1), (self._coarsely_filled(image, missing), self.stride)]
        tiles = {"margin": self.margin + self.smooth_margin, "stride": self.stride, "tile": TILE}
        return tiled(self._filled_tile, image, extra_inputs=beside, **tiles)

    def _coarsely_filled(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """The smooth filling of a whole image at the coarsest stride."""
        rows = 8 * self.stride  # few, as none of the image is to be held in floats
        strips = (slice(top, top + rows) for top in range(0, len(image), rows))
        parts = (_as_floats(image[None, strip], missing[None, strip]) for strip in strips)
        coarse = [_halved(images * known, known, self.depth)[-1] for images, known in parts]
        total, share = (ops.concatenate(part, axis=1) for part in zip(*coarse, strict=True))
        return ops.convert_to_numpy(_filled_smoothly(total, share, finest=self.depth))[0]

    def _filled_tile(self, images: np.ndarray, missing: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        """Part of an image, (1, height, width, channels), filled, given that of its smooth filling at the stride."""
        if not missing.any():  # as in most of a large picture
            return images
        shown, known = _as_floats(images, missing)
        smooth = _refilled(_halved(shown * known, known, self.depth - 1), ops.convert_to_tensor(coarse))
        made = ops.convert_to_numpy(self.refined(shown, 1.0 - known, smooth)).clip(0.0, 1.0)
        return np.where(missing, in_type(made, images.dtype), images)

    def before_after(self, images: np.ndarray, mask: np.ndarray | None = None) -> list[np.ndarray]:
        """uint8 images (n, height, width, channels) with holes, shown grey, then without, and as they are.

        The holes are of the kinds in `masks`, or where `mask` (n, height, width, 1) is above 0.
        """
        if mask is None:
            mask = ops.convert_to_numpy(sample(self.masks, images.shape[:3], seed=0))
        return [np.where(mask > 0, GREY, images).astype(np.uint8), self.restore(images, mask), images]


def composed(images, mask, made):
    """The images, with what was made of their missing pixels, clipped to [0, 1]."""
    return ops.where(mask > 0, ops.clip(made, 0.0, 1.0), images)


def _as_floats(images: np.ndarray, missing: np.ndarray) -> tuple:
    """Images in [0, 1], and 1 where they are known, 0 where not."""
    return ops.convert_to_tensor(in_unit_range(images)), ops.convert_to_tensor(1.0 - missing.astype(np.float32))
