"""The denoiser: removes Gaussian noise of a known or unknown level from photographs of any size.

It predicts the noise, as DnCNN, in a residual U-Net, as DRUNet.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", 2017,
arXiv:1608.03981; Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", 2021, arXiv:2008.13751,
section III; without biases: Mohan et al., "Robust and Interpretable Blind Image Denoising via Bias-Free Convolutional
Neural Networks", 2020, arXiv:1906.05478.
"""

import numbers
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import gaussian_noise
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.nn.layers import DepthToSpace, ReplicaSeedGenerator, unit_range
from cnnzoo.nn.losses import psnr
from cnnzoo.nn.replicas import each_row
from cnnzoo.phases import Phase
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import each_photograph, main_in_type
from cnnzoo.tasks.sharing import Shared

SCALES = 3
STRIDE = 2 ** (SCALES - 1)  # pixels per position of the coarsest scale


@register("denoiser")
class Denoiser(Shared):
    """Minimizes the mean of (x - x')^2, and thereby maximizes the PSNR, for x' = y - network(y) and y = x + noise.

    A U-Net with three scales, each with half the sides and twice the channels of the previous one, one residual
    convolution per scale in the encoder and in the decoder, and additive skip connections. The default has 53 k
    parameters, for gray and for color images.

    Args:
        width: Channels at the finest scale.
        depth: Residual convolutions at the coarsest scale.
        bias: Whether convolutions have a bias. Without, the network is homogeneous: scaling its input scales its
            output.
        sigma: Standard deviation of the noise in units of 1 / 255; or a pair, for a uniform random level per image in
            training (blind denoising).
        image_shape: (None, None, 1) for gray images of any size, (None, None, 3) for color.
    """

    task = "restore"
    channels = (1, 3)
    noisy = True
    log_names = ("psnr",)
    search_space: ClassVar[dict] = {
        "learning_rate": (1e-4, 1e-2),
        "batch_size": [16, 32, 64, 128],
        "width": [8, 12, 16],
        "depth": [1, 2],
        "bias": [True, False],
    }

    def __init__(
        self,
        *,
        width: int = 12,
        depth: int = 1,
        bias: bool = True,
        sigma: float | tuple[float, float] = 25.0,
        image_shape: Sequence[Any] = (None, None, 1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if tuple(image_shape) not in ((None, None, 1), (None, None, 3)):
            raise ValueError(f"`image_shape` must be (None, None, 1) or (None, None, 3). Received: {image_shape}")
        self.width, self.depth, self.bias, self.image_shape = width, depth, bias, tuple(image_shape)
        self.sigma = _checked(sigma)
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self.build()

    def make_network(self) -> keras.Model:
        """Noisy images (n, height, width, c) to their noise, float32; sides are multiples of the stride."""
        relu = keras.layers.ReLU()

        def conv(x: Any, channels: int, size: int = 3, **options: Any) -> Any:
            return keras.layers.Conv2D(channels, size, padding="same", use_bias=self.bias, **options)(x)

        def residual(x: Any) -> Any:
            return keras.layers.Add()([x, conv(relu(x), x.shape[-1])])

        noisy = keras.Input(self.image_shape)
        x = residual(conv(noisy, self.width))  # (n, height, width, width)
        finer = []
        for scale in range(1, SCALES):
            finer.append(x)
            x = conv(relu(x), 2**scale * self.width, strides=2)  # (n, height / 2^scale, width / 2^scale, 2^scale width)
            for _ in range(self.depth if scale == SCALES - 1 else 1):
                x = residual(x)
        for skip in reversed(finer):
            x = DepthToSpace(2)(conv(relu(x), 4 * skip.shape[-1], 1))  # the shape of the skip connection
            x = residual(keras.layers.Add()([x, skip]))
        # Zero initialization: training starts from the identity.
        noise = conv(relu(x), self.image_shape[2], kernel_initializer="zeros", dtype="float32")
        return keras.Model(noisy, noise, name="network")

    def phases(self) -> list[Phase]:
        return [Phase("pixels", [self.network], self.pixel_loss)]

    def forward(self, images: Any, labels: Any, training: bool) -> Any:
        seeds = (self.noise, self.noise) if training else (0, 1)  # fixed seeds in evaluation
        return images, self.denoised(self.with_noise(images, *seeds), training)

    def with_noise(self, images: Any, level_seed: Any, seed: Any) -> Any:
        """Images with noise as in training, with a random level per image for a range of sigma."""
        sigma = self.sigma
        if isinstance(sigma, tuple):
            low, high = sigma
            n = ops.shape(images)[0]
            sigma = each_row(lambda n, s: keras.random.uniform((n, 1, 1, 1), low, high, seed=s), n, level_seed)
        return gaussian_noise(images, sigma, seed)

    def denoised(self, noisy: Any, training: bool = False) -> Any:
        """(n, height, width, c) to the same, not clipped to [0, 1]."""
        height, width = ops.shape(noisy)[1:3]
        return noisy - self.network(mirror_to_multiple(noisy, STRIDE), training=training)[:, :height, :width]

    def pixel_loss(self, pair: Any) -> Any:
        images, denoised = pair
        return ops.mean(ops.square(images - denoised), (1, 2, 3)), {"psnr": psnr(images, denoised)}

    def call(self, images: Any, training: bool = False) -> Any:
        """Noisy images, uint8 or float32 (not limited to [0, 1]), to denoised images in [0, 1].

        `predict` and `restore` reject floats with an image mean outside [-0.5, 1.5].
        """
        return ops.clip(self.denoised(unit_range(images), training), 0.0, 1.0)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"pixels": keras.optimizers.Adam(1e-3)}

    @property
    def margin(self) -> int:
        """The radius of the receptive field, in pixels."""
        return STRIDE * (self.depth + 4)

    def restore(self, x: Any, ensemble: bool = False) -> np.ndarray:
        """Denoises one image or a batch, of any size, in the input dtype.

        Args:
            x: uint8, uint16 or float32, (height, width, c) or a batch of them, or (height, width) for gray.
                Noisy floats may leave [0, 1]; the result does not. Or a path, a Pillow image or a list of them,
                converted to gray or color for the model, and returned as uint8 (16 bits: uint16).
            ensemble: Average over the eight flips and rotations; eight times slower, slightly better.

        Raises:
            ValueError: For another dtype or shape, non-finite numbers, or an image mean outside [-0.5, 1.5].
        """
        return each_photograph(
            self, main_in_type, x, (self.image_shape[2],), ensemble, noisy=True, margin=self.margin, stride=STRIDE
        )

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, c) with noise, denoised, and original."""
        noisy = ops.convert_to_numpy(self.with_noise(unit_range(ops.convert_to_tensor(images)), 0, 1))
        return [to_uint8(noisy), to_uint8(self.restore(noisy)), images]


def _checked(sigma: Any) -> Any:
    """Validates a noise level or a pair of them.

    Raises:
        ValueError: For other values.
    """
    pair = tuple(sigma) if isinstance(sigma, (list, tuple)) else (sigma, sigma)
    if len(pair) != 2 or not all(isinstance(s, numbers.Real) for s in pair) or not 0 <= pair[0] <= pair[1] <= 255:
        raise ValueError(f"`sigma` must be a number between 0 and 255, or a pair (low, high). Received: {sigma!r}")
    return pair if isinstance(sigma, (list, tuple)) else sigma
