"""ESPCN with a deeper, narrower network: super-resolution by a sub-pixel convolution.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", 2016, arXiv:1609.05158; the linear blocks and the residual are those of Bhardwaj et al., "Collapsible Linear
Blocks for Super-Efficient Super Resolution", 2022, arXiv:2103.09404.
"""

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.layers import PACKAGE
from cnnzoo.registry import register
from cnnzoo.tasks.upscaler import SubPixelModel

LEAST = 1e-5  # of a mean squared error in its logarithm: 50 dB


@keras.saving.register_keras_serializable(PACKAGE)
class CollapsibleConv2D(keras.layers.Layer):
    """A linear block, trained as a wide convolution, a 1x1 convolution and an identity connection.

    All three are linear, and computed as a single convolution: its kernel is the product of both kernels,
    (k, k, in, out), plus 1 at the center if `in` equals `out`.

    Args:
        filters: Output channels.
        kernel_size: k, odd.
        expansion: Channels between both convolutions.

    Source: Bhardwaj et al., 2022, section 3.
    """

    def __init__(self, filters: int, kernel_size: int, expansion: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.expansion = filters, expansion
        self.kernel_size = (kernel_size, kernel_size)

    def build(self, input_shape: Any) -> None:
        inputs = input_shape[-1]
        self.wide = self.add_weight((*self.kernel_size, inputs, self.expansion), "glorot_uniform", name="wide")
        self.narrow = self.add_weight((self.expansion, self.filters), "glorot_uniform", name="narrow")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")
        self.identity = np.zeros((*self.kernel_size, inputs, self.filters), "float32")
        if inputs == self.filters:
            center = self.kernel_size[0] // 2
            self.identity[center, center] = np.eye(inputs)

    @property
    def kernel(self) -> Any:
        """The collapsed kernel, (k, k, in, out)."""
        wide = ops.convert_to_tensor(self.wide)
        return ops.tensordot(wide, ops.convert_to_tensor(self.narrow), 1) + ops.cast(self.identity, wide.dtype)

    def factors(self, kernel: np.ndarray) -> list[np.ndarray]:
        """Weights `wide` and `narrow` for a given collapsed kernel, with unchanged `narrow`.

        `narrow` has no fewer rows than columns, so that it is inverted by its pseudo-inverse.
        """
        narrow = ops.convert_to_numpy(self.narrow)
        return [(kernel - self.identity) @ np.linalg.pinv(narrow), narrow]

    def call(self, x: Any) -> Any:
        return ops.conv(x, self.kernel, padding="same") + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "kernel_size": self.kernel_size[0], "expansion": self.expansion}
        return {**super().get_config(), **own}


@register("espcn")
class ESPCN(SubPixelModel):
    """Minimizes |x - x'| for the upscaled image x' = depth_to_space(network(small x) + small x).

    With `degradation="real"` it minimizes log(mean of (x - x')^2) instead, and thereby maximizes the mean PSNR, as the
    error of strongly compressed images is a multiple of that of others.

    The network has a 5x5 convolution, `depth` 3x3 convolutions with a skip connection from the first, and a 3x3
    convolution to scale^2 channels. The default with scale 3 has 22.6 k parameters once merged, close to the
    22.7 k of the published network.

    Args:
        width: Channels of the convolutions.
        depth: Convolutions between the first and the last.
        expansion: Inner channels of the linear blocks in training, at least `width` and scale^2, so that they can have
            any kernel; 0 for plain convolutions, as in `reparameterized`.
        **config: See `cnnzoo.tasks.upscaler.SubPixelModel`.

    Raises:
        ValueError: For another `expansion`, or as there.
    """

    search_space: ClassVar[dict] = {**SubPixelModel.search_space, "width": [8, 16, 24], "depth": [5, 7, 9]}

    def __init__(self, *, width: int = 16, depth: int = 9, expansion: int = 64, **config: Any) -> None:
        self.width, self.depth, self.expansion = width, depth, expansion
        super().__init__(**config)
        if expansion and expansion < (least := max(width, self.scale**2)):
            raise ValueError(
                f"`expansion` must be 0, or an integer >= {least}, the larger of `width` and scale^2. "
                f"Received: {expansion!r}"
            )

    def _convolution(self, filters: int, kernel_size: int) -> keras.layers.Layer:
        if self.expansion:
            return CollapsibleConv2D(filters, kernel_size, self.expansion)
        return keras.layers.Conv2D(filters, kernel_size, padding="same")

    def make_network(self) -> keras.Model:
        small = keras.Input(self.image_shape)
        x = first = keras.layers.LeakyReLU(0.2)(self._convolution(self.width, 5)(small))  # (n, height, width, width)
        for _ in range(self.depth):
            x = keras.layers.LeakyReLU(0.2)(self._convolution(self.width, 3)(x))
        x = self._convolution(self.scale**2, 3)(keras.layers.Add()([x, first]))  # (n, height, width, scale^2)
        # The skip connection of the input is nearest-neighbor upscaling.
        whole = keras.layers.Add(dtype="float32")([x, small])
        return keras.Model(small, whole, name="network")

    def distance(self, images: Any, enlarged: Any) -> Any:
        if self.degradation == "real":
            return ops.log(ops.mean(ops.square(images - enlarged), (1, 2, 3)) + LEAST)
        return super().distance(images, enlarged)

    def default_optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {"pixels": keras.optimizers.Adam(1e-3)}

    def reparameterized(self) -> "ESPCN":
        """An equivalent model with linear blocks collapsed to plain convolutions."""
        if not self.expansion:
            return self
        plain = type(self).from_config({**self.get_config(), "expansion": 0})
        plain.init_from(self)
        return plain
