"""The conditional GAN on Fashion-MNIST.

    cnnzoo train cgan.fashion_mnist

Half an hour on one core.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cgan.fashion_mnist",
    data="fashion_mnist",
    epochs=25,
    batch_size=64,
    expects="garments that are what was asked for in 95 of 100 cases",
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
