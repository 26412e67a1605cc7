"""The denoiser: takes Gaussian noise of a known or an unknown level out of photographs of any size.

Like DnCNN it predicts the noise; like DRUNet it does so at several scales, each beside the identity.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", 2017,
arXiv:1608.03981; Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior", 2021, arXiv:2008.13751,
section III; without biases: Mohan et al., "Robust and Interpretable Blind Image Denoising via Bias-Free Convolutional
Neural Networks", 2020, arXiv:1906.05478.
"""

import numbers
from typing import ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.imaging.arrays import to_uint8
from cnnzoo.imaging.degradations import gaussian_noise
from cnnzoo.imaging.resampling import mirror_to_multiple
from cnnzoo.nn.layers import DepthToSpace, ReplicaSeedGenerator, unit_range
from cnnzoo.nn.losses import psnr
from cnnzoo.phases import Phase, PhasedModel
from cnnzoo.registry import register
from cnnzoo.tasks.photo_inference import each_photograph

SCALES = 3
STRIDE = 2 ** (SCALES - 1)  # pixels to one of the coarsest scale


@register("denoiser")
class Denoiser(PhasedModel):
    """Minimises the mean of (x - x')^2, which is what the PSNR measures, for x' = y - network(y) and y = x + noise.

    The network works at three scales, each with half the sides and twice the channels of the one before. On the way
    down a convolution is added to the identity at each, and on the way up another, to what came down beside it. With
    the default sizes there are 53 k parameters for grey images and for colour.

    Args:
        width: Channels at the finest scale.
        depth: Convolutions at the coarsest scale.
        bias: Whether the convolutions have one. Without, the network is homogeneous: a picture and its noise may be as
            many times stronger as you like, and so does the result.
        sigma: The standard deviation of the noise in grey levels of 255; or a pair of them, between which that of each
            image is drawn in training ("blind": the network is not told).
        image_shape: (None, None, 1) for grey images of any size, (None, None, 3) for colour.
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
        width=12,
        depth=1,
        bias=True,
        sigma: float | tuple[float, float] = 25.0,
        image_shape=(None, None, 1),
        **kwargs,
    ):
        super().__init__(**kwargs)
        if tuple(image_shape) not in ((None, None, 1), (None, None, 3)):
            raise ValueError(f"got image_shape={image_shape}; allowed: (None, None, 1) or (None, None, 3)")
        self.width, self.depth, self.bias, self.image_shape = width, depth, bias, tuple(image_shape)
        self.sigma = _checked(sigma)
        self.noise = ReplicaSeedGenerator()
        self.network = self.make_network()
        self.build()

    def make_network(self) -> keras.Model:
        """Noisy images (n, height, width, c) to their noise, float32; the sides are multiples of the stride."""
        relu = keras.layers.ReLU()

        def conv(x, channels, size=3, **options):
            return keras.layers.Conv2D(channels, size, padding="same", use_bias=self.bias, **options)(x)

        def beside(x):
            return keras.layers.Add()([x, conv(relu(x), x.shape[-1])])

        noisy = keras.Input(self.image_shape)
        x = beside(conv(noisy, self.width))  # (n, height, width, width)
        finer = []
        for scale in range(1, SCALES):
            finer.append(x)
            x = conv(relu(x), 2**scale * self.width, strides=2)  # (n, height / 2^scale, width / 2^scale, 2^scale width)
            for _ in range(self.depth if scale == SCALES - 1 else 1):
                x = beside(x)
        for beyond in reversed(finer):
            x = DepthToSpace(2)(conv(relu(x), 4 * beyond.shape[-1], 1))  # the shape of what lies beyond
            x = beside(keras.layers.Add()([x, beyond]))
        # It begins with the noise 0.
        noise = conv(relu(x), self.image_shape[2], kernel_initializer="zeros", dtype="float32")
        return keras.Model(noisy, noise, name="network")

    def phases(self):
        return [Phase("pixels", [self.network], self.pixel_loss)]

    def forward(self, images, labels, training):
        seeds = (self.noise, self.noise) if training else (0, 1)  # an evaluation repeats, and advances nothing
        return images, self.denoised(self.with_noise(images, *seeds), training)

    def with_noise(self, images, level_seed, seed):
        """Images with noise as in training: a level is drawn for each where there is a choice, and then the noise."""
        sigma = self.sigma
        if isinstance(sigma, tuple):
            sigma = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), *sigma, seed=level_seed)
        return gaussian_noise(images, sigma, seed)

    def denoised(self, noisy, training=False):
        """(n, height, width, c) to the same, not clipped to [0, 1]."""
        height, width = ops.shape(noisy)[1:3]
        return noisy - self.network(mirror_to_multiple(noisy, STRIDE), training=training)[:, :height, :width]

    def pixel_loss(self, pair):
        images, denoised = pair
        return ops.mean(ops.square(images - denoised), (1, 2, 3)), {"psnr": psnr(images, denoised)}

    def call(self, images, training=False):
        """Noisy images, uint8 or float32 that may leave [0, 1], to ones without noise, in [0, 1].

        `predict` refuses floats of which the mean of an image is outside of [-0.5, 1.5], as `restore` does.
        """
        return ops.clip(self.denoised(unit_range(images), training), 0.0, 1.0)

    def published_optimizers(self):
        return {"pixels": keras.optimizers.Adam(1e-3)}

    @property
    def margin(self) -> int:
        """How many pixels away from its own a pixel of the result depends on."""
        return STRIDE * (self.depth + 4)

    def restore(self, x, ensemble: bool = False) -> np.ndarray:
        """One noisy image or a batch, of any size, without its noise, in the type that came in.

        Args:
            x: uint8, uint16 or float32, (height, width, c) or a batch of them, or (height, width) if it is grey.
                Floats may leave [0, 1], as noise takes them there; the result does not. Or a path, a Pillow image or a
                list of them, which become grey or colour as the model is, and come back as uint8 (16 bits: uint16).
            ensemble: Take the mean over the eight turned and mirrored images; eight times as slow, a little better.

        Raises:
            ValueError: For another type or shape, numbers that are not finite, or an image whose mean is far from
                [0, 1].
        """
        channels = (self.image_shape[2],)
        return each_photograph(self, x, channels, ensemble, noisy=True, margin=self.margin, stride=STRIDE)

    def before_after(self, images: np.ndarray) -> list[np.ndarray]:
        """Images (n, height, width, c) with noise, without it again, and as they are."""
        noisy = ops.convert_to_numpy(self.with_noise(unit_range(ops.convert_to_tensor(images)), 0, 1))
        return [to_uint8(noisy), to_uint8(self.restore(noisy)), images]


def _checked(sigma):
    """A level of noise, or a pair of them.

    Raises:
        ValueError: It is neither.
    """
    pair = tuple(sigma) if isinstance(sigma, (list, tuple)) else (sigma, sigma)
    if len(pair) != 2 or not all(isinstance(s, numbers.Real) for s in pair) or not 0 <= pair[0] <= pair[1] <= 255:
        raise ValueError(f"got sigma={sigma!r}; allowed: a number from 0 to 255, or a pair (low, high)")
    return pair if isinstance(sigma, (list, tuple)) else sigma
