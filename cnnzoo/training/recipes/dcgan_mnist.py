"""The DCGAN on MNIST.

    cnnzoo train dcgan.mnist

Twenty minutes on two cores.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.mnist",
    data="mnist",
    epochs=30,
    batch_size=64,
    expects="a Fréchet distance of at most 5 times the floor, density and coverage of 0.8",
    optimizers=adam_cosine(1e-3, "discriminator", "generator", beta_1=0.5),
)
