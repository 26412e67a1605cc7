"""A denoiser of the size of DnCNN, with ten times the parameters of `denoiser`.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", 2017,
arXiv:1608.03981; otherwise that of `denoiser`.
"""

from typing import Any, ClassVar

from cnnzoo.models.denoiser import Denoiser
from cnnzoo.registry import register


@register("denoiser_large")
class DenoiserLarge(Denoiser):
    """A `Denoiser` with 522 k parameters by default; same options."""

    search_space: ClassVar[dict] = {**Denoiser.search_space, "width": [24, 32, 40], "depth": [1, 2, 3]}

    def __init__(self, *, width: int = 32, depth: int = 2, **config: Any) -> None:
        super().__init__(width=width, depth=depth, **config)
