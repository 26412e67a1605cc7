"""The DCGAN on MNIST.

    cnnzoo train dcgan.mnist

An hour on one core.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.mnist",
    data="mnist",
    epochs=50,
    batch_size=64,
    expects="a Fréchet distance of at most 5 times the floor, density and coverage of 0.8",
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
