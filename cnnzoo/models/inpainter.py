"""The inpainter: a small U-Net with gated convolutions, for holes of any shape in images of any size.

Source: Yu et al., "Free-Form Image Inpainting with Gated Convolution", 2019, arXiv:1806.03589.

Gated convolutions learn a soft mask per channel and position. Partial convolutions (Liu et al., "Image Inpainting for
Irregular Holes Using Partial Convolutions", 2018, arXiv:1804.07723) use a fixed rule instead: division by the known
fraction of the window. Networks learn such a division poorly; here, the smooth initial filling performs it.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from cnnzoo.features.maps import FeatureMaps, unit_distance
from cnnzoo.imaging.given_masks import as_missing
from cnnzoo.imaging.masks import check_kinds, sample
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.imaging.smooth_filling import filled_smoothly, halved, radius, refilled, smooth_filling
from cnnzoo.imaging.tiling import tiled
from cnnzoo.nn.gan_losses import hinge_discriminator_loss, wasserstein_generator_loss
from cnnzoo.nn.layers import PACKAGE, DepthToSpace, ReplicaSeedGenerator, SpectralConv2D, unit_range
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.compiled import in_batches, run
from cnnzoo.tasks.photo_inference import GRAIN, as_photographs, levels, units
from cnnzoo.tasks.sharing import Shared
from cnnzoo.utils.checks import check_integer

DILATIONS = (1, 2, 4)  # of the convolutions at the coarsest level of the U-Net
GRAY = 128  # display value of holes
TILE = 512  # side of the kept part of a tile, in pixels


@keras.saving.register_keras_serializable(PACKAGE)
class GatedConv2D(layers.Layer):
    """f(relu(x)) * 2 sigmoid(g(x)), with 3x3 convolutions f and g; g is initialized to 0, for a gate of 1.

    Args:
        filters: Output channels.
        strides, dilation: Of both convolutions.

    Source: Yu et al., 2019, section 3.1; there the activation follows f.
    """

    def __init__(self, filters: int, strides: int = 1, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.strides, self.dilation = filters, strides, dilation
        settings = {"dilation_rate": dilation, "dtype": self.dtype_policy}
        self.features = layers.Conv2D(filters, 3, strides, "same", **settings)
        self.gates = layers.Conv2D(filters, 3, strides, "same", kernel_initializer="zeros", **settings)

    def build(self, input_shape: Any) -> None:
        self.features.build(input_shape)
        self.gates.build(input_shape)

    def call(self, x: Any) -> Any:
        return self.features(ops.relu(x)) * (2.0 * ops.sigmoid(self.gates(x)))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return self.features.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "strides": self.strides, "dilation": self.dilation}
        return {**super().get_config(), **own}


def u_net(seen: int, made: int, width: int, depth: int, convolution: Callable[..., layers.Layer]) -> keras.Model:
    """A residual U-Net, (n, height, width, seen) to float32 (n, height, width, made), sides multiples of 2^depth.

    All convolutions but the strided ones are residual.

    Args:
        seen, made: Input and output channels.
        width: Channels at full size; each downsampling adds as many.
        depth: Number of downsamplings.
        convolution: Creates a layer from its filters, `strides` and `dilation`.
    """

    def residual(x: Any, dilation: int = 1) -> Any:
        return layers.Add()([x, convolution(x.shape[-1], dilation=dilation)(x)])

    shown = keras.Input((None, None, seen))
    x = residual(layers.Conv2D(width, 3, padding="same")(shown))  # (n, height, width, width)
    skips = []
    for level in range(1, depth + 1):
        skips.append(x)
        x = convolution((level + 1) * width, strides=2)(x)  # (n, height / 2, width / 2, 2 * width)
        for dilation in DILATIONS if level == depth else (1,):
            x = residual(x, dilation)
    for skip in reversed(skips):
        x = DepthToSpace(2)(layers.Conv2D(4 * skip.shape[-1], 1)(x))  # the shape of the skip connection
        x = residual(layers.Add()([x, skip]))
    # Zero initialization: training starts from the smooth filling.
    x = layers.Conv2D(made, 3, padding="same", kernel_initializer="zeros", dtype="float32")(layers.ReLU()(x))
    return keras.Model(shown, x, name="network")


class InpainterOutputs(NamedTuple):
    """A batch with masks and filled images."""

    images: Any  # (n, height, width, channels) in [0, 1], without holes
    mask: Any  # (n, height, width, 1)
    made: Any  # output of the network for all pixels, used for missing ones
    real_logits: Any = None  # per patch, (n, rows, columns, 1)
    fake_logits: Any = None


@register("inpainter")
class Inpainter(Shared):
    """Minimizes |x - x'| over the missing pixels; known pixels are unchanged.

    In training, random masks of the kinds in `masks` are drawn for each image. The inputs of the network are the masked
    image, the mask and the smooth filling; its output is added to the smooth filling. Known pixels are excluded from
    the loss, unlike in Liu et al., equation 7: the smooth filling is exact there, and the loss would favor a zero
    output.

    Args:
        image_shape: (None, None, channels): images of any size, with 1 or 3 channels.
        width: Channels at full size; each downsampling adds as many.
        depth: Number of downsamplings of the U-Net.
        masks: Kinds of training masks; see `cnnzoo.imaging.masks.sample`.
        content: Weight of the distance in the features of `lenet.cifar10` (see `cnnzoo.features.maps`).
        adversarial: Weight of the adversarial loss of a patch discriminator; 0 for no discriminator (Yu et al., section
            3.2).
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
        image_shape: Sequence[Any] = (None, None, 3),
        width: int = 16,
        depth: int = 3,
        masks: Sequence[str] = ("strokes", "box", "pixels"),
        content: float = 0.0,
        adversarial: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if tuple(image_shape) not in ((None, None, 1), (None, None, 3)):
            raise ValueError(f"`image_shape` must be (None, None, 1 or 3), images of any size. Received: {image_shape}")
        check_integer("depth", depth, 1)
        for name, weight in (("content", content), ("adversarial", adversarial)):
            if weight < 0:
                raise ValueError(f"`{name}` must be 0 to leave it out, or a weight > 0. Received: {weight}")
        check_kinds(masks)
        self.image_shape, self.width, self.depth = tuple(image_shape), width, depth
        self.masks, self.content, self.adversarial = tuple(masks), content, adversarial
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self._features: Any = FeatureMaps() if content else None
        if adversarial:
            self.discriminator = self.make_discriminator()
        self.build()

    def make_network(self) -> keras.Model:
        """Masked image, mask and smooth filling, (n, height, width, 2 * channels + 1), to a correction."""
        channels = self.image_shape[2]
        return u_net(2 * channels + 1, channels, self.width, self.depth, GatedConv2D)

    def make_discriminator(self) -> keras.Model:
        """Images in [-1, 1] with their mask (n, height, width, channels + 1) to a logit per patch."""
        x = seen = keras.Input((None, None, self.image_shape[2] + 1))
        for level in range(1, 4):
            x = layers.LeakyReLU(0.2)(SpectralConv2D(2 * level * self.width, 5, 2, "same")(x))
        return keras.Model(seen, SpectralConv2D(1, 3, padding="same", dtype="float32")(x), name="discriminator")

    def phases(self) -> list[Phase]:
        restoration = Phase("restoration", [self.network], self.restoration_loss)
        if not self.adversarial:
            return [restoration]
        return [Phase("discriminator", [self.discriminator], self.discriminator_loss), restoration]

    def forward(self, images: Any, labels: Any, training: bool) -> InpainterOutputs:
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

    def made(self, images: Any, mask: Any, training: bool = False) -> Any:
        """The filled images, independent of masked pixels, not clipped to [0, 1]."""
        return self.refined(images, mask, smooth_filling(images, 1.0 - mask), training)

    def refined(self, images: Any, mask: Any, smooth: Any, training: bool = False) -> Any:
        """The smooth filling plus the correction of the network."""
        height, width = ops.shape(images)[1:3]
        known = 1.0 - mask
        seen = ops.concatenate([known * (2.0 * images - 1.0), known, 2.0 * smooth - 1.0], axis=-1)
        added = self.network(mirror_to_multiple(seen, self.stride), training=training)
        return smooth + 0.5 * added[:, :height, :width]

    def restoration_loss(self, filled: InpainterOutputs) -> Any:
        error = filled.mask * (filled.images - filled.made)
        loss = ops.mean(ops.abs(error), (1, 2, 3))  # over all pixels: larger holes have more weight
        if self.content:
            whole = composed(filled.images, filled.mask, filled.made)
            loss += self.content * unit_distance(self._features(filled.images), self._features(whole))
        if self.adversarial:
            loss = ops.mean(loss) + self.adversarial * wasserstein_generator_loss(filled.fake_logits)
        missing = self.image_shape[2] * ops.sum(filled.mask, axis=(1, 2, 3))
        squared = ops.sum(ops.square(error), axis=(1, 2, 3)) / missing
        return loss, {"hole_psnr": -10.0 * ops.log10(ops.maximum(squared, 1e-10))}

    def discriminator_loss(self, filled: InpainterOutputs) -> Any:
        return hinge_discriminator_loss(filled.real_logits, filled.fake_logits)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {phase.name: keras.optimizers.Adam(1e-3) for phase in self.phases()}

    def call(self, x: Any, training: bool = False) -> Any:
        """Images with their mask as the last channel (n, height, width, channels + 1) to filled images in [0, 1].

        The images are uint8 or float32 in [0, 1]; the mask is nonzero for missing pixels.
        """
        images, mask = unit_range(x[..., :-1]), ops.cast(x[..., -1:] != 0, "float32")
        return composed(images, mask, self.made(images, mask, training))

    @property
    def call_shape(self) -> Any:
        return (*self.image_shape[:2], self.image_shape[2] + 1)

    def images_in(self, x: Any) -> Any:
        return x[..., :-1]

    @property
    def stride(self) -> int:
        """The stride of the coarsest feature map of the U-Net."""
        return 2**self.depth

    @property
    def margin(self) -> int:
        """The receptive field radius of the network, in pixels of the image and its smooth filling."""
        finer = [2**level for level in range(self.depth)]  # strides of all maps but the coarsest
        # Each has one convolution in the encoder, one downsampling and one convolution in the decoder.
        reach = 3 * sum(finer) + self.stride * sum(DILATIONS) + 2  # and the first and last convolution
        return reach + self.stride  # for the position within the coarsest stride

    @property
    def smooth_margin(self) -> int:
        """The receptive field radius of the smooth filling, given its level at the coarsest stride."""
        return radius(self.stride)

    def restore(self, x: Any, mask: Any) -> np.ndarray:
        """Fills the missing pixels of one image or a batch, of any size, in the input dtype.

        Args:
            x: uint8, uint16 or float32 in [0, 1], (height, width, channels) or a batch of them; for gray models
                also (height, width). Or a path, a Pillow image or a list of them, returned as uint8 (16 bits: uint16).
                Pixels in the holes are ignored.
            mask: Nonzero for missing pixels, booleans or numbers: (height, width[, 1]) for all images, or
                (n, height, width[, 1]). Or a path or a Pillow image, thresholded at half of white (see
                `cnnzoo.imaging.given_masks.read_mask`), as are uint8 and uint16 with more than two values.

        Returns:
            The images; known pixels are unchanged, bit for bit.

        Raises:
            ValueError: For images of another shape, dtype or range, a mask of another size, or one with all or no
                pixels of an image missing.
        """
        batch, single = as_photographs(x, self.image_shape[2:])
        missing = as_missing(mask, batch.shape[:3])
        pixels = batch.shape[1] * batch.shape[2]
        if pixels <= TILE**2:
            made = in_batches(self, _filled_at_once, batch, missing, at_once=TILE**2 // pixels)
        else:
            made = np.stack([self._filled(*pair) for pair in zip(batch, missing, strict=True)])
        return made[0] if single else made

    def _filled(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """An image with its `missing` pixels (height, width, 1) filled, tile by tile."""
        extra_inputs = [(missing, 1), (self._coarsely_filled(image, missing), self.stride)]
        tiles = {"margin": self.margin + self.smooth_margin, "stride": self.stride, "tile": TILE, "grain": GRAIN}
        return tiled(self._filled_tile, image, extra_inputs=extra_inputs, **tiles)

    def _coarsely_filled(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """The smooth filling of a whole image at the coarsest stride."""
        rows = 8 * self.stride  # small strips, to avoid a float copy of the image
        strips = (slice(top, top + rows) for top in range(0, len(image), rows))
        coarse = [run(self, _pooled, image[None, strip], missing[None, strip]) for strip in strips]
        total, share = (np.concatenate(part, axis=1) for part in zip(*coarse, strict=True))
        return run(self, _coarsely, total, share)[0]

    def _filled_tile(self, images: np.ndarray, missing: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        """A filled tile (1, height, width, channels), given its smooth filling at the coarsest stride."""
        if not missing.any():  # the common case in large images
            return images
        return run(self, _filled_part, images, missing, coarse)

    def before_after(self, images: np.ndarray, mask: np.ndarray | None = None) -> list[np.ndarray]:
        """uint8 images (n, height, width, channels) with gray holes, filled, and original.

        The holes are random, of the kinds in `masks`, or given by a positive `mask` (n, height, width, 1).
        """
        if mask is None:
            mask = ops.convert_to_numpy(sample(self.masks, images.shape[:3], seed=0))
        return [np.where(mask > 0, GRAY, images).astype(np.uint8), self.restore(images, mask), images]


def composed(images: Any, mask: Any, made: Any) -> Any:
    """The images, with missing pixels replaced by the filling, clipped to [0, 1]."""
    return ops.where(mask > 0, ops.clip(made, 0.0, 1.0), images)


# -- graphs of `restore`: images in their dtype, and booleans that are true where a pixel is missing -------------------


def _pooled(model: Inpainter, images: Any, missing: Any) -> Any:
    """Premultiplied images and known fractions at the coarsest stride."""
    known = 1.0 - ops.cast(missing, "float32")
    return halved(units(images) * known, known, model.depth)[-1]


def _coarsely(model: Inpainter, total: Any, share: Any) -> Any:
    """The smooth filling of what `_pooled` gives."""
    return filled_smoothly(total, share, finest=model.depth)


def _filled_part(model: Inpainter, images: Any, missing: Any, coarse: Any) -> Any:
    """A filled tile, given its smooth filling at the coarsest stride."""
    shown, known = units(images), 1.0 - ops.cast(missing, "float32")
    smooth = refilled(halved(shown * known, known, model.depth - 1), coarse)
    return _in_holes(images, missing, model.refined(shown, 1.0 - known, smooth))


def _filled_at_once(model: Inpainter, images: Any, missing: Any) -> Any:
    """Filled images."""
    return _in_holes(images, missing, model.made(units(images), ops.cast(missing, "float32")))


def _in_holes(images: Any, missing: Any, made: Any) -> Any:
    """The images with the missing pixels replaced by generated ones, in the dtype of the images."""
    return ops.where(missing, levels(made, keras.backend.standardize_dtype(images.dtype)), images)
