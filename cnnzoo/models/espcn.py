"""ESPCN with a deeper, narrower network: enlarges small images by a sub-pixel convolution.

Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", 2016, arXiv:1609.05158; the linear blocks and the residual are those of Bhardwaj et al., "Collapsible Linear
Blocks for Super-Efficient Super Resolution", 2022, arXiv:2103.09404.
"""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from cnnzoo.nn.layers import PACKAGE
from cnnzoo.registry import register
from cnnzoo.tasks.upscaler import SubPixelModel


@keras.saving.register_keras_serializable(PACKAGE)
class CollapsibleConv2D(keras.layers.Layer):
    """A convolution trained as a product: a wide convolution, a 1x1 convolution behind it, and the identity beside.

    All three are linear, so that they are one convolution, which is what is computed: the kernel is the product of the
    two, (k, k, in, out), plus 1 at its centre where `in` equals `out`.

    Args:
        filters: Channels of the result.
        kernel_size: k, odd.
        expansion: Channels between the two.

    Source: Bhardwaj et al., 2022, section 3.
    """

    def __init__(self, filters: int, kernel_size: int, expansion: int, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.expansion = filters, expansion
        self.kernel_size = (kernel_size, kernel_size)

    def build(self, input_shape):
        inputs = input_shape[-1]
        self.wide = self.add_weight((*self.kernel_size, inputs, self.expansion), "glorot_uniform", name="wide")
        self.narrow = self.add_weight((self.expansion, self.filters), "glorot_uniform", name="narrow")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")
        self.beside = np.zeros((*self.kernel_size, inputs, self.filters), "float32")
        if inputs == self.filters:
            centre = self.kernel_size[0] // 2
            self.beside[centre, centre] = np.eye(inputs)

    @property
    def kernel(self):
        """The kernel of the one convolution, (k, k, in, out)."""
        wide = ops.convert_to_tensor(self.wide)
        return ops.tensordot(wide, ops.convert_to_tensor(self.narrow), 1) + ops.cast(self.beside, wide.dtype)

    def factors(self, kernel: np.ndarray) -> list[np.ndarray]:
        """The two weights whose product, with the identity beside it, is that kernel; `narrow` stays as it is.

        It has more rows than columns, so that its pseudo-inverse undoes it.
        """
        narrow = ops.convert_to_numpy(self.narrow)
        return [(kernel - self.beside) @ np.linalg.pinv(narrow), narrow]

    def call(self, x):
        return ops.conv(x, self.kernel, padding="same") + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        own = {"filters": self.filters, "kernel_size": self.kernel_size[0], "expansion": self.expansion}
        return {**super().get_config(), **own}


@register("espcn")
class ESPCN(SubPixelModel):
    """Minimises |x - x'| for the enlarged image x' = depth_to_space(network(small x) + small x).

    The network is a 5x5 convolution, `depth` convolutions of 3x3 whose result is added to that of the first, and one to
    scale^2 channels. With the default sizes and scale 3 it has 22.5 k parameters, as many as were published.

    Args:
        width: Channels of the convolutions.
        depth: How many convolutions lie between the first and the last.
        expansion: Channels inside each convolution in training; 0 for plain ones, as `reparameterized` gives.
        **config: See `cnnzoo.tasks.upscaler.SubPixelModel`.
    """

    search_space: ClassVar[dict] = {**SubPixelModel.search_space, "width": [8, 16, 24], "depth": [5, 7, 9]}

    def __init__(self, *, width=16, depth=9, expansion=64, **config):
        self.width, self.depth, self.expansion = width, depth, expansion
        super().__init__(**config)

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
        # The small image beside each of its scale^2 parts is the enlargement by the nearest neighbour.
        whole = keras.layers.Add(dtype="float32")([x, small])
        return keras.Model(small, whole, name="network")

    def published_optimizers(self):
        return {"pixels": keras.optimizers.Adam(1e-3)}

    def reparameterized(self) -> "ESPCN":
        """The same function with each linear block as the one convolution that it is."""
        if not self.expansion:
            return self
        plain = type(self).from_config({**self.get_config(), "expansion": 0})
        plain.init_from(self)
        return plain
