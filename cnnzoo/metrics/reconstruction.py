"""How close reconstructions come, for images in [0, 1]."""

import numpy as np


def mse_per_image(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """The mean squared error of each image over its pixels and channels, (n,)."""
    difference = np.asarray(images, np.float64) - np.asarray(reconstructions, np.float64)
    return np.mean(np.square(difference).reshape(len(difference), -1), axis=1)


def psnr_per_image(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """10 log10(1 / MSE) of each image in dB, (n,): the data range is 1. Equal images give infinity."""
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(mse_per_image(images, reconstructions))


def pca_mse(train: np.ndarray, test: np.ndarray, components: int) -> float:
    """The mean squared error of `test` behind a principal component analysis that was fitted on `train`.

    It is the best that a linear code of that length can do on `train`; images are (n, ...) in [0, 1].
    """
    from sklearn.decomposition import PCA

    train, test = (images.reshape(len(images), -1) for images in (train, test))
    pca = PCA(components, svd_solver="covariance_eigh").fit(train)
    return float(np.mean(mse_per_image(test, pca.inverse_transform(pca.transform(test)))))
