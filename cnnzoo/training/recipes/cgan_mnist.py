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
    expects="samples that a classifier reads as their label in 99.5 % of cases; coverage of each class 0.8",
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
