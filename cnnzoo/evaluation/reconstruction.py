"""Scores of autoencoders: reconstruction errors, and those of PCA with the same number of components."""

from typing import Any

import numpy as np

from cnnzoo.data import ImageSet
from cnnzoo.metrics import reconstruction
from cnnzoo.metrics.scores import Score


def scores(model: Any, found: ImageSet, train: np.ndarray) -> list[Score]:
    """MSE and PSNR on images in [0, 1], the MSE of PCA if there is one, and that of the worst class.

    A PCA needs codes smaller than images, or it would be exact, and as many training images as components.

    Args:
        model: An autoencoder.
        found: The images to reconstruct.
        train: The images that PCA is fitted on, uint8 (n, height, width, channels).
    """
    truth = found.images.astype(np.float32) / 255
    made = model.reconstruct(truth)
    n = len(truth)
    errors = reconstruction.mse_per_image(truth, made)
    mse = float(errors.mean())
    psnr = float(reconstruction.psnr_per_image(truth, made).mean())
    scores = [
        Score("mse", mse, "", "lower", n, protocol={"range": "[0, 1]", "mean over": "images, pixels and channels"}),
        Score("psnr", psnr, "dB", "higher", n, protocol={"data range": 1, "mean over": "images"}),
    ]
    if model.latent_dim < truth[0].size and model.latent_dim <= len(train):
        pca = reconstruction.pca_mse(train.astype(np.float32) / 255, truth, model.latent_dim)
        fitted = {"components": model.latent_dim, "fitted on": f"{len(train)} training images"}
        scores.append(Score("pca_mse", pca, "", "", n, protocol=fitted))
        scores.append(Score("mse_over_pca", mse / pca, "", "lower", n, protocol=fitted))
    return scores if found.labels is None else [*scores, _worst_class(errors, found.labels, found.classes)]


def _worst_class(errors: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> Score:
    """The highest mean error of a class, with the means of all classes in its protocol."""
    means = {label: float(errors[labels == label].mean()) for label in np.unique(labels)}
    worst = max(means, key=means.__getitem__)
    table = {classes[label]: float(f"{mean:.4g}") for label, mean in means.items()}
    protocol = {"class": classes[worst], "by class": table}
    return Score("worst_class_mse", means[worst], "", "lower", int(np.sum(labels == worst)), protocol=protocol)
