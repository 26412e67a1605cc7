"""The denoiser as large as DnCNN: ten times the parameters of `denoiser`.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", 2017,
arXiv:1608.03981; otherwise that of `denoiser`.
"""

from typing import ClassVar

from cnnzoo.models.denoiser import Denoiser
from cnnzoo.registry import register


@register("denoiser_large")
class DenoiserLarge(Denoiser):
    """A `Denoiser` with 536 k parameters by default; options as there."""

    search_space: ClassVar[dict] = {**Denoiser.search_space, "width": [24, 32, 40], "depth": [1, 2, 3]}

    def __init__(self, *, width=32, depth=2, **config):
        super().__init__(width=width, depth=depth, **config)
