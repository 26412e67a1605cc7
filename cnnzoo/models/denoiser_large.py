"""The denoiser as large as DnCNN: ten times the parameters of `denoiser`."""

from cnnzoo.models.denoiser import Denoiser
from cnnzoo.registry import register


@register("denoiser_large")
class DenoiserLarge(Denoiser):
    """A `Denoiser` with 536 k parameters by default; options as there."""

    def __init__(self, *, width=32, depth=2, **config):
        super().__init__(width=width, depth=depth, **config)
