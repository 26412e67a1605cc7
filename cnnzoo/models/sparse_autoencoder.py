"""The k-sparse autoencoder: a long code with few nonzero entries.

Source: Makhzani and Frey, "k-Sparse Autoencoders", 2014, arXiv:1312.5663.
"""

from typing import Any, ClassVar

import keras
from keras import ops

from cnnzoo.models.autoencoder import Autoencoder
from cnnzoo.nn.layers import PACKAGE
from cnnzoo.registry import register


@keras.saving.register_keras_serializable(PACKAGE)
class Largest(keras.layers.Layer):
    """Keeps the `active` largest entries of each row (n, d) and sets the others to 0."""

    def __init__(self, active: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.active = active

    def call(self, x: Any) -> Any:
        least = ops.top_k(x, self.active)[0][:, -1:]  # (n, 1)
        return ops.where(x >= least, x, ops.zeros_like(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "active": self.active}


@register("sparse_autoencoder")
class SparseAutoencoder(Autoencoder):
    """An autoencoder with only the `active` largest entries of each code, the others set to 0.

    Minimizes ||x - x'||^2 with x' = decode(largest(encode(x))).

    The sparsity is exact. An L1 penalty on the code would need a tuned weight, and could be reduced by a small code and
    a decoder with large weights.

    Args:
        latent_dim: Dimension of the code.
        active: Number of kept entries.
        **config: See `cnnzoo.models.autoencoder.Autoencoder`.
    """

    search_space: ClassVar[dict] = {**Autoencoder.search_space, "latent_dim": [128, 256, 512]}

    def __init__(self, *, latent_dim: int = 256, active: int = 32, **config: Any) -> None:
        if not 1 <= active <= latent_dim:
            raise ValueError(f"`active` must be between 1 and latent_dim={latent_dim}. Received: {active}")
        self.active = active
        super().__init__(latent_dim=latent_dim, **config)

    def make_encoder(self) -> keras.Sequential:
        encoder = super().make_encoder()
        encoder.add(Largest(self.active, dtype="float32"))  # (n, latent_dim)
        return encoder
