"""The DCGAN on Fashion-MNIST.

    cnnzoo train dcgan.fashion_mnist

Twenty minutes on one core.
"""

from cnnzoo.training.recipes import Recipe, adam_cosine

RECIPE = Recipe(
    checkpoint="dcgan.fashion_mnist",
    data="fashion_mnist",
    epochs=20,
    batch_size=64,
    expects="a Fréchet distance of at most 5 times the floor, density and coverage of 0.8",
    optimizers=adam_cosine(5e-4, "discriminator", "generator", beta_1=0.5),
)
