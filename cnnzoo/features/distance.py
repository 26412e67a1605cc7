"""Perceptual distance between images."""

import numpy as np
from keras import ops

from cnnzoo.features.maps import FeatureMaps, unit_distance
from cnnzoo.imaging.batch import as_batch

JUDGE = "vgg_small.cifar10"  # no model that restores or enlarges is trained on it
PIXELS = 2**18  # of the images per pass, to bound the memory of the feature maps


class PerceptualDistance:
    """Perceptual distance in the feature maps of a bundled classifier: `cnnzoo.features.maps.unit_distance`.

    Args:
        network: The classifier; see `cnnzoo.features.maps.FeatureMaps`. Distances of different
            networks are not comparable; the network of a model's own training loss is a biased judge.

    Attributes:
        network: Its name.
        protocol: For scores: the network and the sha256 of its weights.

    Raises:
        UnknownName: There is no such checkpoint.
        ValueError: For a network other than a convolutional classifier.

    It is an "LPIPS" only with the networks and weights of Zhang et al.
    """

    def __init__(self, network: str = JUDGE) -> None:
        self._maps = FeatureMaps(network)
        self.network = network
        self.protocol = {"extractor": network, "extractor sha256": self._maps.sha256}

    def __call__(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        """The distance of each pair of images, (n,).

        Args:
            images: uint8 or floats in [0, 1]: one image (height, width, 1 or 3) or a batch of any size.
            others: As `images`, in the same shape.

        Raises:
            ValueError: For different shapes, images too small for the network, or another dtype or range.
        """
        (a, _), (b, _) = (as_batch(x, (None, None, None)) for x in (images, others))
        if a.shape != b.shape:
            raise ValueError(f"Images must come in two batches of one shape. Received: {a.shape} and {b.shape}")
        step = max(1, PIXELS // (a.shape[1] * a.shape[2]))
        return np.concatenate([self._between(a[i : i + step], b[i : i + step]) for i in range(0, len(a), step)])

    def _between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return ops.convert_to_numpy(unit_distance(self._maps(a), self._maps(b)))
