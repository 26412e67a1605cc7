"""The k-sparse autoencoder: a long code of which few numbers are not 0.

Source: Makhzani and Frey, "k-Sparse Autoencoders", 2014.
"""

from keras import ops

from cnnzoo.models.autoencoder import Autoencoder
from cnnzoo.registry import register


@register("sparse_autoencoder")
class SparseAutoencoder(Autoencoder):
    """An autoencoder that keeps the `active` largest numbers of each code and sets the others to 0.

    So the sparsity is what was asked for. A penalty on the size of the code would ask for it by a weight that has to be
    found, and could be met by a small code before a decoder with large weights.

    Args:
        latent_dim: The length of the code.
        active: How many of its numbers are kept.
        **config: See `cnnzoo.models.autoencoder.Autoencoder`.
    """

    def __init__(self, *, latent_dim=256, active=32, **config):
        super().__init__(latent_dim=latent_dim, **config)
        if not 1 <= active <= latent_dim:
            raise ValueError(f"got active={active}; allowed: 1 to latent_dim={latent_dim}")
        self.active = active

    def code(self, images, training=False):
        """The codes (n, latent_dim) of images in [0, 1], with `active` numbers each."""
        codes = super().code(images, training)
        least = ops.top_k(codes, self.active)[0][:, -1:]  # (n, 1)
        return ops.where(codes >= least, codes, 0.0)
