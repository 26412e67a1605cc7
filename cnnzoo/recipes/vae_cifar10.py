"""The VAE on CIFAR-10, with a discretised logistic likelihood of the 256 values of each channel.

    cnnzoo train vae.cifar10

Half an hour on one core. Each value of a pixel is a logistic by itself, so that texture is noise to it: the bound is
6.16 bits per value, and images and samples are blurred.
"""

from cnnzoo.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="vae.cifar10",
    data="cifar10",
    epochs=20,
    expects="at most 6.16 bits per value by importance weighting; test MSE 0.96 of a PCA's; samples at Fréchet 41",
    published="none: Kingma and Welling, 2014, have no CIFAR-10",
    config={"image_shape": (32, 32, 3), "latent_dim": 128, "likelihood": "logistic", "width": 32},
    optimizers=adam_cosine(1e-3, "elbo"),
)
