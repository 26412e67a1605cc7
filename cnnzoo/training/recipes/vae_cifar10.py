"""The VAE on CIFAR-10, with a discretised logistic likelihood of the 256 values of each channel.

    cnnzoo train vae.cifar10
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="vae.cifar10",
    data="cifar10",
    epochs=20,
    expects="no number yet, since no checkpoint of it is shipped",
    published="none: Kingma and Welling, 2014, have no CIFAR-10",
    config={"image_shape": (32, 32, 3), "latent_dim": 128, "likelihood": "logistic", "width": 32},
    optimizers=adam_cosine(1e-3, "elbo"),
)
