"""The k-sparse autoencoder: a long code of which few numbers are not 0.

Source: Makhzani and Frey, "k-Sparse Autoencoders", 2014, arXiv:1312.5663.
"""

from typing import ClassVar

import keras
from keras import ops

from cnnzoo.models.autoencoder import Autoencoder
from cnnzoo.nn.layers import PACKAGE
from cnnzoo.registry import register


@keras.saving.register_keras_serializable(PACKAGE)
class Largest(keras.layers.Layer):
    """Keeps the `active` largest numbers of each row (n, d) and sets the others to 0."""

    def __init__(self, active: int, **kwargs):
        super().__init__(**kwargs)
        self.active = active

    def call(self, x):
        least = ops.top_k(x, self.active)[0][:, -1:]  # (n, 1)
        return ops.where(x >= least, x, ops.zeros_like(x))

    def get_config(self):
        return {**super().get_config(), "active": self.active}


@register("sparse_autoencoder")
class SparseAutoencoder(Autoencoder):
    """An autoencoder that keeps the `active` largest numbers of each code and sets the others to 0.

    Minimises ||x - x'||^2 with x' = decode(largest(encode(x))).

    So the sparsity is what was asked for. A penalty on the size of the code would ask for it by a weight that has to be
    found, and could be met by a small code before a decoder with large weights.

    Args:
        latent_dim: The length of the code.
        active: How many of its numbers are kept.
        **config: See `cnnzoo.models.autoencoder.Autoencoder`.
    """

    search_space: ClassVar[dict] = {**Autoencoder.search_space, "latent_dim": [128, 256, 512]}

    def __init__(self, *, latent_dim=256, active=32, **config):
        if not 1 <= active <= latent_dim:
            raise ValueError(f"got active={active}; allowed: 1 to latent_dim={latent_dim}")
        self.active = active
        super().__init__(latent_dim=latent_dim, **config)

    def make_encoder(self) -> keras.Sequential:
        encoder = super().make_encoder()
        encoder.add(Largest(self.active, dtype="float32"))  # (n, latent_dim)
        return encoder
