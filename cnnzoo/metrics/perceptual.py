"""How far apart two images look."""

import numpy as np
from keras import ops

from cnnzoo.images import as_batch
from cnnzoo.perceptual import NETWORK, FeatureMaps

PIXELS = 2**18  # of the images in a pass: few enough for the maps of a wide network on any machine


class PerceptualDistance:
    """The distance of two images in the feature maps of a shipped classifier.

    Each map is divided by its length over the channels at each position; the squared differences are summed over the
    channels, and their means over the positions averaged over the maps. So it is 0 for equal images and at most 2 where
    no feature is negative.

    Args:
        network: The classifier; see `cnnzoo.perceptual.FeatureMaps`. Numbers of two networks cannot be compared.

    Attributes:
        protocol: What a score has to name: the network and the sha256 of its weights.

    Raises:
        UnknownName: There is no such checkpoint.
        ValueError: It is no classifier with convolutions.

    Source: Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", 2018, equation 1
    with all weights 1 and a mean over the layers. It is an "LPIPS" only with the networks and weights of that paper.
    """

    def __init__(self, network: str = NETWORK):
        self._maps = FeatureMaps(network)
        self.protocol = {"extractor": network, "extractor sha256": self._maps.sha256}

    def __call__(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        """The distance of each image from its fellow, (n,).

        Args:
            images: uint8 or floats in [0, 1]: one image (height, width, 1 or 3) or a batch of any size.
            others: As many, of the same size.

        Raises:
            ValueError: For two shapes, images that are too small for the network, or other types or ranges.
        """
        (a, _), (b, _) = (as_batch(x, (None, None, None)) for x in (images, others))
        if a.shape != b.shape:
            raise ValueError(f"got images of shapes {a.shape} and {b.shape}; allowed: two of one shape")
        step = max(1, PIXELS // (a.shape[1] * a.shape[2]))
        return np.concatenate([self._of(a[i : i + step], b[i : i + step]) for i in range(0, len(a), step)])

    def _of(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        pairs = zip(self._maps(a), self._maps(b), strict=True)
        return np.mean([np.mean(np.sum(np.square(_unit(x) - _unit(y)), -1), (1, 2)) for x, y in pairs], axis=0)


def _unit(features) -> np.ndarray:
    """Features (n, height, width, channels) of length 1 at each position, or 0 where all are 0."""
    features = ops.convert_to_numpy(features).astype(np.float64)
    return features / (np.linalg.norm(features, axis=-1, keepdims=True) + 1e-10)
