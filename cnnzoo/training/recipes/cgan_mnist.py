"""The conditional GAN on MNIST.

    cnnzoo train cgan.mnist

Half an hour on one core.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="cgan.mnist",
    data="mnist",
    epochs=25,
    batch_size=64,
    expects="digits that are what was asked for in more than 99 of 100 cases",
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
