"""The task base of super-resolution networks with a final sub-pixel convolution."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.color import RGB_OF_YCBCR, YCBCR_OF_RGB, luma
from cnnzoo.imaging.degradations import photographed
from cnnzoo.imaging.resampling import downscale, mirrored, upscaling_weights
from cnnzoo.imaging.self_ensemble import self_ensemble
from cnnzoo.nn.layers import DepthToSpace, ReplicaSeedGenerator, unit_range
from cnnzoo.nn.losses import psnr
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.tasks.photo_inference import LARGEST, each_photograph, levels, rounded, units
from cnnzoo.tasks.sharing import Shared

SCALES = (2, 3, 4)
DEGRADATIONS = ("bicubic", "real")


class SubPixelModel(Shared):
    """Super-resolution of the luma of images; the chroma is upscaled bicubically.

    The training inputs are gray images, downscaled by antialiased bicubic resampling and rounded to 8 bits, and
    degraded further if `degradation` is "real". The network maps (n, height, width, 1) to (n, height, width, scale^2),
    which `depth_to_space` rearranges.

    Args:
        scale: 2, 3 or 4.
        degradation: Of the training inputs: "bicubic", downscaling alone; or "real", with random blur, noise and JPEG
            compression, for photographs from cameras and from the web (see
            `cnnzoo.imaging.degradations.photographed`).
        image_shape: (None, None, 1): gray images of any size.
    """

    task = "upscale"
    log_names = ("psnr",)
    search_space: ClassVar[dict] = {"learning_rate": (1e-4, 1e-2), "batch_size": [16, 32, 64, 128]}

    def __init__(
        self,
        *,
        scale: int = 3,
        degradation: str = "bicubic",
        image_shape: Sequence[Any] = (None, None, 1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if scale not in SCALES:
            raise ValueError(f"`scale` must be one of {', '.join(map(str, SCALES))}. Received: {scale!r}")
        if degradation not in DEGRADATIONS:
            raise ValueError(f"`degradation` must be one of {', '.join(DEGRADATIONS)}. Received: {degradation!r}")
        if tuple(image_shape) != (None, None, 1):
            raise ValueError(
                f"`image_shape` must be (None, None, 1), the luminance of any image. Received: {image_shape}"
            )
        self.scale, self.degradation, self.image_shape = scale, degradation, tuple(image_shape)
        if degradation == "real":
            self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self.to_space = DepthToSpace(scale, dtype="float32")
        self.build()

    def make_network(self) -> keras.Model:
        """Small images (n, height, width, 1) to float32 (n, height, width, scale^2)."""
        raise TypeError(f"{type(self).__name__} must define make_network()")

    def init_from(self, other: PhasedModel) -> None:
        """Copies the weights of another network; for another scale, without the scale-dependent layer.

        Raises:
            ValueError: For different layers, or a model of another kind.
        """
        convolutions = other.convolutions if isinstance(other, SubPixelModel) else []
        pairs = list(zip(self.convolutions, convolutions, strict=False))
        if len(self.convolutions) != len(convolutions) or any(
            mine.kernel.shape[:-1] != theirs.kernel.shape[:-1] for mine, theirs in pairs
        ):
            raise ValueError(
                f"{self.architecture!r} must begin with a model of equal layers. Received: {other.architecture!r}"
            )
        for mine, theirs in pairs:
            if mine.kernel.shape == theirs.kernel.shape:
                set_kernel(mine, *map(ops.convert_to_numpy, (theirs.kernel, theirs.bias)))

    @property
    def convolutions(self) -> list[keras.layers.Layer]:
        return [layer for layer in self.network.layers if hasattr(layer, "kernel_size")]

    def phases(self) -> list[Phase]:
        return [Phase("pixels", [self.network], self.pixel_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        return images, self.enlarged(self.small(images, training), training)

    def small(self, images: Any, training: bool = False) -> Any:
        """The low-resolution inputs: downscaled and rounded to 8 bits; in evaluation degraded by a fixed seed."""
        if self.degradation == "real":
            return photographed(images, self.scale, self.noise if training else 0)
        return ops.round(ops.clip(downscale(images, self.scale), 0.0, 1.0) * 255.0) / 255.0

    def enlarged(self, small: Any, training: bool = False) -> Any:
        """(n, height, width, 1) to (n, height * scale, width * scale, 1), not clipped to [0, 1]."""
        return self.to_space(self.network(small, training=training), training=training)

    def pixel_loss(self, pair: Any) -> Any:
        images, enlarged = pair
        return self.distance(images, enlarged), {"psnr": psnr(images, enlarged)}

    def distance(self, images: Any, enlarged: Any) -> Any:
        """The training loss, (n,): the mean absolute error, unless overridden."""
        return ops.mean(ops.abs(images - enlarged), (1, 2, 3))

    def call(self, images: Any, training: bool = False) -> Any:
        """Gray images, uint8 or float32 in [0, 1], upscaled by `scale`, in [0, 1]."""
        return ops.clip(self.enlarged(unit_range(images), training), 0.0, 1.0)

    def upscaled(self, images: Any) -> Any:
        """Images in [0, 1] (n, height, width, 1 or 3) upscaled, not clipped."""
        return self.to_image(self.to_blocks(images))

    def to_blocks(self, images: Any, largest: float = 1.0) -> Any:
        """The upscaled block of each pixel, times `largest`: (n, height, width, scale, scale * channels), not clipped.

        The luma of color images is rescaled from [16, 235] / 255 to [0, 1], the range of gray images. Their chroma is
        bicubically upscaled (see `cnnzoo.imaging.resampling.upscale`): it is linear, as is the conversion of color, so
        that both are one convolution.
        """
        n, height, width = ops.shape(images)[:3]
        channels = images.shape[3]
        gray = images if channels == 1 else (luma(images) * 255.0 - 16.0) / 219.0
        blocks = largest * ops.clip(self.network(gray), 0.0, 1.0)[..., None]  # (n, height, width, scale^2, 1)
        if channels == 3:
            chroma = ops.matmul(images, YCBCR_OF_RGB[:, 1:].astype("float32"))
            chroma = mirrored(mirrored(chroma, 1, 2), 2, 2)
            colors = ops.conv(chroma, largest * self.chroma_kernel(), padding="valid")
            blocks = blocks + ops.reshape(colors, (n, height, width, self.scale**2, 3))
        return ops.reshape(blocks, (n, height, width, self.scale, self.scale * channels))

    def chroma_kernel(self) -> np.ndarray:
        """Chroma to its part in R, G and B of each pixel of a block, float32 (5, 5, 2, 3 scale^2)."""
        rows = columns = upscaling_weights(self.scale)
        kernel = np.einsum("yi,xj,kc->yxkijc", rows, columns, RGB_OF_YCBCR[1:])
        return kernel.reshape(5, 5, 2, -1).astype(np.float32)

    def to_image(self, blocks: Any) -> Any:
        """The image (n, height * scale, width * scale, channels) of blocks."""
        n, height, width = ops.shape(blocks)[:3]
        sides = (height * self.scale, width * self.scale)
        return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4)), (n, *sides, blocks.shape[4] // self.scale))

    @property
    def margin(self) -> int:
        """The radius of the receptive field, in pixels of the low-resolution image."""
        return sum((layer.kernel_size[0] - 1) // 2 for layer in self.convolutions)

    def upscale(self, x: Any, ensemble: bool = False) -> np.ndarray:
        """Upscales one image or a batch, gray or color, of any size, by `scale`, in the input dtype.

        Args:
            x: uint8, uint16 or float32 in [0, 1], (height, width), (height, width, 1 or 3) or a batch of them; or a
                path, a Pillow image or a list of them, returned as uint8, or uint16 for 16 bits.
            ensemble: Average over the eight flips and rotations; eight times slower, slightly better.
        """
        return each_photograph(self, _in_type, x, (1, 3), ensemble, scale=self.scale, margin=max(self.margin, 2))

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Gray images (n, height, width, 1) downscaled (pixels repeated), upscaled, and original."""
        side = images.shape[1] - images.shape[1] % self.scale, images.shape[2] - images.shape[2] % self.scale
        images = images[:, : side[0], : side[1]]
        small = ops.convert_to_numpy(self.small(unit_range(ops.convert_to_tensor(images))))
        blocks = np.repeat(np.repeat(small, self.scale, axis=1), self.scale, axis=2)
        return [to_uint8(blocks), to_uint8(self.upscale(small)), images]


def _in_type(model: SubPixelModel, part: Any, ensemble: bool) -> Any:
    """The upscaled images in their dtype; see `each_photograph`."""
    images, dtype = units(part), keras.backend.standardize_dtype(part.dtype)
    if ensemble:
        return levels(self_ensemble(lambda x: ops.clip(model.upscaled(x), 0.0, 1.0), images), dtype)
    largest = LARGEST[np.dtype(dtype)]
    blocks = ops.clip(model.to_blocks(images, largest), 0.0, largest)
    return model.to_image(rounded(blocks, dtype))  # as integers, there are fewer bytes to move


def set_kernel(layer: keras.layers.Layer, kernel: np.ndarray, bias: np.ndarray) -> None:
    """Sets kernel and bias of a plain or collapsible convolution."""
    parts = layer.factors(kernel) if hasattr(layer, "factors") else [kernel]
    layer.set_weights([*parts, bias])
