"""A Gaussian mixture over the codes of a trained autoencoder, for sampling.

Source: Ghosh et al., "From Variational to Deterministic Autoencoders", 2020, section 4 ("ex-post density estimation").
"""

import io
import zipfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from cnnzoo.tasks import inference
from cnnzoo.utils.atomic_files import write_bytes

FIELDS = ("weights", "means", "factors")


@dataclass(frozen=True)
class CodeMixture:
    """A Gaussian mixture over codes.

    Attributes:
        weights: Mixture weights, (k,), with sum 1.
        means: (k, latent_dim).
        factors: Cholesky factors of the covariances, lower triangular, (k, latent_dim, latent_dim).
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    @classmethod
    def fit(cls, model: Any, images: np.ndarray, components: int = 10, seed: int = 0) -> "CodeMixture":
        """Fits a mixture to the codes of images by expectation maximization (scikit-learn).

        Args:
            model: With `encode` to floats (n, latent_dim).
            images: Training images, as for `encode`.
            components: Number of Gaussians, with full covariances.
            seed: Of the initialization.

        Raises:
            ValueError: For fewer images than components or than 2, or codes other than floats (n, latent_dim).
        """
        from sklearn.mixture import GaussianMixture

        codes = model.encode(images)
        if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.floating):
            raise ValueError(f"`codes` must be floats (n, latent_dim). Received: {codes.dtype} {codes.shape}")
        if not 1 <= components <= len(codes) or len(codes) < 2:
            raise ValueError(
                f"`components` must be between 1 and the number of images, of at least 2. Received: {components} for "
                f"{len(codes)} images"
            )
        found = GaussianMixture(components, max_iter=300, random_state=seed).fit(codes.astype(np.float64))
        return cls(found.weights_, found.means_, np.linalg.cholesky(found.covariances_))

    @property
    def latent_dim(self) -> int:
        """The length of a code."""
        return self.means.shape[1]

    def draw(self, n: int, seed: int = 0) -> np.ndarray:
        """n random codes, float32 (n, latent_dim), determined by the seed.

        Raises:
            ValueError: For n < 1, or a seed other than an integer >= 0.
        """
        noise = inference.noise(self, n, seed)
        chosen = np.random.default_rng([seed, 1]).choice(len(self.weights), n, p=self.weights)
        return (self.means[chosen] + np.einsum("nij,nj->ni", self.factors[chosen], noise)).astype(np.float32)

    def log_density(self, codes: np.ndarray) -> np.ndarray:
        """log p of codes (n, latent_dim), in nats, (n,)."""
        parts = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            white = solve_triangular(factor, (np.asarray(codes, np.float64) - mean).T, lower=True)  # (latent_dim, n)
            volume = np.log(np.diag(factor)).sum() + 0.5 * self.latent_dim * np.log(2 * np.pi)
            parts.append(np.log(weight) - volume - 0.5 * np.square(white).sum(axis=0))
        return logsumexp(parts, axis=0)

    def generate(self, model: Any, n: int, seed: int = 0) -> np.ndarray:
        """n images decoded from random codes: float32 in [0, 1], (n, height, width, channels)."""
        return model.decode(self.draw(n, seed))

    def save(self, path: str | Path) -> None:
        """Writes the three arrays to an `.npz` file, atomically."""
        buffer = io.BytesIO()
        np.savez(buffer, **dict(zip(FIELDS, astuple(self), strict=True)))
        write_bytes(Path(path), buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "CodeMixture":
        """Reads a file of `save`.

        Raises:
            ValueError: For a file without a mixture.
            FileNotFoundError: For a missing file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(*(file[name] for name in FIELDS))
        except (KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} must be a mixture written by CodeMixture.save. Received: {error}") from error
